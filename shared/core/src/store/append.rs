//! The append: one atom of change.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    document::DocumentWrite,
    event::NewEvent,
    id::{CommandId, EventId},
    json::Json,
    message::Request,
    names::check_text,
    payload::Payload,
    personal::Subject,
    store::{InlineChanges, InvalidAppend, OutboxEntry, StoreError},
    stream::StreamName,
    tags::{QUERY_MAX, Tag, TagQuery},
    time::Timestamp,
    version::{ExpectedVersion, Position, Version},
};

/// One atom: all of it is stored, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// Events for one or several streams; each stream at most once.
    pub streams: Vec<StreamAppend>,
    /// Uniqueness reservations taken and given back.
    pub claims: Claims,
    /// What must not have happened: all of them must hold.
    pub conditions: Vec<AppendCondition>,
    /// Documents that belong to its streams alone, see [`Aggregate::inline`](crate::Aggregate::inline).
    pub documents: Vec<DocumentWrite>,
    /// What its events do to documents of inline projections, one entry for each of these that the writer knows of.
    pub inline: Vec<InlineChanges>,
    /// The command that led to this, if it shall be recognised when it comes again.
    pub command: Option<CommandRecord>,
    /// Whether that record is kept for good: what led to it, such as an event of the log, may come again at any time. Others are forgotten
    /// after the time that the store's settings say.
    pub for_good: bool,
    /// Ids of entries of the outbox that it takes out: work that is done by it, or not wanted any more. One that is not there
    /// changes nothing.
    pub done: Vec<Uuid>,
    /// Entries of the outbox that it takes back or replaces as they were read, each as the record by which
    /// [`schedule::replace`](crate::schedule::replace) knows who was first: if another one was, nothing is stored.
    pub replaces: Vec<CommandRecord>,
    /// Work left behind for later, after what is done was taken out: one id in both replaces the entry that waits.
    pub outbox: Vec<OutboxEntry>,
    /// Whether that work is none of its own, but goes on with what was let in before: a schedule that is taken, tried again or given up.
    /// Its bodies are not held to [`Limits::payload_max_bytes`] once more. What has grown by a word of how it went, or was let in under
    /// another limit, would else never be done with.
    pub goes_on: bool,
    /// When its events happened, for imports; without it the store records the moment of the append.
    pub recorded_at: Option<Timestamp>,
}

/// Events for one stream, in order, under an optimistic lock.
#[derive(Clone, Debug)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamName,
    /// What the writer believes about it.
    pub expected: ExpectedVersion,
    /// The event that the writer believes to be its last one and that was on its way to the store when this was decided, sent by the
    /// same process just before. The version alone does not say that: if that append is refused because somebody else was faster, the
    /// stream has the expected version all the same.
    pub behind: Option<EventId>,
    /// At least one.
    pub events: Vec<NewEvent>,
}

/// Refuses an append when an event was stored behind a position that the query is about: the optimistic lock of a decision
/// that rests on events of several streams. Whoever decides reads these events first, up to that position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppendCondition {
    /// What the decision rests on.
    pub query: TagQuery,
    /// How far the log was read; [`Position::START`] to demand that there never was such an event.
    pub after: Position,
}

/// A value reserved within a scope, such as `accounts.username` / `ada`. At most one owner holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClaimName {
    /// What the value is unique within.
    pub scope: String,
    /// The value.
    pub value: String,
}

/// Reservations an append takes and gives back, all for one owner.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Who takes and gives back: usually the aggregate's stream name.
    pub owner: String,
    /// Taken. Taking what the owner holds already changes nothing.
    pub take: Vec<ClaimName>,
    /// Given back. Giving back what nobody holds changes nothing; another owner's is refused.
    pub release: Vec<ClaimName>,
    /// Who must hold all of these, so that they pass from there to the owner, or are given up, in one step. Whoever names the owner
    /// that it saw has compared and swapped: of several who saw the same, one is let through.
    pub from: Option<String>,
}

/// A command's id and the reply to give when it comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// The command's id.
    pub id: CommandId,
    /// The first reply.
    pub reply: Json,
}

/// What an append led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of its last event; `None` when it held no events.
    pub last_position: Option<Position>,
    /// Version of each of its streams after it, in the order of [`Append::streams`]; empty for a repeated command.
    pub versions: Vec<Version>,
    /// Set when this command id was recorded before: nothing was appended now, and this was the first reply.
    pub repeated: Option<Json>,
    /// Whether this append did it.
    pub stored: Stored,
}

