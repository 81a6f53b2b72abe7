//! Reading streams and the log.

use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    Position, RecordedEvent, StreamName,
    document::Direction::{Backward, Forward},
    store::{Append, ReadAll, ReadError, ReadStream, Selector},
};

use super::{
    Events, StoreUnderTest, exact, position, positions, read_log, read_log_backward, read_log_matching,
    stream, version,
};

fn versions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.version.get()).collect()
}

async fn two_streams<S: StoreUnderTest>(store: &S) -> StreamName {
    let events = Events::default();
    for round in 0..5 {
        store.append(events.append("s", exact(round * 2), 2)).await.unwrap();
        store.append(events.append("noise", Any, 1)).await.unwrap();
    }
    stream("s")
}

/// RD-01: forward from a version with a limit gives that window, in order; beyond the end it is empty.
pub async fn a_stream_is_read_forward_by_windows<S: StoreUnderTest>(store: S) {
    let name = two_streams(&store).await;
    for (from, limit, expected) in [
        (None, 3, vec![1, 2, 3]),
        (Some(1), 3, vec![1, 2, 3]),
        (Some(4), 3, vec![4, 5, 6]),
        (Some(9), 100, vec![9, 10]),
        (Some(11), 100, vec![]),
        (Some(1000), 1, vec![]),
    ] {
        let from = from.map(version);
        let page = store.read_stream(ReadStream { stream: name.clone(), from, direction: Forward, limit });
        let page = page.await.unwrap();
        assert_eq!(versions(&page.events), expected, "from {from:?}");
        assert_eq!(page.version, version(10));
        assert!(page.events.iter().all(|event| event.stream == name));
    }
}

/// RD-02: backward from the end or from a version gives the reverse order.
pub async fn a_stream_is_read_backward<S: StoreUnderTest>(store: S) {
    let name = two_streams(&store).await;
    for (from, limit, expected) in [
        (None, 3, vec![10, 9, 8]),
        (Some(4), 3, vec![4, 3, 2]),
        (Some(2), 100, vec![2, 1]),
        (Some(1000), 2, vec![10, 9]),
    ] {
        let from = from.map(version);
        let page = store.read_stream(ReadStream { stream: name.clone(), from, direction: Backward, limit });
        assert_eq!(versions(&page.await.unwrap().events), expected, "from {from:?}");
    }
    for (from, limit, expected) in [(None, 2, vec![15, 14]), (Some(3), 9, vec![3, 2, 1])] {
        let from = from.map(position);
        let page = store
            .read_all(ReadAll { from, direction: Backward, limit, selector: Selector::all() })
            .await
            .unwrap();
        assert_eq!(positions(&page.events), expected);
        assert_eq!(page.scanned_to, position(*expected.last().unwrap()));
        assert_eq!(page.head, position(15));
    }
}

/// RD-03: an unknown stream is an error; a known one read beyond its end is not.
pub async fn an_unknown_stream_is_not_found<S: StoreUnderTest>(store: S) {
    two_streams(&store).await;
    for direction in [Forward, Backward] {
        let request = ReadStream { stream: stream("unknown"), from: None, direction, limit: 1 };
        assert_eq!(store.read_stream(request).await, Err(ReadError::StreamNotFound(stream("unknown"))));
    }
    // Names are told apart byte by byte.
    let request = ReadStream { stream: stream("S"), from: None, direction: Forward, limit: 1 };
    assert_eq!(store.read_stream(request).await, Err(ReadError::StreamNotFound(stream("S"))));
}

/// RD-04: pages of 1, of 2 and large ones give the same complete sequence, either way.
pub async fn pages_of_any_size_give_the_same_sequence<S: StoreUnderTest>(store: S) {
    two_streams(&store).await;
    let all: Vec<_> = (1..=15).collect();
    for limit in [1, 2, 7, 1000] {
        assert_eq!(positions(&read_log_matching(&store, &Selector::all(), limit).await), all);

        let mut backward = positions(&read_log_backward(&store, &Selector::all(), limit).await);
        backward.reverse();
        assert_eq!(backward, all, "by {limit}");
    }
}

/// RD-05: the log has the events of all streams in commit order, each with its stream and version there.
pub async fn the_log_holds_all_streams_in_commit_order<S: StoreUnderTest>(store: S) {
    let name = two_streams(&store).await;
    let log = read_log(&store).await;
    let expected =
        (0..5).flat_map(|round| [("s", round * 2 + 1), ("s", round * 2 + 2), ("noise", round + 1)]);
    let found = log.iter().map(|event| (event.stream.as_str(), event.version.get()));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let request = ReadStream { stream: name.clone(), from: None, direction: Forward, limit: 100 };
    let of_stream: Vec<_> = log.into_iter().filter(|event| event.stream == name).collect();
    assert_eq!(store.read_stream(request).await.unwrap().events, of_stream);
}

