//! The hosts' settings, section `[host]`.

use std::time::Duration;

use serde::Deserialize;

/// Bounds and times of the hosts. Each is documented in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSettings {
    /// Live aggregates of one kind; the longest idle make room for others.
    pub aggregates_live_max: usize,
    /// An aggregate without commands for so long gives its memory back.
    pub aggregate_idle_ms: u64,
    /// Commands that may wait for one aggregate before further ones are refused as "not available".
    pub aggregate_waiting_max: usize,
    /// How often a command is decided again because another writer was faster.
    pub conflict_retries: u32,
    /// Commands and queries that one host works on at the same time; further ones wait in its mailbox.
    pub in_flight_max: usize,
    /// Events per transaction of a projection.
    pub projection_batch: u32,
    /// How long a projection waits for a wake-up before it looks for itself.
    pub projection_poll_ms: u64,
}

impl HostSettings {
    pub(crate) const fn aggregate_idle(&self) -> Duration {
        Duration::from_millis(self.aggregate_idle_ms)
    }

    pub(crate) const fn projection_poll(&self) -> Duration {
        Duration::from_millis(self.projection_poll_ms)
    }
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            aggregates_live_max: 10_000,
            aggregate_idle_ms: 300_000,
            aggregate_waiting_max: 256,
            conflict_retries: 10,
            in_flight_max: 1024,
            projection_batch: 500,
            projection_poll_ms: 500,
        }
    }
}
