//! The settings of subscriptions, section `[subscriptions]`.

use std::time::Duration;

use serde::Deserialize;
use umbel_bus::at_least_one;

/// Bounds and times of subscriptions and of handlers of events that do not say otherwise. They are documented in
/// `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// How long a node that died keeps its partitions.
    #[serde(deserialize_with = "at_least_one")]
    pub lease_ms: u64,
    /// How long a subscription waits for an announcement before it looks for itself.
    #[serde(deserialize_with = "at_least_one")]
    pub poll_ms: u64,
    /// Events that wait in this process or are being handled.
    #[serde(deserialize_with = "at_least_one")]
    pub buffer: u32,
    /// Events that are handed over at once.
    #[serde(deserialize_with = "at_least_one")]
    pub batch: u32,
    /// Events after which a checkpoint is saved.
    #[serde(deserialize_with = "at_least_one")]
    pub checkpoint_after: u32,
    /// The time after which a checkpoint is saved.
    pub checkpoint_within_ms: u64,
    /// The pause after the store failed to do one kind of thing; each further failure in a row doubles it.
    #[serde(deserialize_with = "at_least_one")]
    pub store_retry_min_ms: u64,
    /// The longest such pause.
    #[serde(deserialize_with = "at_least_one")]
    pub store_retry_max_ms: u64,
    /// What becomes of an event that a handler cannot handle.
    pub on_failure: OnFailure,
    /// How often an event is tried again before it is parked or skipped.
    pub retries_max: u32,
    /// The pause before the first retry.
    #[serde(deserialize_with = "at_least_one")]
    pub retry_min_ms: u64,
    /// The longest pause before a retry.
    #[serde(deserialize_with = "at_least_one")]
    pub retry_max_ms: u64,
}

/// What becomes of an event that a handler cannot handle, when the handler does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The handler fails, and is started again alone, with growing pauses.
    Stop,
    /// It is tried again for ever, with growing pauses.
    Backoff,
    /// It is tried again some times, with growing pauses, and then becomes a dead letter.
    Park,
    /// It is tried again some times, with growing pauses, and then counts as handled.
    Skip,
}

impl SubscriptionSettings {
    pub(crate) const fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self {
            lease_ms: 3000,
            poll_ms: 500,
            buffer: 4000,
            batch: 100,
            checkpoint_after: 1000,
            checkpoint_within_ms: 200,
            store_retry_min_ms: 100,
            store_retry_max_ms: 5000,
            on_failure: OnFailure::Park,
            retries_max: 10,
            retry_min_ms: 100,
            retry_max_ms: 30_000,
        }
    }
}
