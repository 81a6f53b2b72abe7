//! Deleting streams, softly and for good.

use umbel_core::{
    ExpectedVersion::{self, Any, NoStream, StreamExists},
    StreamName,
    document::Direction::{Backward, Forward},
    store::{
        Act, AppendError, FindEvent, LinkError, ListStreams, LoadSnapshot, PerformError, Performed,
        ReadError, ReadStream, Removal, SaveSnapshot, Snapshot, VerifyStore,
    },
};

use super::{
    Events, StoreUnderTest, archive, delete, exact, link, position, positions, put, read_log,
    read_log_with_holes, read_whole_stream, stream, truncate, version,
};

fn performed(at: u64, events: u64, links: u64) -> Result<Performed, PerformError> {
    Ok(Performed { position: position(at), events, links })
}

fn delete_at(name: &str, expected: ExpectedVersion, removal: Removal) -> Act {
    Act::DeleteStream { stream: stream(name), expected, removal }
}

/// LD-04: a soft-deleted stream is read, appended to, linked to, deleted and truncated no more; the log and links show its
/// events as before.
pub async fn a_soft_deleted_stream_is_closed<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids = put(&store, events.append("s", NoStream, 2)).await;
    store.ask(link("list", NoStream, &[ids[1]])).await.unwrap();
    let (before, linked) = (read_log(&store).await, read_whole_stream(&store, &stream("list")).await);
    assert_eq!((linked.len(), linked[0].id), (1, ids[1]));
    let done = store.ask(events.perform(delete_at("s", exact(2), Removal::Soft))).await;
    assert_eq!(done, performed(3, 0, 0));

    let deleted = || stream("s");
    for direction in [Forward, Backward] {
        let request = ReadStream { stream: deleted(), from: None, direction, limit: 9 };
        assert_eq!(store.read_stream(request).await, Err(ReadError::StreamDeleted(deleted())));
    }
    for expected in [Any, NoStream, StreamExists, exact(0), exact(2)] {
        let refused = store.append(events.append("s", expected, 1)).await;
        assert_eq!(refused, Err(AppendError::StreamDeleted(deleted())), "{expected}");
    }
    put(&store, events.append("other", NoStream, 1)).await;
    let other = before[0].id;
    let refused = store.ask(link("s", Any, &[other])).await;
    assert_eq!(refused, Err(LinkError::Append(AppendError::StreamDeleted(deleted()))));
    for act in [delete("s", Removal::Soft), truncate("s", 2, Removal::Soft), truncate("s", 2, Removal::Hard)]
    {
        let refused = store.ask(events.perform(act)).await;
        assert_eq!(refused, Err(PerformError::StreamDeleted(deleted())));
    }

    assert_eq!(read_log(&store).await[..2], before);
    assert_eq!(store.ask(FindEvent { id: ids[0] }).await, Ok(Some(before[0].clone())));
    assert_eq!(read_whole_stream(&store, &stream("list")).await, linked);
    let info = store.stream_info(deleted()).await.unwrap();
    assert_eq!(info.version, version(2));
    assert!(info.deleted_at.is_some());
    let mut again = events.append("other", Any, 1);
    again.streams[0].events[0].id = ids[0];
    assert_eq!(store.append(again).await, Err(AppendError::DuplicateEvent { id: ids[0] }));
}

/// LD-05: a hard-deleted stream is gone with all links to its events; others keep their events, versions and places, the
/// log keeps its numbers.
pub async fn a_hard_deleted_stream_is_gone<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let gone = put(&store, events.append("gone", NoStream, 2)).await;
    let kept = put(&store, events.append("kept", NoStream, 2)).await;
    put(&store, events.append("gone", exact(2), 1)).await;
    store.ask(link("list", NoStream, &[gone[1], kept[0], gone[0]])).await.unwrap();
    put(&store, events.append("list", exact(3), 1)).await;
    store.ask(link("end", NoStream, &[kept[1], gone[1]])).await.unwrap();
    store.ask(link("only", NoStream, &[gone[0]])).await.unwrap();
    let done = store.ask(events.perform(delete_at("gone", exact(3), Removal::Hard))).await;
    assert_eq!(done, performed(7, 3, 4));

    let not_found = ReadError::StreamNotFound(stream("gone"));
    let request = ReadStream { stream: stream("gone"), from: None, direction: Forward, limit: 9 };
    assert_eq!(store.read_stream(request).await, Err(not_found.clone()));
    assert_eq!(store.stream_info(stream("gone")).await, Err(not_found));
    let refused = store.ask(events.perform(delete("gone", Removal::Soft))).await;
    assert_eq!(refused, Err(PerformError::StreamNotFound(stream("gone"))));
    assert_eq!(store.ask(FindEvent { id: gone[0] }).await, Ok(None));
    let log = read_log_with_holes(&store, &[1, 2, 5]).await;
    assert_eq!(positions(&log), [3, 4, 6, 7]);
    assert_eq!(read_whole_stream(&store, &stream("kept")).await, log[..2]);
    for (name, versions, version_after) in [("list", vec![2, 4], 4), ("end", vec![1], 2), ("only", vec![], 1)]
    {
        let shown = read_whole_stream(&store, &stream(name)).await;
        let found: Vec<_> = shown.iter().map(|event| event.version_read().get()).collect();
        assert_eq!(found, versions, "{name}");
        // What stood there is gone, but its version is not given again.
        assert_eq!(store.stream_info(stream(name)).await.unwrap().version, version(version_after), "{name}");
        let appended = store.append(events.append(name, exact(version_after), 1)).await.unwrap();
        assert_eq!(appended.versions, [version(version_after + 1)], "{name}");
    }
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// LD-05: the name of a hard-deleted stream starts anew, the ids of its events are free, its snapshot is gone.
pub async fn a_hard_deleted_name_starts_anew<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let first = events.append("s", NoStream, 3);
    put(&store, first.clone()).await;
    let taken_at = umbel_core::Timestamp::from_micros(1);
    let data = umbel_core::Json::parse("0").unwrap();
    let state = "test.state".to_owned();
    let snapshot = Snapshot { stream: stream("s"), version: version(3), state, schema: 1, taken_at, data };
    store.ask(SaveSnapshot(snapshot)).await.unwrap();
    store.ask(events.perform(delete("s", Removal::Hard))).await.unwrap();
    assert_eq!(store.ask(LoadSnapshot { stream: stream("s") }).await, Ok(None));

    let refused = store.append(events.append("s", StreamExists, 1)).await;
    assert_eq!(refused, Err(AppendError::StreamNotFound(stream("s"))));
    let appended = store.append(first).await.unwrap();
    assert_eq!((appended.versions, appended.last_position), (vec![version(3)], Some(position(7))));
    assert_eq!(store.append(events.append("s", exact(3), 1)).await.unwrap().versions, [version(4)]);
    let shown = read_whole_stream(&store, &stream("s")).await;
    assert_eq!(positions(&shown), [5, 6, 7, 8]);
    assert_eq!(positions(&read_log_with_holes(&store, &[1, 2, 3]).await), [4, 5, 6, 7, 8]);
    let list = ListStreams { search: Some("s".into()), limit: 9, ..ListStreams::default() };
    assert_eq!(store.ask(list).await.unwrap().total, Some(1));
}

