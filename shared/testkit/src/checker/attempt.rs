//! What a writer tried, and what it was told, as a journal keeps it.

use std::fmt;

use serde::{Deserialize, Serialize};
use umbel_core::{
    CommandId, EventId, EventType, ExpectedVersion, Json, Payload, Position, RecordedEvent, StreamName,
    TagItem, Tags, Version,
    store::{Append, AppendCondition, AppendError, Appended, ClaimName, StoreError},
};

/// One append that was sent, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Whose journal it is in: an index into the journals of the history.
    pub writer: usize,
    /// Its number in that journal.
    pub number: u64,
    /// The journal's line that says what was sent.
    pub sent_at: usize,
    /// The line with the answer; `None` when the writer got none.
    pub told_at: Option<usize>,
    /// What was sent.
    pub tried: Tried,
    /// What was answered.
    pub outcome: Outcome,
}

/// An append, as far as it is judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Its streams, in order.
    pub streams: Vec<TriedStream>,
    /// What must not have happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<TriedCondition>,
    /// Its claims.
    #[serde(default, skip_serializing_if = "TriedClaims::is_empty")]
    pub claims: TriedClaims,
    /// Its command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<TriedCommand>,
}

/// Events for one stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedStream {
    /// The stream.
    pub stream: StreamName,
    /// What the writer believed about it.
    pub expected: ExpectedVersion,
    /// The events, in order.
    pub events: Vec<TriedEvent>,
}

/// An event that was to be stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedEvent {
    /// Its id.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Its data: JSON as it is, bytes in hexadecimal digits after an `x`.
    pub data: String,
    /// By what it is found.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// That nothing one of these items is about was stored behind a position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedCondition {
    /// The position.
    pub after: Position,
    /// The items.
    pub items: Vec<TriedItem>,
}

/// Events with all of these tags and, where there are names, one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedItem {
    /// The tags.
    pub tags: Vec<String>,
    /// The names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Claims taken and given back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TriedClaims {
    /// By whom.
    pub owner: String,
    /// Taken.
    pub take: Vec<ClaimName>,
    /// Given back.
    pub release: Vec<ClaimName>,
}

/// A command to be recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedCommand {
    /// Its id.
    pub id: CommandId,
    /// The reply to give when it comes again.
    pub reply: Json,
}

/// What a writer was told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is stored.
    Stored {
        /// Position of its last event.
        last_position: Option<Position>,
        /// Version of each of its streams.
        versions: Vec<Version>,
    },
    /// Its command had been carried out before.
    Repeated {
        /// Position of the last event of that first time.
        last_position: Option<Position>,
        /// The first reply.
        reply: Json,
    },
    /// Nothing of it is stored.
    Refused(Refusal),
    /// Nothing, or that nobody knows.
    #[default]
    Unknown,
}

/// Why nothing was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// See [`AppendError::WrongExpectedVersion`].
    WrongVersion {
        /// Which stream.
        stream: StreamName,
        /// What was true.
        actual: Version,
    },
    /// See [`AppendError::StreamExists`].
    StreamExists {
        /// Which stream.
        stream: StreamName,
        /// What was true.
        actual: Version,
    },
    /// See [`AppendError::StreamNotFound`].
    StreamNotFound {
        /// Which stream.
        stream: StreamName,
    },
    /// See [`AppendError::DuplicateEvent`].
    Duplicate {
        /// Which event.
        id: EventId,
    },
    /// See [`AppendError::Claimed`].
    Claimed {
        /// Which claim.
        claim: ClaimName,
        /// Who held it.
        owner: String,
    },
    /// See [`AppendError::ConditionFailed`].
    Condition {
        /// Where the event was that must not be.
        position: Position,
        /// Behind which position.
        after: Position,
    },
    /// Any other reason; it is not judged.
    Other {
        /// In the store's words.
        reason: String,
    },
}

