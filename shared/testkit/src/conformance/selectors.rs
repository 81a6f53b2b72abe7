//! Selecting events of the log.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use umbel_core::{
    ExpectedVersion::Any,
    Metadata, NewEvent, RecordedEvent, Tag, TagItem, TagQuery, Tags, Timestamp,
    store::{Append, PerformError, Removal, Selector, VerifyStore},
};
use uuid::Uuid;

use super::{
    Events, StoreUnderTest, archive, delete, model::seeded, position, positions, read_log_backward,
    read_log_matching, read_log_with_holes, stream, truncate,
};

/// Pages of these sizes must give the same sequence.
const LIMITS: [u32; 4] = [1, 2, 7, 1000];

/// One event of a varied log: stream, type, conversation and cause (0 for none), and when it happened.
type Row = (&'static str, &'static str, u128, u128, i64);

/// The log of [`vary`]. A stream may be its own category, and times need not rise.
const ROWS: [Row; 6] = [
    ("order-1", "order.placed/1", 1, 0, 10),
    ("order-1", "order.paid/1", 1, 11, 20),
    ("order-2", "order.placed/2", 2, 0, 15),
    ("user-1", "user.named/1", 0, 0, 30),
    ("lonely", "order.placed/1", 1, 12, 5),
    ("order", "order.paid/1", 2, 11, 30),
];

fn id(number: u128) -> Option<Uuid> {
    Some(number).filter(|number| *number > 0).map(Uuid::from_u128)
}

fn at(micros: i64) -> Option<Timestamp> {
    Some(Timestamp::from_micros(micros))
}

/// Stores events that differ in everything that can be selected by; position n is row n - 1.
pub(super) async fn vary<S: StoreUnderTest>(store: &S, events: &Events) {
    for (name, event_type, correlation, causation, micros) in ROWS {
        let (correlation_id, causation_id) = (id(correlation), id(causation));
        let metadata = Metadata { correlation_id, causation_id, ..Metadata::default() };
        let event = NewEvent { metadata, ..events.typed(event_type) };
        let append = Append::to_stream(stream(name), Any, vec![event]);
        store.append(Append { recorded_at: at(micros), ..append }).await.unwrap();
    }
}

/// Selectors with the positions that they find in the log of [`vary`].
pub(super) fn selections() -> Vec<(Selector, Vec<u64>)> {
    let all = Selector::all;
    let placed = || Selector::names(["order.placed"]);
    let orders = || Selector::categories(["order"]).categories;
    vec![
        (all(), vec![1, 2, 3, 4, 5, 6]),
        (placed(), vec![1, 3, 5]),
        (Selector::names(["user.named", "order.paid", "none"]), vec![2, 4, 6]),
        (Selector::names(["order", "order.placed/1", "%", "Order.placed"]), vec![]),
        (Selector::categories(["order"]), vec![1, 2, 3, 6]),
        (Selector::categories(["lonely", "user"]), vec![4, 5]),
        (Selector::categories(["order-1", "Order", "ord", "%", ""]), vec![]),
        (Selector::categories(Vec::<String>::new()), vec![]),
        (Selector { correlation_id: id(1), ..all() }, vec![1, 2, 5]),
        (Selector { correlation_id: id(11), ..all() }, vec![]),
        (Selector { causation_id: id(11), ..all() }, vec![2, 6]),
        (Selector { causation_id: id(1), ..all() }, vec![]),
        (Selector { recorded_from: at(20), ..all() }, vec![2, 4, 6]),
        (Selector { recorded_until: at(15), ..all() }, vec![1, 5]),
        (Selector { recorded_from: at(10), recorded_until: at(20), ..all() }, vec![1, 3]),
        (Selector { recorded_from: at(20), recorded_until: at(20), ..all() }, vec![]),
        (Selector { recorded_from: at(31), ..all() }, vec![]),
        (Selector { categories: orders(), ..placed() }, vec![1, 3]),
        (Selector { correlation_id: id(1), ..placed() }, vec![1, 5]),
        (Selector { correlation_id: id(2), causation_id: id(11), ..all() }, vec![6]),
        (Selector { correlation_id: id(1), recorded_until: at(20), ..all() }, vec![1, 5]),
        (Selector { recorded_from: at(11), ..placed() }, vec![3]),
        (Selector { causation_id: id(11), categories: orders(), ..all() }, vec![2, 6]),
        (
            Selector {
                categories: orders(),
                correlation_id: id(1),
                causation_id: id(11),
                recorded_from: at(20),
                recorded_until: at(21),
                ..Selector::names(["order.paid"])
            },
            vec![2],
        ),
    ]
}

