//! Why a command was not carried out, and what is known of it.

use std::{borrow::Cow, fmt, time::Duration};

use umbel_core::{
    Gap, Json, Position, StreamNameError,
    store::{AppendError, StoreError},
};

use crate::{ask::AskError, handle::RETRY_AFTER, returning::Refusal};

/// Why a command was not carried out, or not visibly so; by what the caller can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError<R> {
    /// The domain says no. Nothing was stored. Change the command.
    #[error("rejected")]
    Rejected(R),
    /// It was turned back before the domain was asked. Nothing was stored. Do as it says.
    #[error(transparent)]
    Refused(Refusal),
    /// Others kept writing to the same stream. Nothing was stored. Try again.
    #[error("another writer was faster {attempts} times in a row; nothing was stored, try again")]
    Conflict {
        /// How often it was decided.
        attempts: u32,
    },
    /// It is stored and will stay so, but whoever listens did not follow in time. Do not try again; wait.
    #[error("stored at position {position}, not yet visible in {waiting_for:?}")]
    NotYetVisible {
        /// Position of its last event.
        position: Position,
        /// The projections and handlers that lag.
        waiting_for: Vec<String>,
        /// Its reply.
        reply: Json,
    },
    /// What the command says it is for makes no stream's name. Nothing was stored. Change the command.
    #[error("{command}: the id {} {}", shown(id), reason.of_id())]
    BadIdentity {
        /// The command's name.
        command: &'static str,
        /// The id of what it says it is for.
        id: String,
        /// What is wrong with the identity.
        reason: StreamNameError,
    },
    /// Its aggregate's stream does not show all events that led to its state. Nothing was stored. It stays so until the aggregate says
    /// that it bears that, or a snapshot covers what is missing.
    #[error(transparent)]
    Incomplete(Gap),
    /// Nobody owns this command, here or in a process that is reached from here. Nothing was done. Start the app that does.
    #[error("nobody here owns the command {command}; is its app running?")]
    NoHandler {
        /// The command's name.
        command: Cow<'static, str>,
    },
    /// What was to be a command, as JSON, is none of that name. Nothing was done. Change it.
    #[error("this is not a command {command}: {reason}")]
    Undecodable {
        /// The command's name.
        command: &'static str,
        /// Where it differs.
        reason: String,
    },
    /// Something it needs is down or full. Nothing was stored. Try again after the given time.
    #[error("not available: {reason}; nothing was stored")]
    Unavailable {
        /// What, and why.
        reason: String,
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// There was no answer in time, or its owner died.
    #[error("no answer to {command} in time; {outcome}")]
    Timeout {
        /// The command's name.
        command: &'static str,
        /// Whether something may have been stored.
        outcome: Outcome,
    },
    /// A bug, a wrong setting or damage; the same command will fail again.
    #[error("failed: {reason}")]
    Failed {
        /// What went wrong.
        reason: String,
    },
}

/// What is known after a dispatch without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was stored: it is safe to try again.
    NothingStored,
    /// It may have been stored. Trying again is safe with the same command id only.
    Unknown,
}

/// The beginning of an id, which may be as long as its sender likes.
fn shown(id: &str) -> String {
    /// Characters; a UUID has 36.
    const SHOWN_MAX: usize = 60;
    let shown = format!("{:?}", id.chars().take(SHOWN_MAX).collect::<String>());
    if id.chars().nth(SHOWN_MAX).is_some() { shown + "..." } else { shown }
}

impl<R> DispatchError<R> {
    /// The same error, but for what becomes of a rejection.
    pub fn map_rejection<T>(self, make: impl FnOnce(R) -> DispatchError<T>) -> DispatchError<T> {
        match self {
            Self::Rejected(rejection) => make(rejection),
            Self::Refused(refusal) => DispatchError::Refused(refusal),
            Self::Conflict { attempts } => DispatchError::Conflict { attempts },
            Self::NotYetVisible { position, waiting_for, reply } => {
                DispatchError::NotYetVisible { position, waiting_for, reply }
            }
            Self::BadIdentity { command, id, reason } => DispatchError::BadIdentity { command, id, reason },
            Self::Incomplete(gap) => DispatchError::Incomplete(gap),
            Self::NoHandler { command } => DispatchError::NoHandler { command },
            Self::Undecodable { command, reason } => DispatchError::Undecodable { command, reason },
            Self::Unavailable { reason, retry_after } => DispatchError::Unavailable { reason, retry_after },
            Self::Timeout { command, outcome } => DispatchError::Timeout { command, outcome },
            Self::Failed { reason } => DispatchError::Failed { reason },
        }
    }

    /// A word for the kind of error, which stays as it is: for logs, counters and whoever reads them.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "rejected",
            Self::Refused(Refusal::Halted { .. }) => "halted",
            Self::Refused(Refusal::WrongVersion { .. }) => "wrong_version",
            Self::Refused(Refusal::NoVersion) => "no_version",
            Self::Refused(Refusal::Gone { .. }) => "gone",
            Self::Refused(Refusal::Metadata(_)) => "bad_metadata",
            Self::Conflict { .. } => "conflict",
            Self::NotYetVisible { .. } => "not_yet_visible",
            Self::BadIdentity { .. } => "bad_identity",
            Self::Incomplete(_) => "incomplete",
            Self::NoHandler { .. } => "no_handler",
            Self::Undecodable { .. } => "undecodable",
            Self::Unavailable { .. } => "unavailable",
            Self::Timeout { outcome: Outcome::NothingStored, .. } => "timeout_nothing_stored",
            Self::Timeout { outcome: Outcome::Unknown, .. } => "timeout",
            Self::Failed { .. } => "failed",
        }
    }

    /// Something is down for now and nothing was stored.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: RETRY_AFTER }
    }

    /// What a store error means to a dispatcher.
    #[must_use]
    pub fn from_store(command: &'static str, error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } | StoreError::Overloaded { .. } => {
                Self::unavailable(error.to_string())
            }
            StoreError::OutcomeUnknown { .. } => {
                // Whoever dispatched learns only that it is so.
                tracing::warn!(command, %error, "a command may have been carried out");
                Self::Timeout { command, outcome: Outcome::Unknown }
            }
            StoreError::Corrupt { .. } | StoreError::Failed { .. } => {
                Self::Failed { reason: error.to_string() }
            }
        }
    }

    /// What a refused append means to a dispatcher, once conflicts and claims have been dealt with.
    #[must_use]
    pub fn from_append(command: &'static str, error: &AppendError) -> Self {
        match error {
            AppendError::Store(error) => Self::from_store(command, error),
            AppendError::StreamDeleted(stream) => Self::Refused(Refusal::Gone { stream: stream.clone() }),
            error => Self::Failed { reason: error.to_string() },
        }
    }
}

/// A command handler that could not read what it needs has stored nothing yet.
impl<R> From<AskError> for DispatchError<R> {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Unavailable { reason, retry_after } => Self::Unavailable { reason, retry_after },
            AskError::Failed { reason } => Self::Failed { reason },
            error @ (AskError::NoHandler { .. } | AskError::Timeout { .. }) => {
                Self::unavailable(error.to_string())
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingStored => "nothing was stored",
            Self::Unknown => "it may have been stored: try again with the same command id",
        })
    }
}
