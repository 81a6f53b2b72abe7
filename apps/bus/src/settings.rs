//! The bus's settings, section `[bus]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

/// Bounds and times of the bus, each at least 1. They are documented in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// Messages that wait in one actor's mailbox before senders wait for room.
    #[serde(deserialize_with = "at_least_one")]
    pub mailbox_capacity: usize,
    /// How long a send may take when the caller does not say, in milliseconds.
    #[serde(deserialize_with = "at_least_one")]
    pub default_deadline_ms: u64,
    /// Notices that a subscriber of a topic may lag behind before it misses some.
    #[serde(deserialize_with = "at_least_one")]
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

/// Deserialises a bound or a time of which nothing is left at 0, and refuses that while it is known which setting it
/// came from.
///
/// # Errors
/// When the number is 0, or none.
pub fn at_least_one<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: Deserialize<'de> + Default + PartialEq,
{
    let number = N::deserialize(deserializer)?;
    if number == N::default() { Err(D::Error::custom("must be at least 1")) } else { Ok(number) }
}