/// Reads what is selected in every way there is; the numbers must be these.
pub(super) async fn check_selection<S: StoreUnderTest>(store: &S, selector: &Selector, expected: &[u64]) {
    for limit in LIMITS {
        let found = positions(&read_log_matching(store, selector, limit).await);
        assert!(found == expected, "{selector:?} by {limit}: {found:?}, not {expected:?}");
        let mut found = positions(&read_log_backward(store, selector, limit).await);
        found.reverse();
        assert!(found == expected, "{selector:?} backward by {limit}: {found:?}, not {expected:?}");
    }
}

/// RD-04, SU-08's store part: each condition selects by itself, and together with others.
pub async fn every_condition_selects<S: StoreUnderTest>(store: S) {
    vary(&store, &Events::default()).await;
    for (selector, expected) in selections() {
        check_selection(&store, &selector, &expected).await;
    }
}

/// RD-04: what is removed for good leaves gaps that no page gets stuck at.
pub async fn selections_pass_over_gaps<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    vary(&store, &events).await;
    store.ask(events.perform(delete("order-1", Removal::Hard))).await.unwrap();
    store.ask(events.perform(delete("order", Removal::Hard))).await.unwrap();
    for (selector, mut expected) in selections() {
        expected.retain(|position| ![1, 2, 6].contains(position));
        // The records of the two acts are in the log, too.
        let is_record = |event: &&RecordedEvent| event.position > position(6);
        let log = read_log_with_holes(&store, &[1, 2, 6]).await;
        let records = log.iter().filter(is_record).filter(|event| selector.matches(event));
        expected.extend(records.map(|event| event.position.get()));
        check_selection(&store, &selector, &expected).await;
    }
}

/// RD-01, RD-02: a selection begins at any position, either way, and tells truthfully how far it looked.
pub async fn selections_begin_anywhere<S: StoreUnderTest>(store: S) {
    use umbel_core::{document::Direction, store::ReadAll};
    vary(&store, &Events::default()).await;
    for (selector, expected) in selections() {
        for from in 1..=7 {
            for direction in [Direction::Forward, Direction::Backward] {
                let request =
                    ReadAll { from: Some(position(from)), direction, limit: 2, selector: selector.clone() };
                let page = store.read_all(request).await.unwrap();
                let (found, to) = (positions(&page.events), page.scanned_to.get());
                let mut looked_at: Vec<_> = match direction {
                    Direction::Forward => (from..=to).collect(),
                    Direction::Backward => (to..=from).rev().collect(),
                };
                looked_at.retain(|position| expected.contains(position));
                assert_eq!(found, looked_at, "{selector:?} from {from} {direction:?}");
                assert_eq!(page.head, position(6));
            }
        }
    }
}

/// RD-04: over thousands of events whose times do not rise, a moment and a rare kind are found.
pub async fn selections_hold_over_thousands_of_events<S: StoreUnderTest>(store: S) {
    const EACH: u64 = 2000;
    let events = Events::default();
    let times = [50, 10, 40, 20, 30, 20];
    for (index, micros) in times.into_iter().enumerate() {
        let mut append = events.append(&format!("bulk-{}", index % 2), Any, EACH.try_into().unwrap());
        append.streams[0].events[7].event_type = "test.rare/1".parse().unwrap();
        store.append(Append { recorded_at: at(micros), ..append }).await.unwrap();
    }
    let between = |from, until| Selector { recorded_from: from, recorded_until: until, ..Selector::all() };
    let of_appends = |wanted: &[u64]| -> Vec<u64> {
        wanted.iter().flat_map(|index| index * EACH + 1..=(index + 1) * EACH).collect()
    };
    let rare = |wanted: &[u64]| -> Vec<u64> { wanted.iter().map(|index| index * EACH + 8).collect() };
    for (selector, expected) in [
        (between(at(50), None), of_appends(&[0])),
        (between(at(20), at(31)), of_appends(&[3, 4, 5])),
        (between(None, at(11)), of_appends(&[1])),
        (between(at(51), None), vec![]),
        (between(None, at(10)), vec![]),
        (Selector { recorded_until: at(30), ..Selector::names(["test.rare"]) }, rare(&[1, 3, 5])),
        (Selector { categories: Some(["bulk".into()].into()), ..between(at(41), None) }, of_appends(&[0])),
        (Selector::names(["test.rare"]), rare(&[0, 1, 2, 3, 4, 5])),
    ] {
        for limit in [500, 3000] {
            let found = positions(&read_log_matching(&store, &selector, limit).await);
            assert!(found == expected, "{selector:?} by {limit}: {} events", found.len());
            let mut found = positions(&read_log_backward(&store, &selector, limit).await);
            found.reverse();
            assert!(found == expected, "{selector:?} backward by {limit}: {} events", found.len());
        }
    }
}

