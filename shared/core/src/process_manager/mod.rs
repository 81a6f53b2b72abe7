//! Process managers: events in, commands out, with a state of their own and timers. Pure functions; the host does the rest.
//!
//! What an author writes is [`ProcessManager`]. What follows from it is decided here as well: [`decide`] says for an instance and
//! what has happened which one append makes it so, [`settle`] which one ends it. An instance is kept as one document, its
//! [`File`]; who read a file can replace it only while it is as they read it, and what was handled is recorded under an id
//! that depends on nothing but names. So whoever handles an event again, or at the same time, changes nothing.

mod cue;
mod decide;
mod failure;
mod file;
mod options;
mod reaction;
mod route;

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    event::{EventSet, RecordedEvent},
    json::Json,
    personal::Subject,
};

pub use cue::{Cue, Occasion, Origin};
pub use decide::{
    Decision, Settled, Task, Trouble, decide, forget, put_off, queue, record_id, settle, skip,
    upgrade_or_decode,
};
pub use failure::{Cause, CommandDone, CommandFailed, Failure, Memory, Onward, Verdict};
pub use file::{COLLECTION, File, Pending, Reminder, Timer, key};
pub use options::ManagerOptions;
pub use reaction::{Order, Reaction, TimerChange};
pub use route::{Instances, Interest, Route, Step};

/// A process: what follows from what happened, over several aggregates and over time. Its state is the value itself; there is one
/// for each of its instances, such as one for each order.
///
/// An instance is given what concerns it in order, one after the other. What it answers to an event, and what it remembers of it, is
/// stored as one; then its commands are dispatched, in order.
pub trait ProcessManager: Default + Serialize + DeserializeOwned + Send + 'static {
    /// Stable name, `app.process`; its instances, its progress and its dead letters are kept under it.
    const NAME: &'static str;
    /// Version of the state's shape, from 1; see [`Self::upgrade`].
    const SCHEMA: u32 = 1;
    /// Whether callers that ask for strong consistency wait until its commands are carried out.
    const STRONG: bool = false;
    /// The events it wants. Others are not even read.
    type Event: EventSet + Sync;
    /// Why it cannot handle an event.
    type Error: fmt::Display + Send + 'static;

    /// How it is run.
    #[must_use]
    fn options() -> ManagerOptions {
        ManagerOptions::default()
    }

    /// Which instances an event concerns, and whether it begins, continues or ends them.
    fn route(event: &Self::Event, recorded: &RecordedEvent) -> Route;

    /// What follows from an event, or from a timer that has run out. Called again when somebody else was faster.
    ///
    /// # Errors
    /// When it cannot say; [`Self::on_error`] decides what becomes of it.
    fn handle(&self, cue: Cue<'_, Self::Event>, occasion: &Occasion<'_>) -> Result<Reaction, Self::Error>;

    /// What it remembers of it. Facts are not argued with: this cannot fail.
    #[must_use]
    fn evolve(self, cue: Cue<'_, Self::Event>) -> Self;

    /// Whose personal data its [`Personal`](crate::Personal) fields are: what it remembers is kept with these sealed, and once the subject
    /// is forgotten they read as forgotten. `None`, the default, when it has none.
    fn subject(&self) -> Option<Subject> {
        None
    }

    /// Whether it goes on now that one of its commands was carried out. Those that are left are dispatched in any case.
    #[must_use]
    fn after_command(&self, done: &CommandDone<'_>) -> Onward {
        let _unused = done;
        Onward::Stay
    }

    /// What becomes of what it could not handle, and of commands that could not be carried out. `memory` is what it noted of the same
    /// event or timer before, as long as the process lives. Unless overridden, the settings say; if it panics, too.
    #[must_use]
    fn on_error(failure: &Failure<'_, Self>, memory: &mut Memory) -> Verdict {
        let _unused = memory;
        failure.policy.clone()
    }

    /// What must be handled in order, where the events fall into several partitions: those for which this gives the same text. Those of
    /// a stream, unless it says otherwise.
    #[must_use]
    fn key(recorded: &RecordedEvent) -> String {
        recorded.stream.as_str().to_owned()
    }

    /// A state that was stored in an older shape, in the one of today. `None`, the default, when it cannot be told: then
    /// [`Cause::State`] goes to [`Self::on_error`].
    #[must_use]
    fn upgrade(schema: u32, state: &Json) -> Option<Self> {
        let _unused = (schema, state);
        None
    }
}

#[cfg(test)]
mod tests;
