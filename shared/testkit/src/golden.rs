//! Golden samples: every event ever published stays readable, and no published shape changes unnoticed.
//!
//! A folder holds a sample of each event in each shape that it ever had, the data as JSON, in a file called like the type with `.` for
//! `/`: `articles.published.1.json`; for further samples of one shape with a word behind it, `articles.published.1.no_tags.json`. Once
//! the shape is written by anybody, its samples are never changed again. [`check`] fails
//!
//! - when a sample of the newest shape does not come back from its type as it is: the shape was changed without a new schema version;
//! - when an older one is not read any more, or becomes something else than before: beside such a sample a file with the ending
//!   `.newest.json` holds what it becomes, a list of `{"type": "articles.published/2", "data": ...}`;
//! - when a shape, or a name of the past, has no sample.
//!
//! Commands that wait in the store have samples, too: see [`check_waiting`].
//!
//! A field that is optional and is left out where it is missing changes no sample: that, and only that, is compatible in both directions.
//!
//! ```no_run
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Debug, Serialize, Deserialize)]
//! # struct Opened {}
//! # impl umbel_core::Event for Opened { const NAME: &'static str = "bank.opened"; }
//! # umbel_core::events! { enum Published { Opened(Opened) } }
//! // In a test:
//! umbel_testkit::golden::check::<Published>(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"));
//! ```

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use umbel_core::{
    EncodedEvent, EventId, EventSet, EventType, Json, Lineage, Metadata, Payload, Position, RecordedEvent,
    StreamName, Version,
};
use uuid::Uuid;

use crate::aggregate::NOW;

pub use waiting::{Waiting, check_waiting};

/// What ends the name of a file with what an old sample becomes.
const NEWEST: &str = ".newest";

/// An event as it is read today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Newest {
    #[serde(rename = "type")]
    event_type: EventType,
    data: Value,
}

/// What a folder holds: by the name of the file, without its ending.
type Files = BTreeMap<String, String>;

/// Fails the test unless all samples of the folder are read as they were, and none is missing; says everything that is wrong.
#[track_caller]
pub fn check<S: EventSet>(folder: impl AsRef<Path>) {
    let folder = folder.as_ref();
    let problems = problems_of_events::<S>(&files(folder));
    assert!(problems.is_empty(), "golden samples in {}:\n  {}\n", folder.display(), problems.join("\n  "));
}

/// An event as a log of the past holds it, for tests of what becomes of it: at position and version 1 of a stream `test-1`,
/// recorded at [`NOW`], without metadata.
#[track_caller]
pub fn recorded(event_type: &str, data: impl Into<Value>) -> RecordedEvent {
    let event_type = event_type.parse().unwrap_or_else(|error| panic!("{error}"));
    let data = Json::encode(&data.into()).unwrap_or_else(|error| panic!("{error}"));
    recorded_as(event_type, data.into())
}

#[track_caller]
fn files(folder: &Path) -> Files {
    let unreadable = |error| -> ! { panic!("{} cannot be read: {error}", folder.display()) };
    let entries = fs::read_dir(folder).unwrap_or_else(|error| unreadable(error));
    let paths = entries.map(|entry| entry.unwrap_or_else(|error| unreadable(error)).path());
    let json = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    json.filter_map(|path| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| unreadable(error));
        Some((path.file_stem()?.to_str()?.to_owned(), text))
    })
    .collect()
}

fn problems_of_events<S: EventSet>(files: &Files) -> Vec<String> {
    problems(files, shapes(S::KINDS), check_sample::<S>)
}

