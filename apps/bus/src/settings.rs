//! The bus's settings, section `[bus]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{returning::Returning, topics::check_name, visible::Consistency};

/// Bounds and times of the bus, each at least 1 but for those of the tail. They are documented in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// Messages that wait in one actor's mailbox before senders wait for room.
    #[serde(deserialize_with = "at_least_one")]
    pub mailbox_capacity: usize,
    /// How long a send may take when the caller does not say, in milliseconds.
    #[serde(deserialize_with = "at_least_one")]
    pub default_deadline_ms: u64,
    /// Events of this process that are kept for those who follow the log; none when it is 0.
    pub tail_max_events: usize,
    /// Bytes of data and metadata of these; nothing is kept when it is 0.
    pub tail_max_bytes: usize,
    /// Notices that a subscriber of a topic may lag behind before it misses some, when it does not say.
    #[serde(deserialize_with = "at_least_one")]
    pub topic_capacity: usize,
    /// Names of topics that are there from the start; they carry whatever is published on them until a type is registered.
    #[serde(deserialize_with = "topic_names")]
    pub topics: Vec<String>,
    /// Topics there may be at a time.
    #[serde(deserialize_with = "at_least_one")]
    pub topics_max: usize,
    /// Subscribers there may be at a time.
    #[serde(deserialize_with = "at_least_one")]
    pub topic_subscribers_max: usize,
    /// Tracked events that may be pending at a time.
    #[serde(deserialize_with = "at_least_one")]
    pub topic_pending_max: usize,
    /// How long a tracked event waits for its subscribers when it does not say, in milliseconds.
    #[serde(deserialize_with = "at_least_one")]
    pub topic_ttl_ms: u64,
    /// Events that are read at once for topics of the log, and for their subscribers that catch up.
    #[serde(deserialize_with = "at_least_one")]
    pub topic_log_batch: u32,
    /// How long topics of the log wait after the store has failed, in milliseconds.
    #[serde(deserialize_with = "at_least_one")]
    pub topic_log_retry_ms: u64,
    /// What a dispatch returns beside the reply when the caller does not say.
    pub returning: Returning,
    /// What a dispatch awaits when neither the caller nor the app that owns the command says: nothing or everybody, never some by name.
    pub consistency: Consistency,
    /// How long a subscriber may take over one tracked event when it does not say, in milliseconds.
    #[serde(deserialize_with = "at_least_one")]
    pub topic_lease_ms: u64,
}

impl BusSettings {
    /// How long a send may take when the caller does not say.
    #[must_use]
    pub const fn default_deadline(&self) -> Duration {
        Duration::from_millis(self.default_deadline_ms)
    }

    /// How long a tracked event waits for its subscribers when it does not say.
    #[must_use]
    pub const fn topic_ttl(&self) -> Duration {
        Duration::from_millis(self.topic_ttl_ms)
    }

    /// How long topics of the log wait after the store has failed.
    #[must_use]
    pub const fn topic_log_retry(&self) -> Duration {
        Duration::from_millis(self.topic_log_retry_ms)
    }

    /// How long a subscriber may take over one tracked event when it does not say.
    #[must_use]
    pub const fn topic_lease(&self) -> Duration {
        Duration::from_millis(self.topic_lease_ms)
    }
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            mailbox_capacity: 1024,
            default_deadline_ms: 5000,
            returning: Returning::Reply,
            consistency: Consistency::Eventual,
            tail_max_events: 4096,
            tail_max_bytes: 8 << 20,
            topic_capacity: 1024,
            topics: Vec::new(),
            topics_max: 10_000,
            topic_subscribers_max: 1000,
            topic_pending_max: 10_000,
            topic_ttl_ms: 60_000,
            topic_lease_ms: 30_000,
            topic_log_batch: 100,
            topic_log_retry_ms: 500,
        }
    }
}

/// Names separated by commas, each of which can name a topic.
fn topic_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| check_name(name).map(|()| name.to_owned()).map_err(D::Error::custom)).collect()
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
