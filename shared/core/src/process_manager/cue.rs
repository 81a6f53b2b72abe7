//! What an instance is given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::decide::part_of;
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
    /// The event, or the timer. A later one of several that an old event has become has an id of its own, the same each time.
    pub cause: Uuid,
    /// The recorded event, where that is not [`Self::cause`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Uuid>,
    /// The whole conversation.
    pub correlation_id: Uuid,
    /// The application's own entries of the event's metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, Value>,
    /// Whether it is a timer, which has no place in the log.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timer: bool,
}

impl<E> Clone for Cue<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Cue<'_, E> {}

impl Origin {
    /// That of one of the events that a recorded one is to a reader, counted from 0.
    #[must_use]
    pub fn of(recorded: &RecordedEvent, part: u32) -> Self {
        let id = recorded.id.0;
        let correlation_id = recorded.metadata.correlation_id.unwrap_or(id);
        let custom = recorded.metadata.custom.clone();
        match part {
            0 => Self { cause: id, event: None, correlation_id, custom, timer: false },
            part => Self { cause: part_of(id, part), event: Some(id), correlation_id, custom, timer: false },
        }
    }

    /// What commands are caused by.
    #[must_use]
    pub fn causation_id(&self) -> Uuid {
        self.event.unwrap_or(self.cause)
    }
}

impl From<&RecordedEvent> for Origin {
    fn from(recorded: &RecordedEvent) -> Self {
        Self::of(recorded, 0)
    }
}
