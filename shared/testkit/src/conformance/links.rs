//! Links: events in a second place.

use std::sync::Arc;

use tokio::task::JoinSet;
use umbel_core::{
    EventId,
    ExpectedVersion::{Any, NoStream, StreamExists},
    StreamName, Version,
    document::Direction::{Backward, Forward},
    store::{AppendError, FindEvent, InvalidAppend, LinkError, LinkEvents, ReadStream, Removal, Selector},
};
use uuid::Uuid;

use super::{
    Events, StoreUnderTest, delete, exact, link, position, positions, put, read_log, read_log_matching,
    read_log_with_holes, read_whole_stream, stream, version,
};

/// What a stream shows: version read, own stream and version there.
async fn shown<S: StoreUnderTest>(store: &S, name: &str) -> Vec<(u64, String, u64)> {
    let events = read_whole_stream(store, &stream(name)).await;
    let place = |event: &umbel_core::RecordedEvent| {
        (event.version_read().get(), event.stream.to_string(), event.version.get())
    };
    events.iter().map(place).collect()
}

fn refused(error: AppendError) -> Result<Version, LinkError> {
    Err(LinkError::Append(error))
}

/// LD-01: links have places of their own in the target and show the events as they are in their own streams; the log
/// does not grow.
pub async fn links_show_events_in_a_second_place<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let a = put(&store, events.append("a-1", NoStream, 3)).await;
    let b = put(&store, events.append("b-1", NoStream, 1)).await;
    let before = read_log(&store).await;
    assert_eq!(store.ask(link("list-1", NoStream, &[a[1], b[0], a[0]])).await, Ok(version(3)));

    let read = read_whole_stream(&store, &stream("list-1")).await;
    assert_eq!(read.len(), 3);
    for (at, (event, index)) in (1..).zip(read.into_iter().zip([1, 3, 0])) {
        assert_eq!(event.linked_at, Some(version(at)));
        let linked_at = None;
        assert_eq!(umbel_core::RecordedEvent { linked_at, ..event }, before[index]);
    }
    assert_eq!(read_log(&store).await, before);
    assert_eq!(store.status().await.unwrap().head, position(4));
    assert_eq!(store.stream_info(stream("list-1")).await.unwrap().version, version(3));
    assert_eq!(store.ask(FindEvent { id: a[1] }).await, Ok(Some(before[1].clone())));
    // A category is that of the event's own stream.
    let linked = read_log_matching(&store, &Selector::categories(["list"]), 10).await;
    assert_eq!(linked, []);
}

/// LD-01: a stream holds events of its own and links in one order of versions, and every page of it shows both.
pub async fn a_stream_mixes_links_and_events<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let a = put(&store, events.append("a", NoStream, 4)).await;
    put(&store, events.append("mix", NoStream, 1)).await;
    assert_eq!(store.ask(link("mix", exact(1), &[a[3], a[0]])).await, Ok(version(3)));
    let appended = store.append(events.append("mix", exact(3), 2)).await.unwrap();
    assert_eq!((appended.versions, appended.last_position), (vec![version(5)], Some(position(7))));
    assert_eq!(store.ask(link("mix", StreamExists, &[a[1]])).await, Ok(version(6)));
    put(&store, events.append("mix", Any, 1)).await;

    let own = |at| (at, "mix".to_owned(), at);
    let linked = |at, from| (at, "a".to_owned(), from);
    let all = [own(1), linked(2, 4), linked(3, 1), own(4), own(5), linked(6, 2), own(7)];
    assert_eq!(shown(&store, "mix").await, all);
    for (from, direction, limit, expected) in [
        (Some(2), Forward, 3, vec![2, 3, 4]),
        (Some(3), Forward, 100, vec![3, 4, 5, 6, 7]),
        (Some(8), Forward, 9, vec![]),
        (None, Backward, 3, vec![7, 6, 5]),
        (Some(3), Backward, 9, vec![3, 2, 1]),
    ] {
        let request = ReadStream { stream: stream("mix"), from: from.map(version), direction, limit };
        let page = store.read_stream(request).await.unwrap();
        let versions: Vec<_> = page.events.iter().map(|event| event.version_read().get()).collect();
        assert_eq!((versions, page.version), (expected, version(7)), "from {from:?}");
    }
    let log = read_log_with_holes(&store, &[]).await;
    assert_eq!(positions(&log), (1..=8).collect::<Vec<_>>());
    assert!(log.iter().all(|event| event.linked_at.is_none()));
}

/// LD-02: a stream holds each event once, be it a link or its own; what is refused links nothing of the rest.
pub async fn a_stream_holds_each_event_once<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let a = put(&store, events.append("a", NoStream, 3)).await;
    let own = put(&store, events.append("list", NoStream, 1)).await;
    store.ask(link("list", exact(1), &[a[0]])).await.unwrap();
    for (ids, twice) in [(vec![a[0]], a[0]), (vec![a[1], a[0]], a[0]), (vec![a[1], own[0], a[2]], own[0])] {
        let outcome = store.ask(link("list", Any, &ids)).await;
        assert_eq!(outcome, refused(AppendError::DuplicateEvent { id: twice }), "{ids:?}");
    }
    let outcome = store.ask(link("list", Any, &[a[1], a[2], a[1]])).await;
    assert_eq!(outcome, refused(AppendError::Invalid(InvalidAppend::EventTwice(a[1]))));
    assert_eq!(shown(&store, "list").await.len(), 2);

    // Elsewhere it may be linked again, also from the log's own point of view.
    assert_eq!(store.ask(link("other", Any, &[a[0], own[0]])).await, Ok(version(2)));
    let mut again = events.append("list", Any, 1);
    again.streams[0].events[0].id = a[0];
    assert_eq!(store.append(again).await, Err(AppendError::DuplicateEvent { id: a[0] }));
}

