//! Each read is served by the index that its file names, on a schema with something in it. As in a new store, the server has
//! never counted the one row of `log`.

use tokio_postgres::{Client, types::ToSql};
use umbel_core::{
    StreamName, Timestamp,
    document::Direction,
    store::{ListStreams, StreamPlace, StreamSort},
};
use uuid::Uuid;

use super::support::{adapter, client, schema};
use crate::postgres::{
    reader::{kinds_text, list_text, version_text},
    sql::{Schema, Statements},
    target::SETTINGS,
    types::PgTimestamp,
    upkeep::verify::{self, Check},
};

/// 30,000 events of 13 kinds in 300 streams, a third of them in the archive, and a few links.
const FILL: &str = r"
    SET umbel.upkeep = 'on';
    INSERT INTO {schema}.kinds SELECT n, 'category' || n % 3, 'type' || n / 3, 1 FROM generate_series(1, 12) n;
    INSERT INTO {schema}.kinds VALUES (13, 'rare', 'rare', 1);
    INSERT INTO {schema}.streams (stream_id, name, created_at)
    SELECT n, 'stream-' || n, now() FROM generate_series(1, 300) n;
    INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id,
        correlation_id, causation_id, tags, data)
    SELECT n, 1 + n % 300, 1 + (n - 1) / 300, '2026-01-01'::timestamptz + n * interval '1 second',
        CASE WHEN n % 1000 = 0 THEN 13 ELSE 1 + n % 12 END, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
        ARRAY['course:' || n % 50, 'student:' || n % 700], '{}'
    FROM generate_series(1, 30000) n;
    INSERT INTO {schema}.event_tags SELECT position, kind_id, unnest(tags) FROM {schema}.events;
    INSERT INTO {schema}.archive SELECT * FROM {schema}.events WHERE position <= 10000;
    DELETE FROM {schema}.events WHERE position <= 10000;
    INSERT INTO {schema}.links SELECT 1, 200 + n, n * 100 FROM generate_series(1, 100) n;
    UPDATE {schema}.streams SET plain = false WHERE stream_id = 1;
    UPDATE {schema}.log SET position = 30000, last_stream = 300, archived_to = 10000;
    SELECT {schema}.close_spans(0, 30000);
    SELECT brin_summarize_new_values('{schema}.events_by_conversation');
    SELECT brin_summarize_new_values('{schema}.archive_expr_correlation_id_causation_id_idx');
    ANALYZE {schema}.events; ANALYZE {schema}.archive; ANALYZE {schema}.streams; ANALYZE {schema}.links;
    ANALYZE {schema}.event_tags; ANALYZE {schema}.kinds; ANALYZE {schema}.spans; ANALYZE {schema}.span_kinds;
";

const PRIMARY: &[&str] = &["events_pkey", "archive_pkey"];
const HOT: &[&str] = &["events_pkey"];
const KINDS: &[&str] = &["span_kinds_pkey", "events_pkey", "archive_pkey"];
const HOT_KINDS: &[&str] = &["span_kinds_pkey", "events_pkey"];
const CONVERSATION: &[&str] = &[
    "events_by_conversation",
    "archive_expr_correlation_id_causation_id_idx",
    "events_pkey",
    "archive_pkey",
];
const TAGS: &[&str] = &["event_tags_pkey", "events_pkey", "archive_pkey"];
const IDS: &[&str] = &["events_event_id_key", "archive_event_id_key"];
const OWN: &[&str] = &["streams_name_key", "events_stream_id_version_key"];
const WHOLE: &[&str] =
    &["streams_name_key", "events_stream_id_version_key", "archive_stream_id_version_key", "links_pkey"];

/// Versions of a page of streams, whatever it is sorted by.
const LISTED: &[&str] = &["streams_pkey", "events_stream_id_version_key", "archive_stream_id_version_key"];

struct Plans<'a> {
    client: &'a Client,
    wrong: Vec<String>,
}

