//! What went wrong with a process, and what shall become of it.

use std::{fmt, time::Duration};

use serde_json::{Map, Value};

use super::{ProcessManager, Reaction};
use crate::{
    event::{DecodeError, RecordedEvent},
    json::Json,
    message::Command,
};

/// What could not be handled, or which command could not be carried out.
#[derive(Debug)]
pub struct Failure<'a, P: ProcessManager> {
    /// Which instance; `None` when it is not known, because the event could not be read or routed.
    pub instance: Option<&'a str>,
    /// The event; `None` when it was a timer.
    pub recorded: Option<&'a RecordedEvent>,
    /// The timer's name; `None` when it was an event.
    pub timer: Option<&'a str>,
    /// Which attempt it was at this event, timer or command: 1 for the first.
    pub attempt: u32,
    /// What went wrong.
    pub cause: Cause<'a, P::Error>,
    /// What the instance remembers; for a command, the event that led to it included. `None` when it remembers nothing, or that cannot
    /// be read.
    pub state: Option<&'a P>,
    /// How many commands wait behind the one that failed.
    pub pending: usize,
    /// What the settings say of it: for failures of which the process manager has no opinion of its own.
    pub policy: Verdict,
}

/// What went wrong.
#[derive(Debug)]
pub enum Cause<'a, E> {
    /// The process manager gave this error.
    Error(&'a E),
    /// It panicked, with this message and where. What it knew is as it was.
    Panicked(&'a str),
    /// This program cannot read the event.
    Unreadable(&'a DecodeError),
    /// It was begun so often, and whoever began it did not live to say how it ended: it may end its process, or block its thread for good.
    /// It was not begun once more; nothing of it is known but the event. [`Verdict::Retry`] begins it now.
    Lost(u32),
    /// The instance was strictly to begin, and is there already.
    Started,
    /// The instance was strictly to go on, and is not there.
    NotStarted,
    /// What the instance remembers cannot be read.
    State(&'a str),
    /// What it answered cannot be stored.
    Refused(&'a str),
    /// This command of its was not carried out.
    Command(&'a CommandFailed),
    /// It was not done with the event within [`ManagerOptions::event_limit`](super::ManagerOptions::event_limit), which is this, and was
    /// broken off. What is left of its commands counts as `pending`: it waits with the event, or is left out with it.
    TookTooLong(Duration),
}

/// A command that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandFailed {
    /// The command's name.
    pub name: String,
    /// A word for the kind of failure, which stays as it is: `rejected`, `timeout`, `no_handler` and so on.
    pub code: &'static str,
    /// In words.
    pub reason: String,
    /// What its owner answered, when it said no.
    pub rejection: Option<Json>,
}

impl CommandFailed {
    /// Whether the same command may succeed later, by nobody's doing: its owner was busy or away, or did not answer in time.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        ["conflict", "no_handler", "unavailable", "timeout", "timeout_nothing_stored"].contains(&self.code)
    }
}

/// A command that was carried out, now or before.
#[derive(Clone, Copy, Debug)]
pub struct CommandDone<'a> {
    /// The command's name.
    pub name: &'a str,
    /// Its reply.
    pub reply: &'a Json,
}

/// Whether an instance goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// It stays as it is.
    Stay,
    /// It has come to its end: what it remembers and its timers are deleted.
    Stop,
}

/// What shall become of it.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is tried again after this time: the event, or the command alone, those before it not. The instance waits, others do not.
    Retry {
        /// How long.
        after: Duration,
    },
    /// The event counts as handled by this instance, and so for good; the command is left out, and those behind it follow.
    Skip,
    /// As [`Self::Skip`], and the commands behind this one are left out, too.
    SkipRest,
    /// For a command: instead of it and those behind it, the commands of this. Else as [`Self::Skip`].
    Instead(Reaction),
    /// The event becomes a dead letter, and what comes behind it of the same key waits there, too. Commands that are left wait with
    /// it, those that were carried out are not repeated. A timer has no place in the log; it is tried again after the longest pause,
    /// and the time that reminders wait (`host.process_patience_ms`).
    Park,
    /// The process manager fails with this reason, and its supervisor decides. What is not done comes again.
    Stop {
        /// Why.
        reason: String,
    },
}

/// What is noted of an event or a timer from one attempt to the next.
pub type Memory = Map<String, Value>;

impl CommandFailed {
    /// What the command's owner answered, if this is the command and it said no.
    #[must_use]
    pub fn rejection<C: Command>(&self) -> Option<C::Rejection> {
        if self.name != C::NAME {
            return None;
        }
        self.rejection.as_ref()?.decode().ok()
    }
}

impl CommandDone<'_> {
    /// Its reply, if this is the command.
    #[must_use]
    pub fn reply<C: Command>(&self) -> Option<C::Reply> {
        if self.name != C::NAME {
            return None;
        }
        self.reply.decode().ok()
    }
}

impl<E: fmt::Display> fmt::Display for Cause<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Unreadable(error) => error.fmt(f),
            Self::Lost(times) => crate::subscription::Lost(*times).fmt(f),
            Self::Started => f.write_str("the instance was to begin, and is there already"),
            Self::NotStarted => f.write_str("the instance was to go on, and is not there"),
            Self::State(reason) => write!(f, "what the instance remembers cannot be read: {reason}"),
            Self::Refused(reason) => write!(f, "what follows cannot be stored: {reason}"),
            Self::Command(failed) => failed.fmt(f),
            Self::TookTooLong(limit) => write!(f, "it was not done with within {limit:?}"),
        }
    }
}

impl fmt::Display for CommandFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command {} was not carried out: {}", self.name, self.reason)?;
        self.rejection.as_ref().map_or(Ok(()), |rejection| write!(f, ": {rejection}"))
    }
}
