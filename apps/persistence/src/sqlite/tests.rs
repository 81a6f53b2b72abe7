//! What is SQLite's own; the contract that all adapters share is in the conformance suite.

mod exchanged;
mod files;
mod integrity;
mod keys;
mod known;
mod pages;
mod spans;
mod statements;
mod upgrades;
mod verify;

use std::{path::Path, sync::Arc};

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use umbel_core::{
    ExpectedVersion::{Any, NoStream, StreamExists},
    RecordedEvent, Timestamp,
    document::{Direction, DocumentKey},
    store::{
        Act, Append, AppendError, Appended, ClaimName, Claims, LinkEvents, ReadAll, ReadStream,
        SaveProjection, Selector, StoreError,
    },
    subscription::{Start, SubscriptionName},
};
use umbel_testkit::conformance::{Events, Item, check_log, command, exact, items, position, stream, version};

use super::{
    Sqlite,
    log::{self, Ids},
    schema,
    writer::Writer,
};
use crate::{Log, ReadModels, Subscriptions, Upkeep};

const NOW: Timestamp = Timestamp::from_micros(1_769_860_800_000_000);

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn append(store: &Sqlite, append: Append) -> Result<Appended, AppendError> {
    store.append(vec![append], NOW).await.remove(0)
}

async fn read_log(store: &Sqlite) -> Vec<RecordedEvent> {
    let request =
        ReadAll { from: None, direction: Direction::Forward, limit: 100_000, selector: Selector::all() };
    store.read_all(request).await.unwrap().events
}

fn taking(owner: &str, append: Append) -> Append {
    let take = vec![ClaimName::new("test.name", "x")];
    Append { claims: Claims { owner: owner.into(), take, release: Vec::new(), from: None }, ..append }
}

/// Invariant 3: what was acknowledged is there after the file was closed and opened again, and goes on from there.
#[tokio::test]
async fn reopening_keeps_everything() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("deep/er/umbel.db");
    let item = Item { group: json!("g"), rank: None, tags: vec!["t".into()] };
    let save = SaveProjection {
        clear: Vec::new(),
        projection: "test.items/1".into(),
        expected: position(0),
        position: position(3),
        writes: items([("k", Some(item))]),
    };
    let before = {
        let store = Sqlite::open(&path).unwrap();
        let mut first = taking("one", events.append("s", NoStream, 3));
        first.command = Some(command(1, "\"reply\""));
        append(&store, first).await.unwrap();
        store.save_projection(save.clone()).await.unwrap();
        read_log(&store).await
    };

    let subscribed = {
        let store = Sqlite::open(&path).unwrap();
        crate::conformance::kept::fill(&store).await
    };

    let store = Sqlite::open(&path).unwrap();
    assert_eq!(read_log(&store).await, before);
    crate::conformance::kept::check(&store, &subscribed).await;
    assert_eq!(store.status().await.unwrap().head, position(3));
    let found = store.find_command(command(1, "0").id).await.unwrap().unwrap();
    assert_eq!(found.repeated, Some(command(1, "\"reply\"").reply));
    let taken = append(&store, taking("two", Append::default())).await;
    assert!(matches!(taken, Err(AppendError::Claimed { .. })), "{taken:?}");
    assert_eq!(store.load_checkpoint("test.items/1".into()).await, Ok(position(3)));
    let key = DocumentKey { collection: "test.items", key: "k".into() };
    assert!(store.get_documents(vec![key]).await.unwrap()[0].is_some());
    let next = append(&store, events.append("s", exact(3), 1)).await.unwrap();
    assert_eq!((next.last_position, next.versions), (Some(position(4)), vec![version(4)]));
}