/// When what an append led to was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// By this append. A try of it whose outcome was unknown, and which the store settled by itself, counts as this.
    Now,
    /// The same append, or another one with its command id, was stored before, and nothing was stored now.
    Before,
}

/// Why nothing of an append was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The optimistic lock failed: somebody else wrote first. Read again and decide anew.
    #[error("stream {stream} is at version {actual}, expected {expected}")]
    WrongExpectedVersion {
        /// Which stream.
        stream: StreamName,
        /// What the writer believed.
        expected: ExpectedVersion,
        /// What is true.
        actual: Version,
    },
    /// The writer expected no stream.
    #[error("stream {stream} exists already, at version {actual}")]
    StreamExists {
        /// Which stream.
        stream: StreamName,
        /// Version of its last event.
        actual: Version,
    },
    /// The writer expected a stream.
    #[error("stream {0} does not exist")]
    StreamNotFound(StreamName),
    /// The optimistic lock failed: what it was decided on is not known to be stored, see [`StreamAppend::behind`]. Read again and decide
    /// anew.
    #[error("stream {stream} is not known to end with event {behind}")]
    NotBehind {
        /// Which stream.
        stream: StreamName,
        /// What the writer believed to be its last event.
        behind: EventId,
    },
    /// The stream was deleted and takes no more events.
    #[error("stream {0} was deleted")]
    StreamDeleted(StreamName),
    /// An event id is in the log already and this is not the same append again.
    #[error("event {id} is in the log already")]
    DuplicateEvent {
        /// Which id.
        id: EventId,
    },
    /// A claim belongs to somebody else.
    #[error("{claim} is taken by {owner}")]
    Claimed {
        /// Which claim.
        claim: ClaimName,
        /// Who holds it.
        owner: String,
    },
    /// A claim that was to pass from one owner to the next is held by nobody.
    #[error("{claim} is not held by {expected}, nor by anybody else; read again and decide anew")]
    NotHeld {
        /// Which claim.
        claim: ClaimName,
        /// Who was believed to hold it.
        expected: String,
    },
    /// A condition failed: somebody stored an event that the decision would have had to know. Read again and decide anew.
    #[error(
        "an event that the append depends on was stored at position {position}, behind {after} which it had read"
    )]
    ConditionFailed {
        /// The first such event.
        position: Position,
        /// Up to where the writer had read.
        after: Position,
    },
    /// An entry of the outbox that it was to take back or replace was taken, or replaced, by somebody else. Read again and decide anew.
    #[error("work that was to be replaced is taken already, under {id}; read again and decide anew")]
    WorkTaken {
        /// Under what id that is recorded.
        id: CommandId,
    },
    /// A document of an inline projection is not as it was when it was read. Read it again.
    #[error("document {key:?} of {collection} was changed by somebody else; read it again")]
    DocumentChanged {
        /// The collection, as it is stored.
        collection: String,
        /// The document's key.
        key: String,
    },
    /// An inline projection is not as the writer believes: it is joined to appends, or not. Look, and say what is right.
    #[error("the generation {checkpoint} is {}; look again", if *joined { "joined to appends" } else { "not joined to appends" })]
    InlineBelief {
        /// The generation's checkpoint.
        checkpoint: String,
        /// Whether it is joined.
        joined: bool,
    },
    /// An event holds personal data of somebody who was forgotten.
    #[error("{subject} was forgotten; no more of their personal data is taken")]
    SubjectForgotten {
        /// Who.
        subject: Subject,
    },
    /// The append itself is wrong, whatever the store holds.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Bounds that a store sets to every append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events in one append.
    pub append_max_events: usize,
    /// Bytes of data and metadata of one event, and of the body of one entry of the outbox.
    pub payload_max_bytes: usize,
    /// Bytes of one append; see [`Append::len_bytes`].
    pub append_max_bytes: usize,
    /// Tags of one event.
    pub event_max_tags: usize,
    /// How deep objects and lists may be nested in JSON, up to [`DEPTH_MAX`](crate::json::DEPTH_MAX).
    pub json_max_depth: usize,
}

