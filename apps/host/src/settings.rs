//! The hosts' settings, section `[host]`.

use std::time::Duration;

use serde::Deserialize;
use umbel_bus::at_least_one;

use crate::{schedule::ScheduleSettings, subscription::SubscriptionSettings};

/// Bounds and times of the hosts, each at least 1 but for `conflict_retries`. They are documented in
/// `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSettings {
    /// Live aggregates of one kind; the longest idle make room for others.
    #[serde(deserialize_with = "at_least_one")]
    pub aggregates_live_max: usize,
    /// An aggregate without commands for so long gives its memory back.
    #[serde(deserialize_with = "at_least_one")]
    pub aggregate_idle_ms: u64,
    /// Commands that may wait for one aggregate, or for one item of the queries of a boundary, before further ones are refused as "not available".
    #[serde(deserialize_with = "at_least_one")]
    pub aggregate_waiting_max: usize,
    /// How often a command is decided again because another writer was faster.
    pub conflict_retries: u32,
    /// Commands and queries that one host works on at the same time; further ones wait in its mailbox.
    #[serde(deserialize_with = "at_least_one")]
    pub in_flight_max: usize,
    /// Events per transaction of a projection.
    #[serde(deserialize_with = "at_least_one")]
    pub projection_batch: u32,
    /// How long a projection waits for a wake-up before it looks for itself.
    #[serde(deserialize_with = "at_least_one")]
    pub projection_poll_ms: u64,
    /// How often a projection looks whether a rebuild was asked for, or another version serves.
    #[serde(deserialize_with = "at_least_one")]
    pub projection_look_ms: u64,
    /// How long what is called after a commit of a projection may take before it is given up.
    #[serde(deserialize_with = "at_least_one")]
    pub projection_hook_ms: u64,
    /// How long an answer waits, at most, for the documents of an inline projection that its append has not written, because it is being built
    /// or has fallen behind.
    #[serde(deserialize_with = "at_least_one")]
    pub inline_patience_ms: u64,
    /// The pause before the first further attempt of a projection, or of who keeps notices, when the store refuses.
    #[serde(deserialize_with = "at_least_one")]
    pub store_retry_min_ms: u64,
    /// The longest such pause.
    #[serde(deserialize_with = "at_least_one")]
    pub store_retry_max_ms: u64,
    /// Notices that one recorder stores at once, at most.
    #[serde(deserialize_with = "at_least_one")]
    pub notices_batch: usize,
    /// How long a recorded notice waits for others before it is stored.
    #[serde(deserialize_with = "at_least_one")]
    pub notices_batch_within_ms: u64,
    /// Notices that wait at one recorder while the store is away.
    #[serde(deserialize_with = "at_least_one")]
    pub notices_waiting_max: usize,
    /// How long notices are kept that do not say so themselves.
    #[serde(deserialize_with = "at_least_one")]
    pub notices_ttl_ms: u64,
    /// Events that one process manager has in hand.
    #[serde(deserialize_with = "at_least_one")]
    pub process_events_max: u32,
    /// Instances of one process manager in memory; the longest idle make room for others.
    #[serde(deserialize_with = "at_least_one")]
    pub process_instances_max: usize,
    /// An instance without events for so long gives its memory back.
    #[serde(deserialize_with = "at_least_one")]
    pub process_idle_ms: u64,
    /// How long a process manager waits for its timers before it looks for those that others have set.
    #[serde(deserialize_with = "at_least_one")]
    pub process_poll_ms: u64,
    /// How long whoever has stored commands of a process has to dispatch them before others look after them.
    #[serde(deserialize_with = "at_least_one")]
    pub process_patience_ms: u64,
    /// Subscriptions and handlers of events: a section of their own, `[subscriptions]`.
    #[serde(skip)]
    pub subscriptions: SubscriptionSettings,
    /// Scheduled commands: a section of their own, `[schedule]`.
    #[serde(skip)]
    pub schedule: ScheduleSettings,
}

impl HostSettings {
    pub(crate) const fn aggregate_idle(&self) -> Duration {
        Duration::from_millis(self.aggregate_idle_ms)
    }

    pub(crate) const fn projection_poll(&self) -> Duration {
        Duration::from_millis(self.projection_poll_ms)
    }

    pub(crate) const fn process_idle(&self) -> Duration {
        Duration::from_millis(self.process_idle_ms)
    }

    pub(crate) const fn process_poll(&self) -> Duration {
        Duration::from_millis(self.process_poll_ms)
    }

