//! What the bus hands over from memory is what the store would give, over the store's actors, as apps read.

use std::future::Future;

use futures_util::future::join_all;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRng, TestRunner},
};
use serde_json::json;
use umbel_bus::Bus;
use umbel_core::{
    EventId,
    ExpectedVersion::{self, Any, NoStream},
    Json, Metadata, NewEvent, Payload, Position, RecordedEvent, StreamName, Subject, TagQuery, Tags,
    Timestamp,
    document::Direction,
    store::{AllPage, Append, ReadAll, Removal, Selector, StreamAppend},
};
use umbel_testkit::conformance::{Events, PAGE_MAX_BYTES, delete, exact, stream};
use uuid::Uuid;

use super::streamed::with_store;
use crate::{Adapter, StoreSettings};

/// Appends that are sent together, and how often.
const TOGETHER: usize = 8;
const ROUNDS: usize = 40;

/// Given random appends of this process and of others, repeated, refused and personal ones among
/// them, then whatever is answered from memory is what the store answers; and much is answered so, but nothing unless somebody
/// follows.
pub(super) fn what_is_read_from_memory_is_what_the_store_has<A: Adapter, G>(
    open: impl Future<Output = (A, G)>,
) {
    let settings = StoreSettings { page_max_bytes: PAGE_MAX_BYTES, ..StoreSettings::default() };
    with_store(open, &settings, |bus, adapter| async move { check(&bus, &*adapter).await });
}

/// LD-05 at the live edge: what this process removes for good is not shown any more once that is answered.
pub(super) fn what_is_removed_is_not_read_from_memory<A: Adapter, G>(open: impl Future<Output = (A, G)>) {
    let settings = StoreSettings { allow_hard_removal: true, ..StoreSettings::default() };
    with_store(open, &settings, |bus, _| async move {
        let (events, _following) = (Events::default(), bus.head());
        bus.store().append(events.append("gone", NoStream, 2)).await.unwrap();
        assert_eq!(bus.tail().page(&from(1), Position::new(2)).unwrap().events.len(), 2);
        bus.store().perform(events.perform(delete("gone", Removal::Hard))).await.unwrap();
        assert_eq!(bus.tail().page(&from(1), Position::new(3)), None);
        let page = bus.store().read_all(from(1)).await.unwrap();
        assert_eq!(page.events.iter().map(|event| event.position.get()).collect::<Vec<_>>(), [3]);
        // The record of the act is news as well.
        assert_eq!(bus.head().borrow().get(), 3);
    });
}

async fn check(bus: &Bus, adapter: &dyn Adapter) {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Default::default()));
    let store = bus.store();
    store.append(Events::default().append("s-0", Any, 3)).await.unwrap();
    assert_eq!(bus.tail().page(&from(1), Position::new(3)), None, "nobody follows");
    let (_following, mut sent, mut compared) = (bus.head(), Vec::<Append>::new(), 0);
    for round in 0..ROUNDS {
        let fresh: Vec<_> =
            (0..TOGETHER).map(|_| any_append().new_tree(&mut runner).unwrap().current()).collect();
        let again = sent.iter().rev().take(2).cloned();
        let group: Vec<_> = fresh.iter().cloned().chain(again).collect();
        if round % 5 == 4 {
            // Another process, which tells nobody.
            adapter.append(group, Timestamp::from_micros(1)).await;
        } else {
            join_all(group.into_iter().map(|append| store.append(append))).await;
        }
        sent.extend(fresh);
        let head = adapter.status().await.unwrap().head;
        for back in 1..12 {
            let first = Position::new((head.get() + 1).saturating_sub(back));
            let (limit, selector) = any_page().new_tree(&mut runner).unwrap().current();
            let request = ReadAll { limit, selector, ..from(first.get()) };
            let known = *bus.head().borrow();
            if let Some(page) = bus.tail().page(&request, known) {
                compare(&page, &request, head, adapter).await;
                compared += 1;
            }
        }
    }
    assert!(compared > ROUNDS, "{compared} pages only were answered from memory");
}

