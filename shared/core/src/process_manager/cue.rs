//! What an instance is given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{event::RecordedEvent, time::Timestamp};

/// What has happened that concerns an instance.
#[derive(Debug)]
pub enum Cue<'a, E> {
    /// This event.
    Event(&'a E),
    /// The timer of this name has run out.
    Timer(&'a str),
}

/// The surroundings of a cue.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// Which instance it is.
    pub instance: &'a str,
    /// This moment.
    pub now: Timestamp,
    /// The event as it was recorded; `None` for a timer.
    pub recorded: Option<&'a RecordedEvent>,
    /// The conversation it belongs to: of the event, or of the one that set the timer.
    pub origin: &'a Origin,
}

/// Why there is something to do, and together with what: it travels with commands, and with timers to what they lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The event, or the timer.
    pub cause: Uuid,
    /// The whole conversation.
    pub correlation_id: Uuid,
    /// The application's own entries of the event's metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, Value>,
}

impl<E> Clone for Cue<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Cue<'_, E> {}

impl From<&RecordedEvent> for Origin {
    fn from(recorded: &RecordedEvent) -> Self {
        let cause = recorded.id.0;
        let correlation_id = recorded.metadata.correlation_id.unwrap_or(cause);
        Self { cause, correlation_id, custom: recorded.metadata.custom.clone() }
    }
}
