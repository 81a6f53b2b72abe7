//! Links and acts on one server: under the same lock as appends, noticed by all, and nothing but them removes events.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_postgres::Client;
use umbel_core::{
    EventId, ExpectedVersion, Metadata, Position, Subject, Timestamp, Version,
    store::{Act, AppendError, LinkError, LinkEvents, Perform, PerformError, Performed, Removal, StoreError},
};
use umbel_testkit::postgres::TestSchema;

use super::support::{adapter, append, client, event, exact, schema, stream, to, whole_log};
use crate::{
    Log, Upkeep,
    adapter::SubjectKey,
    postgres::{Postgres, PostgresOptions},
};

/// Far longer than anything here takes, far shorter than what is quadratic.
const SOON: Duration = Duration::from_secs(20);

pub(super) const NOW: Timestamp = Timestamp::from_micros(7);

pub(super) fn act(act: Act) -> Perform {
    Perform { id: event("").id, act, metadata: Metadata::default() }
}

pub(super) fn delete(name: &str, removal: Removal) -> Perform {
    act(Act::DeleteStream { stream: stream(name), expected: ExpectedVersion::Any, removal })
}

pub(super) fn truncate(name: &str, before: u64, removal: Removal) -> Perform {
    act(Act::TruncateStream { stream: stream(name), before: Version::new(before), removal })
}

pub(super) fn archive(through: u64) -> Perform {
    act(Act::Archive { through: Position::new(through) })
}

pub(super) async fn perform(adapter: &Postgres, request: Perform) -> Performed {
    adapter.perform(request, NOW).await.unwrap()
}

pub(super) async fn link(adapter: &Postgres, name: &str, events: Vec<EventId>) -> Result<Version, LinkError> {
    adapter.link(LinkEvents { stream: stream(name), expected: ExpectedVersion::Any, events }, NOW).await
}

/// Appends one event; its id.
pub(super) async fn one_more(adapter: &Postgres, name: &str) -> EventId {
    let one = to(name, ExpectedVersion::Any);
    let id = one.streams[0].events[0].id;
    append(adapter, one).await.unwrap();
    id
}

async fn refused(client: &Client, sql: &str) -> String {
    client.batch_execute(sql).await.unwrap_err().as_db_error().unwrap().message().to_owned()
}

/// How many connections of this schema wait for a lock.
async fn until_one_waits(client: &Client, schema: &TestSchema) {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'";
    let waits =
        async { while client.query_one(sql, &[&schema.name()]).await.unwrap().get::<_, i64>(0) != 1 {} };
    timeout(SOON, waits).await.unwrap();
}

/// AP-11: the permission to remove ends with the function that has it: the same connection, even the same transaction,
/// is refused afterwards. Neither events nor the archive can be changed by plain SQL.
#[tokio::test]
async fn the_permission_to_remove_ends_with_its_function() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    for _ in 0..4 {
        one_more(&adapter, "a-1").await;
    }
    assert_eq!(perform(&adapter, archive(2)).await.events, 2);
    assert_eq!(perform(&adapter, truncate("a-1", 2, Removal::Hard)).await.events, 1);
    adapter.upkeeper.run_raw(&format!("DELETE FROM {}.events", schema.name())).await.unwrap_err();

    let client = client(schema.url()).await;
    let remove = format!("SELECT {0}.remove_step(1, 1, 3, 9); DELETE FROM {0}.events", schema.name());
    assert!(refused(&client, &remove).await.contains("events never change"));
    let move_one = format!("BEGIN; SELECT {}.archive_events(3)", schema.name());
    client.batch_execute(&move_one).await.unwrap();
    let then = refused(&client, &format!("DELETE FROM {}.events; COMMIT", schema.name())).await;
    assert!(then.contains("events never change"), "{then}");
    client.batch_execute("ROLLBACK").await.unwrap();
    for table in ["events", "archive"] {
        for change in ["UPDATE {} SET version = version", "DELETE FROM {}", "TRUNCATE {}"] {
            let change = change.replace("{}", &format!("{}.{table}", schema.name()));
            assert!(refused(&client, &change).await.contains("events never change"), "{change}");
        }
    }
    assert_eq!(adapter.verify().await, Ok(vec![]));
}

