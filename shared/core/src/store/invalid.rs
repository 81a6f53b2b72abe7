//! Appends that no store takes, whatever it holds.

use uuid::Uuid;

use crate::{
    id::EventId,
    names::NameError,
    stream::StreamName,
    tags::{QUERY_MAX, QueryError, TagError},
};

/// What is wrong with an append, whatever the store holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAppend {
    /// Nothing in it.
    #[error("an append must hold at least one event, claim, document, outbox entry, done entry or command")]
    Empty,
    /// A stream without events.
    #[error("the append to stream {0} holds no events")]
    NoEvents(StreamName),
    /// A stream of the system's own.
    #[error("nobody appends to {0}: names that begin with '$' are the system's own")]
    Reserved(StreamName),
    /// One stream twice; which expected version would count?
    #[error("stream {0} appears twice in one append")]
    StreamTwice(StreamName),
    /// One event id twice.
    #[error("event {0} appears twice in one append")]
    EventTwice(EventId),
    /// An event without a subject holds a personal value: it would be kept for all to read, and nobody could be forgotten.
    #[error("event {0} holds personal data and no subject; say whose it is, so that the store can seal it")]
    NoSubject(EventId),
    /// An event with a subject holds a value that looks as if the store had sealed it.
    #[error("event {0} holds a sealed value; only the store seals personal data, from its readable form")]
    Sealed(EventId),
    /// So does something beside the events that names its subject.
    #[error("{what} holds a sealed value; only the store seals personal data, from its readable form")]
    SealedBeside {
        /// What.
        what: String,
    },
    /// Too many events in one atom.
    #[error("an append holds at most {limit} events, this one has {count}")]
    TooManyEvents {
        /// How many there are.
        count: usize,
        /// How many may be.
        limit: usize,
    },
    /// All of it together is too large.
    #[error("the append has {size_bytes} bytes, more than the limit of {limit_bytes}; split it")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
        /// What is allowed.
        limit_bytes: usize,
    },
    /// The name of an event's type cannot be kept.
    #[error("the type of event {id} has a name that no store keeps: {reason}")]
    EventName {
        /// Which event.
        id: EventId,
        /// What is wrong.
        reason: NameError,
    },
    /// The schema version of an event's type cannot be kept.
    #[error("the type of event {id} has schema version {schema}; they go from 1 to 2147483647")]
    EventSchema {
        /// Which event.
        id: EventId,
        /// Its version.
        schema: u32,
    },
    /// A tag of an event is none.
    #[error("event {id} has a tag that cannot be kept: {reason}")]
    Tag {
        /// Which event.
        id: EventId,
        /// What is wrong.
        reason: TagError,
    },
    /// An event has too many tags.
    #[error("event {id} has {count} tags, more than the limit of {limit}; store.max_event_tags sets it")]
    TooManyTags {
        /// Which event.
        id: EventId,
        /// How many there are.
        count: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A condition asks for what no store answers.
    #[error("a condition of the append is wrong: {0}")]
    Condition(#[from] QueryError),
    /// Too many conditions.
    #[error("an append has at most {} conditions, this one has {count}; put their items into one", QUERY_MAX)]
    TooManyConditions {
        /// How many there are.
        count: usize,
    },
    /// JSON of an event is nested too deeply: it could not be read again.
    #[error(
        "event {id} has data or metadata nested deeper than the limit of {limit}; store.max_json_depth sets it"
    )]
    TooDeep {
        /// Which event.
        id: EventId,
        /// What is allowed.
        limit: usize,
    },
    /// So is JSON of something beside the events.
    #[error("{what} is nested deeper than the limit of {limit}; store.max_json_depth sets it")]
    TooDeepBeside {
        /// What.
        what: String,
        /// What is allowed.
        limit: usize,
    },
    /// A text beside the events that something is looked up by cannot be kept.
    #[error("{what} cannot be kept: {reason}")]
    Text {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        reason: NameError,
    },
    /// One event is too large.
    #[error("event {id} has {size_bytes} bytes of data and metadata, more than the limit of {limit_bytes}")]
    PayloadTooLarge {
        /// Which event.
        id: EventId,
        /// Its size.
        size_bytes: usize,
        /// What is allowed.
        limit_bytes: usize,
    },
    /// Work that is left behind for later is too large.
    #[error(
        "outbox entry {id} has {size_bytes} bytes, more than the limit of {limit_bytes}; store.max_payload_bytes sets it"
    )]
    EntryTooLarge {
        /// Which entry.
        id: Uuid,
        /// Its size.
        size_bytes: usize,
        /// What is allowed.
        limit_bytes: usize,
    },
}
