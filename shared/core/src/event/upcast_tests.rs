//! Old events, and what becomes of them, in a house of which three kinds of event have a past.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{EventSet, Json, StreamName, Timestamp, Version, events};

/// Who has moved in: first a name, then two, then with the moment of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MovedIn {
    first: String,
    last: String,
    position: u64,
}

impl Event for MovedIn {
    const NAME: &'static str = "house.moved_in";
    const SCHEMA: u32 = 3;
    const FORMERLY: &'static [&'static str] = &["house.rented", "house.bought"];
    const UPCASTERS: &'static [Upcaster] = &[
        |old| {
            let mut fields = old.fields()?;
            let name = fields.remove("name").ok_or("there is no name")?;
            let (first, last) =
                name.as_str().and_then(|name| name.split_once(' ')).ok_or("it has no two parts")?;
            assert_ne!(first, "panic", "told to");
            old.next(&json!({ "first": first, "last": last }))
        },
        |old| {
            let mut fields = old.fields()?;
            fields.insert("position".into(), old.recorded().position.get().into());
            old.next(&fields)
        },
    ];
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Painted {
    wall: String,
}

impl Event for Painted {
    const NAME: &'static str = "house.painted";
    const SCHEMA: u32 = 2;
    const SUCCEEDS: &'static [Lineage] = &[RENOVATED, Lineage::of::<Cleaned>()];
    const UPCASTERS: &'static [Upcaster] = &[|old| {
        let wall: u32 = old.data()?;
        old.next(&json!({ "wall": format!("number {wall}") }))
    }];
}

/// In its first version it told of walls, too.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cleaned {}

impl Event for Cleaned {
    const NAME: &'static str = "house.cleaned";
    const SCHEMA: u32 = 2;
    const UPCASTERS: &'static [Upcaster] =
        &[|old| old.next(&json!({}))?.and("house.painted", 2, &json!({ "wall": "all" }))];
}

/// Renovations were one event with all walls; now each painted wall is one.
const RENOVATED: Lineage = Lineage::retired(
    "house.renovated",
    &[|old| {
        let walls: Vec<u32> = old.data()?;
        walls.iter().try_fold(Upcast::nothing(), |made, wall| made.and("house.painted", 1, wall))
    }],
);

events! {
    #[derive(PartialEq)]
    enum House { MovedIn(MovedIn), Painted(Painted), Cleaned(Cleaned) }
}

events! {
    #[derive(PartialEq)]
    enum Walls { Painted(Painted) }
}

fn recorded(event_type: &str, data: &Value) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(7),
        stream: StreamName::new("house-1").unwrap(),
        version: Version::new(3),
        id: EventId(Uuid::from_u128(5)),
        event_type: event_type.parse().unwrap(),
        recorded_at: Timestamp::from_micros(0),
        data: Json::encode(data).unwrap().into(),
        subject: None,
        tags: crate::Tags::none(),
        metadata: Metadata::default(),
        linked_at: None,
    }
}

fn house(event_type: &str, data: &Value) -> Vec<House> {
    recorded(event_type, data).decode::<House>().unwrap().into_iter().collect()
}

fn walls(event_type: &str, data: &Value) -> Vec<String> {
    let painted = recorded(event_type, data).decode::<Walls>().unwrap().into_iter();
    painted.map(|Walls::Painted(Painted { wall })| wall).collect()
}

fn failure(event_type: &str, data: &Value) -> DecodeError {
    recorded(event_type, data).decode::<House>().unwrap_err()
}

fn ada() -> MovedIn {
    MovedIn { first: "Ada".into(), last: "Lovelace".into(), position: 7 }
}

/// UX-18: every version arrives in the newest shape, with what the recorded event knows.
#[test]
fn every_version_becomes_the_newest() {
    let versions = [
        ("house.moved_in/1", json!({ "name": "Ada Lovelace" })),
        ("house.moved_in/2", json!({ "first": "Ada", "last": "Lovelace" })),
        ("house.moved_in/3", json!({ "first": "Ada", "last": "Lovelace", "position": 7 })),
    ];
    for (event_type, data) in versions {
        assert_eq!(house(event_type, &data), [House::MovedIn(ada())], "{event_type}");
        let one = recorded(event_type, &data).decode_as::<MovedIn>().unwrap();
        assert_eq!(one.one(), Some(ada()), "{event_type}");
    }
}

