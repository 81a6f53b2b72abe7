//! Upkeep: the few acts that take something away from the log or move it, each recorded in the log itself.
//!
//! The record of an act is an event in the system's stream [`StreamName::audit`], stored in the same transaction,
//! so whoever follows the log learns what was done, when and by whom. It holds no data of what was removed.

use serde::{Deserialize, Serialize};

use crate::{
    event::{EncodedEvent, EventType, RecordedEvent},
    event_name::EventName,
    id::EventId,
    json::Json,
    message::Request,
    metadata::Metadata,
    payload::{Payload, PayloadError},
    personal::Subject,
    store::{LetterFilter, StoreError, plan::StreamState},
    stream::StreamName,
    subscription::{Start, SubscriptionName},
    tags::Tags,
    time::Timestamp,
    version::{ExpectedVersion, Place, Position, Version},
};

/// Does one act. The same id again answers what was done the first time, or goes on where that has ended.
///
/// As JSON it is what a store keeps of a removal that is not through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Perform {
    /// The id of its record.
    pub id: EventId,
    /// What to do.
    pub act: Act,
    /// Who does it and why.
    pub metadata: Metadata,
}

/// An act of upkeep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Ends a stream.
    DeleteStream {
        /// Which.
        stream: StreamName,
        /// What the caller believes about it.
        expected: ExpectedVersion,
        /// How thoroughly.
        removal: Removal,
    },
    /// Ends the beginning of a stream: its events with versions below `before`.
    TruncateStream {
        /// Which.
        stream: StreamName,
        /// The first version to keep. At most one beyond the stream's last: a stream keeps its version for ever.
        before: Version,
        /// How thoroughly.
        removal: Removal,
    },
    /// Moves events from the start of the log up to a position to the archive, where all reads still find them.
    /// What is there already stays.
    Archive {
        /// The last position to move; the log's head at most.
        through: Position,
    },
    /// Drops a subject's key: nobody can read its personal data any more, in this log or any copy of it, and nothing more
    /// of it is taken. A subject that was never heard of can be forgotten too.
    ForgetSubject {
        /// Whom.
        subject: Subject,
    },
    /// Lets a subscription rest: its owners send nothing to their consumers until it is resumed.
    PauseSubscription {
        /// Which.
        subscription: SubscriptionName,
    },
    /// Ends a pause.
    ResumeSubscription {
        /// Which.
        subscription: SubscriptionName,
    },
    /// Moves every checkpoint of a subscription to another start, which is not beyond the end of what it follows, takes every lease away
    /// and discards its dead letters: whoever owns a partition next begins there.
    ResetSubscription {
        /// Which.
        subscription: SubscriptionName,
        /// Where to.
        start: Start,
    },
    /// Gives a subscription another name, with its checkpoints and dead letters: who opens it under that name goes on where it was. Every
    /// lease is taken away; who still runs it under the old name is told that it is gone.
    RenameSubscription {
        /// Which.
        subscription: SubscriptionName,
        /// Its name from now on, which no other has.
        to: SubscriptionName,
    },
    /// Removes a subscription with its checkpoints and dead letters. Opened again, it begins anew.
    DeleteSubscription {
        /// Which.
        subscription: SubscriptionName,
    },
    /// Builds a projection's documents anew beside those that serve, by the same version of its rule; see
    /// [`Generation`](super::Generation). A rebuild of it that is under way begins anew.
    RebuildProjection {
        /// Which.
        projection: String,
    },
    /// Ends a projection: readers find nothing of it, nobody writes to it, and what it has left is removed by
    /// [`RemoveRetired`](super::RemoveRetired), step by step. Opened again, it is built anew from the start of the log. One that was dropped
    /// and still has something left may be dropped again.
    DropProjection {
        /// Which.
        projection: String,
    },
    /// Asks for dead letters to be tried again, each with all that are before it under the same key, the oldest first. Those that it was
    /// asked for already do not count, whatever the filter says of that. The filter is recorded with the act, as it is.
    ///
    /// It is one short transaction, as [`DiscardLetters`](Self::DiscardLetters) is: to ask for many, do it again, with an id of its own
    /// each time, while it was about as many as its limit. Whatever interrupts that, the next one goes on where the last ended.
    RetryLetters {
        /// Which.
        filter: LetterFilter,
        /// How many at most, sorted by subscription and place, those before them included; the store's `letters_act_max` bounds it.
        limit: u32,
    },
    /// Takes back that dead letters were asked for: only those that were count, whatever the filter says of that, and none of those
    /// before them. What a handler has in hand at that moment is not known here, and goes on. To take back many, do it again as with
    /// [`RetryLetters`](Self::RetryLetters).
    CancelRetries {
        /// Which.
        filter: LetterFilter,
        /// How many at most, sorted by subscription and place; the store's `letters_act_max` bounds it.
        limit: u32,
    },
    /// Removes dead letters unhandled; to remove many, do it again as with [`RetryLetters`](Self::RetryLetters).
    DiscardLetters {
        /// Which.
        filter: LetterFilter,
        /// How many at most, sorted by subscription and place; the store's `letters_act_max` bounds it.
        limit: u32,
    },
    /// Hands other data to the handler than the event has when the letter is tried again. The event stays as it is. What the new data
    /// are is not recorded, as they may be personal. For the same reason data of an event that has a subject cannot be replaced: they
    /// would be kept in the clear, and stay when the subject is forgotten.
    EditLetter {
        /// Of which subscription.
        subscription: SubscriptionName,
        /// At which place.
        place: Place,
        /// The new data; `None` goes back to the event's own.
        #[serde(skip)]
        data: Option<Json>,
    },
    /// Records that kept notices had expired and were removed. It removes none itself: they go in steps, beside the log.
    SweepNotices {
        /// How many.
        notices: u64,
        /// When the first of them was.
        since: Timestamp,
    },
}