/// LD-04, LD-05: a hard deletion finishes off a soft-deleted stream, and only that.
pub async fn a_hard_deletion_follows_a_soft_one<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("s", NoStream, 2)).await;
    store.ask(events.perform(delete("s", Removal::Soft))).await.unwrap();
    let wrong = store.ask(events.perform(delete_at("s", exact(1), Removal::Hard))).await;
    assert!(matches!(wrong, Err(PerformError::WrongExpectedVersion { .. })), "{wrong:?}");
    let done = store.ask(events.perform(delete_at("s", exact(2), Removal::Hard))).await;
    assert_eq!(done, performed(4, 2, 0));
    let appended = store.append(events.append("s", NoStream, 1)).await.unwrap();
    assert_eq!(appended.versions, [version(1)]);
    assert_eq!(positions(&read_log_with_holes(&store, &[1, 2]).await), [3, 4, 5]);
}

/// LD-06: deleting a stream of links removes the links and leaves the events; events of its own go.
pub async fn deleting_links_leaves_the_events<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids = put(&store, events.append("source", NoStream, 3)).await;
    let before = read_log(&store).await;
    store.ask(link("list", NoStream, &ids)).await.unwrap();
    store.ask(link("other", NoStream, &ids[..1])).await.unwrap();
    assert_eq!(store.ask(events.perform(delete("list", Removal::Hard))).await, performed(4, 0, 3));
    assert_eq!(read_log(&store).await[..3], before);
    assert_eq!(read_whole_stream(&store, &stream("source")).await, before);
    assert_eq!(read_whole_stream(&store, &stream("other")).await.len(), 1);

    store.ask(link("list", NoStream, &ids[1..])).await.unwrap();
    put(&store, events.append("list", exact(2), 1)).await;
    assert_eq!(store.ask(events.perform(delete("list", Removal::Hard))).await, performed(6, 1, 2));
    assert_eq!(positions(&read_log_with_holes(&store, &[5]).await), [1, 2, 3, 4, 6]);
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// LD-04, LD-05, AP-10: what is expected must hold; unknown streams and the system's own are refused; nothing is recorded then.
pub async fn a_refused_deletion_changes_nothing<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("s", NoStream, 2)).await;
    for removal in [Removal::Soft, Removal::Hard] {
        for expected in [exact(0), exact(1), exact(3), NoStream] {
            let refused = store.ask(events.perform(delete_at("s", expected, removal))).await;
            let (stream, actual) = (stream("s"), version(2));
            assert_eq!(refused, Err(PerformError::WrongExpectedVersion { stream, expected, actual }));
        }
        let refused = store.ask(events.perform(delete("unknown", removal))).await;
        assert_eq!(refused, Err(PerformError::StreamNotFound(stream("unknown"))));
        for own in [StreamName::all(), StreamName::audit()] {
            let act = Act::DeleteStream { stream: own.clone(), expected: Any, removal };
            assert_eq!(store.ask(events.perform(act)).await, Err(PerformError::Reserved(own)));
        }
    }
    assert_eq!(read_log(&store).await.len(), 2);
    store.ask(events.perform(delete_at("s", StreamExists, Removal::Soft))).await.unwrap();
}

/// LD-05, RD-04: events that were archived are removed, too, and the log is read over all gaps.
pub async fn archived_events_are_removed_too<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for round in 0..3 {
        put(&store, events.append("gone", exact(round * 2), 2)).await;
        put(&store, events.append("kept", Any, 1)).await;
    }
    store.ask(events.perform(archive(5))).await.unwrap();
    assert_eq!(store.ask(events.perform(delete("gone", Removal::Hard))).await, performed(11, 6, 0));
    assert_eq!(positions(&read_log_with_holes(&store, &[1, 2, 4, 5, 7, 8]).await), [3, 6, 9, 10, 11]);
    assert_eq!(store.status().await.unwrap().archived_to, position(5));
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}
