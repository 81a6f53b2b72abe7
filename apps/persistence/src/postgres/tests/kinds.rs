//! Kinds: each pair of category and event type has one number, whoever comes first.

use umbel_core::{
    ExpectedVersion, NewEvent, Position, Timestamp,
    document::Direction,
    store::{Append, ReadAll, Selector},
};

use super::support::{adapter, append, client, event, schema, stream, whole_log};
use crate::Log;

fn typed(name: &str, event_type: &str) -> Append {
    let event = NewEvent { event_type: event_type.parse().unwrap(), ..event(name) };
    Append::to_stream(stream(name), ExpectedVersion::Any, vec![event])
}

/// Two adapters meet new kinds at the same time, again and again: no append fails, and each kind is there once.
#[tokio::test]
async fn a_kind_that_somebody_else_made_fails_nothing() {
    const ROUNDS: usize = 20;
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    for round in 0..ROUNDS {
        let event_type = format!("test.round{round}/2");
        let (a, b) = tokio::join!(
            append(&one, typed(&format!("one-{round}"), &event_type)),
            append(&other, typed(&format!("one-other{round}"), &event_type)),
        );
        a.unwrap();
        b.unwrap();
    }
    // Known here, and made there meanwhile.
    append(&one, typed("two-1", "test.round0/1")).await.unwrap();
    append(&other, typed("two-1", "test.round0/1")).await.unwrap();

    let count = format!("SELECT count(*), max(kind_id) FROM {}.kinds", schema.name());
    let row = client(schema.url()).await.query_one(&count, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (21, 21));
    let mut types: Vec<_> = whole_log(&one).await.iter().map(|event| event.event_type.to_string()).collect();
    types.sort_unstable();
    let mut expected: Vec<_> =
        (0..ROUNDS).flat_map(|round| vec![format!("test.round{round}/2"); 2]).collect();
    expected.extend(["test.round0/1".to_owned(), "test.round0/1".to_owned()]);
    expected.sort_unstable();
    assert_eq!(types, expected);
}

/// Kinds that are known and new ones of several categories in one group, each event with its own.
#[tokio::test]
async fn a_group_may_hold_known_and_new_kinds() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, typed("a-1", "test.known/1")).await.unwrap();
    let types = ["test.new/1", "test.known/1", "test.new/2", "test.new/1"];
    let group = ["a-1", "b-1", "a-2"].iter().flat_map(|name| types.iter().map(|of| typed(name, of)));
    for outcome in adapter.append(group.collect(), Timestamp::from_micros(1)).await {
        outcome.unwrap();
    }
    let log = whole_log(&adapter).await;
    let found: Vec<_> =
        log.iter().skip(1).map(|event| (event.stream.as_str(), event.event_type.to_string())).collect();
    let expected: Vec<_> = ["a-1", "b-1", "a-2"]
        .into_iter()
        .flat_map(|name| types.map(|event_type| (name, event_type.to_owned())))
        .collect();
    assert_eq!(found, expected);
    // What was learned of that group holds for the next one.
    append(&adapter, typed("b-2", "test.new/2")).await.unwrap();
    let of_b = ReadAll {
        from: None,
        direction: Direction::Backward,
        limit: 2,
        selector: Selector { names: Selector::names(["test.new"]).names, ..Selector::categories(["b"]) },
    };
    let page = adapter.read_all(of_b).await.unwrap();
    let found: Vec<_> = page.events.iter().map(|event| event.event_type.to_string()).collect();
    assert_eq!(found, ["test.new/2", "test.new/1"]);
}

/// A name that more kinds have than a page merges is found by looking at the events, a bounded number for a page.
#[tokio::test]
async fn more_kinds_than_a_page_merges_are_found_too() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let group = (0..1300).map(|number| match number {
        100..1170 => typed(&format!("lonely{number}"), "test.wanted/1"),
        _ => typed("other-1", "test.other/1"),
    });
    for outcome in adapter.append(group.collect(), Timestamp::from_micros(1)).await {
        outcome.unwrap();
    }
    for (direction, from) in [(Direction::Forward, 1), (Direction::Backward, 1300)] {
        let selector = Selector::names(["test.wanted"]);
        let request = ReadAll { from: Some(Position::new(from)), direction, limit: 3, selector };
        let page = adapter.read_all(request).await.unwrap();
        let found: Vec<_> = page.events.iter().map(|event| event.position.get()).collect();
        let expected = if from == 1 { [101, 102, 103] } else { [1170, 1169, 1168] };
        assert_eq!((found, page.scanned_to.get()), (expected.to_vec(), expected[2]), "{direction:?}");
    }
}