/// RD-04: over thousands of events, rare kinds and conversations are found before and behind removals and the archive's end,
/// in pages of whatever size, and nothing that is gone makes a page look like the last one.
pub async fn selections_by_kind_know_what_is_gone<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for round in 0..9_u64 {
        let of = |stream: &str, typed: &dyn Fn(u64) -> String| {
            let typed = |n| NewEvent {
                metadata: Metadata {
                    correlation_id: id(u128::from(round * 7 + n % 5)),
                    ..Metadata::default()
                },
                ..events.typed(&typed(n))
            };
            (stream.to_owned(), (0..500).map(typed).collect::<Vec<_>>())
        };
        for (name, new) in [
            of("kept-1", &|n| format!("test.k{}/1", (round * 500 + n) % 61)),
            of("gone-1", &|n| format!("test.k{}/1", n % 61 + round % 2)),
        ] {
            store.append(Append::to_stream(stream(&name), Any, new)).await.unwrap();
        }
    }
    let check = async || {
        let log = read_log_matching(&store, &Selector::all(), 3000).await;
        let conversations =
            [3, 24, 59].map(|number| Selector { correlation_id: id(number), ..Selector::all() });
        let kinds = [&["test.k7"][..], &["test.k0", "test.k61", "test.k8"], &["test.k44", "test.k45"]];
        for selector in
            kinds.map(|names| Selector::names(names.iter().copied())).into_iter().chain(conversations)
        {
            let scan =
                positions(&log.iter().filter(|event| selector.matches(event)).cloned().collect::<Vec<_>>());
            assert!(!scan.is_empty(), "{selector:?} selects something");
            // A small page costs as much as a large one, so only rare ones are read by them.
            for limit in if scan.len() < 160 { &[17, 200][..] } else { &[200] } {
                let found = positions(&read_log_matching(&store, &selector, *limit).await);
                assert!(found == scan, "{selector:?} by {limit}: {found:?}, not {scan:?}");
                let mut found = positions(&read_log_backward(&store, &selector, *limit).await);
                found.reverse();
                assert!(found == scan, "{selector:?} backward by {limit}: {found:?}, not {scan:?}");
            }
        }
    };
    check().await;
    store.ask(events.perform(archive(5000))).await.unwrap();
    store.ask(events.perform(truncate("gone-1", 2500, Removal::Hard))).await.unwrap();
    check().await;
    store.ask(events.perform(delete("gone-1", Removal::Hard))).await.unwrap();
    check().await;
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// RD-04: any selector finds what [`Selector::matches`] lets through, also after removals and with an archive. A failure names the seed;
/// `UMBEL_TEST_SEED` repeats it.
pub async fn selectors_agree_with_a_scan<S: StoreUnderTest>(store: S) {
    let ((seed, mut runner), events) = (seeded(), Events::default());
    let any_row = (0..12_usize, 0..6_usize, 0..4_u128, 0..4_u128, 0..50_i64, 1..4_usize, any_tags());
    for _ in 0..150 {
        let (name, kind, correlation, causation, micros, count, tags) =
            any_row.new_tree(&mut runner).unwrap().current();
        let name = format!("{}-{}", ["a", "b", "c"][name % 3], name / 3);
        let event_type = ["x/1", "x/2", "y/1", "y/3", "z/1", "w/1"][kind];
        let metadata =
            Metadata { correlation_id: id(correlation), causation_id: id(causation), ..Metadata::default() };
        let event =
            || NewEvent { metadata: metadata.clone(), tags: tags.clone(), ..events.typed(event_type) };
        let append = Append::to_stream(stream(&name), Any, (0..count).map(|_| event()).collect());
        store.append(Append { recorded_at: at(micros), ..append }).await.unwrap();
    }
    let log = read_log_matching(&store, &Selector::all(), 1000).await;
    compare(&store, seed, &mut runner, &log).await;

    store.ask(events.perform(archive(100))).await.unwrap();
    for act in [delete("a-1", Removal::Hard), truncate("b-0", 3, Removal::Hard), delete("c-0", Removal::Soft)]
    {
        let performed = store.ask(events.perform(act)).await;
        // One of these streams may not be in the random log, or be too short, which is all the same.
        assert!(
            matches!(
                performed,
                Ok(_) | Err(PerformError::StreamNotFound(_) | PerformError::BeyondEnd { .. })
            ),
            "UMBEL_TEST_SEED={seed}: {performed:?}"
        );
    }
    let log = read_log_matching(&store, &Selector::all(), 1000).await;
    compare(&store, seed, &mut runner, &log).await;
}

