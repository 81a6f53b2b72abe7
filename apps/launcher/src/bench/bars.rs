//! The bars: what is to be reached, as ratios to what was measured in the same run.
//!
//! docs/benchmarks.md has them beside the figures that were taken.

use std::fmt;

use serde::Serialize;

/// What a figure is to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// How appends are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appending {
    pub(super) store: &'static str,
    pub(super) concurrency: u32,
    pub(super) batch: u32,
    pub(super) any: bool,
}

/// Two processes to one with all callers.
pub(super) const PROCESSES: Bar = Bar::AtLeast(0.75);
/// The whole log to the streamed query, decoded likewise.
pub(super) const READ_ALL: Bar = Bar::AtLeast(0.65);
/// Streams of 1,000 to the bare query, decoded likewise.
pub(super) const READ_ONE: Bar = Bar::AtLeast(0.7);
/// A durable subscription that catches up with a checkpoint per batch, to the streamed query.
pub(super) const CATCH_UP: Bar = Bar::AtLeast(0.5);
/// Live in one process to one bare commit: half of all events, and 99 of a hundred.
pub(super) const LIVE_P50: Bar = Bar::AtMost(1.3);
pub(super) const LIVE_P99: Bar = Bar::AtMost(4.0);
/// Live across processes, in milliseconds.
pub(super) const LIVE_ACROSS_MS: Bar = Bar::AtMost(5.0);
/// Commands to own appends with as many callers.
pub(super) const COMMANDS: Bar = Bar::AtLeast(0.8);
/// Commands to one aggregate, to own appends with as many callers.
pub(super) const HOT_AGGREGATE: Bar = Bar::AtLeast(0.4);
/// Loading an aggregate to reading its stream.
pub(super) const LOADING: Bar = Bar::AtLeast(0.7);
/// A long log to an empty one.
pub(super) const GROWTH: Bar = Bar::AtLeast(0.85);
/// MiB that memory may grow by while a log is filled and caught up with, or a subscription catches up with it, and that an export of it may
/// take in all: not with the log's length.
pub(super) const GROWTH_MIB: Bar = Bar::AtMost(64.0);
/// Publishing to one and to ten subscribers, to bare channels.
pub(super) const PUBLISH_ONE: Bar = Bar::AtLeast(0.17);
pub(super) const PUBLISH_TEN: Bar = Bar::AtLeast(0.55);
/// Nine subscribers beside one that stalls, to those beside one that reads; MiB that memory may grow by meanwhile.
pub(super) const STALLED: Bar = Bar::AtLeast(0.9);
pub(super) const STALLED_MIB: Bar = Bar::AtMost(16.0);
/// The whole umbrella with nothing to do: MiB resident, and percent of a core.
pub(super) const IDLE_MIB: Bar = Bar::AtMost(60.0);
pub(super) const IDLE_PERCENT: Bar = Bar::AtMost(1.0);

impl Appending {
    /// The bar for the rate, to the floor that commits in groups.
    pub(super) const fn rate(self) -> Option<Bar> {
        Some(Bar::AtLeast(match self {
            Self { store, concurrency: 64, batch: 1, any: false } if is_sqlite(store) => 0.6,
            Self { store, .. } if is_sqlite(store) => return None,
            Self { any: true, concurrency: 64, batch: 1, .. } => 0.6,
            Self { any: true, .. } => return None,
            Self { concurrency: 64, batch: 1, .. } => 0.75,
            Self { concurrency: 256, batch: 1, .. } => 0.8,
            Self { concurrency: 1, batch: 100, .. } => 0.7,
            _ => return None,
        }))
    }

    /// The bar for half of the calls, to one bare commit.
    pub(super) const fn latency(self) -> Option<Bar> {
        match self {
            Self { store, concurrency: 1, batch: 1, any: false } if !is_sqlite(store) => {
                Some(Bar::AtMost(1.3))
            }
            _ => None,
        }
    }
}

const fn is_sqlite(store: &str) -> bool {
    matches!(store.as_bytes(), b"sqlite")
}

impl Bar {
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= bar,
            Self::AtMost(bar) => value <= bar,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bar) => write!(f, "at least {bar}"),
            Self::AtMost(bar) => write!(f, "at most {bar}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_for_the_workload_it_was_set_for() {
        let with = |store, concurrency, batch, any| Appending { store, concurrency, batch, any };
        assert_eq!(with("postgres", 64, 1, false).rate(), Some(Bar::AtLeast(0.75)));
        assert_eq!(with("postgres", 64, 1, true).rate(), Some(Bar::AtLeast(0.6)));
        assert_eq!(with("sqlite", 64, 1, false).rate(), Some(Bar::AtLeast(0.6)));
        assert_eq!(with("postgres", 1, 100, false).rate(), Some(Bar::AtLeast(0.7)));
        assert_eq!(with("postgres", 17, 1, false).rate(), None);
        assert_eq!(with("sqlite", 1, 1, false).latency(), None);
        assert!(with("postgres", 1, 1, false).latency().is_some_and(|bar| bar.is_met(1.3)));
        assert!(!Bar::AtMost(4.0).is_met(4.1) && !Bar::AtLeast(0.5).is_met(0.49));
    }
}
