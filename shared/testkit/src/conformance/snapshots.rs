//! Snapshots of streams' states.

use std::sync::Arc;

use tokio::task::JoinSet;
use umbel_core::{
    ExpectedVersion, Json, Timestamp,
    store::{DeleteSnapshot, ListSnapshots, LoadSnapshot, Removal, SaveSnapshot, Snapshot},
};

use super::{Events, StoreUnderTest, delete, stream, version};

fn snapshot(name: &str, at: u64, data: &str) -> Snapshot {
    Snapshot {
        stream: stream(name),
        version: version(at),
        state: "tëst.state".into(),
        schema: 3,
        taken_at: Timestamp::from_micros(1_234_567_891),
        data: Json::parse(data).unwrap(),
    }
}

/// Streams with so many events.
async fn filled<S: StoreUnderTest>(store: &S, names: &[&str], count: usize) -> Events {
    let events = Events::default();
    for name in names {
        store.append(events.append(name, ExpectedVersion::Any, count)).await.unwrap();
    }
    events
}

async fn load<S: StoreUnderTest>(store: &S, name: &str) -> Option<Snapshot> {
    store.ask(LoadSnapshot { stream: stream(name) }).await.unwrap()
}

/// OP-07: written, written again, read, deleted, deleted again; what is missing is no error but nothing.
pub async fn a_snapshot_is_kept_until_it_is_deleted<S: StoreUnderTest>(store: S) {
    assert_eq!(load(&store, "s").await, None);
    filled(&store, &["s"], 3).await;
    let first = snapshot("s", 3, r#"{"z": 1.50, "a": "Grüße, 👋 \" ' \\"}"#);
    assert_eq!(store.ask(SaveSnapshot(first.clone())).await, Ok(true));
    assert_eq!(load(&store, "s").await, Some(first));
    let same_version = Snapshot { schema: 4, ..snapshot("s", 3, "[1]") };
    assert_eq!(store.ask(SaveSnapshot(same_version.clone())).await, Ok(true));
    assert_eq!(load(&store, "s").await, Some(same_version));
    assert_eq!(load(&store, "S").await, None);
    let delete = || DeleteSnapshot { stream: stream("s") };
    assert_eq!(store.ask(delete()).await, Ok(true));
    assert_eq!(store.ask(delete()).await, Ok(false));
    assert_eq!(load(&store, "s").await, None);
}

/// MA-03: an older snapshot never replaces a newer one, until that is deleted.
pub async fn an_older_snapshot_never_replaces_a_newer<S: StoreUnderTest>(store: S) {
    filled(&store, &["s", "other"], 6).await;
    let newer = snapshot("s", 5, "5");
    assert_eq!(store.ask(SaveSnapshot(newer.clone())).await, Ok(true));
    assert_eq!(store.ask(SaveSnapshot(snapshot("s", 4, "4"))).await, Ok(false));
    assert_eq!(load(&store, "s").await, Some(newer));
    assert_eq!(store.ask(SaveSnapshot(snapshot("s", 6, "6"))).await, Ok(true));
    assert_eq!(store.ask(SaveSnapshot(snapshot("other", 1, "1"))).await, Ok(true));
    assert_eq!(load(&store, "s").await.unwrap().version, version(6));
    store.ask(DeleteSnapshot { stream: stream("s") }).await.unwrap();
    assert_eq!(store.ask(SaveSnapshot(snapshot("s", 1, "1"))).await, Ok(true));
}

/// MA-03: of snapshots saved at once, the newest is there afterwards.
pub async fn the_newest_of_racing_snapshots_stays<S: StoreUnderTest>(store: S) {
    filled(&store, &["s"], 10).await;
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for number in [7, 3, 10, 1, 9, 2, 8, 4, 6, 5] {
        let (store, snapshot) = (store.clone(), snapshot("s", number, &number.to_string()));
        tasks.spawn(async move { store.ask(SaveSnapshot(snapshot)).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(load(&*store, "s").await, Some(snapshot("s", 10, "10")));
}

/// AG-06: a snapshot of a stream that is not there, or ends before it, is not kept: it was taken of one that was removed for good.
pub async fn a_snapshot_of_what_is_not_there_is_not_kept<S: StoreUnderTest>(store: S) {
    assert_eq!(store.ask(SaveSnapshot(snapshot("s", 1, "1"))).await, Ok(false));
    assert_eq!(load(&store, "s").await, None);
    let events = filled(&store, &["s"], 2).await;
    assert_eq!(store.ask(SaveSnapshot(snapshot("s", 3, "3"))).await, Ok(false));
    assert_eq!(load(&store, "s").await, None);
    assert_eq!(store.ask(SaveSnapshot(snapshot("s", 2, "2"))).await, Ok(true));
    store.ask(events.perform(delete("s", Removal::Hard))).await.unwrap();
    assert_eq!(store.ask(SaveSnapshot(snapshot("s", 2, "2"))).await, Ok(false));
    assert_eq!(load(&store, "s").await, None);
}

/// OP-07: snapshots are listed by the names of their streams, byte by byte, page by page.
pub async fn snapshots_are_listed_by_name<S: StoreUnderTest>(store: S) {
    let names = ["b", "ä", "a", "B", "a-1", "a b"];
    filled(&store, &names, 1).await;
    for name in names {
        store.ask(SaveSnapshot(snapshot(name, 1, "null"))).await.unwrap();
    }
    for limit in [1, 2, 4, 100] {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = store.ask(ListSnapshots { after: after.clone(), limit }).await.unwrap();
            assert!(page.len() <= limit.try_into().unwrap());
            let Some(last) = page.last() else { break };
            after = Some(last.stream.clone());
            names.extend(page.into_iter().map(|one| one.stream.to_string()));
        }
        assert_eq!(names, ["B", "a", "a b", "a-1", "b", "ä"], "by {limit}");
    }
    let page = store.ask(ListSnapshots { after: Some(stream("a")), limit: 1 }).await.unwrap();
    assert_eq!(page, [snapshot("a b", 1, "null")]);
}
