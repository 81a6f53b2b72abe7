//! What a group of children is promised: when to restart whom, how often, and how long to wait.
//!
//! Plain data. [`Policy`] reads from a config section with flat keys whose units are in their names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decision::Ending;

/// When a child that ended without being told to is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Always: the system is not whole without it.
    #[default]
    Permanent,
    /// Unless it said itself that it is done, by returning `Ok`. After an error or a panic it is started again.
    Transient,
    /// Never.
    Temporary,
    /// Always, and on its own account: its failures count against no intensity and take nobody along, also those of its first start, and
    /// its group is up without it. The waits between them grow by its own recent failures. For what others do not need in order to go on.
    Independent,
}

impl Restart {
    /// Whether it is started again after such an end.
    pub(crate) fn revives(self, ending: Ending) -> bool {
        match self {
            Self::Permanent | Self::Independent => true,
            Self::Transient => ending != Ending::Done,
            Self::Temporary => false,
        }
    }
}

/// Who is restarted along with a child that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The child alone.
    #[default]
    OneForOne,
    /// The child and those declared after it, which are taken to depend on it.
    RestForOne,
    /// Every child of the group.
    OneForAll,
}

/// How many restarts a group bears before it gives up and fails itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// So many restarts are made; the failure after them escalates. 0: the first failure does.
    pub max_restarts: u32,
    /// Restarts longer ago than this no longer count.
    pub within: Duration,
}

/// The wait before a restart: doubled with each recent restart, with jitter, so that many children that lost the same
/// dependency do not come back at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait, and the least.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

/// How a thread is watched: it is asked to run a trivial task, and deemed blocked when it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The pause between an answer and the next question.
    pub every: Duration,
    /// A thread that has not answered for so long is replaced.
    pub limit: Duration,
}

/// Everything a group promises its children. As a config section:
///
/// ```toml
/// strategy = "one_for_one"
/// max_restarts = 5
/// restarts_within_ms = 30000
/// backoff_min_ms = 100
/// backoff_max_ms = 5000
/// heartbeat_every_ms = 1000   # 0: threads are not watched
/// heartbeat_limit_ms = 5000
/// start_within_ms = 30000
/// stop_within_ms = 10000
/// ```
///
/// The values above are the defaults, for each key that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Policy {
    /// Who is restarted along with a child that failed.
    pub strategy: Strategy,
    /// How many restarts are borne before the group fails itself.
    pub intensity: Intensity,
    /// How long to wait before a restart.
    pub backoff: Backoff,
    /// How the threads of the group and of its workers are watched. None: they are not.
    pub heartbeat: Option<Heartbeat>,
    /// A worker that is not ready after this has failed.
    pub start_within: Duration,
    /// A worker that has not stopped this long after it was told to is abandoned.
    pub stop_within: Duration,
}

impl Policy {
    /// This policy with another strategy.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::try_from(Keys::default()).expect("the default keys satisfy their own rules")
    }
}

/// [`Policy`] as it is written in a config file.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    strategy: Strategy,
    max_restarts: u32,
    restarts_within_ms: u64,
    backoff_min_ms: u64,
    backoff_max_ms: u64,
    heartbeat_every_ms: u64,
    heartbeat_limit_ms: u64,
    start_within_ms: u64,
    stop_within_ms: u64,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            max_restarts: 5,
            restarts_within_ms: 30_000,
            backoff_min_ms: 100,
            backoff_max_ms: 5_000,
            heartbeat_every_ms: 1_000,
            heartbeat_limit_ms: 5_000,
            start_within_ms: 30_000,
            stop_within_ms: 10_000,
        }
    }
}

impl TryFrom<Keys> for Policy {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        if keys.backoff_min_ms > keys.backoff_max_ms {
            let (min, max) = (keys.backoff_min_ms, keys.backoff_max_ms);
            return Err(format!("backoff_min_ms ({min}) is more than backoff_max_ms ({max})"));
        }
        let needed = [
            ("restarts_within_ms", keys.restarts_within_ms),
            ("start_within_ms", keys.start_within_ms),
            ("stop_within_ms", keys.stop_within_ms),
        ];
        if let Some((name, _)) = needed.iter().find(|(_, ms)| *ms == 0) {
            return Err(format!("{name} must be more than 0"));
        }
        if keys.heartbeat_every_ms > 0 && keys.heartbeat_limit_ms == 0 {
            return Err(
                "heartbeat_limit_ms must be more than 0; heartbeat_every_ms = 0 switches heartbeats off"
                    .to_owned(),
            );
        }
        let ms = Duration::from_millis;
        Ok(Self {
            strategy: keys.strategy,
            intensity: Intensity { max_restarts: keys.max_restarts, within: ms(keys.restarts_within_ms) },
            backoff: Backoff { min: ms(keys.backoff_min_ms), max: ms(keys.backoff_max_ms) },
            heartbeat: (keys.heartbeat_every_ms > 0).then(|| Heartbeat {
                every: ms(keys.heartbeat_every_ms),
                limit: ms(keys.heartbeat_limit_ms),
            }),
            start_within: ms(keys.start_within_ms),
            stop_within: ms(keys.stop_within_ms),
        })
    }
}

impl From<Policy> for Keys {
    fn from(policy: Policy) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            strategy: policy.strategy,
            max_restarts: policy.intensity.max_restarts,
            restarts_within_ms: ms(policy.intensity.within),
            backoff_min_ms: ms(policy.backoff.min),
            backoff_max_ms: ms(policy.backoff.max),
            heartbeat_every_ms: policy.heartbeat.map_or(0, |heartbeat| ms(heartbeat.every)),
            heartbeat_limit_ms: policy
                .heartbeat
                .map_or(Self::default().heartbeat_limit_ms, |heartbeat| ms(heartbeat.limit)),
            start_within_ms: ms(policy.start_within),
            stop_within_ms: ms(policy.stop_within),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn keys_left_out_have_their_defaults() {
        assert_eq!(parse("").unwrap(), Policy::default());
        let policy =
            parse("strategy = 'rest_for_one'\nbackoff_max_ms = 700\nheartbeat_every_ms = 0").unwrap();
        let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_millis(700) };
        assert_eq!(
            policy,
            Policy { strategy: Strategy::RestForOne, backoff, heartbeat: None, ..Policy::default() }
        );
    }

    #[test]
    fn the_documented_config_has_the_same_defaults() {
        let mut config: toml::Table = toml::from_str(include_str!("../../../config/default.toml")).unwrap();
        let section = config.remove("supervision").unwrap();
        assert_eq!(section.try_into::<Policy>().unwrap(), Policy::default());
    }

    #[test]
    fn it_reads_what_it_writes() {
        let written = toml::Table::try_from(Policy::default()).unwrap();
        assert_eq!(written.try_into::<Policy>().unwrap(), Policy::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let cases = [
            ("backoff_min_ms = 9000", "backoff_min_ms (9000) is more than backoff_max_ms (5000)"),
            ("stop_within_ms = 0", "stop_within_ms must be more than 0"),
            (
                "heartbeat_limit_ms = 0",
                "heartbeat_limit_ms must be more than 0; heartbeat_every_ms = 0 switches heartbeats off",
            ),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
        assert!(parse("max_restart = 3").unwrap_err().contains("unknown field `max_restart`"));
    }
}