/// SU-27: a reset does not touch the letters that it loses; they go in steps, also when the process ends between two of them.
#[tokio::test]
async fn lost_letters_are_removed_by_whoever_comes_next() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let kept = || {
        let count = |table| format!("SELECT count(*) FROM {table}");
        let connection = Connection::open(&path).unwrap();
        ["letters", "lost_boxes"]
            .map(|table| connection.query_row(&count(table), [], |row| row.get::<_, i64>(0)).unwrap())
    };
    {
        let store = Sqlite::open(&path).unwrap();
        append(&store, events.append("s", NoStream, 20)).await.unwrap();
        crate::conformance::lost::park_many(&store, "a", 20).await;
        let subscription = SubscriptionName::new("a").unwrap();
        let reset = Act::ResetSubscription { subscription, start: Start::Origin };
        assert_eq!(store.perform(events.perform(reset), NOW).await.unwrap().events, 20);
        assert_eq!(kept(), [20, 1]);
        assert_eq!(store.sweep_letters(8).await, Ok(8));
    }
    assert_eq!(kept(), [12, 1]);
    let store = Sqlite::open(&path).unwrap();
    assert_eq!((store.sweep_letters(8).await, store.sweep_letters(8).await), (Ok(8), Ok(4)));
    assert_eq!(kept(), [0, 0]);
}

/// EH-12: who only asks how many resets were told, or tells it once more, writes nothing.
#[tokio::test]
async fn only_news_of_resets_is_written() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    let (store, raw) = (Sqlite::open(&path).unwrap(), raw(&path));
    // Changes with what others commit.
    let mark =
        async || raw.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap().to_string();
    crate::conformance::resets::only_news_is_written(&store, mark).await;
}

/// An event whose stream has no row is damage, and is told as such by every way to read it.
#[tokio::test]
async fn an_event_without_a_stream_is_damage() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    let one = events.append("s-1", NoStream, 1);
    let id = one.streams[0].events[0].id;
    append(&store, one).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; DROP TRIGGER streams_refuse_delete; DELETE FROM streams")
        .unwrap();
    let read = async |direction, selector| {
        let request = ReadAll { from: None, direction, limit: 10, selector };
        store.read_all(request).await.map(|page| page.events)
    };
    let failures = [
        read(Direction::Forward, Selector::all()).await.unwrap_err(),
        read(Direction::Backward, Selector::all()).await.unwrap_err(),
        read(Direction::Forward, Selector::names(["test.happened"])).await.unwrap_err(),
        store.find_event(id).await.unwrap_err(),
    ];
    for error in failures {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}

/// AP-11: whoever holds a connection, recorded events, archived or not, links and streams neither change nor go away.
#[tokio::test]
async fn raw_changes_of_the_log_are_refused() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    let some = Events::default();
    append(&store, some.append("s", NoStream, 3)).await.unwrap();
    let events = read_log(&store).await.iter().map(|event| event.id).collect();
    store.link(LinkEvents { stream: stream("t"), expected: Any, events }, NOW).await.unwrap();
    store.perform(some.perform(Act::Archive { through: position(1) }), NOW).await.unwrap();
    let before = read_log(&store).await;

    let raw = Connection::open(&path).unwrap();
    for sql in [
        "UPDATE events SET data = '{}'",
        "UPDATE events SET position = 9 WHERE position = 2",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 2",
        "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 2",
        "UPDATE archived_events SET data = '{}'",
        "DELETE FROM archived_events",
        "INSERT OR REPLACE INTO archived_events SELECT * FROM archived_events",
        "UPDATE links SET version = version + 9",
        "DELETE FROM links",
        "INSERT OR REPLACE INTO links SELECT stream_id, version, 3 FROM links WHERE version = 1",
        "INSERT OR REPLACE INTO links SELECT stream_id, 9, position FROM links WHERE version = 1",
        "DELETE FROM streams",
    ] {
        let refused = raw.execute(sql, []).expect_err(sql).to_string();
        let says_so = ["recorded events ", "links ", "streams "].iter().any(|of| refused.starts_with(of));
        assert!(
            says_so && (refused.contains(" are never ") || refused.contains(" never change")),
            "{sql}: {refused}"
        );
    }
    assert_eq!(read_log(&store).await, before);
}

