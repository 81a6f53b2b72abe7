//! The tail beside a log of all that was committed.

use proptest::prelude::*;
use tokio::time::advance;
use umbel_core::{EventId, Metadata, Payload, StreamName, Timestamp, Version};
use uuid::Uuid;

use super::*;

const BOUNDS: PageBounds = PageBounds { events: 5, bytes: 40 };

/// An event at a position; every third one is of another kind.
pub(crate) fn event(position: u64) -> RecordedEvent {
    let kind = if position.is_multiple_of(3) { "test.other/1" } else { "test.happened/1" };
    RecordedEvent {
        position: Position::new(position),
        stream: StreamName::new("s").unwrap(),
        version: Version::new(position),
        id: EventId(Uuid::from_u128(position.into())),
        event_type: kind.parse().unwrap(),
        recorded_at: Timestamp::from_micros(7),
        data: Payload::json(&"x".repeat(usize::try_from(position % 15).unwrap())).unwrap(),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
        linked_at: None,
    }
}

fn events(positions: impl IntoIterator<Item = u64>) -> Vec<RecordedEvent> {
    positions.into_iter().map(event).collect()
}

fn tail() -> Tail {
    let tail = Tail::new(100, 10_000);
    tail.bound_pages(PageBounds { events: 1000, bytes: 10_000 });
    tail
}

/// Commits a group, as the store does.
fn keep(tail: &Tail, positions: impl IntoIterator<Item = u64>) {
    tail.keep(tail.moment(), events(positions));
}

fn from(position: u64) -> ReadAll {
    ReadAll {
        from: Some(Position::new(position)),
        direction: Direction::Forward,
        limit: 1000,
        selector: Selector::all(),
    }
}

/// The positions of a page from there on, where the log goes to a head; `None` where the store has to be asked.
fn read(tail: &Tail, position: u64, head: u64) -> Option<Vec<u64>> {
    let page = tail.page(&from(position), Position::new(head))?;
    Some(page.events.iter().map(|event| event.position.get()).collect())
}

/// The page of a store that holds these events, from position 1 on.
fn page_of(log: &[RecordedEvent], request: &ReadAll, head: u64) -> AllPage {
    let (mut left, mut page) = (BOUNDS.bytes, Vec::<RecordedEvent>::new());
    let mut cut = false;
    for event in log.iter().filter(|event| Some(event.position) >= request.from) {
        cut = page.len() == usize::try_from(request.limit.min(BOUNDS.events)).unwrap()
            || request.selector.matches(event) && !page.is_empty() && event.len_bytes() > left;
        if cut {
            break;
        }
        if request.selector.matches(event) {
            left = left.saturating_sub(event.len_bytes());
            page.push(event.clone());
        }
    }
    cut |= page.len() == usize::try_from(request.limit.min(BOUNDS.events)).unwrap();
    let scanned_to = if cut { page.last() } else { log.last() }.unwrap().position;
    AllPage { events: page, scanned_to, head: Position::new(head) }
}

/// Only what begins within it, and only forward, is answered from it.
#[tokio::test(start_paused = true)]
async fn what_is_not_in_it_is_asked_of_the_store() {
    let tail = tail();
    assert_eq!(read(&tail, 1, 9), None);
    keep(&tail, 4..=6);
    keep(&tail, 7..=8);
    for (position, read_here) in [(3, None), (4, Some(vec![4, 5, 6, 7, 8])), (8, Some(vec![8])), (9, None)] {
        assert_eq!(read(&tail, position, 8), read_here);
    }
    assert_eq!(read(&tail, 9, 12), None, "others have gone on");
    assert_eq!(tail.page(&ReadAll { direction: Direction::Backward, ..from(8) }, Position::new(8)), None);
    assert_eq!(tail.page(&ReadAll { limit: 0, ..from(8) }, Position::new(8)), None);
    let off = Tail::new(0, 10_000);
    off.bound_pages(BOUNDS);
    keep(&off, 1..=2);
    assert_eq!(read(&off, 1, 2), None);
}

/// Before the store has told how large its pages are, it has none.
#[tokio::test(start_paused = true)]
async fn without_bounds_there_are_no_pages() {
    let tail = Tail::new(100, 10_000);
    keep(&tail, 1..=2);
    assert_eq!(read(&tail, 1, 2), None);
    tail.bound_pages(BOUNDS);
    assert_eq!(read(&tail, 1, 2), Some(vec![1, 2]));
}