/// Compares what the store selects with a scan of the whole log.
async fn compare<S: StoreUnderTest>(store: &S, seed: u64, runner: &mut TestRunner, log: &[RecordedEvent]) {
    let at = format!("UMBEL_TEST_SEED={seed}");
    for _ in 0..40 {
        let selector = any_selector().new_tree(runner).unwrap().current();
        let scan: Vec<_> = log.iter().filter(|event| selector.matches(event)).cloned().collect();
        for limit in [9, 100] {
            let found = read_log_matching(store, &selector, limit).await;
            assert!(found == scan, "{at}: {selector:?} by {limit}: {:?}", positions(&found));
            let mut found = read_log_backward(store, &selector, limit).await;
            found.reverse();
            assert!(found == scan, "{at}: {selector:?} backward by {limit}: {:?}", positions(&found));
        }
    }
}

/// Few different ones, so that they meet.
pub(super) fn any_tags() -> impl Strategy<Value = Tags> {
    let tag = prop_oneof![
        (0..6_u32).prop_map(|one| Tag::of("t", one)),
        (0..2_u32).prop_map(|one| Tag::of("u", one))
    ];
    prop::collection::vec(tag, 0..4).prop_map(Tags::from)
}

/// Queries that are about some events with tags of [`any_tags`].
pub(super) fn any_query() -> impl Strategy<Value = TagQuery> {
    let names = prop::sample::subsequence(vec!["x", "y", "z", "test.happened"], 0..3);
    let item = ((0..6_u32).prop_map(|one| Tags::of("t", one)), any_tags(), any::<bool>(), names);
    let item = item.prop_map(|(tags, others, both, names)| {
        let tags = if both { tags.iter().chain(&others).cloned().collect() } else { tags };
        TagItem::tagged(tags).named(&names)
    });
    prop::collection::vec(item, 1..4).prop_map(TagQuery::of)
}

fn any_selector() -> impl Strategy<Value = Selector> {
    let some_of = |texts: &'static [&'static str]| {
        let texts = prop::sample::subsequence(texts, 0..=texts.len().min(3));
        let texts = texts.prop_map(|texts| texts.into_iter().map(str::to_owned).collect::<Vec<_>>().into());
        prop::option::weighted(0.4, texts)
    };
    let some_id = || prop::option::weighted(0.2, (1..5_u128).prop_map(Uuid::from_u128));
    let some_time = || prop::option::weighted(0.25, (0..50_i64).prop_map(Timestamp::from_micros));
    let names = some_of(&["x", "y", "z", "w", "none"]);
    let categories = some_of(&["a", "b", "c", "$audit", "none"]);
    let tags = prop::option::weighted(0.4, any_query());
    (names, categories, tags, some_id(), some_id(), some_time(), some_time()).prop_map(
        |(names, categories, tags, correlation_id, causation_id, recorded_from, recorded_until)| Selector {
            names,
            categories,
            tags,
            correlation_id,
            causation_id,
            recorded_from,
            recorded_until,
        },
    )
}