/// What one adapter remembers of a stream is not believed once another one deleted it, linked to it, truncated or
/// archived it.
#[tokio::test]
async fn what_upkeep_changed_is_noticed_by_other_writers() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    for name in ["gone-1", "ended-1", "cut-1", "linked-1", "moved-1"] {
        one_more(&one, name).await;
        one_more(&one, name).await;
    }
    let elsewhere = one_more(&one, "else-1").await;

    perform(&other, delete("gone-1", Removal::Hard)).await;
    let stale = append(&one, to("gone-1", exact(2))).await.unwrap_err();
    assert!(matches!(stale, AppendError::WrongExpectedVersion { actual: Version::START, .. }), "{stale}");
    assert_eq!(append(&one, to("gone-1", exact(0))).await.unwrap().versions, [Version::new(1)]);

    perform(&other, delete("ended-1", Removal::Soft)).await;
    let stale = append(&one, to("ended-1", exact(2))).await.unwrap_err();
    assert!(matches!(stale, AppendError::StreamDeleted(_)), "{stale}");

    perform(&other, truncate("cut-1", 3, Removal::Hard)).await;
    let again = append(&one, to("cut-1", ExpectedVersion::NoStream)).await.unwrap_err();
    assert!(matches!(again, AppendError::StreamExists { .. }), "{again}");
    assert_eq!(append(&one, to("cut-1", exact(2))).await.unwrap().versions, [Version::new(3)]);

    assert_eq!(link(&other, "linked-1", vec![elsewhere]).await, Ok(Version::new(3)));
    let stale = append(&one, to("linked-1", exact(2))).await.unwrap_err();
    assert!(matches!(stale, AppendError::WrongExpectedVersion { .. }), "{stale}");
    // From here on the stream is known to hold links; more of them still count.
    assert_eq!(append(&one, to("linked-1", exact(3))).await.unwrap().versions, [Version::new(4)]);
    let more = one_more(&one, "else-1").await;
    assert_eq!(link(&other, "linked-1", vec![more]).await, Ok(Version::new(5)));
    let any = append(&one, to("linked-1", ExpectedVersion::Any)).await.unwrap();
    assert_eq!(any.versions, [Version::new(6)]);

    let head = one.status().await.unwrap().head;
    perform(&other, archive(head.get())).await;
    assert_eq!(append(&one, to("moved-1", exact(2))).await.unwrap().versions, [Version::new(3)]);
    assert_eq!(one.verify().await, Ok(vec![]));
}

/// Two processes append while a third one archives, truncates, deletes and links: what they were told holds.
#[tokio::test]
async fn acts_and_appends_of_several_adapters_are_one_after_the_other() {
    let schema = schema();
    let adapters = [adapter(&schema).await, adapter(&schema).await];
    let load = |adapter: Arc<Postgres>, name: &'static str| async move {
        for version in 0..60 {
            let exactly = append(&adapter, to(name, exact(version))).await.unwrap();
            assert_eq!(exactly.versions, [Version::new(version + 1)]);
            append(&adapter, to("shared-1", ExpectedVersion::Any)).await.unwrap();
            append(&adapter, to(&format!("short-{name}-{version}"), exact(0))).await.unwrap();
        }
    };
    let upkeep = async {
        let adapter = adapter(&schema).await;
        one_more(&adapter, "shared-1").await;
        let mut events = 0;
        for round in 1..=15_u64 {
            let id = one_more(&adapter, "short-own-1").await;
            link(&adapter, "shared-1", vec![id]).await.unwrap();
            let head = adapter.status().await.unwrap().head.get();
            perform(&adapter, archive(head / 2)).await;
            perform(&adapter, truncate("shared-1", round, Removal::Soft)).await;
            let cut = perform(&adapter, truncate("shared-1", round * 2, Removal::Hard)).await;
            let deleted = perform(&adapter, delete("short-own-1", Removal::Hard)).await;
            assert_eq!((deleted.events, deleted.links), (1, 1));
            events += cut.events + deleted.events;
        }
        events
    };
    let [one, other] = adapters.clone();
    let ((), (), removed) = tokio::join!(load(one, "one-1"), load(other, "other-1"), upkeep);
    assert_eq!(adapters[0].verify().await, Ok(vec![]));
    let head = adapters[0].status().await.unwrap().head.get();
    let there = client(schema.url()).await;
    let sql = format!("SELECT count(*) FROM {}.all_events", schema.name());
    let there: i64 = there.query_one(&sql, &[]).await.unwrap().get(0);
    assert_eq!(u64::try_from(there).unwrap(), head - removed);
}

/// An act that was begun goes on when its caller gives up, and answers when it is asked for again.
#[tokio::test]
async fn an_act_outlives_the_patience_of_its_caller() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    one_more(&adapter, "a-1").await;
    let holder = client(schema.url()).await;
    let lock = format!("BEGIN; SELECT FROM {}.log FOR UPDATE", schema.name());
    holder.batch_execute(&lock).await.unwrap();
    let request = delete("a-1", Removal::Hard);
    {
        let mut asked = pin!(adapter.perform(request.clone(), NOW));
        let watch = client(schema.url()).await;
        tokio::select! {
            done = &mut asked => panic!("the lock is held: {done:?}"),
            () = until_one_waits(&watch, &schema) => {}
        }
    }
    holder.batch_execute("ROLLBACK").await.unwrap();
    let again = perform(&adapter, request.clone()).await;
    assert_eq!((again.position, again.events), (Position::new(2), 1));
    assert_eq!(perform(&adapter, request.clone()).await, again);
    let other = Perform { act: Act::Archive { through: Position::new(1) }, ..request };
    let error = adapter.perform(other.clone(), NOW).await.unwrap_err();
    assert_eq!(error, PerformError::OtherEvent { id: other.id });
    let log = adapter.read_all(super::support::all_from(1, 10)).await.unwrap();
    assert_eq!(log.events.len(), 1, "{log:?}");
}

