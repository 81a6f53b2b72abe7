//! Verifying: a healthy store has no findings, whatever was done to it by its own means; each damage is found.

use umbel_core::{
    Changes, CommandId, Document, ExpectedVersion, Json, Position, StreamName, Tags, Version,
    store::{
        CommandRecord, FINDINGS_MAX_PER_RULE, Finding, Removal, Rule, SaveProjection, Snapshot, StoreError,
    },
};
use umbel_testkit::postgres::TestSchema;
use uuid::Uuid;

use serde::{Deserialize, Serialize};

use super::{
    support::{adapter, append, client, schema, stream, to},
    upkeep::{NOW, archive, delete, link, one_more, perform, truncate},
};
use crate::{Extras, Log, ReadModels, Stride, Upkeep, postgres::Postgres};

/// What is damaged, and mended from a copy.
const TABLES: [&str; 21] = [
    "log",
    "streams",
    "removals",
    "kinds",
    "events",
    "archive",
    "spans",
    "links",
    "checkpoints",
    "snapshots",
    "documents",
    "document_index",
    "document_shapes",
    "served",
    "commands",
    "outbox",
    "subject_keys",
    "subscriptions",
    "subscription_partitions",
    "letters",
    "lost_boxes",
];

#[derive(Serialize, Deserialize)]
struct Item {
    size: i64,
}

impl Document for Item {
    const COLLECTION: &'static str = "test.items";
    const INDEXES: &'static [&'static str] = &["size"];
}

/// Everything a store can hold, after everything that upkeep can do.
async fn populate(adapter: &Postgres) {
    for name in ["a-1", "b-1", "cut-1", "soft-1", "gone-1", "ended-1"] {
        for _ in 0..4 {
            one_more(adapter, name).await;
        }
    }
    let (mine, lost) = (one_more(adapter, "a-1").await, one_more(adapter, "gone-1").await);
    link(adapter, "links-1", vec![mine, lost]).await.unwrap();
    link(adapter, "b-1", vec![lost, mine]).await.unwrap();
    one_more(adapter, "b-1").await;
    perform(adapter, archive(9)).await;
    perform(adapter, truncate("cut-1", 3, Removal::Hard)).await;
    perform(adapter, truncate("soft-1", 3, Removal::Soft)).await;
    perform(adapter, delete("gone-1", Removal::Hard)).await;
    perform(adapter, delete("ended-1", Removal::Soft)).await;
    one_more(adapter, "gone-1").await;

    let mut carried_out = to("a-1", ExpectedVersion::Any);
    let reply = Json::encode("done").unwrap();
    carried_out.command = Some(CommandRecord { id: CommandId(Uuid::from_u128(1)), reply });
    append(adapter, carried_out).await.unwrap();
    save(adapter, "a-1").await;
    save(adapter, "soft-1").await;
    crate::conformance::served::serve(adapter).await;
    let mut changes = Changes::default();
    changes.put("one", Item { size: 1 });
    let request = SaveProjection {
        clear: Vec::new(),
        projection: "items/1".into(),
        expected: Position::START,
        position: Position::new(3),
        writes: changes.apply(std::collections::BTreeMap::new()).unwrap(),
    };
    adapter.save_projection(request).await.unwrap();
    crate::conformance::kept::fill(adapter).await;
}

async fn save(adapter: &Postgres, name: &str) {
    let snapshot = Snapshot {
        stream: stream(name),
        version: Version::new(4),
        state: "test.state".into(),
        schema: 1,
        taken_at: NOW,
        data: Json::encode("state").unwrap(),
    };
    assert_eq!(adapter.save_snapshot(snapshot).await, Ok(true));
}

/// As no program can: without triggers.
pub(super) async fn damage(schema: &TestSchema, sql: &str) {
    let sql = format!("SET session_replication_role = replica; {}", sql.replace("{}", schema.name()));
    client(schema.superuser_url()).await.batch_execute(&sql).await.unwrap();
}

/// What is found in steps of so many rows, as what is found in the usual ones, which take in all of these small stores.
pub(super) async fn found(adapter: &Postgres, rows: u32) -> Vec<Finding> {
    let whole = adapter.verify().await.unwrap();
    let stride = Stride { rows, ..Stride::default() };
    assert_eq!(adapter.verify_by(stride).await.unwrap(), whole, "in steps of {rows}");
    whole
}

