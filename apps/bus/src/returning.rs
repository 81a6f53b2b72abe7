//! What a dispatch returns beside the reply, and what it demands of the state it meets.

use serde::{Deserialize, Serialize};
use umbel_core::{
    EncodedEvent, ExpectedVersion, Json, StreamName, Version,
    metadata::{MetadataError, entries_of},
};

use crate::dispatch::{DispatchOptions, Dispatched};

/// What a dispatch returns beside the reply, the position and the version, which it always does. More costs a copy of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Returning {
    /// Nothing more.
    #[default]
    Reply,
    /// The events, with their data.
    Events,
    /// The state after them, if the aggregate's has a form: see [`umbel_core::Aggregate::snapshots`].
    State,
    /// Both.
    All,
}

/// What was asked for by [`Returning`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Returned {
    /// The events that happened, in order; none when it was not asked for them.
    pub events: Vec<EncodedEvent>,
    /// The state after them; `None` when it was not asked for, or has no form.
    pub state: Option<Json>,
}

/// Why a command was turned back, whatever the domain would say. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A middleware halted it.
    #[error("halted by {by}: {reason}")]
    Halted {
        /// The middleware's name.
        by: &'static str,
        /// What it said.
        reason: String,
    },
    /// The aggregate is not at the version that the caller expects. Read again and decide anew.
    #[error("the aggregate is at version {actual}, expected {expected}; read it again")]
    WrongVersion {
        /// What the caller believed.
        expected: ExpectedVersion,
        /// What is true.
        actual: Version,
    },
    /// A version was expected of a command that a handler or a boundary carries out, which has none.
    #[error(
        "no version can be expected of a command that is carried out by a handler or a boundary; expect it of a handler's parts"
    )]
    NoVersion,
    /// The stream of the aggregate, or one that a boundary would append to, was deleted: nothing happens to it any more.
    #[error("stream {stream} was deleted: nothing is appended to it any more")]
    Gone {
        /// The stream.
        stream: StreamName,
    },
    /// The entries of the metadata are wrong. Change them.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

impl Returning {
    /// Whether events are returned.
    #[must_use]
    pub const fn events(self) -> bool {
        matches!(self, Self::Events | Self::All)
    }

    /// Whether the state is returned.
    #[must_use]
    pub const fn state(self) -> bool {
        matches!(self, Self::State | Self::All)
    }
}

impl DispatchOptions {
    /// What to return beside the reply; without it, what `bus.returning` says.
    #[must_use]
    pub fn returning(mut self, returning: Returning) -> Self {
        self.returning = Some(returning);
        self
    }

    /// The version that the aggregate must have when the command is decided, such as the one that the caller has seen.
    #[must_use]
    pub fn expecting(mut self, version: ExpectedVersion) -> Self {
        self.expected = Some(version);
        self
    }

    /// Entries for the metadata of its events: the fields of a value, in addition to those there are.
    ///
    /// # Errors
    /// When it is no map.
    pub fn metadata_of(mut self, entries: &impl Serialize) -> Result<Self, MetadataError> {
        self.custom.extend(entries_of(entries)?);
        Ok(self)
    }
}

impl<R> Dispatched<R> {
    /// The answer with nothing known beside the reply: nothing was written.
    #[must_use]
    pub fn reply_only(reply: R) -> Self {
        Self {
            reply,
            position: None,
            version: None,
            events: Some(Vec::new()),
            repeated: false,
            returned: None,
        }
    }
}