/// SU-08's store part: a filter by event name lets only those through, and `scanned_to` moves on regardless.
pub async fn the_log_is_filtered_by_event_name<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for event_type in ["a/1", "b/1", "a/2", "ab/1", "c/1", "c/1", "c/1"] {
        let append = Append::to_stream(stream("s"), Any, vec![events.typed(event_type)]);
        store.append(append).await.unwrap();
    }
    for (names, expected) in [
        (vec!["a"], vec![1, 3]),
        (vec!["b", "a", "none"], vec![1, 2, 3]),
        (vec!["none"], vec![]),
        (vec!["A", "%", "a/1"], vec![]),
        (vec![], vec![]),
    ] {
        let selector = Selector::names(names);
        for limit in [1, 2, 100] {
            let found = read_log_matching(&store, &selector, limit).await;
            assert_eq!(positions(&found), expected, "{selector:?} by {limit}");
        }
        let request = ReadAll { from: None, direction: Backward, limit: 2, selector: selector.clone() };
        let page = store.read_all(request).await.unwrap();
        let last_two: Vec<_> = expected.iter().rev().take(2).copied().collect();
        assert_eq!(positions(&page.events), last_two, "{selector:?} backward");
    }
}

/// SU-08's store part, backward: pages that continue before `scanned_to` meet every matching event once, whatever a
/// page holds, and come to an end.
pub async fn a_filtered_log_is_read_backward_page_by_page<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for number in 1..=30 {
        let event_type = if number % 7 == 3 { "rare/1" } else { "common/1" };
        store.append(Append::to_stream(stream("s"), Any, vec![events.typed(event_type)])).await.unwrap();
    }
    for (name, expected) in [("rare", vec![24, 17, 10, 3]), ("none", vec![])] {
        let selector = Selector::names([name]);
        for limit in [1, 2, 4, 100] {
            let found = positions(&read_log_backward(&store, &selector, limit).await);
            assert_eq!(found, expected, "{name} by {limit}");
        }
        // What lies beyond the head was not looked at.
        let request = ReadAll { from: Some(position(99)), direction: Backward, limit: 9, selector };
        assert_eq!(positions(&store.read_all(request).await.unwrap().events), expected, "{name}");
    }
}

/// RD-03: an empty log, and the place behind the last event, are empty pages at the head.
pub async fn an_empty_log_is_read<S: StoreUnderTest>(store: S) {
    for direction in [Forward, Backward] {
        let request = ReadAll { from: None, direction, limit: 10, selector: Selector::all() };
        let page = store.read_all(request).await.unwrap();
        assert_eq!((page.events, page.scanned_to, page.head), (vec![], Position::START, Position::START));
    }
    two_streams(&store).await;
    let request =
        ReadAll { from: Some(position(16)), direction: Forward, limit: 10, selector: Selector::all() };
    let page = store.read_all(request).await.unwrap();
    assert_eq!((page.events, page.scanned_to, page.head), (vec![], position(15), position(15)));
}

/// RD-06: info of a live stream is its version and the time of its first event; an unknown one has none.
pub async fn stream_info_tells_version_and_time<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", NoStream, 2)).await.unwrap();
    store.append(events.append("s", exact(2), 1)).await.unwrap();
    let log = read_log(&store).await;
    assert!(log[0].recorded_at < log[2].recorded_at, "the cases need a time that moves on");
    let info = store.stream_info(stream("s")).await.unwrap();
    assert_eq!((info.stream, info.version), (stream("s"), version(3)));
    assert_eq!((info.created_at, info.deleted_at), (log[0].recorded_at, None));
    let unknown = store.stream_info(stream("unknown")).await;
    assert_eq!(unknown, Err(ReadError::StreamNotFound(stream("unknown"))));
}

/// RD-06: the status has the position of the log's last event, as every page has.
pub async fn status_tells_the_head<S: StoreUnderTest>(store: S) {
    let before = store.status().await.unwrap();
    assert_eq!(before.head, Position::START);
    assert!(!before.location.is_empty());
    two_streams(&store).await;
    assert_eq!(store.status().await.unwrap().head, position(15));
}
