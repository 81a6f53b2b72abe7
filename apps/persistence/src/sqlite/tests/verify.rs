//! Verifying: a healthy file has no findings; each damage, done past all triggers, is found.

use std::{fs, os::unix::fs::FileExt, path::PathBuf, sync::Mutex};

use umbel_core::{
    EventId, Json, Metadata, Tags, Version,
    store::{Act, FINDINGS_MAX_PER_RULE, Finding, LinkEvents, Perform, Removal, Rule, Snapshot},
};
use uuid::Uuid;

use super::*;
use crate::{Extras, Looked, Stride, Upkeep};

/// A file with streams that were truncated and linked to, an archive, complete spans, and something of everything else.
pub(super) async fn populated() -> (TempDir, PathBuf) {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    let perform = async |act: Act| {
        let request = Perform { id: events.one().id, act, metadata: Metadata::default() };
        store.perform(request, NOW).await.unwrap();
    };
    let item = Item { group: json!("g"), rank: Some(json!(1)), tags: Vec::new() };
    let documents = items([("one", Some(item))]);
    let first = Append { documents, command: Some(command(1, "1")), ..events.append("a-1", NoStream, 3) };
    let ids: Vec<_> = first.streams[0].events.iter().map(|event| event.id).collect();
    append(&store, first).await.unwrap();
    let lost = events.append("cut-1", NoStream, 4);
    let lost_id = lost.streams[0].events[0].id;
    append(&store, lost).await.unwrap();
    let mut long = events.append("long", NoStream, 9_000);
    for event in &mut long.streams[0].events {
        event.metadata.correlation_id = Some(Uuid::from_u128(7));
    }
    append(&store, long).await.unwrap();
    let linked = LinkEvents {
        stream: stream("links-1"),
        expected: NoStream,
        events: [&ids[..2], &[lost_id], &ids[2..]].concat(),
    };
    store.link(linked, NOW).await.unwrap();
    perform(Act::Archive { through: position(5_000) }).await;
    let (cut, removal) = (stream("cut-1"), Removal::Hard);
    perform(Act::TruncateStream { stream: cut, before: version(3), removal }).await;
    let snapshot = Snapshot {
        stream: stream("a-1"),
        version: version(3),
        state: "test.state".into(),
        schema: 1,
        taken_at: NOW,
        data: Json::parse("0").unwrap(),
    };
    store.save_snapshot(snapshot).await.unwrap();
    crate::conformance::served::serve(&store).await;
    crate::conformance::kept::fill(&store).await;
    (directory, path)
}

/// As no program can: without triggers, foreign keys and checks.
pub(super) fn damage(path: &Path, sql: &str) {
    let file = raw(path);
    let mut triggers = file.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers = triggers.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let triggers: Vec<(String, String)> = triggers.map(Result::unwrap).collect();
    for (name, _) in &triggers {
        file.execute(&format!("DROP TRIGGER {name}"), []).unwrap();
    }
    let past_checks = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON";
    file.execute_batch(&format!("{past_checks}; {sql}")).unwrap();
    for (_, sql) in &triggers {
        file.execute_batch(sql).unwrap();
    }
}

/// OP-27: given a file whose schema somebody has changed, when it is verified, then what is missing, another one or not the store's is named.
#[tokio::test]
async fn a_changed_schema_is_found() {
    for (change, told) in [
        (
            "DROP INDEX kinds_by_category",
            "index kinds_by_category is missing: CREATE INDEX kinds_by_category ON kinds",
        ),
        ("DROP TRIGGER events_refuse_delete", "trigger events_refuse_delete is missing: CREATE TRIGGER"),
        ("ALTER TABLE claims ADD COLUMN mine TEXT", "table claims is another one: CREATE TABLE claims"),
        (
            "CREATE TRIGGER mine AFTER INSERT ON outbox BEGIN SELECT 1; END",
            "trigger mine on outbox is not the store's",
        ),
    ] {
        let directory = directory();
        let path = directory.path().join("umbel.db");
        drop(Sqlite::open(&path).unwrap());
        raw(&path).execute_batch(change).unwrap();
        let findings = Sqlite::open_existing(&path).unwrap().verify().await.unwrap();
        let is_told = |finding: &Finding| finding.rule == Rule::Schema && finding.what.contains(told);
        assert!(findings.len() == 1 && is_told(&findings[0]), "{change}: {findings:#?}");
    }
}

