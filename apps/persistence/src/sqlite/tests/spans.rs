//! What is written span by span leads to the same events as looking at all of them, and costs what it finds.

use std::path::PathBuf;

use umbel_core::{Metadata, NewEvent, Position, store::Removal};
use umbel_testkit::conformance::{archive, delete, truncate};
use uuid::Uuid;

use super::*;
use crate::Upkeep;

/// Events of the log that [`varied`] makes: three closed spans, and an open one.
const COUNT: u64 = 13_000;

const fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A log whose kinds, conversations and causes come in some spans and not in others, and whose times do not rise.
async fn varied(events: &Events) -> (TempDir, PathBuf, Sqlite) {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    let event = |number: u64| -> (&str, NewEvent) {
        let (name, event_type) = match number {
            // Two kinds, each at the borders of spans, and here and there.
            4096 | 4097 | 12_288 | 12_289 => ("a-1", "edge/1"),
            _ if number % 1700 == 3 => ("a-2", "rare/1"),
            _ if number.is_multiple_of(7) => ("b-1", "some/1"),
            _ => ("b-2", "usual/1"),
        };
        let correlation_id = Some(uuid(u128::from(number / 10)));
        // One that goes through the whole log, one that is in one span alone, and many others.
        let causation_id = match number {
            _ if number % 900 == 1 => Some(uuid(77_777)),
            5000..5010 => Some(uuid(88_888)),
            _ if number.is_multiple_of(3) => Some(uuid(u128::from(100_000 + number))),
            _ => None,
        };
        let metadata = Metadata { correlation_id, causation_id, ..Metadata::default() };
        (name, NewEvent { metadata, ..events.typed(event_type) })
    };
    for first in (1..=COUNT).step_by(650) {
        let streams = (first..first + 650).map(event);
        let group: Vec<_> =
            streams.map(|(name, event)| Append::to_stream(stream(name), Any, vec![event])).collect();
        let recorded_at = Timestamp::from_micros(i64::try_from(first % 4000).unwrap());
        let group =
            group.into_iter().map(|append| Append { recorded_at: Some(recorded_at), ..append }).collect();
        for outcome in store.append(group, NOW).await {
            outcome.unwrap();
        }
    }
    (directory, path, store)
}

/// Pages of what a selector selects, until the end of the log; the positions, and how many pages it took.
async fn select(store: &Sqlite, selector: &Selector, direction: Direction, limit: u32) -> (Vec<u64>, usize) {
    let (mut found, mut pages, mut from) = (Vec::new(), 0, None);
    loop {
        let request = ReadAll { from, direction, limit, selector: selector.clone() };
        let page = store.read_all(request).await.unwrap();
        assert!(page.events.len() <= usize::try_from(limit).unwrap());
        found.extend(page.events.iter().map(|event| event.position.get()));
        pages += 1;
        let next = match direction {
            Direction::Forward if page.scanned_to >= page.head => return (found, pages),
            Direction::Forward => page.scanned_to.next(),
            Direction::Backward if page.scanned_to <= position(1) => return (found, pages),
            Direction::Backward => Position::new(page.scanned_to.get() - 1),
        };
        assert_ne!(Some(next), from, "a page leads on");
        from = Some(next);
    }
}

fn selectors() -> Vec<Selector> {
    let all = Selector::all;
    let names = |names: &[&str]| Selector::names(names.iter().copied());
    let at = |micros| Some(Timestamp::from_micros(micros));
    vec![
        names(&["rare"]),
        names(&["edge"]),
        names(&["edge", "rare", "some", "none"]),
        names(&["usual", "some"]),
        names(&["none"]),
        Selector::categories(["a"]),
        Selector { names: Some(["rare".into()].into()), ..Selector::categories(["b"]) },
        Selector { recorded_from: at(1000), recorded_until: at(2500), ..names(&["edge", "some"]) },
        Selector { recorded_from: at(3900), ..names(&["rare"]) },
        Selector { correlation_id: Some(uuid(409)), ..all() },
        Selector { correlation_id: Some(uuid(1228)), ..all() },
        Selector { correlation_id: Some(uuid(1299)), ..all() },
        Selector { correlation_id: Some(uuid(5_000_000)), ..all() },
        Selector { causation_id: Some(uuid(77_777)), ..all() },
        Selector { causation_id: Some(uuid(88_888)), ..all() },
        Selector { causation_id: Some(uuid(88_888)), ..names(&["some"]) },
        Selector { causation_id: Some(uuid(77_777)), recorded_until: at(1500), ..all() },
        Selector { correlation_id: Some(uuid(500)), causation_id: Some(uuid(88_888)), ..all() },
        Selector { correlation_id: Some(uuid(500)), causation_id: Some(uuid(77_777)), ..all() },
    ]
}

/// Compares what is selected with a scan, in both directions and with pages of several sizes.
async fn compare(store: &Sqlite, path: &Path) {
    let log = read_log(store).await;
    let mut selected = 0;
    for selector in selectors() {
        let matching = log.iter().filter(|event| selector.matches(event));
        let mut scan: Vec<_> = matching.map(|event| event.position.get()).collect();
        selected += scan.len();
        for direction in [Direction::Forward, Direction::Backward] {
            for limit in [17, 5000] {
                let (found, _) = select(store, &selector, direction, limit).await;
                assert!(found == scan, "{selector:?} {direction:?} by {limit}: {found:?}, not {scan:?}");
            }
            scan.reverse();
        }
    }
    assert!(selected > 5000, "{selected}");
    assert_eq!(Sqlite::open_existing(path).unwrap().verify().await.unwrap(), []);
}

