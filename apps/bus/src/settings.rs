//! The bus's settings, section `[bus]`.

use std::time::Duration;

use serde::Deserialize;

/// Bounds and times of the bus. Each is documented in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// Messages that wait in one actor's mailbox before senders wait for room.
    pub mailbox_capacity: usize,
    /// How long a send may take when the caller does not say, in milliseconds.
    pub default_deadline_ms: u64,
    /// Notices that a subscriber of a topic may lag behind before it misses some.
    pub topic_capacity: usize,
}

impl BusSettings {
    /// How long a send may take when the caller does not say.
    #[must_use]
    pub const fn default_deadline(&self) -> Duration {
        Duration::from_millis(self.default_deadline_ms)
    }
}

impl Default for BusSettings {
    fn default() -> Self {
        Self { mailbox_capacity: 1024, default_deadline_ms: 5000, topic_capacity: 1024 }
    }
}