/// A connection that dies before an act is committed leaves nothing behind; one that died in between is replaced.
#[tokio::test]
async fn a_lost_connection_leaves_no_half_an_act() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    one_more(&adapter, "a-1").await;
    let holder = client(schema.url()).await;
    let lock = format!("BEGIN; LOCK TABLE {}.links IN ACCESS EXCLUSIVE MODE", schema.name());
    holder.batch_execute(&lock).await.unwrap();
    let request = delete("a-1", Removal::Hard);
    let kill = async {
        let watch = client(schema.url()).await;
        until_one_waits(&watch, &schema).await;
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'";
        watch.execute(kill, &[&schema.name()]).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(adapter.perform(request.clone(), NOW), kill);
    let error = outcome.unwrap_err();
    assert!(matches!(error, PerformError::Store(StoreError::Unavailable { .. })), "{error:?}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(whole_log(&adapter).await.len(), 1);
    assert_eq!(perform(&adapter, request).await.events, 1);
    adapter.upkeeper.run_raw("SELECT pg_terminate_backend(pg_backend_pid())").await.unwrap_err();
    perform(&adapter, archive(1)).await;
    assert_eq!(adapter.verify().await, Ok(vec![]));
}

/// A stream of many events, each of them linked to elsewhere, is removed step by step and not by looking at all of them
/// for each.
#[tokio::test]
async fn removing_a_long_stream_takes_time_in_proportion() {
    const EVENTS: u64 = 40_000;
    let schema = schema();
    let options = PostgresOptions { max_connections: 2, ..PostgresOptions::default() };
    let adapter = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    one_more(&adapter, "long-1").await;
    let first = one_more(&adapter, "short-1").await;
    link(&adapter, "links-1", vec![first]).await.unwrap();
    let client = client(schema.url()).await;
    // As if there had been so many appends, and a statistics collector that never looked.
    let fill = format!(
        "INSERT INTO {0}.events (position, stream_id, version, recorded_at, kind_id, event_id, data)
         SELECT n + 2, 1, n + 1, now(), 1, gen_random_uuid(), '1' FROM generate_series(1, {EVENTS}) n;
         INSERT INTO {0}.links (stream_id, version, position)
         SELECT (SELECT stream_id FROM {0}.streams WHERE name = 'links-1'), n + 1, n + 2
         FROM generate_series(1, {EVENTS}) n;
         UPDATE {0}.streams SET kept_version = {EVENTS} + 1 WHERE name = 'links-1';
         UPDATE {0}.log SET position = position + {EVENTS};
         SELECT {0}.close_spans(0, {EVENTS} + 2);",
        schema.name()
    );
    client.batch_execute(&fill).await.unwrap();
    perform(&adapter, archive(EVENTS / 2)).await;
    let removing = timeout(SOON, perform(&adapter, delete("long-1", Removal::Hard)));
    let removed = removing.await.expect("it takes too long");
    assert_eq!((removed.events, removed.links), (EVENTS + 1, EVENTS));
    assert_eq!(adapter.verify().await, Ok(vec![]));
    let any = append(&adapter, to("links-1", ExpectedVersion::Any)).await.unwrap();
    assert_eq!(any.versions, [Version::new(EVENTS + 2)]);
}

/// Of two processes that make a key for one subject, both get the same, and nobody makes one for who was forgotten.
#[tokio::test]
async fn a_subject_has_one_key_across_adapters() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    let subjects: Vec<_> = ["ada", "bob", "eve"].map(|name| Subject::new(name).unwrap()).to_vec();
    let keys = |key: u8, order: [usize; 3]| order.map(|n| (subjects[n].clone(), [key; 32])).to_vec();
    for round in 0..20_u8 {
        let request = act(Act::ForgetSubject { subject: subjects[0].clone() });
        let (mut made, others) = tokio::join!(
            one.create_subject_keys(keys(round, [0, 1, 2]), NOW),
            other.create_subject_keys(keys(100 + round, [2, 1, 0]), NOW)
        );
        made.as_mut().unwrap().reverse();
        assert_eq!(made, others);
        let ada = &made.unwrap()[2];
        assert_eq!(*ada == SubjectKey::Forgotten, round > 0);
        perform(&one, request).await;
    }
    let known = other.find_subject_keys(vec![subjects[0].clone(), Subject::new("nobody").unwrap()]).await;
    assert_eq!(known, Ok(vec![Some(SubjectKey::Forgotten), None]));
}
