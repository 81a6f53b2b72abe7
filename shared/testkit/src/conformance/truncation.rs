//! Truncating streams, softly and for good.

use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    StreamName, Version,
    document::Direction::{self, Backward, Forward},
    store::{Act, AppendError, FindEvent, PerformError, Performed, ReadStream, Removal, VerifyStore},
};

use super::{
    Events, StoreUnderTest, archive, exact, link, position, positions, put, read_log, read_log_with_holes,
    stream, truncate, version,
};

async fn versions<S: StoreUnderTest>(store: &S, from: Option<u64>, direction: Direction) -> Vec<u64> {
    let request = ReadStream { stream: stream("s"), from: from.map(version), direction, limit: 9 };
    let page = store.read_stream(request).await.unwrap();
    page.events.iter().map(|event| event.version_read().get()).collect()
}

fn performed(at: u64, events: u64, links: u64) -> Result<Performed, PerformError> {
    Ok(Performed { position: position(at), events, links })
}

/// RD-01, RD-02: a softly truncated stream begins later, whichever way it is read; the log, links and its version stay.
pub async fn a_softly_truncated_stream_begins_later<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids = put(&store, events.append("s", NoStream, 5)).await;
    store.ask(link("list", NoStream, &ids[..1])).await.unwrap();
    let before = read_log(&store).await;
    assert_eq!(store.ask(events.perform(truncate("s", 3, Removal::Soft))).await, performed(6, 0, 0));
    for (from, direction, expected) in [
        (None, Forward, vec![3, 4, 5]),
        (Some(1), Forward, vec![3, 4, 5]),
        (Some(4), Forward, vec![4, 5]),
        (None, Backward, vec![5, 4, 3]),
        (Some(4), Backward, vec![4, 3]),
        (Some(2), Backward, vec![]),
    ] {
        assert_eq!(versions(&store, from, direction).await, expected, "{from:?} {direction:?}");
    }
    let info = store.stream_info(stream("s")).await.unwrap();
    assert_eq!((info.first_version, info.version, info.deleted_at), (version(3), version(5), None));
    assert_eq!(read_log(&store).await[..5], before);
    assert_eq!(store.ask(FindEvent { id: ids[0] }).await, Ok(Some(before[0].clone())));

    // It never begins earlier again; all of it may be truncated, and it goes on after its last version.
    store.ask(events.perform(truncate("s", 2, Removal::Soft))).await.unwrap();
    assert_eq!(versions(&store, None, Forward).await, [3, 4, 5]);
    store.ask(events.perform(truncate("s", 6, Removal::Soft))).await.unwrap();
    assert_eq!(versions(&store, None, Forward).await, Vec::<u64>::new());
    let exists = AppendError::StreamExists { stream: stream("s"), actual: version(5) };
    assert_eq!(store.append(events.append("s", NoStream, 1)).await, Err(exists));
    put(&store, events.append("s", exact(5), 1)).await;
    assert_eq!(versions(&store, None, Backward).await, [6]);
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// LD-05 for the beginning of a stream: hard truncation removes its events and the links to them; versions and positions are
/// not given again.
pub async fn a_hard_truncation_removes_the_beginning<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids = put(&store, events.append("s", NoStream, 5)).await;
    store.ask(link("list", NoStream, &[ids[0], ids[3]])).await.unwrap();
    assert_eq!(store.ask(events.perform(truncate("s", 3, Removal::Hard))).await, performed(6, 2, 1));
    assert_eq!(versions(&store, None, Forward).await, [3, 4, 5]);
    assert_eq!(positions(&read_log_with_holes(&store, &[1, 2]).await), [3, 4, 5, 6]);
    assert_eq!(store.ask(FindEvent { id: ids[1] }).await, Ok(None));
    assert_eq!(store.stream_info(stream("list")).await.unwrap().version, version(2));
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));

    assert_eq!(store.ask(events.perform(truncate("s", 6, Removal::Hard))).await, performed(7, 3, 1));
    let info = store.stream_info(stream("s")).await.unwrap();
    assert_eq!((info.first_version, info.version), (version(6), version(5)));
    assert_eq!(versions(&store, None, Forward).await, Vec::<u64>::new());
    let exists = AppendError::StreamExists { stream: stream("s"), actual: version(5) };
    assert_eq!(store.append(events.append("s", NoStream, 1)).await, Err(exists));
    let appended = store.append(events.append("s", exact(5), 1)).await.unwrap();
    assert_eq!((appended.versions, appended.last_position), (vec![version(6)], Some(position(8))));
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// LD-06 for the beginning of a stream: its links below go, the events that they led to stay; archived events go, too.
pub async fn links_and_archived_events_are_truncated<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let source = put(&store, events.append("source", NoStream, 2)).await;
    put(&store, events.append("s", NoStream, 1)).await;
    store.ask(link("s", exact(1), &source)).await.unwrap();
    put(&store, events.append("s", exact(3), 2)).await;
    store.ask(events.perform(archive(4))).await.unwrap();
    // A soft truncation hides first what the hard one takes away later, and stays where it is.
    store.ask(events.perform(truncate("s", 5, Removal::Soft))).await.unwrap();
    assert_eq!(versions(&store, None, Forward).await, [5]);
    assert_eq!(store.ask(events.perform(truncate("s", 3, Removal::Hard))).await, performed(8, 1, 1));
    assert_eq!(versions(&store, None, Forward).await, [5]);
    assert_eq!(store.ask(events.perform(truncate("s", 5, Removal::Hard))).await, performed(9, 1, 1));
    assert_eq!(positions(&read_log_with_holes(&store, &[3, 4]).await), [1, 2, 5, 6, 7, 8, 9]);
    assert_eq!(store.stream_info(stream("s")).await.unwrap().version, version(5));
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// AP-10: nothing is truncated beyond a stream's end; unknown streams and the system's own are refused.
pub async fn a_refused_truncation_changes_nothing<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("s", NoStream, 2)).await;
    for removal in [Removal::Soft, Removal::Hard] {
        let refused = store.ask(events.perform(truncate("s", 4, removal))).await;
        assert_eq!(refused, Err(PerformError::BeyondEnd { what: "s".into(), end: 2 }));
        let refused = store.ask(events.perform(truncate("unknown", 1, removal))).await;
        assert_eq!(refused, Err(PerformError::StreamNotFound(stream("unknown"))));
        for own in [StreamName::all(), StreamName::audit()] {
            let act = Act::TruncateStream { stream: own.clone(), before: Version::START.next(), removal };
            assert_eq!(store.ask(events.perform(act)).await, Err(PerformError::Reserved(own)));
        }
    }
    assert_eq!(read_log(&store).await.len(), 2);
    // Before its first event there is nothing: the act is recorded, and takes nothing.
    assert_eq!(store.ask(events.perform(truncate("s", 0, Removal::Hard))).await, performed(3, 0, 0));
    assert_eq!(store.ask(events.perform(truncate("s", 1, Removal::Soft))).await, performed(4, 0, 0));
    assert_eq!(versions(&store, None, Forward).await, [1, 2]);
    assert_eq!(store.stream_info(stream("s")).await.unwrap().first_version, version(1));
    put(&store, events.append("s", Any, 1)).await;
}
