//! Selections of many event types: a case of the port.

use umbel_core::{
    ExpectedVersion, Position, Timestamp,
    document::Direction,
    store::{Append, ReadAll, Selector},
};
use umbel_testkit::conformance::{Events, stream};

use crate::Adapter;

const TYPES: u64 = 200;
/// Events: three spans that are closed, and one that is open.
const COUNT: u64 = 13_000;

/// RD-08: given events of 200 types here and there, when some or all of these are selected, in one category or in any, then the pages are
/// those of a scan: in order, whole, to the log's end, of any size and either way.
pub(super) async fn many_kinds_are_selected_as_few(adapter: impl Adapter) {
    let events = Events::default();
    let event = |number: u64| match number {
        _ if number % 11 == 3 => events.typed(&format!("test.type{}/1", number * number % TYPES)),
        // In each span.
        _ if number % 500 == 1 => events.typed("test.type0/1"),
        _ => events.typed("test.usual/1"),
    };
    for (first, name) in (1..=COUNT).step_by(1000).zip(["a-1", "b-1"].into_iter().cycle()) {
        let batch = (first..first + 1000).map(event).collect();
        let append = Append::to_stream(stream(name), ExpectedVersion::Any, batch);
        adapter.append(vec![append], Timestamp::from_micros(1)).await.remove(0).unwrap();
    }
    let log = select(&adapter, &Selector::all(), Direction::Forward, 1000).await;
    let types = |count: u64| (0..count).map(|number| format!("test.type{number}"));
    let some = Selector::names(types(TYPES));
    for selector in [
        Selector { categories: Selector::categories(["b"]).categories, ..some.clone() },
        Selector::names(types(TYPES).chain(["test.usual".to_owned()])),
        Selector::names(types(100)),
        some,
    ] {
        let mut scan: Vec<_> = log.iter().filter(|event| selector.matches(event)).collect();
        assert!(scan.len() > 100);
        for direction in [Direction::Forward, Direction::Backward] {
            for limit in [17, 400] {
                let found = select(&adapter, &selector, direction, limit).await;
                assert!(found.iter().eq(scan.iter().copied()), "{direction:?} by {limit}");
            }
            scan.reverse();
        }
    }
}

/// Page by page, as far as the log goes.
async fn select(
    adapter: &impl Adapter,
    selector: &Selector,
    direction: Direction,
    limit: u32,
) -> Vec<umbel_core::RecordedEvent> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let request = ReadAll { from, direction, limit, selector: selector.clone() };
        let page = adapter.read_all(request).await.unwrap();
        found.extend(page.events);
        let next = match direction {
            Direction::Forward if page.scanned_to >= page.head => return found,
            Direction::Forward => page.scanned_to.next(),
            Direction::Backward if page.scanned_to <= Position::new(1) => return found,
            Direction::Backward => Position::new(page.scanned_to.get() - 1),
        };
        assert_ne!(Some(next), from, "a page leads on");
        from = Some(next);
    }
}