impl Plans<'_> {
    async fn check(&mut self, text: &str, params: &[&(dyn ToSql + Sync)], indexes: &[&str]) -> String {
        let rows = self.client.query(&format!("EXPLAIN {text}"), params).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        let missing: Vec<_> = indexes.iter().filter(|index| !plan.contains(&format!(" {index} "))).collect();
        if !missing.is_empty()
            || plan.contains("Seq Scan on events")
            || plan.contains("Seq Scan on archive")
            || plan.contains("Seq Scan on event_tags")
        {
            self.wrong.push(format!("{text}\nlacks {missing:?}:\n{plan}\n"));
        }
        plan
    }

    /// The same of a page, none of whose rows may be copied on their way.
    async fn check_page(&mut self, text: &str, params: &[&(dyn ToSql + Sync)], indexes: &[&str]) {
        let plan = self.check(text, params, indexes).await;
        if plan.contains("Materialize") {
            self.wrong.push(format!("{text}\ncopies what it reads:\n{plan}\n"));
        }
    }
}

#[tokio::test]
async fn reads_use_the_indexes_that_they_name() {
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    let named = Schema::new(schema.name()).unwrap();
    client.batch_execute(&named.render(FILL)).await.unwrap();
    // As the adapter's own connections have it.
    client.batch_execute(SETTINGS).await.unwrap();
    let statements = Statements::new(&named);
    let mut plans = Plans { client: &client, wrong: Vec::new() };

    let (first, last, limit, kinds, lists) = (9_000_i64, 13_000_i64, 1000_i64, 64_i64, 65_536_i64);
    let names = Some(vec!["rare", "type1"]);
    let nothing: Option<Vec<&str>> = None;
    let never: Option<PgTimestamp> = None;
    let id = Uuid::from_u128(1);
    let (everything, many) = (i64::MAX, 20_000_i64);
    for (sorted, direction) in [("", Direction::Forward), ("DESC", Direction::Backward)] {
        let text = |text: &str| text.replace("{sorted}", sorted);
        let selected: [&(dyn ToSql + Sync); 7] = [&first, &last, &names, &nothing, &never, &never, &limit];
        for (events, of_kinds, of_range) in [("events", HOT_KINDS, HOT), ("all_events", KINDS, PRIMARY)] {
            let text = |statement: &str| text(statement).replace("{events}", events);
            for (names, categories) in [(&names, &nothing), (&nothing, &names)] {
                let params: [&(dyn ToSql + Sync); 7] =
                    [&first, &last, names, categories, &kinds, &limit, &lists];
                let text = text(&kinds_text(&statements.select_kinds, direction));
                plans.check(&text, &params, of_kinds).await;
            }
            let range = text(&statements.select_range);
            plans.check_page(&range.replace("{conversation}", "true"), &selected, of_range).await;
            let params = [&selected[..], &[&id]].concat();
            plans.check(&range.replace("{conversation}", "correlation_id = $8"), &params, of_range).await;
        }
        for condition in ["correlation_id = $9", "causation_id = $9"] {
            for last in [&last, &everything] {
                let text = text(&statements.select_conversation).replace("{conversation}", condition);
                let mut params = [&selected[..], &[&many, &id]].concat();
                params[1] = last;
                plans.check(&text, &params, CONVERSATION).await;
            }
        }
        let (tags, any_name) = (vec!["course:1\nstudent:1", "course:2"], vec![Some("type1"), None]);
        let by_tags = text(&statements.select_tags).replace("{first}", "min").replace("{last}", "max");
        let by_tags = by_tags.replace("{before}", "<=").replace("{conversation}", "true");
        let params = [&selected[..], &[&tags, &any_name, &many]].concat();
        plans.check(&by_tags, &params, TAGS).await;
        let params: [&(dyn ToSql + Sync); 5] = [&first, &last, &never, &never, &limit];
        plans.check(&text(&statements.find_spans), &params, &["spans_pkey"]).await;
        let params: [&(dyn ToSql + Sync); 4] = [&"stream-1", &1_i64, &last, &limit];
        plans.check_page(&text(&statements.read_stream), &params, OWN).await;
        plans.check(&text(&statements.read_stream_whole), &params, WHOLE).await;
        let direction = if sorted.is_empty() { Direction::Forward } else { Direction::Backward };
        let at = Timestamp::from_micros(0);
        for (sort, behind) in [StreamSort::Name, StreamSort::CreatedAt, StreamSort::DeletedAt]
            .into_iter()
            .flat_map(|sort| [None, Some(None), Some(Some(at))].map(|behind| (sort, behind)))
        {
            let (statement, indexes): (_, &[&str]) = match sort {
                StreamSort::Name => (&statements.list_streams, &["streams_name_key", "streams_pkey"]),
                StreamSort::CreatedAt => (&statements.list_streams, &["streams_by_creation", "streams_pkey"]),
                _ => (&statements.list_streams_by_deletion, &["streams_pkey"]),
            };
            let indexes = match (sort, behind, direction) {
                // Where a segment is behind the place as a whole, or not at all.
                (StreamSort::DeletedAt, Some(None), Direction::Forward) => &["streams_name_key"][..],
                (StreamSort::DeletedAt, Some(Some(_)), Direction::Backward) => &["streams_by_deletion"][..],
                (StreamSort::DeletedAt, ..) => &["streams_by_deletion", "streams_name_key"][..],
                _ => indexes,
            };
            let name = behind.map(|_| "s");
            let place = behind.map(|at| StreamPlace { stream: StreamName::new("s").unwrap(), at });
            let mut request = ListStreams { sort, direction, behind: place, ..ListStreams::default() };
            let at = behind.flatten().map(PgTimestamp);
            let params: [&(dyn ToSql + Sync); 6] = [&"", &0_i64, &10_i64, &name, &at, &None::<&str>];
            plans.check(&list_text(statement, &request), &params, indexes).await;
            if sort == StreamSort::Name {
                request.category = Some("stream".to_owned());
                let params: [&(dyn ToSql + Sync); 6] = [&"", &0_i64, &10_i64, &name, &at, &request.category];
                plans.check(&list_text(statement, &request), &params, indexes).await;
            }
        }
        let params: [&(dyn ToSql + Sync); 5] = [&"", &10_i64, &0_i64, &100_i64, &None::<&str>];
        let by_version = ListStreams { direction, ..ListStreams::default() };
        plans.check(&version_text(&statements.list_streams_by_version, &by_version), &params, LISTED).await;
    }
    for (events, indexes) in [("events", HOT), ("all_events", PRIMARY)] {
        let text = |text: &str| text.replace("{events}", events);
        plans.check_page(&text(&statements.read_all_forward), &[&first, &last, &limit], indexes).await;
        plans.check_page(&text(&statements.read_all_backward), &[&last, &limit], indexes).await;
    }
    plans.check(&statements.find_positions, &[&vec![first]], PRIMARY).await;
    plans.check(&statements.find_event, &[&id], IDS).await;
    plans.check(&statements.find_events, &[&vec![id]], IDS).await;
    plans.check(&statements.find_streams, &[&vec!["stream-1"]], OWN).await;
    plans.check(&statements.stream_info, &[&"stream-1"], OWN).await;
    plans.check(&statements.find_subjects, &[&"stream-1", &1_i64, &100_i64], WHOLE).await;
    plans.check(&statements.name_kinds, &[&vec![1_i32]], &["kinds_pkey"]).await;
    let due: [&(dyn ToSql + Sync); 3] = [&"q", &PgTimestamp(Timestamp::from_micros(0)), &10_i64];
    plans.check(&statements.read_due, &due, &["outbox_by_due"]).await;
    plans.check(&statements.list_queues, &[&"", &10_i64], &["outbox_by_due"]).await;
    let behind: [&(dyn ToSql + Sync); 3] = [&Some("s"), &Some("v"), &limit];
    plans.check(&statements.list_claims, &behind, &["claims_pkey"]).await;
    plans.check(&statements.list_claims_of_scope, &[&"s", &Some("v"), &limit], &["claims_pkey"]).await;
    plans.check(&statements.find_work, &[&id], &["outbox_outbox_id_key"]).await;
    plans.check(&statements.read_outbox, &[&"q", &0_i64, &10_i64], &["outbox_by_queue"]).await;
    plans.check(&statements.name_streams, &[&vec![1_i64]], &["streams_pkey"]).await;
    assert!(plans.wrong.is_empty(), "{}", plans.wrong.join("\n"));
}