/// What is wrong with samples, each by what `check` says of its shape, its data and what it becomes; and which of these shapes have none.
fn problems(
    files: &Files,
    shapes: impl IntoIterator<Item = Shape>,
    check: impl Fn(&EventType, Json, Option<&str>) -> Option<String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut sampled = Vec::new();
    for (name, text) in files {
        if let Some(sample) = name.strip_suffix(NEWEST) {
            if !files.contains_key(sample) {
                problems.push(format!("{name}.json: there is no sample {sample}.json that becomes this"));
            }
            continue;
        }
        match (type_of(name), Json::parse(text.as_str())) {
            (None, _) => problems.push(format!("{name}.json: not called NAME.SCHEMA.json")),
            (_, Err(error)) => problems.push(format!("{name}.json: not JSON: {error}")),
            (Some(shape), Ok(data)) => {
                let newest = files.get(&format!("{name}{NEWEST}"));
                let problem = check(&shape, data, newest.map(String::as_str));
                problems.extend(problem.map(|problem| format!("{name}.json: {problem}")));
                sampled.push(shape);
            }
        }
    }
    let missing = shapes.into_iter().filter(|shape| !sampled.iter().any(|one| shape.is(one)));
    let missing = missing.map(|shape| format!("there is no sample of {}; add one", shape.file()));
    problems.extend(missing.collect::<BTreeSet<_>>());
    problems
}

/// The type that a file is called after.
fn type_of(name: &str) -> Option<EventType> {
    let (name, schema) = name.rsplit_once('.')?;
    match format!("{name}/{schema}").parse() {
        Ok(event_type) => Some(event_type),
        // The last part is a word.
        Err(_) => {
            let (name, schema) = name.rsplit_once('.')?;
            format!("{name}/{schema}").parse().ok()
        }
    }
}

/// What is wrong with a sample.
fn check_sample<S: EventSet>(event_type: &EventType, data: Json, newest: Option<&str>) -> Option<String> {
    let sample: Value = data.decode().ok()?;
    let events = match recorded_as(event_type.clone(), data.into()).decode::<S>() {
        Ok(events) => events,
        Err(error) => return Some(format!("not read any more: {error}")),
    };
    let read: Result<Vec<_>, String> = events.into_iter().map(|event| form_of(&event)).collect();
    let read = match read {
        Ok(read) => read,
        Err(problem) => return Some(problem),
    };
    if S::KINDS.iter().any(|kind| kind.name() == &*event_type.name && kind.newest() == event_type.schema) {
        let same = read == [Newest { event_type: event_type.clone(), data: sample.clone() }];
        return (!same).then(|| {
            format!("the shape was changed: {sample} comes back as {}; give it a new schema version and an upcaster", told(&read))
        });
    }
    if !S::NAMES.contains(&&*event_type.name) {
        return Some(format!("no type has {event_type} in its past any more, but logs hold it for ever"));
    }
    let Some(newest) = newest else {
        return Some(format!(
            "beside it a file with the ending {NEWEST}.json shall hold what it becomes: {}",
            told(&read)
        ));
    };
    match Json::parse(newest).and_then(|newest| newest.decode::<Vec<Newest>>()) {
        Ok(expected) => {
            (expected != read).then(|| format!("it becomes {} now, not {}", told(&read), told(&expected)))
        }
        Err(error) => Some(format!("what it becomes is no list of type and data: {error}")),
    }
}

fn form_of<S: EventSet>(event: &S) -> Result<Newest, String> {
    let EncodedEvent { event_type, data, .. } =
        event.encode().map_err(|error| format!("{event:?} cannot be encoded: {error}"))?;
    let data = data.decode().map_err(|error| format!("{event_type} is no JSON: {error}"))?;
    Ok(Newest { event_type, data })
}

fn told(events: &[Newest]) -> String {
    serde_json::to_string(events).unwrap_or_else(|error| error.to_string())
}

/// A shape that logs may hold, under any of these names.
struct Shape {
    names: Vec<&'static str>,
    schema: u32,
}

impl Shape {
    fn is(&self, event_type: &EventType) -> bool {
        self.schema == event_type.schema && self.names.contains(&&*event_type.name)
    }

    fn file(&self) -> String {
        let names: Vec<_> = self.names.iter().map(|name| format!("{name}.{}.json", self.schema)).collect();
        names.join(" or ")
    }
}