/// Where an event is missing, between groups or within one, it begins anew: nobody is led over what others have written.
#[tokio::test(start_paused = true)]
async fn it_begins_anew_behind_a_gap() {
    let tail = tail();
    keep(&tail, 1..=3);
    keep(&tail, 5..=6);
    assert_eq!((read(&tail, 3, 6), read(&tail, 5, 6)), (None, Some(vec![5, 6])));
    keep(&tail, [7, 8, 10, 11]);
    assert_eq!((read(&tail, 8, 11), read(&tail, 10, 11)), (None, Some(vec![10, 11])));
    keep(&tail, 7..=8);
    assert_eq!(read(&tail, 10, 11), Some(vec![10, 11]), "a group that is told late changes nothing");
}

/// Whatever selects, a page tells that all was looked at.
#[tokio::test(start_paused = true)]
async fn what_is_filtered_out_moves_on() {
    let tail = tail();
    keep(&tail, 1..=3);
    let request = ReadAll { selector: Selector::names(["test.nothing"]), ..from(1) };
    let page = tail.page(&request, Position::new(9)).unwrap();
    let (scanned_to, head) = (Position::new(3), Position::new(9));
    assert_eq!(page, AllPage { events: Vec::new(), scanned_to, head });
}

/// What is older than a second is read where others may have removed it.
#[tokio::test(start_paused = true)]
async fn what_is_old_is_not_served() {
    let tail = tail();
    keep(&tail, 1..=2);
    advance(Duration::from_millis(600)).await;
    keep(&tail, 3..=4);
    assert_eq!(read(&tail, 1, 4), Some(vec![1, 2, 3, 4]));
    advance(Duration::from_millis(600)).await;
    assert_eq!((read(&tail, 2, 4), read(&tail, 3, 4)), (None, Some(vec![3, 4])));
    advance(Duration::from_secs(1)).await;
    assert_eq!(read(&tail, 3, 4), None);
}

/// A removal empties it twice, and what was being stored meanwhile does not come in afterwards: it may be what was removed.
#[tokio::test(start_paused = true)]
async fn what_is_removed_is_gone_from_it() {
    let tail = tail();
    keep(&tail, 1..=2);
    let stored_before = tail.moment();
    let removing = tail.removing();
    assert_eq!(read(&tail, 1, 2), None);
    let stored_meanwhile = tail.moment();
    tail.keep(stored_before, events(3..=3));
    assert_eq!(read(&tail, 3, 3), None);
    tail.keep(stored_meanwhile, events(4..=4));
    drop(removing);
    assert_eq!(read(&tail, 4, 4), None);
    tail.keep(stored_meanwhile, events(5..=5));
    assert_eq!(read(&tail, 5, 5), None);
    keep(&tail, 6..=6);
    assert_eq!(read(&tail, 6, 6), Some(vec![6]));
}

/// It holds no more than it may; the oldest goes first, and what is too large for it leaves nothing.
#[tokio::test(start_paused = true)]
async fn it_is_bounded_in_events_and_bytes() {
    let bounds = PageBounds { events: 1000, bytes: 10_000 };
    let (few, small) = (Tail::new(5, 10_000), Tail::new(100, 30));
    few.bound_pages(bounds);
    small.bound_pages(bounds);
    for position in (1..=40).step_by(2) {
        keep(&few, position..position + 2);
        keep(&small, position..position + 2);
        let (few, small) = (few.ring(), small.ring());
        assert!(few.events <= 5 && small.bytes <= 30);
        let bytes: usize = small.groups.iter().map(|group| group.bytes).sum();
        assert_eq!((small.bytes, few.events), (bytes, few.groups.len() * 2));
    }
    assert_eq!((read(&few, 36, 40), read(&few, 37, 40)), (None, Some(vec![37, 38, 39, 40])));
    keep(&few, 41..=50);
    assert_eq!(read(&few, 45, 50), None);
    keep(&few, 51..=51);
    assert_eq!(read(&few, 51, 51), Some(vec![51]));
}

proptest! {
    /// Whoever writes in whichever turns, a page from the tail is the page of a store that knows what this process has
    /// committed last; and what was committed last is read from here.
    #[test]
    fn its_pages_are_those_of_a_store(
        groups in prop::collection::vec((any::<bool>(), 1_u64..6), 1..12),
        back in 0_u64..20,
        limit in 1_u32..8,
        one_kind in any::<bool>(),
    ) {
        let tail = Tail::new(1000, 100_000);
        tail.bound_pages(BOUNDS);
        let (mut head, mut end) = (0, 0);
        for (ours, count) in groups {
            if ours {
                keep(&tail, head + 1..=head + count);
                end = head + count;
            }
            head += count;
        }
        let selector = if one_kind { Selector::names(["test.other"]) } else { Selector::all() };
        let first = end.saturating_sub(back).max(1);
        let request = ReadAll { limit, selector, ..from(first) };
        let page = tail.page(&request, Position::new(head));
        prop_assert!(end == 0 || back > 0 || page.is_some());
        if let Some(page) = page {
            prop_assert_eq!(page, page_of(&events(1..=end), &request, head));
        }
    }
}