/// A page from memory beside the store's, where the log goes to a head.
async fn compare(page: &AllPage, request: &ReadAll, head: Position, adapter: &dyn Adapter) {
    let stored = adapter.read_all(request.clone()).await.unwrap();
    let looked_at = |event: &&RecordedEvent| event.position <= page.scanned_to;
    let there: Vec<_> = stored.events.iter().filter(looked_at).cloned().collect();
    assert_eq!(page.events, there, "{request:?}");
    let known = page.scanned_to.max(page.head);
    assert!(known == page.head && known <= head, "{page:?} of a log up to {head}");
    // Unless it ended where others, or somebody's personal data, went on, it is the same in all.
    if page.scanned_to == head || stored.scanned_to <= page.scanned_to {
        assert_eq!((page.scanned_to, &page.events), (stored.scanned_to, &stored.events), "{request:?}");
    }
}

fn from(position: u64) -> ReadAll {
    ReadAll {
        from: Some(Position::new(position)),
        direction: Direction::Forward,
        limit: 1000,
        selector: Selector::all(),
    }
}

fn any_page() -> impl Strategy<Value = (u32, Selector)> {
    let selector = prop_oneof![
        2 => Just(Selector::all()),
        1 => Just(Selector::names(["test.two", "test.none"])),
        1 => Just(Selector::categories(["t"])),
        1 => Just(Selector { correlation_id: Some(Uuid::from_u128(1)), ..Selector::all() }),
        1 => Just(Selector::tagged(TagQuery::tagged(Tags::of("t", 1)))),
        1 => Just(Selector { recorded_until: Some(Timestamp::from_micros(9)), ..Selector::all() }),
        1 => Just(Selector::names(["test.none"])),
    ];
    (prop_oneof![1..6_u32, Just(1000)], selector)
}

fn any_append() -> impl Strategy<Value = Append> {
    let streams = prop::collection::btree_map(any_stream(), (any_expected(), events()), 1..3);
    let recorded_at = prop::option::weighted(0.3, (0..20_i64).prop_map(Timestamp::from_micros));
    (streams, recorded_at).prop_map(|(streams, recorded_at)| {
        let one = |(stream, (expected, events))| StreamAppend::new(stream, expected, events);
        Append { streams: streams.into_iter().map(one).collect(), recorded_at, ..Append::default() }
    })
}

fn any_stream() -> impl Strategy<Value = StreamName> {
    prop_oneof!["s-[0-2]", "t-[0-2]"].prop_map(|name| stream(&name))
}

fn any_expected() -> impl Strategy<Value = ExpectedVersion> {
    prop_oneof![6 => Just(Any), 1 => Just(NoStream), 1 => (0..9_u64).prop_map(exact)]
}

fn events() -> impl Strategy<Value = Vec<NewEvent>> {
    prop::collection::vec(any_event(), 1..4)
}

fn any_event() -> impl Strategy<Value = NewEvent> {
    let id = prop_oneof![20 => any::<u64>(), 1 => 0..20_u64];
    let data = prop_oneof![
        4 => r#" ?\{ "a" : "[a-z\u{e4}]{0,9}" , "n":1e[0-3]\}"#.prop_map(|text| Json::parse(text).unwrap().into()),
        2 => prop::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Payload::Binary(bytes.into())),
        1 => (0..100_000_usize).prop_map(|size| Payload::json(&"x".repeat(size)).unwrap()),
    ];
    let uuids = || prop::option::of((1..3_u128).prop_map(Uuid::from_u128));
    let custom = prop_oneof![
        6 => Just(None),
        2 => any::<i64>().prop_map(|number| Some(json!({"n": [number, null, "\u{e9}\"\\"]}))),
        1 => any::<f64>().prop_map(|number| Some(json!(number))),
    ];
    let subject = prop::option::weighted(0.03, Just("somebody").prop_map(|name| Subject::new(name).unwrap()));
    let kind = prop_oneof![Just("test.one/1"), Just("test.two/3")];
    let tags = prop_oneof![3 => Just(Tags::none()), 1 => (0..3_u32).prop_map(|number| Tags::of("t", number).and("u", 1))];
    (id, data, uuids(), uuids(), custom, subject, kind, tags).prop_map(
        |(id, data, correlation_id, causation_id, custom, subject, kind, tags)| NewEvent {
            id: EventId(Uuid::from_u128(id.into())),
            event_type: kind.parse().unwrap(),
            data,
            subject,
            tags,
            metadata: Metadata {
                correlation_id,
                causation_id,
                custom: custom.map(|value| ("c".to_owned(), value)).into_iter().collect(),
            },
        },
    )
}
