//! Pages of large events: bounded in bytes, whatever is read, and nothing is lost between them.

use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    Metadata, NewEvent, Payload, Position, RecordedEvent, Timestamp,
    document::Direction::{self, Backward, Forward},
    store::{Append, ReadAll, ReadStream, Selector},
};
use uuid::Uuid;

use super::{Events, PAGE_MAX_BYTES, StoreUnderTest, archive, link, position, positions, put, stream};

/// Two of these fill a page, a third does not go in.
const LARGE: usize = PAGE_MAX_BYTES / 5 * 2;
/// More than a page.
const HUGE: usize = PAGE_MAX_BYTES + 1;

const SIZES: [usize; 12] = [LARGE, LARGE, LARGE, 1, HUGE, 1, LARGE, LARGE, 1, LARGE, LARGE, LARGE];

/// Twelve events of one conversation in two streams of one category, the first of them archived; and what is linked to them.
async fn fill<S: StoreUnderTest>(store: &S) {
    let (events, mut ids) = (Events::default(), Vec::new());
    for (size, number) in SIZES.into_iter().zip(0..) {
        let data = Payload::json(&"x".repeat(size - size.min(2))).unwrap();
        let data = if number == 7 { Payload::Binary(vec![7; size].into()) } else { data };
        let metadata = Metadata::correlated(Uuid::from_u128(7));
        let event = NewEvent { data, metadata, ..events.typed("test.large/1") };
        let append = Append::to_stream(stream(["a-1", "a-2"][number % 2]), Any, vec![event]);
        ids.extend(put(store, Append { recorded_at: Some(Timestamp::from_micros(5)), ..append }).await);
    }
    store.ask(link("list", NoStream, &ids)).await.unwrap();
    store.ask(events.perform(archive(6))).await.unwrap();
}

/// That a page holds no more than it may.
fn check(events: &[RecordedEvent]) {
    let bytes: usize = events.iter().map(RecordedEvent::len_bytes).sum();
    assert!(bytes <= PAGE_MAX_BYTES || events.len() == 1, "{} events with {bytes} bytes", events.len());
}

fn expected(direction: Direction, events: impl DoubleEndedIterator<Item = u64>) -> Vec<u64> {
    if direction == Forward { events.collect() } else { events.rev().collect() }
}

/// RD-01, RD-02: a page of the log, of a selection or of a part of it ends before it would be too large, either way, and the next
/// one begins right behind.
pub async fn pages_of_the_log_are_bounded_in_bytes<S: StoreUnderTest>(store: S) {
    fill(&store).await;
    let categories = Some(["a".to_owned()].into());
    for selector in [
        Selector::all(),
        Selector::names(["test.large"]),
        Selector { categories, ..Selector::all() },
        Selector { correlation_id: Some(Uuid::from_u128(7)), ..Selector::all() },
        Selector { recorded_until: Some(Timestamp::from_micros(6)), ..Selector::all() },
    ] {
        let events = if selector.is_all() { 1..=13 } else { 1..=12 };
        for direction in [Forward, Backward] {
            let (mut found, mut from, mut pages) = (Vec::new(), None, 0);
            loop {
                let request = ReadAll { from, direction, limit: 500, selector: selector.clone() };
                let page = store.read_all(request).await.unwrap();
                check(&page.events);
                let to = page.scanned_to.get();
                pages += 1;
                if pages == 1 && direction == Forward {
                    assert_eq!((positions(&page.events), to), (vec![1, 2], 2), "{selector:?}");
                }
                found.extend(positions(&page.events));
                assert!(found.last().is_none_or(|last| if direction == Forward {
                    *last <= to
                } else {
                    to <= *last
                }));
                from = match direction {
                    Forward if page.scanned_to >= page.head => break,
                    Forward => Some(page.scanned_to.next()),
                    Backward if to <= 1 => break,
                    Backward => Some(position(to - 1)),
                };
            }
            assert_eq!(found, expected(direction, events.clone()), "{selector:?} {direction:?}");
            assert!((6..=14).contains(&pages), "{pages} pages of {selector:?} {direction:?}");
        }
    }
}

/// RD-01: so does a page of a stream, archived or not, with events of its own or linked ones; it tells the stream's version all the
/// same.
pub async fn pages_of_a_stream_are_bounded_in_bytes<S: StoreUnderTest>(store: S) {
    fill(&store).await;
    for (name, last) in [("a-1", 6_u64), ("a-2", 6), ("list", 12)] {
        for direction in [Forward, Backward] {
            let (mut found, mut from, mut pages) = (Vec::new(), None, 0);
            loop {
                let request = ReadStream { stream: stream(name), from, direction, limit: 500 };
                let page = store.read_stream(request).await.unwrap();
                assert_eq!(page.version.get(), last);
                check(&page.events);
                found.extend(page.events.iter().map(|event| event.version_read().get()));
                pages += 1;
                from = match (direction, page.events.last().map(|event| event.version_read())) {
                    (Forward, Some(at)) if at < page.version => Some(at.next()),
                    (Backward, Some(at)) if at.get() > 1 => Some(super::version(at.get() - 1)),
                    _ => break,
                };
            }
            assert_eq!(found, expected(direction, 1..=last), "{name} {direction:?}");
            assert!(pages >= 2, "{pages} pages of {name}");
        }
    }
}

/// RD-05: an event that is larger than a page is a page of its own wherever reading begins.
pub async fn the_largest_event_is_a_page<S: StoreUnderTest>(store: S) {
    fill(&store).await;
    for direction in [Forward, Backward] {
        let request = ReadAll { from: Some(position(5)), direction, limit: 500, selector: Selector::all() };
        let page = store.read_all(request).await.unwrap();
        assert_eq!((positions(&page.events), page.scanned_to), (vec![5], Position::new(5)));
    }
}