/// LD-03, AP-10: an unknown id, also among known ones, a target that is not as expected or the system's own, and nothing is
/// linked.
pub async fn a_refused_link_changes_nothing<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let a = put(&store, events.append("a", NoStream, 2)).await;
    let unknown = events.one().id;
    put(&store, events.append("full", NoStream, 2)).await;
    for ids in [vec![unknown], vec![a[0], unknown], vec![unknown, a[0]], vec![a[0], EventId(Uuid::nil())]] {
        for name in ["new", "full"] {
            let outcome = store.ask(link(name, Any, &ids)).await;
            let id = if ids.contains(&unknown) { unknown } else { EventId(Uuid::nil()) };
            assert_eq!(outcome, Err(LinkError::EventNotFound { id }), "{ids:?} to {name}");
        }
    }
    let (full, actual, expected) = (stream("full"), version(2), exact(1));
    let wrong = AppendError::WrongExpectedVersion { stream: full.clone(), expected, actual };
    for (name, expected, error) in [
        ("full", exact(1), wrong),
        ("full", NoStream, AppendError::StreamExists { stream: full, actual }),
        ("new", StreamExists, AppendError::StreamNotFound(stream("new"))),
    ] {
        let outcome = store.ask(link(name, expected, &[a[0]])).await;
        assert_eq!(outcome, refused(error), "{name} {expected}");
    }
    let no_events = store.ask(link("new", Any, &[])).await;
    assert_eq!(no_events, refused(AppendError::Invalid(InvalidAppend::NoEvents(stream("new")))));
    for own in [StreamName::all(), StreamName::audit()] {
        let request = LinkEvents { stream: own.clone(), expected: Any, events: vec![a[0]] };
        let outcome = store.ask(request).await;
        assert_eq!(outcome, refused(AppendError::Invalid(InvalidAppend::Reserved(own))));
    }
    assert!(store.stream_info(stream("new")).await.is_err(), "a refused link left a stream behind");
    assert_eq!(shown(&store, "full").await.len(), 2);
    assert_eq!(store.ask(link("full", exact(2), &a)).await, Ok(version(4)));
}

/// LD-03, AP-02: what links and appends expect of a stream counts both; a stream of links only is there.
pub async fn links_count_for_the_optimistic_lock<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let a = put(&store, events.append("a", NoStream, 5)).await;
    store.ask(link("list", exact(0), &a[..2])).await.unwrap();
    let exists = AppendError::StreamExists { stream: stream("list"), actual: version(2) };
    assert_eq!(store.append(events.append("list", NoStream, 1)).await, Err(exists));
    let wrong = |expected, actual| AppendError::WrongExpectedVersion {
        stream: stream("list"),
        expected: exact(expected),
        actual: version(actual),
    };
    assert_eq!(store.append(events.append("list", exact(0), 1)).await, Err(wrong(0, 2)));
    assert_eq!(store.append(events.append("list", exact(2), 1)).await.unwrap().versions, [version(3)]);
    assert_eq!(store.ask(link("list", exact(2), &a[2..3])).await, refused(wrong(2, 3)));
    assert_eq!(store.ask(link("list", exact(3), &a[2..3])).await, Ok(version(4)));
    assert_eq!(store.append(events.append("list", exact(3), 1)).await, Err(wrong(3, 4)));
    assert_eq!(store.append(events.append("list", exact(4), 1)).await.unwrap().versions, [version(5)]);
}

/// LD-01, LD-04: events of a soft-deleted stream, and records of the audit, are in the log and can be linked.
pub async fn whatever_is_in_the_log_can_be_linked<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let a = put(&store, events.append("a", NoStream, 2)).await;
    let perform = events.perform(delete("a", Removal::Soft));
    let record = perform.id;
    store.ask(perform).await.unwrap();
    assert_eq!(store.ask(link("list", NoStream, &[a[1], record])).await, Ok(version(2)));
    assert_eq!(shown(&store, "list").await, [(1, "a".into(), 2), (2, "$audit".into(), 1)]);
}

/// AP-04, AP-05 with links: of racing links and appends with one expected version one wins; those without win all, and
/// no version is given twice.
pub async fn links_and_appends_race<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    let ids = put(&*store, events.append("source", NoStream, 30)).await;
    let rounds = [(NoStream, 1, 1), (exact(1), 1, 2), (Any, 20, 22)];
    for (round, (expected, winners, version_after)) in rounds.into_iter().enumerate() {
        let mut tasks = JoinSet::new();
        for racer in 0..10 {
            let (appender, append) = (store.clone(), events.append("target", expected, 1));
            tasks.spawn(async move { appender.append(append).await.is_ok() });
            // Other events than in the rounds before, so that only the lock can refuse them.
            let id = ids[round * 10 + racer];
            let (linker, link) = (store.clone(), link("target", expected, &[id]));
            tasks.spawn(async move { linker.ask(link).await.is_ok() });
        }
        let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!(won, winners, "{expected}");
        let versions: Vec<_> = shown(&*store, "target").await.into_iter().map(|(at, ..)| at).collect();
        assert_eq!(versions, (1..=version_after).collect::<Vec<_>>());
    }
}
