//! Pages of documents cost what is on them: each way through a collection is served by the indexes that its file names, and meets no
//! more documents than it must.

use serde_json::{Value, json};
use tokio_postgres::Client;
use umbel_core::document::{Direction, DocumentQuery, Filter, IndexKey, Order, Test};

use super::support::{adapter, client, schema};
use crate::postgres::{
    reader::query_text,
    sql::{Schema, Statements},
    target::SETTINGS,
};

/// Statements that are parts of one, which [`queries`] puts together in each way.
pub(super) const PARTS_OF_PAGES: [&str; 12] = [
    "query_documents",
    "all_documents",
    "matching_documents",
    "matching_also",
    "filter_in",
    "filter_range",
    "page_by_key",
    "page_forward",
    "page_backward",
    "matches_forward",
    "matches_backward",
    "met_matches",
];

/// 6,000 documents of three collections; of c1 those that serve have a suffix. Each has a rank that no other has, a group that a third
/// of them have, two tags, and, but for a few of c2, a mood.
const FILL: &str = r"
    WITH documents AS (
        INSERT INTO {schema}.documents
        SELECT 'c' || n % 3 || CASE n % 3 WHEN 1 THEN '@2.1' ELSE '' END, 'k' || n, json_build_object('n', n)
        FROM generate_series(1, 6000) n RETURNING collection, key, (body ->> 'n')::int AS n
    ), entries AS (
        SELECT collection, key, unnest(ARRAY['rank', 'group', 'tags', 'tags', 'mood']) AS index_name,
            unnest(ARRAY[lpad(n::text, 6, '0'), (n % 7 / 3)::text, n::text, (n + 1)::text, 'm']) AS value, n
        FROM documents
    )
    INSERT INTO {schema}.document_index (collection, key, index_name, value)
    SELECT collection, key, index_name, '\x04'::bytea || convert_to(value, 'UTF8') FROM entries
    WHERE NOT (index_name = 'mood' AND collection = 'c2' AND n % 500 = 2);
    INSERT INTO {schema}.document_shapes
    SELECT DISTINCT collection, array_agg(DISTINCT index_name) FROM {schema}.document_index GROUP BY collection, key;
    INSERT INTO {schema}.served VALUES ('c1', '@2.1', 'p');
";

fn all(order: Option<(&str, Direction)>) -> DocumentQuery {
    let order = order.map(|(index, direction)| Order { index: index.into(), direction });
    DocumentQuery { collection: "c1".into(), filters: Vec::new(), order, offset: 0, limit: 20 }
}

fn key(value: &Value) -> IndexKey {
    IndexKey::of(value).unwrap()
}

/// One for each text that a query may have.
pub(super) fn queries() -> Vec<DocumentQuery> {
    let of = |index: &str, test| Filter { index: index.into(), test };
    let one = of("group", Test::In(vec![key(&json!("2"))]));
    let range = of("rank", Test::Range { from: Some(key(&json!("000100"))), to: None });
    let filters = [vec![], vec![one.clone()], vec![range.clone()], vec![range, one.clone()], vec![one; 2]];
    let orders = [None, Some(("rank", Direction::Forward)), Some(("rank", Direction::Backward))];
    let filtered = |order| filters.clone().map(|filters| DocumentQuery { filters, ..all(order) });
    orders.into_iter().flat_map(filtered).collect()
}

/// How a query was carried out, each step with how many rows it has met, and how many documents it has answered.
struct Ran {
    plan: Vec<String>,
    documents: usize,
}