fn rules(findings: &[Finding]) -> Vec<Rule> {
    let mut rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    rules.dedup();
    rules
}

/// Every rule is broken at least once here, and what tells of it names the place.
#[tokio::test]
async fn every_damage_is_found() {
    use Rule::{
        Archive, Checkpoints, Commands, Documents, EventIds, Letters, Links, Log, Payloads, Positions,
        References, Snapshots, Spans, SubjectKeys, Subscriptions, Versions,
    };
    let last = "(SELECT max(position) FROM {}.events)";
    let last_of_a = "stream_id = (SELECT stream_id FROM {}.streams WHERE name = 'a-1') AND version = 6";
    let damages: &[(&str, &[Rule], &str)] = &[
        ("DELETE FROM {}.log", &[Log], "0 rows instead of one"),
        (
            "ALTER TABLE {}.log DROP CONSTRAINT log_pkey; INSERT INTO {}.log SELECT * FROM {}.log",
            &[Log],
            "2 rows instead of one",
        ),
        ("UPDATE {}.log SET last_stream = 2", &[Log], "streams got ids up to 2"),
        (
            "INSERT INTO {}.outbox VALUES (7, '00000000-0000-0000-0000-000000000001', 'q', '1', now(), now())",
            &[Log],
            "up to 0, and there is an entry with number 7",
        ),
        ("DELETE FROM {}.events WHERE OF_A", &[Positions], ", 34, of which any may be what was removed"),
        ("DELETE FROM {}.archive WHERE position = 2", &[Positions, Versions], "up to position"),
        ("UPDATE {}.log SET position = position + 1", &[Positions], "are missing"),
        ("UPDATE {}.log SET position = position - 1", &[Positions, Commands], "is beyond the head"),
        (
            "INSERT INTO {}.archive SELECT * FROM {}.events WHERE position = LAST",
            &[Positions, Versions, EventIds, Archive],
            "is there twice",
        ),
        ("UPDATE {}.events SET version = 9 WHERE OF_A", &[Versions], "stream a-1 is at version 9, of which 0 were removed and 6 are there"),
        ("UPDATE {}.events SET version = 0 WHERE OF_A", &[Versions], "stream a-1 begins at version 0"),
        ("DELETE FROM {}.links WHERE version = 6", &[Versions], "stream b-1 is at version 7, of which 1 were removed and 5"),
        ("DELETE FROM {}.links WHERE version = 1", &[Versions], "stream links-1 is at version 2, of which 1 were removed and 0"),
        ("UPDATE {}.streams SET kept_version = 0 WHERE name = 'links-1'", &[Versions], "keeps version 0"),
        ("INSERT INTO {}.removals VALUES (99, gen_random_uuid(), '{\"a\":1}', 1, 2)", &[Versions], "of stream 99, which is not known"),
        ("INSERT INTO {}.removals SELECT stream_id, gen_random_uuid(), '{\"a\":1}', 1, 3 FROM {}.streams WHERE name = 'b-1'", &[Versions], "of stream b-1, which is shown from 1"),
        ("INSERT INTO {}.removals SELECT stream_id, gen_random_uuid(), '{\"a\":1}', 1, 1, 2, 0 FROM {}.streams WHERE name = 'b-1'", &[Positions], "are missing and"),
        ("UPDATE {}.streams SET removed = 99 WHERE name = 'cut-1'", &[Versions], "and the audit tells of"),
        ("UPDATE {}.streams SET first_version = 8 WHERE name = 'a-1'", &[Versions], "is shown from version 8, and ends at 6"),
        ("UPDATE {}.streams SET created_at = 'infinity' WHERE name = 'a-1'", &[Versions], "a-1 began at infinity"),
        ("UPDATE {}.links SET version = 1 WHERE version = 6", &[Versions], "stream b-1: version 1 is there 2 times"),
        ("UPDATE {}.streams SET plain = true WHERE name = 'b-1'", &[Versions], "stream b-1 holds links"),
        (
            "ALTER TABLE {}.events DROP CONSTRAINT events_event_id_key;
             UPDATE {}.events SET event_id = (SELECT event_id FROM {}.archive WHERE position = 1) WHERE position = LAST",
            &[EventIds],
            "is at positions 1, ",
        ),
        ("UPDATE {}.events SET kind_id = 999 WHERE position = LAST", &[References], "no kind with id 999"),
        ("UPDATE {}.kinds SET type = '' WHERE category = 'soft'", &[References], "has type \"\" and schema 1"),
        ("UPDATE {}.kinds SET schema = 0 WHERE category = 'soft'", &[References], "and schema 0"),
        ("INSERT INTO {}.spans VALUES (1, now(), now())", &[Spans], "a span from position 1, and the log ends at"),
        ("UPDATE {}.kinds SET category = 'x' WHERE category = 'soft'", &[References], "its kind is of category x"),
        ("DELETE FROM {}.streams WHERE name = 'cut-1'", &[References], "no stream with id"),
        ("UPDATE {}.links SET position = 999 WHERE version = 1", &[Links], "links-1 links at version 1 to position 999"),
        ("DELETE FROM {}.streams WHERE name = 'links-1'", &[Links], "there is no such stream"),
        (
            "ALTER TABLE {}.links DROP CONSTRAINT links_stream_id_position_key;
             INSERT INTO {}.links SELECT stream_id, 9, position FROM {}.links WHERE version = 1",
            &[Versions, Links],
            "links-1 links to position 25 2 times",
        ),
        ("UPDATE {}.checkpoints SET position = 999", &[Checkpoints], "projection items/1 stands at position 999"),
        ("UPDATE {}.snapshots SET version = 9 WHERE stream = 'a-1'", &[Snapshots], "the stream ends at 6"),
        ("UPDATE {}.snapshots SET stream = 'x-1' WHERE stream = 'a-1'", &[Snapshots], "x-1: there is no such stream"),
        ("DELETE FROM {}.documents", &[Documents], "index size of test.items has an entry for one"),
        ("DELETE FROM {}.document_shapes", &[Documents], "document one of test.items has entries under the indexes {size}"),
        ("DELETE FROM {}.document_index", &[Documents], "has entries under the indexes {}, and that"),
        (
            "UPDATE {}.served SET suffix = '~9'",
            &[Documents],
            "readers of test.items get what is kept under test.items~9, which no generation of items that serves keeps",
        ),
        ("UPDATE {}.served SET collection = 'test.other'", &[Documents], "readers of test.other get"),
        ("UPDATE {}.checkpoints SET phase = 'removed'", &[Documents], "which no generation of items that serves"),
        ("UPDATE {}.commands SET last_position = 999", &[Commands], "stored up to position 999"),
        ("UPDATE {}.log SET archived_to = 7", &[Archive], "position 8 is in the archive, which ends at 7"),
        ("UPDATE {}.log SET archived_to = 14", &[Archive], "is not in the archive, which ends at 14"),
        ("UPDATE {}.log SET archived_to = 999", &[Archive], "the archive ends at position 999"),
        ("UPDATE {}.events SET data = NULL WHERE position = LAST", &[Payloads], "has no data"),
        ("UPDATE {}.events SET bytes = 'x' WHERE position = LAST", &[Payloads], "both JSON and bytes"),
        ("UPDATE {}.events SET metadata = '[]' WHERE position = LAST", &[Payloads], "metadata that is no object"),
        ("UPDATE {}.events SET recorded_at = '-infinity' WHERE OF_A", &[Payloads], "-infinity as its time"),
        (
            r#"UPDATE {}.events SET subject = 'ada', data = '{"name": {"$sealed":"AAAA"}}' WHERE position = LAST"#,
            &[SubjectKeys],
            "holds personal data of ada, whose key is lost",
        ),
        (
            r"UPDATE {}.events SET subject = 'ada', data = NULL, bytes = '\x00247365616c65640001' WHERE position = LAST",
            &[SubjectKeys],
            "holds personal data of ada, whose key is lost",
        ),
        (
            "UPDATE {}.subscription_partitions SET checkpoint = 999 WHERE partition = 1",
            &[Checkpoints],
            "subscription kept has partition 1 at 999",
        ),
        ("DELETE FROM {}.subscription_partitions WHERE partition = 0", &[Subscriptions, Letters], "from 1 to 3"),
        (
            "DELETE FROM {}.subscriptions",
            &[Subscriptions, Letters],
            "partitions of kept: there is no such subscription",
        ),
        (
            "INSERT INTO {}.lost_boxes SELECT box FROM {}.subscriptions",
            &[Subscriptions],
            "subscription kept keeps its dead letters in box",
        ),
        ("DELETE FROM {}.subscription_partitions", &[Subscriptions, Letters], "kept has no partitions"),
        ("UPDATE {}.letters SET position = 999 WHERE place = 1", &[Letters], "of position 999: the log ends at"),
        ("UPDATE {}.letters SET partition = partition + 1 WHERE place = 1", &[Letters], ": its key is of partition"),
        ("UPDATE {}.letters SET head = true WHERE place = 2", &[Letters], "says that it is the first of its key, and is not"),
        ("UPDATE {}.letters SET head = false WHERE place = 1", &[Letters], "it is the first of its key, and does not say so"),
        ("UPDATE {}.letters SET box = 77 WHERE place = 2", &[Letters], "letter at 2 of box 77, partition"),
        (
            "INSERT INTO {}.removals SELECT stream_id, gen_random_uuid(), '1', 1, 1, 0, 0 FROM {}.streams WHERE name = 'a-1'",
            &[Versions],
            "was asked for by JSON of type number",
        ),
        (
            "INSERT INTO {}.removals SELECT stream_id, gen_random_uuid(), '[]', 1, 1, 0, -1 FROM {}.streams WHERE name = 'a-1'",
            &[Versions],
            "was asked for by JSON of type array and has taken 0 events and -1 links",
        ),
        ("UPDATE {}.checkpoints SET version = -3", &[Checkpoints], "is of version -3 and run"),
        ("UPDATE {}.checkpoints SET run = 4294967296", &[Checkpoints], "and run 4294967296, live after"),
        ("UPDATE {}.snapshots SET schema = -1 WHERE stream = 'a-1'", &[Snapshots], "a-1 is of version 4 and schema -1"),
        ("UPDATE {}.subscriptions SET resets = -1", &[Subscriptions], "subscription kept was reset -1 times"),
        (
            "UPDATE {}.subscription_partitions SET epoch = -1 WHERE partition = 1",
            &[Subscriptions],
            "partition 1 of kept is owned in epoch -1",
        ),
        ("DELETE FROM {}.letters WHERE place = 2", &[Letters], "letters and has"),
    ];
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    let each = |sql: &str| TABLES.map(|table| sql.replace("{table}", table)).join(";");
    damage(&schema, &each("CREATE TABLE {}.sound_{table} AS SELECT * FROM {}.{table}")).await;
    let mend = each("DELETE FROM {}.{table}; INSERT INTO {}.{table} SELECT * FROM {}.sound_{table}");
    assert_eq!(adapter.verify().await, Ok(vec![]), "a healthy store has no findings");
    // What the one before had left behind would be found with the next.
    for ((sql, expected, text), rows) in damages.iter().zip([1, 2, 3].into_iter().cycle()) {
        damage(&schema, &sql.replace("LAST", last).replace("OF_A", last_of_a)).await;
        let mut findings = found(&adapter, rows).await;
        // Constraints that had to go before are missed, too.
        findings.retain(|finding| finding.rule != Rule::Schema);
        assert_eq!(rules(&findings), *expected, "{sql}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.what.contains(text)), "{sql}: {findings:#?}");
        assert!(findings.is_sorted());
        damage(&schema, &mend).await;
    }
    let findings = adapter.verify().await.unwrap();
    assert!(
        findings.iter().all(|finding| finding.rule == Rule::Schema),
        "what was mended is healthy: {findings:#?}"
    );
}

/// OP-30: given a log of which much was removed for good, and which has lost an event besides, when it is verified, then it is told how many are
/// missing beyond what was removed, where nothing is, in order, and which stream lacks one.
#[tokio::test]
async fn a_lost_event_is_told_beside_those_that_were_removed() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    crate::conformance::removed::fill(&*adapter).await;
    assert_eq!(adapter.verify().await, Ok(vec![]));
    damage(&schema, "DELETE FROM {}.events WHERE position = 6").await;
    let findings = found(&adapter, 1).await;
    let [lost, positions, versions] = &findings[..] else { panic!("{findings:#?}") };
    assert!(positions.what.ends_with(crate::conformance::removed::TOLD), "{positions:#?}");
    assert_eq!(lost.what, "stream kept-1 lacks its version 3, which was between positions 4 and 8");
    assert_eq!(versions.what, "stream kept-1 is at version 12, of which 0 were removed and 11 are there");
}

/// What leads reads by time and by kind to the events is there and right for each complete span, archived or not; a removal leaves it as
/// it is.
#[tokio::test]
async fn spans_are_compared_with_their_events() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let events = umbel_testkit::conformance::Events::default();
    append(&adapter, events.append("long", ExpectedVersion::Any, 9_000)).await.unwrap();
    perform(&adapter, archive(5_000)).await;
    perform(&adapter, truncate("long", 100, Removal::Hard)).await;
    assert_eq!(adapter.verify().await, Ok(vec![]));
    for (sql, text) in [
        ("DELETE FROM {}.spans WHERE first_position = 4097", "positions 4097 to 8192"),
        ("UPDATE {}.spans SET min_recorded_at = 'infinity'", "their span says between infinity"),
        ("UPDATE {}.spans SET max_recorded_at = '-infinity'", "and -infinity"),
        ("UPDATE {}.spans SET first_position = 2 WHERE first_position = 1", "a span from position 2"),
    ] {
        damage(&schema, "CREATE TABLE {}.sound AS SELECT * FROM {}.spans").await;
        damage(&schema, sql).await;
        let findings = adapter.verify().await.unwrap();
        assert_eq!(rules(&findings), [Rule::Spans], "{sql}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.what.contains(text)), "{sql}: {findings:#?}");
        let mend = "DELETE FROM {}.spans; INSERT INTO {}.spans SELECT * FROM {}.sound; DROP TABLE {}.sound";
        damage(&schema, mend).await;
    }
    for (sql, text) in [
        (
            "DELETE FROM {}.span_kinds WHERE first_position = 4097",
            "at positions 4097 to 8192 are listed as 0 instead of 4096; the first that is left out is at position 4097",
        ),
        (
            "UPDATE {}.span_kinds SET places[1] = 4095 WHERE first_position = 1",
            "are listed as 3997 instead of 3997; the first that is left out is at position 100",
        ),
        (
            "UPDATE {}.span_kinds SET events = events + 1, places = array_append(places, 0::smallint) WHERE first_position = 1",
            "are listed as 3998 instead of 3997; the first that is none of them is at position 1",
        ),
        (
            "UPDATE {}.span_kinds SET kind_id = 999 WHERE first_position = 1",
            "kind 999 is listed in the span from position 1",
        ),
        (
            "UPDATE {}.span_kinds SET first_position = 8193 WHERE first_position = 1",
            "is listed in the span from position 8193",
        ),
    ] {
        damage(&schema, "CREATE TABLE {}.sound AS SELECT * FROM {}.span_kinds").await;
        damage(&schema, sql).await;
        let findings = adapter.verify().await.unwrap();
        assert_eq!(rules(&findings), [Rule::Spans], "{sql}: {findings:#?}");
        assert!(findings.iter().all(|finding| finding.what.len() < 200), "{sql}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.what.contains(text)), "{sql}: {findings:#?}");
        let mend = "DELETE FROM {}.span_kinds; INSERT INTO {}.span_kinds SELECT * FROM {}.sound; DROP TABLE {}.sound";
        damage(&schema, mend).await;
    }
}

/// Tags lead to the events that have them, archived or not, and to all of those; a removal leaves nothing behind.
#[tokio::test]
async fn tags_are_compared_with_their_events() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let events = umbel_testkit::conformance::Events::default();
    let mut tagged = events.append("a-1", ExpectedVersion::Any, 4);
    for (event, number) in tagged.streams[0].events.iter_mut().zip(1..) {
        event.tags = Tags::of("t", number).and("all", 1);
    }
    append(&adapter, tagged).await.unwrap();
    perform(&adapter, archive(3)).await;
    perform(&adapter, truncate("a-1", 3, Removal::Hard)).await;
    assert_eq!(adapter.verify().await, Ok(vec![]));
    for table in ["events", "event_tags"] {
        damage(&schema, &format!("CREATE TABLE {{}}.sound_{table} AS SELECT * FROM {{}}.{table}")).await;
    }
    for (sql, text) in [
        ("DELETE FROM {}.event_tags WHERE tag = 't:4'", "position 4 is not found by its tag t:4"),
        ("DELETE FROM {}.event_tags WHERE tag = 't:3'", "position 3 is not found by its tag t:3"),
        ("UPDATE {}.event_tags SET kind_id = 999 WHERE tag = 't:4'", "the tag t:4 leads to position 4"),
        ("UPDATE {}.events SET tags = NULL", "the tag t:4 leads to position 4"),
        ("INSERT INTO {}.event_tags VALUES (1, 1, 't:1')", "the tag t:1 leads to position 1"),
    ] {
        damage(&schema, sql).await;
        let findings = found(&adapter, 1).await;
        assert_eq!(rules(&findings), [Rule::Tags], "{sql}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.what.contains(text)), "{sql}: {findings:#?}");
        for table in ["events", "event_tags"] {
            let mend = format!(
                "DELETE FROM {{}}.{table}; INSERT INTO {{}}.{table} SELECT * FROM {{}}.sound_{table}"
            );
            damage(&schema, &mend).await;
        }
    }
}

/// A log without its row has no head; that is damage, and not an empty log.
#[tokio::test]
async fn a_log_without_its_row_has_no_status() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    damage(&schema, "DELETE FROM {}.log").await;
    let status = adapter.status().await;
    assert!(
        matches!(&status, Err(StoreError::Corrupt { reason }) if reason.contains("umbel store verify")),
        "{status:?}"
    );
}

/// A link that damage took away leaves its version used up: nothing else gets it.
#[tokio::test]
async fn the_version_of_a_lost_link_is_not_given_out_again() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    let version = async || adapter.stream_info(stream("links-1")).await.unwrap().version;
    let mine = one_more(&adapter, "c-1").await;
    link(&adapter, "links-1", vec![mine]).await.unwrap();
    assert_eq!(version().await, Version::new(3));
    damage(&schema, "DELETE FROM {}.links WHERE version = 3").await;
    assert_eq!(version().await, Version::new(3));
    let other = one_more(&adapter, "c-1").await;
    assert_eq!(link(&adapter, "links-1", vec![other]).await, Ok(Version::new(4)));
    assert_eq!(rules(&adapter.verify().await.unwrap()), [Rule::Versions]);
}

/// A verification is many short transactions: none is open from its first look to its last, which would keep the versions of
/// the log's row from being pruned.
#[tokio::test]
async fn no_snapshot_is_held_for_the_whole_verification() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    let [first, last, watch] =
        [client(schema.url()).await, client(schema.url()).await, client(schema.url()).await];
    let lock = |table: &str| format!("BEGIN; LOCK TABLE {}.{table} IN ACCESS EXCLUSIVE MODE", schema.name());
    let began = async |table: &str| -> f64 {
        let name = format!("%\"{}\".{table}%", schema.name());
        let sql = "SELECT extract(epoch FROM xact_start)::float8 FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND query LIKE $1";
        loop {
            if let Some(row) = watch.query_opt(sql, &[&name]).await.unwrap() {
                return row.get(0);
            }
            tokio::task::yield_now().await;
        }
    };
    first.batch_execute(&lock("outbox")).await.unwrap();
    let verifying = tokio::spawn(async move { adapter.verify().await });
    let first_look = began("outbox").await;
    last.batch_execute(&lock("subject_keys")).await.unwrap();
    first.batch_execute("ROLLBACK").await.unwrap();
    assert!(began("subject_keys").await > first_look);
    last.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(verifying.await.unwrap(), Ok(vec![]));
}

/// A store with damage everywhere is told of briefly.
#[tokio::test]
async fn findings_are_few() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    damage(&schema, "UPDATE {}.events SET kind_id = 999; UPDATE {}.archive SET kind_id = 999").await;
    let findings = adapter.verify().await.unwrap();
    assert_eq!(findings.len(), FINDINGS_MAX_PER_RULE);
    assert!(!Finding::are_all(&findings) && Finding::are_all(&findings[1..]));
}

/// What the audit says was removed is what may be missing: not less, and no more.
#[tokio::test]
async fn the_audit_must_account_for_what_is_missing() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    let audit = StreamName::audit();
    damage(
        &schema,
        &format!(
            "UPDATE {{}}.events SET data = replace(data::text, '\"events\":5', '\"events\":4')::json
             WHERE stream_id = (SELECT stream_id FROM {{}}.streams WHERE name = '{audit}')"
        ),
    )
    .await;
    let findings = adapter.verify().await.unwrap();
    assert_eq!(rules(&findings), [Rule::Positions]);
    assert!(
        findings.iter().any(|finding| finding.what.contains("7 are missing and 6 were removed")),
        "{findings:#?}"
    );
}
