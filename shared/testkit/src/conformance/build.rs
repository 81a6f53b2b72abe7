//! Short names for what the cases write.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use umbel_core::{
    Changes, CommandId, Document, EventId, ExpectedVersion, Json, Metadata, NewEvent, Position,
    RecordedEvent, StreamName, Version,
    document::DocumentWrite,
    store::{Act, Append, CommandRecord, LinkEvents, Perform, Removal},
};
use uuid::Uuid;

use super::StoreUnderTest;

/// Makes events with ids of its own, one after the other: the same case makes the same ids in every run.
#[derive(Debug, Default)]
pub struct Events {
    made: AtomicU64,
}

/// A document for the cases. Fields may hold anything, so that every kind of scalar and list can be indexed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "test.items")]
pub struct Item {
    /// Ties in all orders when left alike.
    #[index]
    pub group: Value,
    /// The field that most cases sort by; not written at all when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[index]
    pub rank: Option<Value>,
    /// A list.
    #[index]
    pub tags: Vec<String>,
}

impl Events {
    /// An event with data of its own.
    pub fn one(&self) -> NewEvent {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        NewEvent {
            id: EventId(Uuid::from_u128(0x1000_0000_0000_0000 + u128::from(number))),
            event_type: "test.happened/1".parse().unwrap(),
            data: Json::parse(format!(r#"{{"number":{number}}}"#)).unwrap().into(),
            subject: None,
            tags: umbel_core::Tags::none(),
            metadata: Metadata::default(),
        }
    }

    /// An event of the given type, such as `test.happened/1`.
    pub fn typed(&self, event_type: &str) -> NewEvent {
        NewEvent { event_type: event_type.parse().unwrap(), ..self.one() }
    }

    /// So many events.
    pub fn many(&self, count: usize) -> Vec<NewEvent> {
        (0..count).map(|_| self.one()).collect()
    }

    /// An append of so many new events to one stream.
    pub fn append(&self, name: &str, expected: ExpectedVersion, count: usize) -> Append {
        Append::to_stream(stream(name), expected, self.many(count))
    }

    /// An act of upkeep with a new id.
    pub fn perform(&self, act: Act) -> Perform {
        Perform { id: self.one().id, act, metadata: Metadata::default() }
    }
}

/// A stream's name.
#[must_use]
pub fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

/// The expected version `Exact(number)`.
#[must_use]
pub fn exact(number: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(version(number))
}

/// A version.
#[must_use]
pub fn version(number: u64) -> Version {
    Version::new(number)
}

/// A position.
#[must_use]
pub fn position(number: u64) -> Position {
    Position::new(number)
}

/// A command's record, its id made of the number.
#[must_use]
pub fn command(number: u64, reply: &str) -> CommandRecord {
    let id = CommandId(Uuid::from_u128(0x2000_0000_0000_0000 + u128::from(number)));
    CommandRecord { id, reply: Json::parse(reply).unwrap() }
}

/// A request to link these events, in this order.
#[must_use]
pub fn link(name: &str, expected: ExpectedVersion, events: &[EventId]) -> LinkEvents {
    LinkEvents { stream: stream(name), expected, events: events.to_vec() }
}

/// The act that deletes a stream, whatever its version.
#[must_use]
pub fn delete(name: &str, removal: Removal) -> Act {
    Act::DeleteStream { stream: stream(name), expected: ExpectedVersion::Any, removal }
}

/// The act that truncates a stream before a version.
#[must_use]
pub fn truncate(name: &str, before: u64, removal: Removal) -> Act {
    Act::TruncateStream { stream: stream(name), before: version(before), removal }
}

/// The act that archives the log up to a position.
#[must_use]
pub fn archive(through: u64) -> Act {
    Act::Archive { through: position(through) }
}

/// The numbers of the events' positions.
#[must_use]
pub fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position.get()).collect()
}

/// Writes of items under their keys; `None` deletes.
#[must_use]
pub fn items<'a>(items: impl IntoIterator<Item = (&'a str, Option<Item>)>) -> Vec<DocumentWrite> {
    let mut changes = Changes::default();
    for (key, item) in items {
        match item {
            Some(item) => changes.put(key, item),
            None => changes.delete::<Item>(key),
        }
    }
    changes.apply(std::collections::BTreeMap::new()).unwrap()
}

/// Stores an append that must succeed; the ids of its events.
///
/// # Panics
/// When it is refused.
pub async fn put<S: StoreUnderTest>(store: &S, append: Append) -> Vec<EventId> {
    let ids = append.streams.iter().flat_map(|stream| &stream.events).map(|event| event.id).collect();
    store.append(append).await.unwrap();
    ids
}
