//! How a process manager is run.

use std::{sync::Arc, time::Duration};

use crate::subscription::Start;

/// How a process manager is run. What is not said comes from the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagerOptions {
    /// See [`Self::start`].
    pub start: Start,
    /// See [`Self::categories`].
    pub categories: Option<Arc<[String]>>,
    /// See [`Self::partitions`].
    pub partitions: Option<u32>,
    /// See [`Self::idle`].
    pub idle: Option<Duration>,
    /// See [`Self::event_limit`].
    pub event_limit: Option<Duration>,
    /// See [`Self::ahead`].
    pub ahead: Option<u32>,
    /// See [`Self::strong_commands`].
    pub strong_commands: bool,
}

impl ManagerOptions {
    /// Where it begins when nothing is stored under its name. Unless said, with the first event there is.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Only events of streams of these categories.
    #[must_use]
    pub fn categories<T: Into<String>>(mut self, categories: impl IntoIterator<Item = T>) -> Self {
        self.categories = Some(categories.into_iter().map(Into::into).collect());
        self
    }

    /// Into how many partitions its events fall, each of which one node handles at a time. One unless said: then one node does all.
    /// Fixed when it first runs. Events of one instance should fall into one partition
    /// ([`ProcessManager::key`](super::ProcessManager::key)): their order across partitions is nobody's promise.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// How long an instance stays in memory after its last event. Whatever is said, it is read again when it is needed. Unless said,
    /// `host.process_idle_ms`.
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Self {
        self.idle = Some(time);
        self
    }

    /// How long an instance may take over an event, its commands and their retries included. What takes longer is broken off, and is an
    /// attempt that failed, with a cause of its own ([`Cause::TookTooLong`](super::Cause::TookTooLong)): it is begun again, left out, or
    /// becomes a dead letter, as is said of failures. Unless said, there is no limit.
    #[must_use]
    pub fn event_limit(mut self, time: Duration) -> Self {
        self.event_limit = Some(time);
        self
    }

    /// Events in hand at a time: those of instances that wait for a retry included, so that a few such do not hold up others. Unless
    /// said, `host.process_events_max`.
    #[must_use]
    pub fn ahead(mut self, events: u32) -> Self {
        self.ahead = Some(events);
        self
    }

    /// Its commands are dispatched with strong consistency, but for itself: the next one finds what the one before it led to. A command
    /// that is stored and not visible in time counts as carried out.
    #[must_use]
    pub fn strong_commands(mut self) -> Self {
        self.strong_commands = true;
        self
    }
}
