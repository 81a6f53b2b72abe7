//! What is kept of an instance: one document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Order, Origin};
use crate::{
    document::{Document, DocumentKey},
    personal::Owned,
    schedule::shortened,
    time::Timestamp,
    version::Position,
};

/// The collection of all instances of all process managers. It is the system's own.
pub const COLLECTION: &str = "$process_managers";

/// An instance, as it is kept. It is there from its first event until it has ended and nothing of it is left to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The name that its process manager is kept under; see [`SubscriptionState::kept_as`](crate::store::SubscriptionState).
    pub manager: String,
    /// Which instance.
    pub instance: String,
    /// Version of the state's shape.
    pub schema: u32,
    /// Another one each time that the file is replaced: the event or timer that it has handled last, or an id made up when commands were
    /// settled. Whoever replaces the file says which one it was when they read it.
    pub revision: Uuid,
    /// What it remembers; nothing once it has ended.
    pub state: Option<Owned>,
    /// Its timers that run, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timers: BTreeMap<String, Timer>,
    /// Commands that are not carried out yet, in order; usually of one event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Pending>,
}

/// A timer that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Its own, and that of its entry in the outbox.
    pub id: Uuid,
    /// When it runs out.
    pub due_at: Timestamp,
    /// Why it was set.
    pub origin: Origin,
}

/// Commands that an event or a timer led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Why they are to be carried out.
    pub origin: Origin,
    /// The entry in the outbox by which they are found if whoever should dispatch them does not live to do so.
    pub reminder: Uuid,
    /// The commands.
    pub orders: Vec<Order>,
    /// How many were ever ordered because of it: the next one's number.
    pub ordered: u32,
    /// Whether they wait with a dead letter.
    #[serde(default)]
    pub parked: bool,
    /// At which place of the log the event is whose dead letter they wait with. Where it is not known they wait for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Position>,
    /// Whether the instance ends with them, because it said so after one that was carried out and is not among them any more.
    #[serde(default)]
    pub stop: bool,
}

/// What an entry in the outbox says: at its time, look after this instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// Which instance.
    pub instance: String,
    /// The timer that runs out then; `None` for commands that should long have been dispatched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<String>,
    /// How often it was tried in vain, by what is known of it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub attempts: u32,
    /// What the last of these met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(attempts: &u32) -> bool {
    *attempts == 0
}

/// Where an instance is kept.
#[must_use]
pub fn key(manager: &str, instance: &str) -> DocumentKey {
    DocumentKey { collection: COLLECTION, key: format!("{manager}/{instance}") }
}

impl Reminder {
    /// Of a timer, or of commands, that nobody has tried in vain.
    #[must_use]
    pub const fn of(instance: String, timer: Option<String>) -> Self {
        Self { instance, timer, attempts: 0, error: None }
    }

    /// The same, tried so often in vain, the last time for this reason.
    #[must_use]
    pub fn tried(self, attempts: u32, error: &str) -> Self {
        Self { attempts, error: Some(shortened(error)), ..self }
    }
}

impl File {
    /// Whether it has not ended.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.state.is_some()
    }

    /// Its commands that are to be dispatched before anything else is done.
    #[must_use]
    pub fn outstanding(&self) -> Option<&Pending> {
        self.pending.iter().find(|pending| !pending.parked)
    }

    /// Commands that wait with dead letters of other events than this one.
    pub fn parked_but(&self, cause: Uuid) -> impl Iterator<Item = &Pending> {
        self.pending.iter().filter(move |pending| pending.parked && pending.origin.cause != cause)
    }

    /// What is left of the commands that this event or timer led to.
    #[must_use]
    pub fn pending_of(&self, cause: Uuid) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.origin.cause == cause)
    }

    /// Whether the timer of this name runs, and is this one.
    #[must_use]
    pub fn runs(&self, timer: &str, id: Uuid) -> bool {
        self.timers.get(timer).is_some_and(|running| running.id == id)
    }

    /// Whether nothing of it need be kept.
    pub(super) fn is_done(&self) -> bool {
        self.state.is_none() && self.pending.is_empty()
    }
}

impl Document for File {
    const COLLECTION: &'static str = COLLECTION;
    const INDEXES: &'static [&'static str] = &["manager"];
}