/// UX-03's claim for two processes on one file: writers on both keep positions and versions gapless, and each
/// side checks its expected versions against what the other wrote.
#[tokio::test]
async fn two_openings_of_one_file_share_one_log() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    let stores = [Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap()].map(Arc::new);
    let events = Arc::new(Events::default());
    let mut tasks = tokio::task::JoinSet::new();
    for store in &stores {
        let (store, events) = (store.clone(), events.clone());
        tasks.spawn(async move {
            let mut won = 0;
            for round in 0..40 {
                let group = vec![
                    events.append("shared", Any, 2),
                    events.append("contested", exact(round), 1),
                    events.append(&format!("own-{:p}", &raw const *store), Any, 1),
                ];
                let outcomes = store.append(group, NOW).await;
                assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
                won += usize::from(outcomes[1].is_ok());
            }
            won
        });
    }
    let won: usize = tasks.join_all().await.into_iter().sum();
    for store in &stores {
        let log = read_log(store).await;
        assert_eq!(check_log(&log), Ok(()));
        assert_eq!(log.len(), 240 + won);
        assert_eq!(log.iter().filter(|event| event.stream == stream("contested")).count(), won);
    }
}

/// UX-02: after a commit of unknown outcome the group is tried again; also an any-version append is recognised
/// then, and nothing is stored twice.
#[test]
fn a_group_tried_again_after_an_unknown_commit_is_recognised() {
    let (directory, events) = (directory(), Events::default());
    let mut writer = Writer::new(schema::open_writer(&directory.path().join("umbel.db")).unwrap());
    let group = [events.append("s", Any, 2), events.append("s", exact(2), 1)];
    let first = log::append(&mut writer, &group, NOW).unwrap();
    let again = log::try_append(&mut writer, &group, NOW, Ids::Resolving).unwrap();
    assert_eq!(again, first);
    assert_eq!(log::log(&writer.connection).unwrap().head, position(3));
}

/// AP-02: a stream that has a row and no event counts as none.
#[tokio::test]
async fn a_stream_without_events_is_none() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    raw(&path)
        .execute_batch("INSERT INTO streams (name, version, created_at) VALUES ('a', 0, 5), ('b', 0, 5)")
        .unwrap();
    let none = append(&store, events.append("a", StreamExists, 1)).await;
    assert_eq!(none, Err(AppendError::StreamNotFound(stream("a"))));
    for (name, expected) in [("a", NoStream), ("b", exact(0))] {
        assert_eq!(append(&store, events.append(name, expected, 1)).await.unwrap().versions, [version(1)]);
    }
}

/// MA-02, AP-08: a group that fails halfway, here at its documents, leaves nothing behind, and the next one is not disturbed.
#[tokio::test]
async fn a_failed_group_is_rolled_back() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "CREATE TRIGGER broken BEFORE INSERT ON documents BEGIN SELECT RAISE(ABORT, 'out of order'); END",
    )
    .unwrap();
    let item = Item { group: json!("g"), rank: None, tags: Vec::new() };
    let documents = items([("k", Some(item))]);
    let group = vec![
        events.append("s", Any, 1),
        Append { documents: documents.clone(), ..events.append("s", Any, 1) },
    ];
    for outcome in store.append(group.clone(), NOW).await {
        let Err(AppendError::Store(StoreError::Failed { reason })) = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("out of order") && reason.contains("umbel.db"), "{reason}");
    }
    assert_eq!(read_log(&store).await, []);
    raw.execute_batch("DROP TRIGGER broken").unwrap();
    assert!(store.append(group, NOW).await.iter().all(Result::is_ok));
    assert_eq!(read_log(&store).await.len(), 2);
}

/// LD-04's reading part: a stream marked as deleted is neither read nor appended to; the log keeps its events.
#[tokio::test]
async fn a_deleted_stream_is_refused_and_its_events_stay_in_the_log() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    append(&store, events.append("s", NoStream, 2)).await.unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE streams SET deleted_at = 5", []).unwrap();

    let request = ReadStream { stream: stream("s"), from: None, direction: Direction::Forward, limit: 9 };
    let refused = store.read_stream(request).await.unwrap_err().to_string();
    assert_eq!(refused, "stream s was deleted");
    let refused = append(&store, events.append("s", Any, 1)).await;
    assert_eq!(refused, Err(AppendError::StreamDeleted(stream("s"))));
    let info = store.stream_info(stream("s")).await.unwrap();
    assert_eq!(info.deleted_at, Some(Timestamp::from_micros(5)));
    assert_eq!(read_log(&store).await.len(), 2);
}

/// What a raw connection sees of the file.
fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}
