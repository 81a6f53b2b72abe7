//! The archive: events that were moved are read as before.

use umbel_core::{
    ExpectedVersion::{Any, NoStream, StreamExists},
    RecordedEvent,
    document::Direction::{Backward, Forward},
    store::{
        AppendError, FindEvent, ListStreams, PerformError, Performed, ReadAll, ReadStream, Removal, Selector,
        VerifyStore,
    },
};

use super::{
    Events, StoreUnderTest, archive, command, delete, exact, link, position, positions, put, read_log,
    read_log_matching, read_whole_stream,
    selectors::{check_selection, selections, vary},
    stream, version,
};

fn performed(at: u64, events: u64) -> Result<Performed, PerformError> {
    Ok(Performed { position: position(at), events, links: 0 })
}

/// RD-01, RD-02, RD-04, RD-05: with a part of the log in the archive, everything reads as before, across its end, too.
pub async fn an_archive_is_read_like_the_log<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    vary(&store, &events).await;
    put(&store, events.append("order-1", exact(2), 2)).await;
    let before = read_log(&store).await;
    store.ask(link("list", NoStream, &[before[3].id, before[7].id])).await.unwrap();
    let list = ListStreams { limit: 99, ..ListStreams::default() };
    let streams = store.ask(list.clone()).await.unwrap().streams;
    assert_eq!(store.status().await.unwrap().archived_to, position(0));
    assert_eq!(store.ask(events.perform(archive(4))).await, performed(9, 4));
    let status = store.status().await.unwrap();
    assert_eq!((status.head, status.archived_to), (position(9), position(4)));

    for limit in [1, 2, 3, 100] {
        assert_eq!(read_log_matching(&store, &Selector::all(), limit).await[..8], before);
    }
    for (selector, mut expected) in selections() {
        let appended = before[6..].iter().filter(|event| selector.matches(event));
        expected.extend(appended.map(|event| event.position.get()));
        let record = &read_log(&store).await[8];
        expected.extend(selector.matches(record).then_some(9));
        check_selection(&store, &selector, &expected).await;
    }
    for event in &before {
        assert_eq!(store.ask(FindEvent { id: event.id }).await, Ok(Some(event.clone())));
    }
    let of_order: Vec<_> = before.iter().filter(|event| event.stream == stream("order-1")).cloned().collect();
    for (direction, limit) in [(Forward, 3), (Backward, 3), (Forward, 1), (Backward, 9)] {
        let request = ReadStream { stream: stream("order-1"), from: None, direction, limit };
        let page = store.read_stream(request).await.unwrap();
        let mut expected = of_order.clone();
        if direction == Backward {
            expected.reverse();
        }
        expected.truncate(limit.try_into().unwrap());
        assert_eq!((page.events, page.version), (expected, version(4)), "{direction:?} {limit}");
    }
    let linked = read_whole_stream(&store, &stream("list")).await;
    let linked: Vec<_> = linked.into_iter().map(|event| RecordedEvent { linked_at: None, ..event }).collect();
    assert_eq!(linked, [before[3].clone(), before[7].clone()]);
    for info in store.ask(list).await.unwrap().streams {
        let is_system = info.stream.is_system();
        assert!(is_system || streams.contains(&info), "{info:?} changed");
    }
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// AP-02, AP-03 and AP-06 over an archive: what is archived still counts for expected versions, and its ids are duplicates.
pub async fn appends_know_what_is_archived<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let first = events.append("s", NoStream, 2);
    let stored = store.append(first.clone()).await.unwrap();
    let mut commanded = events.append("t", NoStream, 1);
    commanded.command = Some(command(1, "7"));
    put(&store, commanded.clone()).await;
    assert_eq!(store.ask(events.perform(archive(3))).await, performed(4, 3));

    let (stream, actual) = (stream("s"), version(2));
    let exists = AppendError::StreamExists { stream: stream.clone(), actual };
    assert_eq!(store.append(events.append("s", NoStream, 1)).await, Err(exists));
    let wrong = AppendError::WrongExpectedVersion { stream, expected: exact(1), actual };
    assert_eq!(store.append(events.append("s", exact(1), 1)).await, Err(wrong));
    let id = first.streams[0].events[1].id;
    for (name, expected) in [("s", Any), ("new", NoStream), ("s", exact(2))] {
        let mut again = events.append(name, expected, 2);
        again.streams[0].events[1].id = id;
        assert_eq!(store.append(again).await, Err(AppendError::DuplicateEvent { id }), "{name}");
    }
    // The same append again, and the same command again, get their first answers.
    assert_eq!(store.append(first).await, Ok(stored.again()));
    assert_eq!(store.append(commanded).await.unwrap().repeated, Some(command(1, "7").reply));
    for (expected, after) in [(exact(2), 3), (StreamExists, 4), (Any, 5)] {
        let appended = store.append(events.append("s", expected, 1)).await.unwrap();
        assert_eq!(appended.versions, [version(after)], "{expected}");
    }
    assert_eq!(read_log(&store).await.len(), 7);
}

/// The archive only grows: what is there stays, each event is moved once, gaps are no events, and nothing is moved beyond the
/// log's end.
pub async fn the_archive_only_grows<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("s", NoStream, 2)).await;
    put(&store, events.append("gone", NoStream, 2)).await;
    put(&store, events.append("s", exact(2), 2)).await;
    let refused = store.ask(events.perform(archive(7))).await;
    assert_eq!(refused, Err(PerformError::BeyondEnd { what: "the log".into(), end: 6 }));
    store.ask(events.perform(delete("gone", Removal::Hard))).await.unwrap();
    for (through, at, moved, archived_to) in [(3, 8, 2, 3), (2, 9, 0, 3), (3, 10, 0, 3), (10, 11, 6, 10)] {
        assert_eq!(store.ask(events.perform(archive(through))).await, performed(at, moved), "{through}");
        assert_eq!(store.status().await.unwrap().archived_to, position(archived_to));
    }
    let log = read_log_matching(&store, &Selector::all(), 2).await;
    assert_eq!(positions(&log), [1, 2, 5, 6, 7, 8, 9, 10, 11]);
    let request = ReadAll { from: None, direction: Backward, limit: 3, selector: Selector::all() };
    assert_eq!(positions(&store.read_all(request).await.unwrap().events), [11, 10, 9]);
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// LD-01 to LD-03: archived events are linked like others, and links to them read across the border.
pub async fn archived_events_are_linked<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids = put(&store, events.append("s", NoStream, 4)).await;
    store.ask(link("list", NoStream, &[ids[0], ids[3]])).await.unwrap();
    store.ask(events.perform(archive(2))).await.unwrap();
    assert_eq!(store.ask(link("list", exact(2), &[ids[2], ids[1]])).await, Ok(version(4)));
    assert!(store.ask(link("list", Any, &[ids[0]])).await.is_err(), "it is there already");
    let shown = read_whole_stream(&store, &stream("list")).await;
    assert_eq!(positions(&shown), [1, 4, 3, 2]);
}