    pub(crate) const fn process_patience(&self) -> Duration {
        Duration::from_millis(self.process_patience_ms)
    }

    pub(crate) const fn projection_look(&self) -> Duration {
        Duration::from_millis(self.projection_look_ms)
    }

    pub(crate) const fn projection_hook(&self) -> Duration {
        Duration::from_millis(self.projection_hook_ms)
    }

    pub(crate) const fn inline_patience(&self) -> Duration {
        Duration::from_millis(self.inline_patience_ms)
    }

    /// The pause before the first further attempt when the store refuses.
    pub(crate) const fn store_retry_min(&self) -> Duration {
        Duration::from_millis(self.store_retry_min_ms)
    }

    /// The pause behind this one: they grow up to the longest.
    pub(crate) fn store_retry_after(&self, pause: Duration) -> Duration {
        (pause * 2).min(Duration::from_millis(self.store_retry_max_ms))
    }

    pub(crate) const fn notices_batch_within(&self) -> Duration {
        Duration::from_millis(self.notices_batch_within_ms)
    }

    pub(crate) const fn notices_ttl(&self) -> Duration {
        Duration::from_millis(self.notices_ttl_ms)
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
            projection_look_ms: 1000,
            projection_hook_ms: 10_000,
            inline_patience_ms: 1000,
            store_retry_min_ms: 50,
            store_retry_max_ms: 5000,
            notices_batch: 500,
            notices_batch_within_ms: 200,
            notices_waiting_max: 10_000,
            notices_ttl_ms: 604_800_000,
            process_events_max: 256,
            process_instances_max: 10_000,
            process_idle_ms: 300_000,
            process_poll_ms: 500,
            process_patience_ms: 30_000,
            subscriptions: SubscriptionSettings::default(),
            schedule: ScheduleSettings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use umbel_settings::{LoadOptions, Settings};

    use crate::Foundation;

    /// Given a bound of nothing, the settings are refused by the key's name, before anything could spin or hang on it.
    #[test]
    fn bounds_of_nothing_are_refused() {
        let bus = [
            "mailbox_capacity",
            "default_deadline_ms",
            "topic_capacity",
            "topics_max",
            "topic_subscribers_max",
            "topic_pending_max",
            "topic_ttl_ms",
            "topic_lease_ms",
            "topic_log_batch",
            "topic_log_retry_ms",
        ]
        .map(|key| format!("bus.{key}"));
        let host = [
            "aggregates_live_max",
            "aggregate_idle_ms",
            "aggregate_waiting_max",
            "in_flight_max",
            "projection_batch",
            "projection_poll_ms",
            "projection_look_ms",
            "projection_hook_ms",
            "inline_patience_ms",
            "store_retry_min_ms",
            "store_retry_max_ms",
            "notices_batch",
            "notices_batch_within_ms",
            "notices_waiting_max",
            "notices_ttl_ms",
            "process_events_max",
            "process_instances_max",
            "process_idle_ms",
            "process_poll_ms",
            "process_patience_ms",
        ];
        let subscriptions = [
            "lease_ms",
            "poll_ms",
            "buffer",
            "batch",
            "checkpoint_after",
            "store_retry_min_ms",
            "store_retry_max_ms",
            "retry_min_ms",
            "retry_max_ms",
        ]
        .map(|key| format!("subscriptions.{key}"));
        let schedule =
            ["poll_ms", "in_flight_max", "deadline_ms", "retry_min_ms", "retry_max_ms", "attempts_max"]
                .map(|key| format!("schedule.{key}"));
        let host = host.map(|key| format!("host.{key}"));
        for key in bus.into_iter().chain(host).chain(subscriptions).chain(schedule) {
            let load = |value: &str| {
                let overrides = vec![(key.clone(), value.to_owned())];
                let settings = Settings::load(&LoadOptions { overrides, ..LoadOptions::default() }).unwrap();
                Foundation::from_settings(settings)
            };
            let told = load("0").unwrap_err().to_string();
            assert_eq!(told, format!("`{key}` in the command line is not valid: must be at least 1"));
            load("1").unwrap();
        }
    }

    #[test]
    fn no_retries_are_a_choice() {
        let overrides = vec![("host.conflict_retries".to_owned(), "0".to_owned())];
        let settings = Settings::load(&LoadOptions { overrides, ..LoadOptions::default() }).unwrap();
        Foundation::from_settings(settings).unwrap();
    }
}