impl StreamAppend {
    /// Events for one stream.
    #[must_use]
    pub const fn new(stream: StreamName, expected: ExpectedVersion, events: Vec<NewEvent>) -> Self {
        Self { stream, expected, behind: None, events }
    }
}

impl Append {
    /// Events for one stream.
    #[must_use]
    pub fn to_stream(stream: StreamName, expected: ExpectedVersion, events: Vec<NewEvent>) -> Self {
        Self { streams: vec![StreamAppend::new(stream, expected, events)], ..Self::default() }
    }

    /// All that it records under the ids of commands.
    pub fn records(&self) -> impl Iterator<Item = &CommandRecord> {
        self.command.iter().chain(&self.replaces)
    }

    /// How many events it holds.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.streams.iter().map(|stream| stream.events.len()).sum()
    }

    /// What it holds, nearly: the bytes of its contents (data, metadata, documents, the command's reply, outbox, ids of what
    /// is done).
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let events = self.streams.iter().flat_map(|stream| &stream.events);
        let events = events.map(NewEvent::len_bytes);
        let documents = self.writes().filter_map(|write| write.body.as_ref()).map(Json::len_bytes);
        let reply = self.records().map(|command| command.reply.len_bytes());
        let outbox = self.outbox.iter().map(|entry| entry.body.len_bytes());
        let done = self.done.iter().map(|id| id.as_bytes().len());
        events.chain(documents).chain(reply).chain(outbox).chain(done).sum()
    }

    /// Checks what can be checked without a store.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self, limits: &Limits) -> Result<(), InvalidAppend> {
        let nothing = self.streams.is_empty()
            && self.claims.take.is_empty()
            && self.claims.release.is_empty()
            && self.documents.is_empty()
            && self.inline.is_empty()
            && self.done.is_empty()
            && self.outbox.is_empty()
            && self.replaces.is_empty()
            && self.command.is_none();
        if nothing {
            return Err(InvalidAppend::Empty);
        }
        let (size_bytes, limit_bytes) = (self.len_bytes(), limits.append_max_bytes);
        if size_bytes > limit_bytes {
            return Err(InvalidAppend::TooLarge { size_bytes, limit_bytes });
        }
        let count = self.event_count();
        if count > limits.append_max_events {
            return Err(InvalidAppend::TooManyEvents { count, limit: limits.append_max_events });
        }
        for (index, append) in self.streams.iter().enumerate() {
            if append.stream.is_system() {
                return Err(InvalidAppend::Reserved(append.stream.clone()));
            }
            if append.events.is_empty() {
                return Err(InvalidAppend::NoEvents(append.stream.clone()));
            }
            if self.streams.iter().take(index).any(|earlier| earlier.stream == append.stream) {
                return Err(InvalidAppend::StreamTwice(append.stream.clone()));
            }
        }
        self.validate_events(limits)?;
        self.validate_conditions()?;
        self.validate_beside(limits)
    }

    fn validate_events(&self, limits: &Limits) -> Result<(), InvalidAppend> {
        let events = || self.streams.iter().flat_map(|stream| &stream.events);
        if self.event_count() > 1 {
            let mut ids: Vec<_> = events().map(|event| event.id).collect();
            ids.sort_unstable();
            let twice = ids.iter().zip(ids.iter().skip(1)).find(|(id, next)| id == next);
            if let Some((id, _)) = twice {
                return Err(InvalidAppend::EventTwice(*id));
            }
        }
        for event in events() {
            let size_bytes = event.len_bytes();
            if size_bytes > limits.payload_max_bytes {
                let limit_bytes = limits.payload_max_bytes;
                return Err(InvalidAppend::PayloadTooLarge { id: event.id, size_bytes, limit_bytes });
            }
            validate_form(event, limits.json_max_depth)?;
            validate_tags(event, limits.event_max_tags)?;
        }
        Ok(())
    }

    fn validate_conditions(&self) -> Result<(), InvalidAppend> {
        let count = self.conditions.len();
        if count > QUERY_MAX {
            return Err(InvalidAppend::TooManyConditions { count });
        }
        self.conditions.iter().try_for_each(|condition| condition.query.check())?;
        Ok(())
    }

    /// What stores would refuse, each in its own way: texts, and JSON beside the events. And work that is too large.
    fn validate_beside(&self, limits: &Limits) -> Result<(), InvalidAppend> {
        let (limit, limit_bytes) = (limits.json_max_depth, limits.payload_max_bytes);
        let claims = self.claims.take.iter().chain(&self.claims.release);
        let claims =
            claims.flat_map(|claim| [("the scope of a claim", &claim.scope), ("a claim", &claim.value)]);
        let documents = self
            .writes()
            .flat_map(|write| [("a collection", &write.collection), ("a document's key", &write.key)]);
        let queues = self.outbox.iter().map(|entry| ("the queue of an outbox entry", &entry.queue));
        let owner = [("the owner of claims", &self.claims.owner)];
        for (what, text) in claims.chain(documents).chain(queues).chain(owner) {
            check_text(text).map_err(|reason| InvalidAppend::Text { what, reason })?;
        }
        let too_deep = |what| Err(InvalidAppend::TooDeepBeside { what, limit });
        for write in self.writes() {
            if write.body.as_ref().is_some_and(|body| body.is_deeper_than(limit)) {
                return too_deep(format!("document {} of {}", write.key, write.collection));
            }
        }
        if let Some(command) = self.records().find(|command| command.reply.is_deeper_than(limit)) {
            return too_deep(format!("the reply of command {}", command.id));
        }
        if let Some(entry) = self.outbox.iter().find(|entry| entry.body.is_deeper_than(limit)) {
            return too_deep(format!("outbox entry {}", entry.id));
        }
        let too_large = |entry: &&OutboxEntry| entry.body.len_bytes() > limit_bytes;
        if let Some(entry) = self.outbox.iter().find(too_large).filter(|_| !self.goes_on) {
            let (id, size_bytes) = (entry.id, entry.body.len_bytes());
            return Err(InvalidAppend::EntryTooLarge { id, size_bytes, limit_bytes });
        }
        Ok(())
    }
}

