//! What a subscription follows, from where, and within which bounds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Millis, SubscriptionName};
use crate::{store::Selector, stream::StreamName, version::Place};

/// What a subscription follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The log of all streams, or what is selected of it. Its places are positions.
    Log(Selector),
    /// One stream, links included. Its places are versions of that stream. It need not be there yet.
    Stream(StreamName),
}

/// Where a subscription begins that has no checkpoint yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the first event there is.
    #[default]
    Origin,
    /// With what is appended from now on.
    Current,
    /// Behind this place.
    After(Place),
}

/// How a subscription works. All bounds are at least 1; a 0 counts as 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its name.
    pub name: SubscriptionName,
    /// Into how many partitions its events fall. Fixed when the subscription is first opened.
    pub partitions: u32,
    /// Events that are sent to a consumer at once, at most.
    pub batch_max: u32,
    /// How long a batch that is not full waits for more events. 0: it is sent as it is.
    pub batch_within_ms: Millis,
    /// Events that wait here for a consumer or are being handled, at most. What is beyond stays in the log. Of dead letters that
    /// are tried again, one batch is in hand besides.
    pub buffer_max: u32,
    /// Consumers in this process at most.
    pub consumers_max: u32,
    /// A checkpoint is saved once so many events were done since the last one.
    pub checkpoint_after: u32,
    /// A checkpoint is saved once something was done, or read and not selected, and so much time has passed.
    pub checkpoint_within_ms: Millis,
    /// How long a lease lasts that is not renewed: how long an owner that died keeps its partitions. It is renewed after a
    /// third of it. [`LEASE_MAX_MS`](crate::store::LEASE_MAX_MS) at most; a longer one counts as that.
    pub lease_ms: Millis,
    /// The pause after the store failed to read, to keep leases, to save or to do with dead letters; doubled with each further failure
    /// of that kind in a row. At least 1; a 0 counts as 1.
    pub store_retry_min_ms: Millis,
    /// The longest such pause; one below the first counts as that. Leases are asked for again after a third of their time at most.
    pub store_retry_max_ms: Millis,
    /// Whether there are checkpoints, leases and dead letters at all. A transient subscription lives as long as this process
    /// and touches nothing that is stored under its name.
    pub durable: bool,
}

impl Options {
    /// A durable subscription with one partition and one consumer, for which order matters more than speed.
    #[must_use]
    pub fn new(name: SubscriptionName) -> Self {
        Self {
            name,
            partitions: 1,
            batch_max: 100,
            batch_within_ms: 0,
            buffer_max: 1000,
            consumers_max: 1,
            checkpoint_after: 1000,
            checkpoint_within_ms: 200,
            lease_ms: 3000,
            store_retry_min_ms: 100,
            store_retry_max_ms: 5000,
            durable: true,
        }
    }
}

/// As operators read it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(stream) => write!(f, "stream {stream}"),
            Self::Log(selector) => {
                f.write_str("log")?;
                for (what, wanted) in [("categories", &selector.categories), ("events", &selector.names)] {
                    if let Some(wanted) = wanted {
                        write!(f, ", {what} {}", wanted.join(" "))?;
                    }
                }
                Ok(())
            }
        }
    }
}