/// UX-18: a version under a former name is that version.
#[test]
fn names_of_the_past_are_known() {
    assert_eq!(house("house.rented/1", &json!({ "name": "Ada Lovelace" })), [House::MovedIn(ada())]);
    let newest = json!({ "first": "Ada", "last": "Lovelace", "position": 7 });
    assert_eq!(house("house.bought/3", &newest), [House::MovedIn(ada())]);
    let expected = [
        "house.moved_in",
        "house.rented",
        "house.bought",
        "house.painted",
        "house.renovated",
        "house.cleaned",
    ];
    assert_eq!(House::NAMES, expected);
    assert_eq!(Walls::NAMES, ["house.painted", "house.renovated", "house.cleaned"]);
    assert_eq!(Lineage::of::<Painted>().names(), Walls::NAMES);
}

/// UX-18: one old event becomes none or several, also of another name, which has a past of its own.
#[test]
fn one_becomes_none_or_several() {
    assert_eq!(walls("house.renovated/1", &json!([])), [""; 0]);
    assert_eq!(walls("house.renovated/1", &json!([1])), ["number 1"]);
    assert_eq!(walls("house.renovated/1", &json!([1, 2, 3])), ["number 1", "number 2", "number 3"]);
    let both = [House::Cleaned(Cleaned {}), House::Painted(Painted { wall: "all".into() })];
    assert_eq!(house("house.cleaned/1", &json!({ "walls": true })), both);
    assert_eq!(walls("house.cleaned/1", &json!({ "walls": true })), ["all"]);
}

/// What a reader does not want is nothing to it; what it cannot know is an error.
#[test]
fn what_is_not_of_the_set_is_nothing() {
    assert!(house("house.sold/1", &json!({})).is_empty());
    assert!(walls("house.moved_in/1", &json!({ "no": "name" })).is_empty());
    // Of the newest shape, or of a newer one: nothing of it was ever a painted wall.
    assert!(walls("house.cleaned/2", &json!({})).is_empty());
    assert!(walls("house.cleaned/9", &json!({})).is_empty());
    for unknown in ["house.moved_in/4", "house.rented/9", "house.renovated/2"] {
        let error = failure(unknown, &json!({}));
        assert!(matches!(&error, DecodeError::UnknownSchema { .. }), "{error}");
        assert!(error.to_string().contains(unknown), "{error}");
    }
}

/// UX-18: an upcaster that fails, panics, or leads to what cannot be read is named, with the event and why.
#[test]
fn an_upcaster_that_fails_is_named() {
    let cases = [
        ("house.moved_in/1", json!({}), "house.moved_in/1", "there is no name"),
        ("house.rented/1", json!({ "name": "panic now" }), "house.moved_in/1", "it panicked"),
        ("house.moved_in/2", json!({ "first": 1, "last": "" }), "house.moved_in/2", "string"),
        ("house.renovated/1", json!([1, "two"]), "house.renovated/1", "u32"),
    ];
    for (event_type, data, step, cause) in cases {
        let error = failure(event_type, &data);
        let DecodeError::Upcast(failed) = &error else { panic!("{error}") };
        assert_eq!((failed.event, failed.position), (EventId(Uuid::from_u128(5)), Position::new(7)));
        assert_eq!(
            (failed.event_type.to_string(), failed.step.to_string()),
            (event_type.into(), step.into())
        );
        assert!(failed.cause.contains(cause), "{error}");
    }
}

/// Steps go one version up, from names that live, and come to an end.
#[test]
fn steps_lead_upwards() {
    const LEAPS: Lineage =
        Lineage::retired("leaps", &[|_| Upcast::nothing().and("leaps", 3, &()), |_| Ok(Upcast::nothing())]);
    const STAYS: Lineage = Lineage::retired("stays", &[|old| Ok(old.unchanged())]);
    const HITHER: Lineage = Lineage::retired("hither", &[|_| Upcast::nothing().and("thither", 1, &())]);
    const THITHER: Lineage = Lineage::retired("thither", &[|_| Upcast::nothing().and("hither", 1, &())]);
    let lineages = [LEAPS, STAYS, HITHER, THITHER];
    for (event_type, cause) in
        [("leaps/1", "one version up"), ("stays/1", "retired"), ("hither/1", "more than 10000 steps")]
    {
        let read = |_: &EventType, _: &Payload| Ok(None::<()>);
        let error = upcast(&recorded(event_type, &json!(null)), &lineages, read).unwrap_err().to_string();
        assert!(error.contains(cause), "{error}");
    }
}
