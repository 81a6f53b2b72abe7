//! Verifying: a healthy store has no findings, whatever was done to it by its own means; each damage is found.

use umbel_core::{
    Changes, CommandId, Document, ExpectedVersion, Json, Position, StreamName, Version,
    store::{CommandRecord, FINDINGS_MAX_PER_RULE, Finding, Removal, Rule, SaveProjection, Snapshot},
};
use umbel_testkit::postgres::TestSchema;
use uuid::Uuid;

use serde::{Deserialize, Serialize};

use super::{
    support::{adapter, append, client, schema, stream, to},
    upkeep::{NOW, archive, delete, link, one_more, perform, truncate},
};
use crate::{Extras, ReadModels, Upkeep, postgres::Postgres};

/// What is damaged, and mended from a copy.
const TABLES: [&str; 11] = [
    "log",
    "streams",
    "kinds",
    "events",
    "archive",
    "links",
    "checkpoints",
    "snapshots",
    "documents",
    "document_index",
    "commands",
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
async fn damage(schema: &TestSchema, sql: &str) {
    let sql = format!("SET session_replication_role = replica; {}", sql.replace("{}", schema.name()));
    client(schema.url()).await.batch_execute(&sql).await.unwrap();
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
        Archive, Checkpoints, Commands, Documents, EventIds, Links, Payloads, Positions, References,
        Snapshots, Versions,
    };
    let last = "(SELECT max(position) FROM {}.events)";
    let last_of_a = "stream_id = (SELECT stream_id FROM {}.streams WHERE name = 'a-1') AND version = 6";
    let damages: &[(&str, &[Rule], &str)] = &[
        ("DELETE FROM {}.events WHERE OF_A", &[Positions], "positions 34 to 34 are missing"),
        ("DELETE FROM {}.archive WHERE position = 2", &[Positions, Versions], "up to position"),
        ("UPDATE {}.log SET position = position + 1", &[Positions], "are missing"),
        ("UPDATE {}.log SET position = position - 1", &[Positions, Commands], "is beyond the head"),
        (
            "INSERT INTO {}.archive SELECT * FROM {}.events WHERE position = LAST",
            &[Positions, Versions, EventIds, Archive],
            "is there twice",
        ),
        ("UPDATE {}.events SET version = 9 WHERE OF_A", &[Versions], "stream a-1: 6 events stand at versions 1 to 9"),
        ("UPDATE {}.links SET version = 1 WHERE version = 6", &[Versions], "stream b-1: version 1 is there 2 times"),
        ("UPDATE {}.streams SET plain = true WHERE name = 'b-1'", &[Versions], "stream b-1 holds links"),
        (
            "ALTER TABLE {}.events DROP CONSTRAINT events_event_id_key;
             UPDATE {}.events SET event_id = (SELECT event_id FROM {}.archive WHERE position = 1) WHERE position = LAST",
            &[EventIds],
            "is at positions 1, ",
        ),
        ("UPDATE {}.events SET kind_id = 999 WHERE position = LAST", &[References], "no kind with id 999"),
        ("UPDATE {}.kinds SET category = 'x' WHERE category = 'soft'", &[References], "its kind is of category x"),
        ("DELETE FROM {}.streams WHERE name = 'cut-1'", &[References], "no stream with id"),
        ("UPDATE {}.links SET position = 999 WHERE version = 1", &[Links], "links-1 links at version 1 to position 999"),
        ("DELETE FROM {}.streams WHERE name = 'links-1'", &[Links], "there is no such stream"),
        (
            "ALTER TABLE {}.links DROP CONSTRAINT links_stream_id_position_key;
             INSERT INTO {}.links SELECT stream_id, 9, position FROM {}.links WHERE version = 1",
            &[Links],
            "links-1 links to position 25 2 times",
        ),
        ("UPDATE {}.checkpoints SET position = 999", &[Checkpoints], "projection items/1 stands at position 999"),
        ("UPDATE {}.snapshots SET version = 9 WHERE stream = 'a-1'", &[Snapshots], "the stream ends at 6"),
        ("UPDATE {}.snapshots SET stream = 'x-1' WHERE stream = 'a-1'", &[Snapshots], "x-1: there is no such stream"),
        ("DELETE FROM {}.documents", &[Documents], "index size of test.items has an entry for one"),
        ("UPDATE {}.commands SET last_position = 999", &[Commands], "stored up to position 999"),
        ("UPDATE {}.log SET archived_to = 7", &[Archive], "position 8 is in the archive, which ends at 7"),
        ("UPDATE {}.log SET archived_to = 14", &[Archive], "is not in the archive, which ends at 14"),
        ("UPDATE {}.log SET archived_to = 999", &[Archive], "the archive ends at position 999"),
        ("UPDATE {}.events SET data = NULL WHERE position = LAST", &[Payloads], "has no data"),
        ("UPDATE {}.events SET bytes = 'x' WHERE position = LAST", &[Payloads], "both JSON and bytes"),
        ("UPDATE {}.events SET metadata = '[]' WHERE position = LAST", &[Payloads], "metadata that is no object"),
    ];
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    let each = |sql: &str| TABLES.map(|table| sql.replace("{table}", table)).join(";");
    damage(&schema, &each("CREATE TABLE {}.sound_{table} AS SELECT * FROM {}.{table}")).await;
    let mend = each("DELETE FROM {}.{table}; INSERT INTO {}.{table} SELECT * FROM {}.sound_{table}");
    for (sql, expected, text) in damages {
        assert_eq!(adapter.verify().await, Ok(vec![]), "a healthy store has no findings");
        damage(&schema, &sql.replace("LAST", last).replace("OF_A", last_of_a)).await;
        let findings = adapter.verify().await.unwrap();
        assert_eq!(rules(&findings), *expected, "{sql}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.what.contains(text)), "{sql}: {findings:#?}");
        assert!(findings.is_sorted());
        damage(&schema, &mend).await;
    }
}

/// A store with damage everywhere is told of briefly.
#[tokio::test]
async fn findings_are_few() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    populate(&adapter).await;
    damage(&schema, "UPDATE {}.events SET kind_id = 999; UPDATE {}.archive SET kind_id = 999").await;
    assert_eq!(adapter.verify().await.unwrap().len(), FINDINGS_MAX_PER_RULE);
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
