//! What went wrong with an event, and what shall become of it.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};
use umbel_core::{DecodeError, Place, RecordedEvent};
use umbel_supervision::describe_panic;

use super::options::FailurePolicy;
use crate::subscription::Delivered;

/// An event that could not be handled.
#[derive(Debug)]
pub struct Failure<'a, E: ?Sized> {
    /// Which handler.
    pub handler: &'static str,
    /// Which event.
    pub recorded: &'a RecordedEvent,
    /// Which attempt it was: 1 for the first.
    pub attempt: u32,
    /// Whether it is a dead letter that was tried again.
    pub letter: bool,
    /// What went wrong.
    pub cause: Cause<'a, E>,
    /// What the options, the app or the settings say of it: for failures of which the handler has no opinion of its own. To the app, what the
    /// settings say.
    pub policy: Verdict,
}

impl<E: fmt::Display + ?Sized> Failure<'_, E> {
    /// What another policy says of it than [the one that counts](Self::policy): for failures of a class that are tried again more often, or
    /// with longer pauses, than others. Attempts at the event count, whatever it failed over before.
    #[must_use]
    pub fn by(&self, policy: FailurePolicy) -> Verdict {
        let policy = if matches!(self.cause, Cause::Lost(_)) { policy.of_lost() } else { policy };
        policy.verdict(self.recorded.id.0, self.attempt, &self.cause.to_string())
    }
}

/// What went wrong with an event.
#[derive(Debug)]
pub enum Cause<'a, E: ?Sized> {
    /// The handler gave this error.
    Error(&'a E),
    /// The handler panicked, with this message. What it knew is lost: it begins anew.
    Panicked(&'a str),
    /// This program cannot read the event.
    Unreadable(&'a DecodeError),
    /// It was begun so often, and whoever began it did not live to say how it ended: it may end its process, or block its thread for good.
    /// It was not begun once more. [`Verdict::Retry`] begins it now. Unless the policy says otherwise an event that is parked or skipped in
    /// the end is begun twice, whatever else may be tried more often.
    Lost(u32),
}

/// What shall become of an event that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is handled again after this time; its key waits, others do not. So is a dead letter that was asked for, as long as this process
    /// keeps the lease; nothing is recorded of it meanwhile, and it stays a letter that was asked for.
    Retry {
        /// How long.
        after: Duration,
    },
    /// It counts as handled.
    Skip,
    /// It becomes a dead letter, and what comes behind it of the same key waits there, too.
    Park,
    /// The handler fails with this reason, and is started again alone, with growing pauses. The event is not handled; it comes again.
    Stop {
        /// Why.
        reason: String,
    },
}

/// What an app says of failures in its handlers.
pub(crate) type AppPolicy = Arc<dyn Fn(&Failure<'_, dyn fmt::Display>) -> Verdict + Send + Sync>;

/// What is said of the failures of a handler that has no opinion of its own.
#[derive(Clone)]
pub(super) struct Policy {
    /// By its options, or else by the settings.
    pub(super) said: FailurePolicy,
    /// By its app, unless its options say.
    pub(super) app: Option<AppPolicy>,
}

impl Policy {
    /// What becomes of an event that was not handled, of which the options or the settings say what they do; and whatever went wrong in
    /// finding that out.
    pub(super) fn verdict(&self, failure: &Failure<'_, dyn fmt::Display>) -> (Verdict, Option<String>) {
        let said = || failure.policy.clone();
        let Some(app) = &self.app else { return (said(), None) };
        match catch_unwind(AssertUnwindSafe(|| app(failure))) {
            Ok(verdict) => (verdict, None),
            Err(panic) => {
                let cause = describe_panic(&*panic);
                (said(), Some(format!("the app's policy panicked over it: {cause}")))
            }
        }
    }
}

/// What a handler notes of an event from one attempt to the next, as long as the process lives.
pub type Memory = Map<String, Value>;

/// The memories of all events that are tried again, by how often the subscription was reset and the place.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<BTreeMap<(u64, Place), Memory>>);

/// Memories at most: far more than events that wait for a retry. Then the oldest are forgotten.
const MEMORIES_MAX: usize = 10_000;

impl Memories {
    pub(super) fn take(&self, delivered: &Delivered) -> Memory {
        self.all().remove(&(delivered.resets, delivered.place)).unwrap_or_default()
    }

    pub(super) fn keep(&self, delivered: &Delivered, memory: Memory) {
        let mut all = self.all();
        if !memory.is_empty() {
            all.insert((delivered.resets, delivered.place), memory);
        }
        while all.len() > MEMORIES_MAX {
            all.pop_first();
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(u64, Place), Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: ?Sized> Clone for Cause<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: ?Sized> Copy for Cause<'_, E> {}

impl<E: fmt::Display + ?Sized> fmt::Display for Cause<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Unreadable(error) => error.fmt(f),
            Self::Lost(times) => umbel_core::subscription::Lost(*times).fmt(f),
        }
    }
}