/// What is found in the usual steps, which is what is found in small ones; each tells how far it has come.
pub(super) async fn found(path: &Path) -> Vec<Finding> {
    let store = Sqlite::open_existing(path).unwrap();
    let whole = store.verify().await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let stride = Stride { rows: 3_000, told: Arc::new(move |looked| tell.lock().unwrap().push(looked)) };
    assert_eq!(store.verify_by(stride).await.unwrap(), whole, "in small steps");
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert!(told.is_sorted_by_key(|looked: &Looked| (looked.rows, looked.done)), "{told:?}");
    assert!(
        told.len() > told.last().unwrap().checks && told.last().unwrap().done == told.last().unwrap().checks
    );
    whole
}

/// Every rule is broken at least once here, and what tells of it names the place.
#[tokio::test]
async fn every_damage_is_found() {
    use Rule::{
        Archive, Checkpoints, Commands, Documents, EventIds, Letters, Links, Log, Payloads, Positions,
        References, Snapshots, Spans, SubjectKeys, Subscriptions, Tags, Versions,
    };
    let damages: &[(&str, &[Rule], &str)] = &[
        ("DELETE FROM log", &[Log], "0 rows instead of one"),
        (
            "INSERT INTO outbox VALUES (7, zeroblob(16), 'q', '1', NULL, 0); UPDATE sqlite_sequence SET seq = 3 WHERE name = 'outbox'",
            &[Log],
            "up to 3, and there is an entry with number 7",
        ),
        (
            "DELETE FROM events WHERE position = 6000",
            &[Positions, Versions, Spans],
            "3 are missing and 2 were removed, so 1 more than may be; nothing is at 4 to 5, 6000, of which",
        ),
        ("UPDATE log SET head = head + 1", &[Positions], "are missing"),
        (
            "DELETE FROM links WHERE version = 2",
            &[Versions],
            "links-1 is at version 4, of which 1 were removed and 2",
        ),
        (
            "DELETE FROM links WHERE version = 4",
            &[Versions],
            "links-1 is at version 4, of which 1 were removed and 2",
        ),
        ("UPDATE streams SET version = 2 WHERE name = 'links-1'", &[Versions], "has a link at 4"),
        (
            "INSERT INTO removals VALUES (99, zeroblob(16), '{}', 1, 2, 0, 0)",
            &[Versions],
            "of stream 99, which is not known",
        ),
        (
            "INSERT INTO removals SELECT stream_id, zeroblob(16), '{}', 1, 3, 0, 0 FROM streams WHERE name = 'a-1'",
            &[Versions],
            "of stream a-1, which is shown from 1",
        ),
        (
            "INSERT INTO removals SELECT stream_id, zeroblob(16), '{}', 1, 1, 2, 0 FROM streams WHERE name = 'a-1'",
            &[Positions],
            "are missing and 4 were removed",
        ),
        ("UPDATE streams SET removed = 99 WHERE name = 'cut-1'", &[Versions], "and the audit tells of"),
        ("UPDATE streams SET first_version = 9 WHERE name = 'a-1'", &[Versions], "is shown from 9"),
        (
            "UPDATE streams SET kept_from = 2 WHERE name = 'long'",
            &[Versions],
            "is kept from version 2, and 0 were removed",
        ),
        (
            "UPDATE events SET event_id = (SELECT event_id FROM archived_events WHERE position = 1) WHERE position = 6000",
            &[EventIds],
            "is at positions 1 and 6000",
        ),
        ("UPDATE events SET kind_id = 999 WHERE position = 6000", &[References, Spans], "is of kind 999"),
        ("UPDATE events SET kind_id = 999 WHERE position = 9000", &[References], "is of kind 999"),
        ("UPDATE kinds SET type = '' WHERE category = 'a'", &[References], "has type \"\""),
        ("UPDATE kinds SET schema = 0 WHERE category = 'a'", &[References], "and schema 0"),
        ("DELETE FROM spans WHERE first_position = 4097", &[Spans], "positions 4097 to 8192"),
        ("UPDATE spans SET min_recorded_at = max_recorded_at + 1", &[Spans], "their span says between"),
        ("UPDATE spans SET max_recorded_at = min_recorded_at - 1", &[Spans], "their span says between"),
        ("INSERT INTO spans VALUES (8193, 0, 1)", &[Spans], "a span from position 8193"),
        (
            "DELETE FROM span_kinds WHERE first_position = 4097",
            &[Spans],
            "the span from position 4097 does not tell where its events of kind",
        ),
        (
            "UPDATE span_kinds SET offsets = CAST(substr(offsets, 3) AS BLOB) WHERE first_position = 4097",
            &[Spans],
            "the span from position 4097 does not tell where its events of kind",
        ),
        (
            "UPDATE span_kinds SET offsets = x'00000001' WHERE first_position = 1",
            &[Spans],
            "the span from position 1 does not tell where its events of kind",
        ),
        ("INSERT INTO span_kinds VALUES (999, 4097, x'0000')", &[Spans], "kind 999 from position 4097 on"),
        ("INSERT INTO span_kinds VALUES (1, 4097, x'')", &[Spans], "kind 1 from position 4097 on"),
        ("INSERT INTO span_kinds VALUES (1, 2, x'0000')", &[Spans], "kind 1 from position 2 on"),
        (
            "INSERT INTO span_kinds SELECT kind_id, 8193, x'0000' FROM events WHERE position = 8193",
            &[Spans],
            "from position 8193 on, where no span",
        ),
        (
            "DELETE FROM span_conversations WHERE first_position = 4097",
            &[Spans],
            "the span from position 4097 has no filter",
        ),
        (
            "UPDATE span_conversations SET filter = x'00' WHERE first_position = 4097",
            &[Spans],
            "the filter of the span from position 4097 misses the conversation or cause",
        ),
        (
            "UPDATE events SET correlation_id = randomblob(16) WHERE position = 6000",
            &[Spans],
            "the filter of the span from position 4097 misses the conversation or cause",
        ),
        (
            "INSERT INTO span_conversations VALUES (8193, x'00')",
            &[Spans],
            "from position 8193, where no span begins",
        ),
        (
            "UPDATE links SET position = 99999 WHERE version = 1",
            &[Links],
            "points to nothing at position 99999",
        ),
        (
            "INSERT INTO checkpoints (projection, position) VALUES ('p/1', 99999)",
            &[Checkpoints],
            "projection p/1",
        ),
        ("UPDATE snapshots SET version = 9", &[Snapshots], "the stream ends at 3"),
        ("DELETE FROM documents", &[Documents], "has no document one"),
        (
            "DELETE FROM document_shapes",
            &[Documents],
            r#"document one of test.items has entries under the indexes ["group","rank"]"#,
        ),
        ("DELETE FROM document_index", &[Documents], "has entries under the indexes [], and that"),
        ("UPDATE documents SET body = '{'", &[Documents], "document one of test.items is no JSON"),
        (
            "UPDATE served SET suffix = '~9'",
            &[Documents],
            "readers of test.items get what is kept under test.items~9, which no generation of items that serves keeps",
        ),
        ("UPDATE served SET collection = 'test.other'", &[Documents], "readers of test.other get"),
        (
            "UPDATE checkpoints SET phase = 'removed'",
            &[Documents],
            "which no generation of items that serves",
        ),
        ("UPDATE commands SET last_position = 99999", &[Commands], "position 99999"),
        ("UPDATE commands SET reply = 'done'", &[Commands], "has a reply that is no JSON"),
        (
            "INSERT INTO outbox VALUES (1, zeroblob(16), 'q', '{', NULL, 0)",
            &[Payloads],
            "the outbox has under number 1 for q what is no JSON",
        ),
        ("UPDATE log SET archived_to = 4999", &[Archive], "position 5000 is in the archive"),
        ("UPDATE events SET data = '{' WHERE position = 6000", &[Payloads], "data that is no JSON"),
        (
            "UPDATE events SET recorded_at = 9223372036854775807 WHERE position = 9000",
            &[Payloads],
            "beyond all calendars",
        ),
        (
            r#"UPDATE events SET subject = 'ada', data = '{"n":{"$sealed":"AAAA"}}' WHERE position = 6000"#,
            &[SubjectKeys],
            "position 6000 holds personal data of ada, whose key is lost",
        ),
        (
            "UPDATE events SET subject = 'ada', data = NULL, bytes = x'00247365616c65640001' WHERE position = 6000",
            &[SubjectKeys],
            "position 6000 holds personal data of ada, whose key is lost",
        ),
        (
            "INSERT INTO subject_keys VALUES ('ada', x'01', 0, NULL)",
            &[SubjectKeys],
            "the key of ada has 1 bytes instead of 32",
        ),
        (
            "UPDATE subscription_partitions SET checkpoint = 99999 WHERE partition = 1",
            &[Checkpoints],
            "subscription kept has partition 1 at 99999",
        ),
        ("DELETE FROM subscription_partitions WHERE partition = 0", &[Subscriptions, Letters], "from 1 to 3"),
        (
            "DELETE FROM subscriptions",
            &[Subscriptions, Letters],
            "partitions of kept: there is no such subscription",
        ),
        (
            "INSERT INTO lost_boxes SELECT box FROM subscriptions",
            &[Subscriptions],
            "subscription kept keeps its dead letters in box",
        ),
        ("DELETE FROM subscription_partitions", &[Subscriptions, Letters], "kept has no partitions"),
        (
            "UPDATE letters SET position = 99999 WHERE place = 1",
            &[Letters],
            "of position 99999: the log ends at",
        ),
        (
            "UPDATE letters SET partition = partition + 1 WHERE place = 1",
            &[Letters],
            ": its key is of partition",
        ),
        (
            "UPDATE letters SET head = 1 WHERE place = 2",
            &[Letters],
            "says that it is the first of its key, and is not",
        ),
        (
            "UPDATE letters SET head = 0 WHERE place = 1",
            &[Letters],
            "it is the first of its key, and does not say so",
        ),
        ("UPDATE letters SET edited = '{' WHERE place = 1", &[Letters], ": its edited data is no JSON"),
        ("UPDATE letters SET event_id = x'01' WHERE place = 1", &[Letters], ": the id of its event is none"),
        ("UPDATE letters SET box = 77 WHERE place = 2", &[Letters], "2 of box 77, partition"),
        ("UPDATE snapshots SET data = '{'", &[Snapshots], "the snapshot of stream a-1 is no JSON"),
        ("UPDATE checkpoints SET position = -1", &[Checkpoints], "stands at -1, before the beginning"),
        ("UPDATE checkpoints SET inline = '['", &[Checkpoints], "has inline events that are no JSON list"),
        ("UPDATE checkpoints SET indexes = '{}'", &[Checkpoints], "has indexes that are no JSON list"),
        (
            "UPDATE served SET indexes = '['",
            &[Documents],
            "collection test.items is found by indexes that are no JSON",
        ),
        (
            "INSERT INTO notices VALUES (x'01', 't', NULL, NULL, NULL, 0, NULL, '1')",
            &[Payloads],
            "the notice 01 of topic t has an id that is none",
        ),
        (
            "INSERT INTO notices VALUES (zeroblob(16), 't', NULL, NULL, NULL, 0, NULL, '{')",
            &[Payloads],
            "of topic t has data that is no JSON",
        ),
        (
            "UPDATE events SET correlation_id = x'01' WHERE position = 6000",
            &[Payloads],
            "position 6000 has an id",
        ),
        (
            "UPDATE events SET tags = '[' WHERE position = 6000",
            &[Tags],
            "position 6000 has tags that are no JSON list",
        ),
        (
            "UPDATE archived_events SET tags = '1' WHERE position = 6",
            &[Tags],
            "position 6 has tags that are no JSON list",
        ),
        (
            "INSERT INTO outbox VALUES (1, x'01', 'q', '1', NULL, 0)",
            &[Payloads],
            "the outbox has under number 1 for q an id that is none",
        ),
        (
            "INSERT INTO removals SELECT stream_id, zeroblob(16), '{', 1, 1, 0, 0 FROM streams WHERE name = 'a-1'",
            &[Versions],
            "was asked for by what is no JSON object",
        ),
        (
            "INSERT INTO removals SELECT stream_id, x'01', '{}', 1, 1, 0, 0 FROM streams WHERE name = 'a-1'",
            &[Versions],
            "has an id that is none",
        ),
        (
            "INSERT INTO removals SELECT stream_id, zeroblob(16), '{}', 1, 1, 1, -1 FROM streams WHERE name = 'a-1'",
            &[Positions, Versions],
            "has taken 1 events and -1 links",
        ),
        ("UPDATE checkpoints SET version = -3", &[Checkpoints], "is of version -3 and run"),
        ("UPDATE checkpoints SET run = 4294967296", &[Checkpoints], "and run 4294967296, live after"),
        ("UPDATE checkpoints SET live_after = -1", &[Checkpoints], "live after -1"),
        (
            "INSERT INTO commands VALUES (x'01', '1', 1, 0, 1)",
            &[Commands],
            "command 01 has an id that is none",
        ),
        ("UPDATE snapshots SET version = -1", &[Snapshots], "the snapshot of stream a-1 is of version -1"),
        ("UPDATE snapshots SET schema = -1", &[Snapshots], "and schema -1"),
        ("UPDATE letters SET attempts = -1 WHERE place = 1", &[Letters], "it was tried -1 times"),
        ("UPDATE subscriptions SET resets = -1", &[Subscriptions], "subscription kept was reset -1 times"),
        ("UPDATE subscriptions SET start_after = -2", &[Subscriptions], "began behind -2"),
        ("UPDATE subscriptions SET incarnation = -4", &[Subscriptions], "with epoch -4"),
        (
            "UPDATE subscription_partitions SET owner = x'01' WHERE partition = 1",
            &[Subscriptions],
            "partition 1 of kept is owned in epoch",
        ),
        (
            "UPDATE subscription_partitions SET epoch = -1 WHERE partition = 1",
            &[Subscriptions],
            "partition 1 of kept is owned in epoch -1",
        ),
        (
            "UPDATE subscription_partitions SET handled = -7 WHERE partition = 1",
            &[Subscriptions],
            "has handled up to -7",
        ),
        (
            "INSERT INTO subscription_members VALUES ('kept', x'01', 0)",
            &[Subscriptions],
            "in subscription kept takes part 01, an id that is none",
        ),
        ("DELETE FROM letters WHERE place = 2", &[Letters], "letters"),
    ];
    let (directory, sound) = populated().await;
    assert_eq!(found(&sound).await, []);
    raw(&sound).pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    for (number, (sql, expected, text)) in damages.iter().enumerate() {
        let path = directory.path().join(format!("{number}.db"));
        fs::copy(&sound, &path).unwrap();
        damage(&path, sql);
        let findings = found(&path).await;
        let mut rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
        rules.dedup();
        assert_eq!(rules, *expected, "{sql}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.what.contains(text)), "{sql}: {findings:#?}");
        fs::remove_file(&path).unwrap();
    }
}

/// OP-23: what is too damaged to be looked at is told of with its rule, and everything else is looked at all the same.
#[tokio::test]
async fn damage_keeps_nothing_else_from_being_found() {
    let (_directory, path) = populated().await;
    let root = |table: &str| -> u32 {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        raw(&path).query_row(sql, [table], |row| row.get(0)).unwrap()
    };
    let pages = ["snapshots", "spans", "span_kinds", "letters"].map(root);
    damage(
        &path,
        "UPDATE kinds SET type = '' WHERE category = 'a'; UPDATE events SET tags = '[', correlation_id = x'01' WHERE position = 6000",
    );
    raw(&path).pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    let page_size: u32 = raw(&path).query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in pages {
        file.write_all_at(&[0xff; 512], u64::from((page - 1) * page_size)).unwrap();
    }
    let findings = Sqlite::open_existing(&path).unwrap().verify().await.unwrap();
    let of = |rule| {
        let found = findings.iter().filter(|finding| finding.rule == rule);
        found.map(|finding| &*finding.what).collect::<Vec<_>>().join("; ")
    };
    for rule in [Rule::Snapshots, Rule::Spans, Rule::Letters] {
        assert!(of(rule).contains("this cannot be looked at: "), "{rule:?}: {findings:#?}");
    }
    for (rule, text) in [
        (Rule::References, "has type \"\""),
        (Rule::Tags, "position 6000"),
        (Rule::Payloads, "position 6000"),
    ] {
        assert!(of(rule).contains(text), "{rule:?}: {findings:#?}");
    }
    let rules = [
        Rule::Integrity,
        Rule::References,
        Rule::Spans,
        Rule::Tags,
        Rule::Snapshots,
        Rule::Payloads,
        Rule::Letters,
    ];
    assert!(findings.iter().all(|finding| rules.contains(&finding.rule)), "{findings:#?}");
}

/// OP-30: given a log of which much was removed for good, and which has lost an event besides, when it is verified, then it is told how many are
/// missing beyond what was removed, where nothing is, in order, and which stream lacks one.
#[tokio::test]
async fn a_lost_event_is_told_beside_those_that_were_removed() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    crate::conformance::removed::fill(&Sqlite::open(&path).unwrap()).await;
    assert_eq!(found(&path).await, []);
    damage(&path, "DELETE FROM events WHERE position = 6");
    let findings = found(&path).await;
    let [lost, positions, versions] = &findings[..] else { panic!("{findings:#?}") };
    assert!(positions.what.ends_with(crate::conformance::removed::TOLD), "{positions:#?}");
    assert_eq!(lost.what, "stream kept-1 lacks its version 3, which was between positions 4 and 8");
    assert_eq!(versions.what, "stream kept-1 is at version 12, of which 0 were removed and 11 are there");
}

/// A generation that nobody uses any more may stand wherever it stood when the log went back.
#[tokio::test]
async fn a_retired_generation_may_be_beyond_the_end() {
    let (_directory, path) = populated().await;
    for (phase, rules) in [("retired", &[][..]), ("building", &[Rule::Checkpoints])] {
        let sql =
            "INSERT INTO checkpoints (projection, position, phase) VALUES ('{phase}', 99999, '{phase}')";
        damage(&path, &sql.replace("{phase}", phase));
        let findings = found(&path).await;
        assert!(
            findings.iter().map(|finding| finding.rule).eq(rules.iter().copied()),
            "{phase}: {findings:#?}"
        );
    }
}

/// A store with damage everywhere is told of briefly.
#[tokio::test]
async fn findings_are_few() {
    let (_directory, path) = populated().await;
    damage(&path, "UPDATE events SET kind_id = 999");
    let mut findings = found(&path).await;
    assert!(!Finding::are_all(&findings));
    findings.retain(|finding| finding.rule == Rule::References);
    assert_eq!(findings.len(), FINDINGS_MAX_PER_RULE);
}

/// A log without its row has no head; that is damage, and not an empty log.
#[tokio::test]
async fn a_log_without_its_row_has_no_status() {
    let (_directory, path) = populated().await;
    let store = Sqlite::open(&path).unwrap();
    damage(&path, "DELETE FROM log");
    let status = store.status().await;
    assert!(
        matches!(&status, Err(StoreError::Corrupt { reason }) if reason.contains("umbel store verify")),
        "{status:?}"
    );
}

/// A link that damage took away leaves its version used up: nothing else gets it.
#[tokio::test]
async fn the_version_of_a_lost_link_is_not_given_out_again() {
    let (_directory, path) = populated().await;
    damage(&path, "DELETE FROM links WHERE version = 4");
    let (store, events) = (Sqlite::open(&path).unwrap(), Events::default());
    assert_eq!(store.stream_info(stream("links-1")).await.unwrap().version, Version::new(4));
    let mut more = events.append("links-1", exact(4), 1);
    more.streams[0].events[0].id = EventId(Uuid::from_u128(77));
    assert_eq!(append(&store, more).await.unwrap().versions, [Version::new(5)]);
}

/// Tags lead to the events that have them, archived or not, and to all of those; a removal leaves nothing behind.
#[tokio::test]
async fn tags_are_compared_with_their_events() {
    let directory = directory();
    let sound = directory.path().join("sound.db");
    let (store, events) = (Sqlite::open(&sound).unwrap(), Events::default());
    let mut tagged = events.append("a-1", NoStream, 4);
    for (event, number) in tagged.streams[0].events.iter_mut().zip(1..) {
        event.tags = Tags::of("t", number).and("all", 1);
    }
    append(&store, tagged).await.unwrap();
    for act in [
        Act::Archive { through: position(3) },
        Act::TruncateStream { stream: stream("a-1"), before: version(3), removal: Removal::Hard },
    ] {
        let request = Perform { id: events.one().id, act, metadata: Metadata::default() };
        store.perform(request, NOW).await.unwrap();
    }
    drop(store);
    assert_eq!(found(&sound).await, []);
    raw(&sound).pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    for (sql, text) in [
        ("DELETE FROM event_tags WHERE tag = 't:4'", "position 4 is not found by its tag t:4"),
        ("DELETE FROM event_tags WHERE tag = 't:3'", "position 3 is not found by its tag t:3"),
        ("UPDATE event_tags SET kind_id = 999 WHERE tag = 't:4'", "the tag t:4 leads to position 4"),
        ("UPDATE events SET tags = NULL", "the tag t:4 leads to position 4"),
        ("INSERT INTO event_tags VALUES ('t:1', 1, 1)", "the tag t:1 leads to position 1"),
    ] {
        let path = directory.path().join("damaged.db");
        fs::copy(&sound, &path).unwrap();
        damage(&path, sql);
        let findings = found(&path).await;
        assert!(findings.iter().all(|finding| finding.rule == Rule::Tags), "{sql}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.what.contains(text)), "{sql}: {findings:#?}");
        fs::remove_file(&path).unwrap();
    }
}