/// Documents that serve, of whichever generation, are found by the same indexes as if there were no generations.
#[tokio::test]
async fn documents_are_found_by_the_indexes_that_are_named() {
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    let named = Schema::new(schema.name()).unwrap();
    let fill = r"
        INSERT INTO {schema}.documents
        SELECT 'c' || n % 3 || repeat('@2.1', n % 2), 'k' || n, '{}' FROM generate_series(1, 20000) n;
        INSERT INTO {schema}.document_index SELECT collection, 'i', convert_to(key, 'UTF8'), key FROM {schema}.documents;
        INSERT INTO {schema}.served VALUES ('c1', '@2.1', 'p');
        ANALYZE {schema}.documents; ANALYZE {schema}.document_index; ANALYZE {schema}.served; ANALYZE {schema}.checkpoints;
    ";
    client.batch_execute(&named.render(fill)).await.unwrap();
    client.batch_execute(SETTINGS).await.unwrap();
    let statements = Statements::new(&named);
    let mut plans = Plans { client: &client, wrong: Vec::new() };
    let (some, keys) = (vec!["c1", "c2"], vec!["k1", "k2"]);
    plans.check(&statements.get_documents, &[&some, &keys], &["served_pkey", "documents_pkey"]).await;
    plans
        .check(&statements.load_documents, &[&"p/2", &some, &keys], &["checkpoints_pkey", "documents_pkey"])
        .await;
    plans.check(&statements.list_projections, &[&Some("p")], &["checkpoints_by_name"]).await;
    assert!(plans.wrong.is_empty(), "{}", plans.wrong.join("\n"));
}