/// An event's data as a journal keeps it.
pub(super) fn content(data: &Payload) -> String {
    match data {
        Payload::Json(json) => json.as_str().to_owned(),
        Payload::Binary(bytes) => bytes.iter().fold("x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

impl Tried {
    /// All events with their streams, in the order in which they are stored.
    pub(super) fn events(&self) -> impl Iterator<Item = (&StreamName, &TriedEvent)> {
        self.streams.iter().flat_map(|one| one.events.iter().map(move |event| (&one.stream, event)))
    }
}

impl TriedCondition {
    /// Whether an event must not be, judged by the words of the promise alone.
    pub(super) fn forbids(&self, event: &RecordedEvent) -> bool {
        let has = |tag: &String| event.tags.iter().any(|one| one.as_str() == tag);
        let is_named =
            |names: &[String]| names.is_empty() || names.iter().any(|name| event.event_type.name == **name);
        let is_about = |item: &TriedItem| item.tags.iter().all(has) && is_named(&item.names);
        event.position > self.after && self.items.iter().any(is_about)
    }
}

impl From<&AppendCondition> for TriedCondition {
    fn from(condition: &AppendCondition) -> Self {
        let item = |item: &TagItem| TriedItem {
            tags: item.tags.iter().map(ToString::to_string).collect(),
            names: item.names.iter().map(ToString::to_string).collect(),
        };
        Self { after: condition.after, items: condition.query.items().iter().map(item).collect() }
    }
}

impl TriedClaims {
    fn is_empty(&self) -> bool {
        self.take.is_empty() && self.release.is_empty()
    }

    /// Who owns a claim after it; `None` when this does not touch the claim.
    pub(super) fn owner_after(&self, claim: &ClaimName) -> Option<Option<&str>> {
        if self.take.contains(claim) {
            return Some(Some(&self.owner));
        }
        self.release.contains(claim).then_some(None)
    }
}

impl From<&Append> for Tried {
    fn from(append: &Append) -> Self {
        let events = |one: &umbel_core::store::StreamAppend| {
            let event = |event: &umbel_core::NewEvent| TriedEvent {
                id: event.id,
                event_type: event.event_type.clone(),
                data: content(&event.data),
                tags: event.tags.clone(),
            };
            one.events.iter().map(event).collect()
        };
        let stream = |one: &umbel_core::store::StreamAppend| TriedStream {
            stream: one.stream.clone(),
            expected: one.expected,
            events: events(one),
        };
        let umbel_core::store::Claims { owner, take, release, .. } = append.claims.clone();
        let command = append.command.clone();
        Self {
            streams: append.streams.iter().map(stream).collect(),
            conditions: append.conditions.iter().map(TriedCondition::from).collect(),
            claims: TriedClaims { owner, take, release },
            command: command.map(|record| TriedCommand { id: record.id, reply: record.reply }),
        }
    }
}

impl From<&Result<Appended, AppendError>> for Outcome {
    fn from(told: &Result<Appended, AppendError>) -> Self {
        match told.clone() {
            Ok(Appended { last_position, repeated: Some(reply), .. }) => {
                Self::Repeated { last_position, reply }
            }
            Ok(Appended { last_position, versions, repeated: None, .. }) => {
                Self::Stored { last_position, versions }
            }
            Err(AppendError::Store(StoreError::OutcomeUnknown { .. })) => Self::Unknown,
            Err(error) => Self::Refused(error.into()),
        }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::WrongExpectedVersion { stream, actual, .. } => Self::WrongVersion { stream, actual },
            AppendError::StreamExists { stream, actual } => Self::StreamExists { stream, actual },
            AppendError::StreamNotFound(stream) => Self::StreamNotFound { stream },
            AppendError::DuplicateEvent { id } => Self::Duplicate { id },
            AppendError::Claimed { claim, owner } => Self::Claimed { claim, owner },
            AppendError::ConditionFailed { position, after } => Self::Condition { position, after },
            other => Self::Other { reason: other.to_string() },
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "append {} of writer {}", self.number, self.writer)
    }
}