/// How thoroughly something is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Reading the stream no longer shows it; the log of all streams and links still do. A deleted stream takes no
    /// more events, and its name is used up.
    Soft,
    /// The events are gone, with their places in the log and all links to them. A deleted stream's name starts anew;
    /// a deleted stream of links leaves the events alone. Only where the settings allow it.
    ///
    /// It goes in steps of the store's `removal_step_max` places, and appends go on between them. Until the last one the stream is as
    /// if removed softly, and what is to go cannot be linked any more, though the log shows what is not gone yet; the act is
    /// recorded then.
    Hard,
}

/// What an act did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Performed {
    /// Position of its record.
    pub position: Position,
    /// Events that were removed from the log, or moved to the archive; or dead letters that the act was about.
    pub events: u64,
    /// Links that were removed.
    pub links: u64,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PerformError {
    /// Nothing was ever appended to it.
    #[error("stream {0} does not exist")]
    StreamNotFound(StreamName),
    /// It was soft-deleted before. (It can still be hard-deleted.)
    #[error("stream {0} was deleted")]
    StreamDeleted(StreamName),
    /// The optimistic lock failed.
    #[error("stream {stream} is at version {actual}, expected {expected}")]
    WrongExpectedVersion {
        /// Which stream.
        stream: StreamName,
        /// What the caller believed.
        expected: ExpectedVersion,
        /// What is true.
        actual: Version,
    },
    /// The system's own streams stay.
    #[error("stream {0} belongs to the system and cannot be changed")]
    Reserved(StreamName),
    /// There is less than that.
    #[error("{what} ends at {end}; nothing beyond it can be removed or moved")]
    BeyondEnd {
        /// A stream's name, or the log.
        what: String,
        /// Its last version or position.
        end: u64,
    },
    /// A subscription that began there would pass over all that comes until then.
    #[error(
        "{what} ends at {end}: nothing would come until it is beyond {start}; to go on at its end, begin with what is current"
    )]
    StartBeyondEnd {
        /// What it follows: a stream, or the log.
        what: String,
        /// Its last version or position.
        end: Place,
        /// Behind what it was to begin.
        start: Place,
    },
    /// There is no such subscription.
    #[error("there is no subscription {0}")]
    SubscriptionNotFound(SubscriptionName),
    /// No such projection serves, or nothing of it is left.
    #[error("there is no projection {0}")]
    ProjectionNotFound(String),
    /// Another subscription has the name already.
    #[error("there is a subscription {0} already; if it is not needed, delete it first")]
    SubscriptionExists(SubscriptionName),
    /// The subscription has no dead letter there.
    #[error("subscription {subscription} has no dead letter at {place}")]
    LetterNotFound {
        /// Which subscription.
        subscription: SubscriptionName,
        /// Where.
        place: Place,
    },
    /// The data of a dead letter cannot be replaced by these.
    #[error("the dead letter stays as it is: {reason}")]
    DataRefused {
        /// Why.
        reason: String,
    },
    /// Hard removal is switched off.
    #[error("hard removal is not allowed here; the setting store.allow_hard_removal allows it")]
    NotAllowed,
    /// The id is that of another event.
    #[error("event {id} is in the log already and does not record this act")]
    OtherEvent {
        /// Which id.
        id: EventId,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The record of an act: the data of an event in [`StreamName::audit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActRecord {
    /// What was done.
    #[serde(flatten)]
    pub act: Act,
    /// Events that were removed from the log, or moved to the archive; or dead letters that the act was about.
    pub events: u64,
    /// Links that were removed.
    pub links: u64,
}

impl Perform {
    /// The answer from the event that has its id: what was done the first time. What is not recorded is not compared.
    ///
    /// # Errors
    /// [`PerformError::OtherEvent`] when that event does not record this act.
    pub fn done_before(&self, event: &RecordedEvent) -> Result<Performed, PerformError> {
        let record = event.data.decode::<ActRecord>().ok();
        match record.filter(|record| event.stream == StreamName::audit() && record.act == self.act.recorded())
        {
            Some(ActRecord { events, links, .. }) => {
                Ok(Performed { position: event.position, events, links })
            }
            None => Err(PerformError::OtherEvent { id: self.id }),
        }
    }
}

impl Act {
    /// Decides against what the store holds: the stream that it is about (`None` when it is not there) and the log's
    /// head.
    ///
    /// # Errors
    /// Why it is not done.
    pub fn check(&self, state: Option<&StreamState>, head: Position) -> Result<(), PerformError> {
        match self {
            Self::DeleteStream { stream, expected, removal } => {
                let state = existing(stream, state, *removal == Removal::Hard)?;
                let (expected, actual) = (*expected, state.version);
                match expected {
                    ExpectedVersion::Any | ExpectedVersion::StreamExists => Ok(()),
                    ExpectedVersion::Exact(version) if version == actual => Ok(()),
                    ExpectedVersion::Exact(_) | ExpectedVersion::NoStream => {
                        let stream = stream.clone();
                        Err(PerformError::WrongExpectedVersion { stream, expected, actual })
                    }
                }
            }
            Self::TruncateStream { stream, before, .. } => {
                let end = existing(stream, state, false)?.version;
                if *before > end.next() {
                    return Err(PerformError::BeyondEnd { what: stream.to_string(), end: end.get() });
                }
                Ok(())
            }
            Self::Archive { through } if *through > head => {
                Err(PerformError::BeyondEnd { what: "the log".into(), end: head.get() })
            }
            // What is not about the log is decided where it is kept.
            Self::Archive { .. }
            | Self::ForgetSubject { .. }
            | Self::PauseSubscription { .. }
            | Self::ResumeSubscription { .. }
            | Self::ResetSubscription { .. }
            | Self::RenameSubscription { .. }
            | Self::DeleteSubscription { .. }
            | Self::RebuildProjection { .. }
            | Self::DropProjection { .. }
            | Self::RetryLetters { .. }
            | Self::CancelRetries { .. }
            | Self::DiscardLetters { .. }
            | Self::EditLetter { .. }
            | Self::SweepNotices { .. } => Ok(()),
        }
    }

    /// Decides about where a subscription is to begin, against the end of what it follows: a stream, or else the log.
    ///
    /// # Errors
    /// [`PerformError::StartBeyondEnd`].
    pub fn check_start(&self, followed: Option<&StreamName>, end: Place) -> Result<(), PerformError> {
        match self {
            Self::ResetSubscription { start: Start::After(start), .. } if *start > end => {
                let what = followed.map_or_else(|| "the log".into(), |stream| format!("stream {stream}"));
                Err(PerformError::StartBeyondEnd { what, end, start: *start })
            }
            _ => Ok(()),
        }
    }

    /// Name of the event that records it.
    #[must_use]
    pub const fn event_name(&self) -> &'static str {
        match self {
            Self::DeleteStream { .. } => "umbel.stream_deleted",
            Self::TruncateStream { .. } => "umbel.stream_truncated",
            Self::Archive { .. } => "umbel.events_archived",
            Self::ForgetSubject { .. } => "umbel.subject_forgotten",
            Self::PauseSubscription { .. } => "umbel.subscription_paused",
            Self::ResumeSubscription { .. } => "umbel.subscription_resumed",
            Self::ResetSubscription { .. } => "umbel.subscription_reset",
            Self::RenameSubscription { .. } => "umbel.subscription_renamed",
            Self::DeleteSubscription { .. } => "umbel.subscription_deleted",
            Self::RebuildProjection { .. } => "umbel.projection_rebuilt",
            Self::DropProjection { .. } => "umbel.projection_dropped",
            Self::RetryLetters { .. } => "umbel.letters_retried",
            Self::CancelRetries { .. } => "umbel.retries_cancelled",
            Self::DiscardLetters { .. } => "umbel.letters_discarded",
            Self::EditLetter { .. } => "umbel.letter_edited",
            Self::SweepNotices { .. } => "umbel.notices_swept",
        }
    }

    /// What of it is recorded.
    #[must_use]
    pub fn recorded(&self) -> Self {
        match self.clone() {
            Self::EditLetter { subscription, place, .. } => {
                Self::EditLetter { subscription, place, data: None }
            }
            act => act,
        }
    }

    /// Whether it needs the permission to remove for good.
    #[must_use]
    pub const fn is_hard(&self) -> bool {
        matches!(
            self,
            Self::DeleteStream { removal: Removal::Hard, .. }
                | Self::TruncateStream { removal: Removal::Hard, .. }
        )
    }

    /// What to say when the projection or the subscription that it names is not there, or else what stands in its way: the dead letter is
    /// not there, the new name is taken. `None` when it names none of these.
    #[must_use]
    pub fn missing(&self, subscription_is: bool) -> Option<PerformError> {
        let (name, place) = match self {
            Self::RebuildProjection { projection } | Self::DropProjection { projection } => {
                return Some(PerformError::ProjectionNotFound(projection.clone()));
            }
            Self::RenameSubscription { to, .. } if !subscription_is => {
                return Some(PerformError::SubscriptionExists(to.clone()));
            }
            Self::RenameSubscription { subscription, .. } => (Some(subscription), None),
            Self::PauseSubscription { subscription }
            | Self::ResumeSubscription { subscription }
            | Self::ResetSubscription { subscription, .. }
            | Self::DeleteSubscription { subscription } => (Some(subscription), None),
            Self::RetryLetters { filter, .. }
            | Self::CancelRetries { filter, .. }
            | Self::DiscardLetters { filter, .. } => (filter.subscription.as_ref(), filter.place),
            Self::EditLetter { subscription, place, .. } => (Some(subscription), Some(*place)),
            _ => (None, None),
        };
        let subscription = name?.clone();
        match place {
            Some(place) if !subscription_is => Some(PerformError::LetterNotFound { subscription, place }),
            _ => Some(PerformError::SubscriptionNotFound(subscription)),
        }
    }

    /// The stream it is about, if it is about one.
    #[must_use]
    pub const fn stream(&self) -> Option<&StreamName> {
        match self {
            Self::DeleteStream { stream, .. } | Self::TruncateStream { stream, .. } => Some(stream),
            _ => None,
        }
    }
}

/// The stream of an act, which must be there and, unless that is all the same, not deleted.
fn existing<'a>(
    stream: &StreamName,
    state: Option<&'a StreamState>,
    or_deleted: bool,
) -> Result<&'a StreamState, PerformError> {
    if stream.is_system() {
        return Err(PerformError::Reserved(stream.clone()));
    }
    match state.filter(|state| state.version > Version::START) {
        None => Err(PerformError::StreamNotFound(stream.clone())),
        Some(state) if state.deleted && !or_deleted => Err(PerformError::StreamDeleted(stream.clone())),
        Some(state) => Ok(state),
    }
}

impl ActRecord {
    /// The event that records it.
    ///
    /// # Errors
    /// Never for an act made of checked names.
    pub fn encode(&self) -> Result<EncodedEvent, PayloadError> {
        let event_type = EventType { name: EventName::known(self.act.event_name()), schema: 1 };
        Ok(EncodedEvent { event_type, data: Payload::json(self)?, subject: None, tags: Tags::none() })
    }
}

impl Request for Perform {
    const NAME: &'static str = "store.perform";
    type Answer = Performed;
    type Error = PerformError;
}