/// Each step of a verification takes from every table, by an index, the part that it is about, and no more.
#[tokio::test]
async fn steps_of_a_verification_are_bounded_by_indexes() {
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    let named = Schema::new(schema.name()).unwrap();
    client.batch_execute(&named.render(FILL)).await.unwrap();
    client.batch_execute(SETTINGS).await.unwrap();
    client.batch_execute(&format!("BEGIN; {}", verify::SETTINGS)).await.unwrap();
    let statements = Statements::new(&named);
    // Small tables beside the log.
    let small =
        ["log", "kinds", "checkpoints", "served", "subscriptions", "subscription_partitions", "removals"];
    let is_small = |line: &str| small.iter().any(|table| line.contains(&format!(" on {table} ")));
    let mut walks = 0;
    for Check { walk, sql, .. } in verify::checks(&statements) {
        let steps = walk.steps(&statements);
        let mut texts = vec![sql];
        texts.extend(steps.map(|(next, _)| next));
        for text in texts {
            // As the server sees them: parameters that are not known.
            client.batch_execute(&format!("PREPARE step AS {text}")).await.unwrap();
            let unknown =
                ["NULL"; 4].into_iter().enumerate().filter(|(at, _)| text.contains(&format!("${}", at + 1)));
            let unknown: Vec<_> = unknown.map(|(_, null)| null).collect();
            let explain = format!("EXPLAIN EXECUTE step({})", unknown.join(", "));
            let rows = client.query(&explain, &[]).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            for (line, behind) in plan.iter().zip(plan.iter().skip(1).map(String::as_str).chain([""])) {
                let is_scan = ["Seq Scan", "Index Scan", "Index Only Scan", "Heap Scan"]
                    .iter()
                    .any(|kind| line.contains(kind));
                let is_bounded = behind.contains("Index Cond") || behind.contains("Recheck Cond");
                let is_other = line.contains("Bitmap Index Scan") || line.contains("Scan Backward");
                assert!(
                    !is_scan || is_bounded || is_other || is_small(line),
                    "{text}\n{line}\n{}",
                    plan.join("\n")
                );
            }
            client.batch_execute("DEALLOCATE step").await.unwrap();
        }
        walks += usize::from(steps.is_some());
    }
    assert!(walks > 10, "{walks}");
}
