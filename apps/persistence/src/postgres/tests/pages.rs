//! Pages of documents cost what is on them: each way through a collection is served by the indexes that its file names, and meets no
//! more documents than it must.

use serde_json::{Value, json};
use tokio_postgres::Client;
use umbel_core::document::{Direction, DocumentQuery, Filter, IndexKey, Order, Test};

use super::support::{adapter, client, schema};
use crate::postgres::{
    reader::{by_narrowness, query_text},
    sql::{Schema, Statements},
    target::SETTINGS,
};

/// Statements that are parts of one, which [`queries`] puts together in each way.
pub(super) const PARTS_OF_PAGES: [&str; 16] = [
    "query_documents",
    "find_documents",
    "all_documents",
    "matching_documents",
    "matching_also",
    "lead_by_values",
    "lead_by_test",
    "filter_equal",
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

fn filter(index: &str, test: Test) -> Filter {
    Filter { index: index.into(), test }
}

/// One for each text that a query may have.
pub(super) fn queries() -> Vec<DocumentQuery> {
    let one = filter("group", Test::In(vec![key(&json!("2"))]));
    let several = filter("group", Test::In(vec![key(&json!("2")), key(&json!("9"))]));
    let range = filter("rank", Test::Range { from: Some(key(&json!("000100"))), to: None });
    let filters = [
        vec![],
        vec![one.clone()],
        vec![several.clone()],
        vec![range.clone()],
        vec![range, one.clone()],
        vec![one.clone(), several],
        vec![one; 2],
    ];
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
    prepare(client, statements, "page", query).await;
    let ran = run_prepared(client, "page", query, offset).await;
    client.batch_execute("DEALLOCATE page").await.unwrap();
    ran
}

async fn prepare(client: &Client, statements: &Statements, name: &str, query: &DocumentQuery) {
    client.batch_execute(&format!("PREPARE {name} AS {}", query_text(statements, query))).await.unwrap();
}

async fn run_prepared(client: &Client, name: &str, query: &DocumentQuery, offset: i64) -> Ran {
    let execute = format!("EXECUTE {name}({})", parameters(query, offset));
    let documents = client.query(&execute, &[]).await.unwrap();
    let documents = documents.iter().filter(|row| row.get::<_, Option<&str>>("key").is_some()).count();
    let explain = format!("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) {execute}");
    let plan = client.query(&explain, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    Ran { plan, documents }
}

/// As text, in the order that the statement counts on.
fn parameters(query: &DocumentQuery, offset: i64) -> String {
    let quoted = |index: &str| format!("'{index}'");
    let bytes = |key: &IndexKey| {
        let digits = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!(r"'\x{digits}'::bytea")
    };
    let bound = |key: &Option<IndexKey>, none: &str| key.as_ref().map_or_else(|| none.to_owned(), bytes);
    let used: Vec<_> = query.indexes().map(|index| format!("{}/{index}", query.collection)).collect();
    let mut values = vec![
        quoted(&query.collection),
        quoted(&format!("{{{}}}", used.join(","))),
        offset.to_string(),
        query.limit.to_string(),
    ];
    values.extend(query.order.as_ref().map(|order| quoted(&order.index)));
    for filter in by_narrowness(query) {
        values.push(quoted(&filter.index));
        match &filter.test {
            Test::In(keys) => match keys.as_slice() {
                [key] => values.push(bytes(key)),
                keys => {
                    let keys: Vec<_> = keys.iter().map(bytes).collect();
                    values.push(format!("ARRAY[{}]", keys.join(", ")));
                }
            },
            Test::Range { from, to } => values.extend([bound(from, "''"), bound(to, r"'\xff'")]),
        }
    }
    values.join(", ")
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
        vacuum(&client, &named).await;
    }
    client.batch_execute(SETTINGS).await.unwrap();
    (client, Statements::new(&named), schema)
}

async fn vacuum(client: &Client, schema: &Schema) {
    for table in ["documents", "document_index", "document_shapes", "served"] {
        client.batch_execute(&schema.render(&format!("VACUUM ANALYZE {{schema}}.{table}"))).await.unwrap();
    }
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

/// A filter by a value that few documents have meets these and no others, alone, among others, and sorted: whatever the planner knew of the
/// tables when it made the plan. It may have known nothing, since connections plan when a store is new, and keep their plans.
#[tokio::test]
async fn a_value_that_few_documents_have_costs_what_it_finds() {
    let rank = |rank: u32| key(&json!(format!("{rank:06}")));
    let one = filter("rank", Test::In(vec![rank(1000)]));
    let several = filter("rank", Test::In(vec![rank(1000), rank(1003), rank(1003), rank(5)]));
    let range = filter("rank", Test::Range { from: Some(rank(999)), to: Some(rank(1001)) });
    let group = filter("group", Test::In(vec![key(&json!("0")), key(&json!("1")), key(&json!("2"))]));
    let orders = [None, Some(("rank", Direction::Forward)), Some(("group", Direction::Backward))];
    let of = |filters: &[&Filter], order| DocumentQuery {
        filters: filters.iter().map(|&filter| filter.clone()).collect(),
        ..all(order)
    };
    let queries: Vec<_> = orders
        .into_iter()
        .flat_map(|order| {
            [(&[&one][..], 1), (&[&one, &group], 1), (&[&several], 2), (&[&range], 1), (&[&one, &range], 1)]
                .map(|(filters, documents)| (of(filters, order), documents))
        })
        .collect();
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    let named = Schema::new(schema.name()).unwrap();
    client.batch_execute(SETTINGS).await.unwrap();
    let statements = Statements::new(&named);
    for (at, (query, _)) in queries.iter().enumerate() {
        prepare(&client, &statements, &format!("early{at}"), query).await;
        assert_eq!(run_prepared(&client, &format!("early{at}"), query, 0).await.documents, 0);
    }
    client.batch_execute(&named.render(FILL)).await.unwrap();
    for (at, (query, documents)) in queries.iter().enumerate() {
        let early = run_prepared(&client, &format!("early{at}"), query, 0).await;
        assert_eq!(early.documents, *documents, "{query:?}");
        let unanalyzed = run(&client, &statements, query, 0).await;
        for ran in [early, unanalyzed] {
            assert!(ran.met() <= 6, "{query:?}: {}\n{}", ran.met(), ran.text());
        }
    }
    vacuum(&client, &named).await;
    for (query, _) in &queries {
        let analyzed = run(&client, &statements, query, 0).await;
        assert!(analyzed.met() <= 6, "{query:?}: {}\n{}", analyzed.met(), analyzed.text());
    }
}