/// Every shape of these and of what they succeed.
fn shapes(lineages: &[Lineage]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for lineage in lineages {
        let names = [&[lineage.name()], lineage.formerly()].concat();
        shapes.extend((1..=lineage.newest()).map(|schema| Shape { names: names.clone(), schema }));
        // A name that nobody has written under for long is still to be read.
        shapes.extend(self::shapes(lineage.succeeds()));
    }
    shapes
}

fn recorded_as(event_type: EventType, data: Payload) -> RecordedEvent {
    RecordedEvent {
        position: Position::START.next(),
        stream: StreamName::new("test-1").unwrap_or_else(|error| panic!("{error}")),
        version: Version::START.next(),
        id: EventId(Uuid::from_u128(1)),
        event_type,
        recorded_at: NOW,
        data,
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
        linked_at: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use umbel_core::{Event, Upcast, events};

    use super::*;

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(
        name = "bank.opened",
        schema = 2,
        upcasters = [|old| old.next(&json!({ "owner": old.data::<String>()? }))],
        formerly = ["bank.made"],
        succeeds = [ASKED],
    )]
    struct Opened {
        owner: String,
    }

    const ASKED: Lineage = Lineage::retired("bank.asked.for", &[|_| Ok(Upcast::nothing())]);

    events! { enum Bank { Opened(Opened) } }

    fn files(files: &[(&str, Value)]) -> Files {
        files.iter().map(|(name, data)| ((*name).to_owned(), data.to_string())).collect()
    }

    fn good() -> Files {
        files(&[
            ("bank.made.1", json!("Ada")),
            ("bank.made.1.newest", json!([{ "type": "bank.opened/2", "data": { "owner": "Ada" } }])),
            ("bank.opened.2", json!({ "owner": "Bob" })),
            ("bank.opened.2.noname", json!({ "owner": "" })),
            ("bank.asked.for.1", json!({})),
            ("bank.asked.for.1.newest", json!([])),
        ])
    }

    /// UX-18: samples of all shapes ever published pass.
    #[test]
    fn what_is_as_it_was_passes() {
        assert_eq!(problems_of_events::<Bank>(&good()), [""; 0]);
    }

    /// UX-18: a shape that changed, an old one that is not read or becomes something else, or a missing sample fails.
    #[test]
    fn what_is_not_as_it_was_fails() {
        let cases = [
            ("bank.opened.2", Some(json!({ "owner": "Ada", "since": 1 })), "the shape was changed"),
            ("bank.opened.2", Some(json!({})), "not read any more"),
            ("bank.made.1", Some(json!(1)), "the upcaster of bank.opened/1"),
            ("bank.made.1", Some(json!("Eve")), "it becomes"),
            ("bank.made.1.newest", None, "shall hold what it becomes"),
            ("bank.made.1.newest", Some(json!(1)), "no list"),
            ("bank.asked.for.1", None, "there is no sample bank.asked.for.1.json"),
            ("bank.closed.1", Some(json!({})), "in its past any more"),
            ("bank", Some(json!({})), "not called"),
        ];
        for (name, data, problem) in cases {
            let mut files = good();
            match data {
                Some(data) => drop(files.insert(name.to_owned(), data.to_string())),
                None => drop(files.remove(name)),
            }
            let found = problems_of_events::<Bank>(&files);
            assert!(found.iter().any(|found| found.contains(problem)), "{name}: {found:?}");
        }
        let without = |file: &str| good().into_iter().filter(|(name, _)| !name.starts_with(file)).collect();
        let found = problems_of_events::<Bank>(&without("bank.made"));
        assert_eq!(found, ["there is no sample of bank.opened.1.json or bank.made.1.json; add one"]);
        assert_eq!(problems_of_events::<Bank>(&without("bank.asked")).len(), 1);
    }

    #[test]
    fn files_are_called_after_types() {
        for (name, expected) in [("a.b.1", Some("a.b/1")), ("a.b.1.word", Some("a.b/1")), ("a.b.word", None)]
        {
            assert_eq!(type_of(name).map(|event_type| event_type.to_string()).as_deref(), expected, "{name}");
        }
    }
}