/// Carries it out as connections of the adapter do: by a plan that was made without knowing the parameters.
async fn run(client: &Client, statements: &Statements, query: &DocumentQuery, offset: i64) -> Ran {
    let quoted = |index: &str| format!("'{index}'");
    let order = query.order.as_ref().map_or_else(|| "NULL".into(), |order| quoted(&order.index));
    let used: Vec<_> = query.indexes().collect();
    let collection = quoted(&query.collection);
    let mut values = vec![
        collection,
        order,
        offset.to_string(),
        query.limit.to_string(),
        quoted(&format!("{{{}}}", used.join(","))),
    ];
    let mut filters: Vec<_> = query.filters.iter().collect();
    filters.sort_by_key(|filter| matches!(filter.test, Test::Range { .. }));
    for filter in filters {
        values.push(quoted(&filter.index));
        match filter.test {
            Test::In(_) => values.push(r"ARRAY['\x0432'::bytea]".into()),
            Test::Range { .. } => values.extend([r"'\x04303030313030'".into(), r"'\xff'".into()]),
        }
    }
    client.batch_execute(&format!("PREPARE page AS {}", query_text(statements, query))).await.unwrap();
    let execute = format!("EXECUTE page({})", values.join(", "));
    let documents = client.query(&execute, &[]).await.unwrap();
    let documents = documents.iter().filter(|row| row.get::<_, Option<&str>>("key").is_some()).count();
    let explain = format!("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) {execute}");
    let plan = client.query(&explain, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    client.batch_execute("DEALLOCATE page").await.unwrap();
    Ran { plan, documents }
}

impl Ran {
    /// The most entries or documents that a scan met, but for the one that counts.
    fn met(&self) -> u64 {
        let number = |line: &str, name: &str| {
            let (_, behind) = line.split_once(name)?;
            behind.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u64>().ok()
        };
        let mut part = "";
        let mut most = 0;
        for (at, line) in self.plan.iter().enumerate() {
            part = line.trim().strip_prefix("CTE ").filter(|name| !name.contains(' ')).unwrap_or(part);
            if part == "reach" || !line.contains(" on document") || line.contains("never executed") {
                continue;
            }
            let of_it = self.plan[at + 1..].iter().take_while(|line| !line.contains("->"));
            let removed = of_it.filter_map(|line| number(line, "Rows Removed by Filter: ")).max();
            let (rows, loops) = (number(line, "rows=").unwrap(), number(line, "loops=").unwrap());
            most = most.max((rows + removed.unwrap_or(0)) * loops);
        }
        most
    }

    fn text(&self) -> String {
        self.plan.join("\n")
    }
}

async fn filled(analyzed: bool) -> (Client, Statements, umbel_testkit::postgres::TestSchema) {
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    let named = Schema::new(schema.name()).unwrap();
    client.batch_execute(&named.render(FILL)).await.unwrap();
    if analyzed {
        let vacuum = |table: &str| format!("VACUUM ANALYZE {{schema}}.{table}");
        for table in ["documents", "document_index", "document_shapes", "served"] {
            client.batch_execute(&named.render(&vacuum(table))).await.unwrap();
        }
    }
    client.batch_execute(SETTINGS).await.unwrap();
    (client, Statements::new(&named), schema)
}

/// A page of all documents, by whichever index, either way, is read without meeting others than those up to its end, whatever
/// the planner knows of the tables.
#[tokio::test]
async fn a_page_meets_the_documents_up_to_its_end() {
    for analyzed in [false, true] {
        let (client, statements, _schema) = filled(analyzed).await;
        let directions = [Direction::Forward, Direction::Backward];
        let by = |index| directions.map(|direction| Some((index, direction)));
        // By tags each document is met twice, and counts once.
        let orders =
            [vec![None], by("rank").into(), by("group").into(), by("mood").into(), by("tags").into()];
        for order in orders.concat() {
            for (offset, documents) in [(0, 20), (100, 20), (1990, 10), (2000, 0), (i64::MAX - 20, 0)] {
                let ran = run(&client, &statements, &all(order), offset).await;
                assert_eq!(ran.documents, documents, "{order:?} {offset}");
                let end = match documents {
                    0 => 0,
                    _ => u64::try_from(offset).unwrap() + 20,
                };
                assert!(ran.met() <= 2 * end + 2, "{order:?} {offset}: {}\n{}", ran.met(), ran.text());
            }
        }
    }
}

/// Documents without an entry are looked for where some document lacks one, and downwards only behind all others.
#[tokio::test]
async fn documents_without_an_entry_are_looked_for_where_there_may_be_some() {
    let (client, statements, _schema) = filled(true).await;
    let page = |index, direction, offset| {
        let query = DocumentQuery { collection: "c2".into(), ..all(Some((index, direction))) };
        let (client, statements) = (&client, &statements);
        async move { run(client, statements, &query, offset).await }
    };
    assert!(page("mood", Direction::Forward, 0).await.met() > 1000);
    assert!(page("mood", Direction::Backward, 1980).await.met() > 1000);
    assert!(page("mood", Direction::Backward, 0).await.met() < 50);
    assert!(page("rank", Direction::Forward, 0).await.met() < 50);
}

/// Filters lead to the documents; the others of the collection are not met.
#[tokio::test]
async fn documents_are_found_by_the_indexes_that_are_named() {
    let (client, statements, _schema) = filled(true).await;
    for query in queries() {
        let Ran { plan, documents } = run(&client, &statements, &query, 0).await;
        let plan = plan.join("\n");
        assert_eq!(documents, 20, "{query:?}");
        let by_order: &[&str] = match (&query.order, query.filters.is_empty()) {
            (Some(_), true) => &["document_index_pkey", "document_index_by_key", "document_shapes_pkey"],
            (Some(_), false) => &["document_index_pkey", "document_index_by_key"],
            (None, true) => &[],
            (None, false) => &["document_index_pkey"],
        };
        for index in [&["served_pkey", "documents_pkey"], by_order].concat() {
            assert!(plan.contains(&format!(" {index} ")), "{query:?} lacks {index}:\n{plan}");
        }
        assert!(!plan.contains("Seq Scan on document"), "{query:?}:\n{plan}");
    }
}