/// RD-04: over closed spans and the open one, archived or not, and after removals, what is selected is what a scan finds.
#[tokio::test]
async fn what_spans_say_agrees_with_a_scan() {
    let events = Events::default();
    let (_directory, path, store) = varied(&events).await;
    compare(&store, &path).await;
    for act in [
        // In the middle of a span, and then to the end of the log, within the span that is open.
        archive(6000),
        truncate("b-1", 900, Removal::Hard),
        delete("a-2", Removal::Hard),
        archive(12_900),
        truncate("b-2", 5000, Removal::Hard),
        truncate("a-1", 4, Removal::Hard),
    ] {
        store.perform(events.perform(act), NOW).await.unwrap();
    }
    compare(&store, &path).await;
    // The open span is closed over its archived part and what was removed from it.
    for _ in 0..5 {
        append(&store, events.append("c-1", Any, 1000)).await.unwrap();
    }
    compare(&store, &path).await;
}

/// What is removed for good is no longer told of by any span, and one of which nothing is left says nothing.
#[tokio::test]
async fn spans_do_not_tell_of_what_was_removed() {
    let events = Events::default();
    let (_directory, path, store) = varied(&events).await;
    let file = raw(&path);
    let places = || -> Vec<(i64, i64)> {
        let sql = "SELECT first_position, length(offsets) / 2 FROM span_kinds
            WHERE kind_id = (SELECT kind_id FROM kinds WHERE type = 'rare') ORDER BY 1";
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    // At 3, 1703, 3403; 5103, 6803; 8503, 10203, 11903; and one in the open span.
    assert_eq!(places(), [(1, 3), (4097, 2), (8193, 3)]);
    let perform = async |act| {
        store.perform(events.perform(act), NOW).await.unwrap();
    };
    perform(truncate("a-2", 5, Removal::Hard)).await;
    assert_eq!(places(), [(4097, 1), (8193, 3)]);
    perform(archive(9000)).await;
    perform(truncate("a-2", 7, Removal::Hard)).await;
    assert_eq!(places(), [(8193, 2)]);
    perform(delete("a-2", Removal::Hard)).await;
    assert_eq!(places(), []);
}

/// A page of few kinds is found by what spans say of them, a page of a conversation by the spans that may hold it: both come at once.
#[tokio::test]
async fn a_page_skips_spans_without_what_is_wanted() {
    let (_directory, _, store) = varied(&Events::default()).await;
    for (selector, expected) in [
        (Selector::names(["rare"]), 8),
        (Selector { causation_id: Some(uuid(88_888)), ..Selector::all() }, 10),
        (Selector { correlation_id: Some(uuid(409)), ..Selector::all() }, 10),
        (Selector { causation_id: Some(uuid(77_777)), ..Selector::all() }, 15),
    ] {
        for direction in [Direction::Forward, Direction::Backward] {
            let (found, pages) = select(&store, &selector, direction, 100).await;
            assert!((found.len(), pages) == (expected, 1), "{selector:?}: {found:?} on {pages} pages");
        }
    }
}

/// A page of rare events, of too many kinds for their index, comes back after a bounded look at the log, and says how
/// far it looked. One of few kinds skips what it does not want.
#[tokio::test]
async fn a_selected_page_looks_at_a_bounded_part_of_the_log() {
    let (directory, events) = (directory(), Events::default());
    let store = Sqlite::open(&directory.path().join("umbel.db")).unwrap();
    let correlation_id = Some(uuid(7));
    for _ in 0..5 {
        let mut many = events.append("s", Any, 5000);
        many.streams[0].events[0].metadata.correlation_id = correlation_id;
        append(&store, many).await.unwrap();
    }
    for category in 0..300 {
        let name = stream(&format!("c{category}"));
        append(&store, Append::to_stream(name, Any, vec![events.typed("rare/1")])).await.unwrap();
    }
    let selector = Selector::names(["rare"]);
    let mut request = ReadAll { from: None, direction: Direction::Forward, limit: 500, selector };
    let first = store.read_all(request.clone()).await.unwrap();
    assert_eq!((first.events, first.scanned_to), (vec![], position(20_000)));
    request.from = Some(first.scanned_to.next());
    let second = store.read_all(request.clone()).await.unwrap();
    assert_eq!((second.events.len(), second.scanned_to), (300, position(25_300)));
    request.direction = Direction::Backward;
    request.from = Some(position(25_000));
    let first = store.read_all(request.clone()).await.unwrap();
    assert_eq!((first.events, first.scanned_to), (vec![], position(5001)));
    request.from = Some(position(5000));
    let second = store.read_all(request.clone()).await.unwrap();
    assert_eq!((second.events, second.scanned_to), (vec![], position(1)));
    request.from = None;
    assert_eq!(store.read_all(request).await.unwrap().events.len(), 300);

    let selector = Selector { names: Some(["rare".into()].into()), ..Selector::categories(["c7"]) };
    let request = ReadAll { from: None, direction: Direction::Forward, limit: 100, selector };
    let page = store.read_all(request).await.unwrap();
    assert_eq!((page.events.len(), page.scanned_to), (1, position(25_300)));

    // A conversation in five spans: they are looked through one after the other, as long as not too much was looked at.
    let selector = Selector { correlation_id, ..Selector::all() };
    for (from, direction, expected) in [
        (1, Direction::Forward, (5, 20_480)),
        (20_481, Direction::Forward, (0, 25_300)),
        (25_300, Direction::Backward, (5, 1)),
        (20_480, Direction::Backward, (5, 1)),
    ] {
        let from = Some(position(from));
        let request = ReadAll { from, direction, limit: 100, selector: selector.clone() };
        let page = store.read_all(request).await.unwrap();
        assert_eq!((page.events.len(), page.scanned_to.get()), expected, "{from:?} {direction:?}");
    }
}