/// Whether all stores keep an event and everybody can read it again.
fn validate_form(event: &NewEvent, limit: usize) -> Result<(), InvalidAppend> {
    let (id, event_type) = (event.id, &event.event_type);
    event_type.check_name().map_err(|reason| InvalidAppend::EventName { id, reason })?;
    if !event_type.has_schema() {
        return Err(InvalidAppend::EventSchema { id, schema: event_type.schema });
    }
    let is_deep = match &event.data {
        Payload::Json(json) => json.is_deeper_than(limit),
        Payload::Binary(_) => false,
    };
    if is_deep || event.metadata.is_deeper_than(limit) {
        return Err(InvalidAppend::TooDeep { id, limit });
    }
    Ok(())
}

/// What it is found by must fit into an index.
fn validate_tags(event: &NewEvent, limit: usize) -> Result<(), InvalidAppend> {
    let (id, count) = (event.id, event.tags.len());
    if count > limit {
        return Err(InvalidAppend::TooManyTags { id, count, limit });
    }
    event.tags.iter().try_for_each(Tag::check).map_err(|reason| InvalidAppend::Tag { id, reason })
}

impl AppendCondition {
    /// That nothing the query is about was stored behind a position.
    #[must_use]
    pub const fn new(query: TagQuery, after: Position) -> Self {
        Self { query, after }
    }
}

impl Appended {
    /// What was stored now.
    #[must_use]
    pub const fn now(last_position: Option<Position>, versions: Vec<Version>) -> Self {
        Self { last_position, versions, repeated: None, stored: Stored::Now }
    }

    /// What a command led to when it was carried out, for when it comes again.
    #[must_use]
    pub const fn repeated(last_position: Option<Position>, reply: Json) -> Self {
        Self { last_position, versions: Vec::new(), repeated: Some(reply), stored: Stored::Before }
    }

    /// The same, when it comes again.
    #[must_use]
    pub fn again(self) -> Self {
        Self { stored: Stored::Before, ..self }
    }
}

impl ClaimName {
    /// A value within a scope.
    #[must_use]
    pub fn new(scope: impl Into<String>, value: impl Into<String>) -> Self {
        Self { scope: scope.into(), value: value.into() }
    }
}

impl Claims {
    /// Whether nothing is taken or given back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.take.is_empty() && self.release.is_empty()
    }
}

impl fmt::Display for ClaimName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.scope, self.value)
    }
}

impl Request for Append {
    const NAME: &'static str = "store.append";
    type Answer = Appended;
    type Error = AppendError;
}
