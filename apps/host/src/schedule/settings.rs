//! The settings of scheduled commands, section `[schedule]`.

use std::time::Duration;

use serde::Deserialize;
use umbel_bus::at_least_one;
use umbel_core::schedule::Bounds;

/// Bounds and times of scheduled commands, each at least 1 but for `late_after_ms` and
/// `undeclared_after_ms`. They are documented in `config/default.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleSettings {
    /// How long an app waits for a wake-up before it looks what is due.
    #[serde(deserialize_with = "at_least_one")]
    pub poll_ms: u64,
    /// Scheduled commands of one app that are carried out at the same time.
    #[serde(deserialize_with = "at_least_one")]
    pub in_flight_max: u32,
    /// How long a scheduled command may take.
    #[serde(deserialize_with = "at_least_one")]
    pub deadline_ms: u64,
    /// The pause before the first retry; doubled with each.
    #[serde(deserialize_with = "at_least_one")]
    pub retry_min_ms: u64,
    /// The longest pause before a retry.
    #[serde(deserialize_with = "at_least_one")]
    pub retry_max_ms: u64,
    /// How often a command is tried before it is kept as failed.
    #[serde(deserialize_with = "at_least_one")]
    pub attempts_max: u32,
    /// How late a recurring command may be until that time counts as missed.
    pub late_after_ms: u64,
    /// How long a due recurring command that the code does not declare is left alone before it is taken back.
    pub undeclared_after_ms: u64,
}

impl ScheduleSettings {
    pub(super) const fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    pub(super) const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    pub(super) const fn undeclared_after(&self) -> Duration {
        Duration::from_millis(self.undeclared_after_ms)
    }

    /// A run is left alone for twice its deadline: then whoever took it has settled it, or is gone.
    pub(super) fn bounds(&self) -> Bounds {
        let micros = |millis: u64| i64::try_from(millis.saturating_mul(1000)).unwrap_or(i64::MAX);
        Bounds {
            lease_micros: micros(self.deadline_ms.saturating_mul(2)),
            late_after_micros: micros(self.late_after_ms),
            retry_min_micros: micros(self.retry_min_ms),
            retry_max_micros: micros(self.retry_max_ms),
            attempts_max: self.attempts_max,
        }
    }
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self {
            poll_ms: 1000,
            in_flight_max: 16,
            deadline_ms: 30_000,
            retry_min_ms: 1000,
            retry_max_ms: 600_000,
            attempts_max: 100,
            late_after_ms: 60_000,
            undeclared_after_ms: 1_800_000,
        }
    }
}
