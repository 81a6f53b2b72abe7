//! Transient topics: one bounded ring per topic, read by each subscriber at its own pace.
//!
//! A subscriber that falls behind by more than the ring holds misses the oldest notices and is told how many;
//! publisher and other subscribers do not notice.

use tokio::sync::broadcast::{self, error::RecvError};
use umbel_core::Notice;

/// The sending end of one topic, kept in the routing table.
pub(crate) struct Topic<N>(broadcast::Sender<N>);

/// The receiving end of one topic.
#[derive(Debug)]
pub struct Subscriber<N> {
    notices: broadcast::Receiver<N>,
    missed: u64,
}

impl<N: Notice> Topic<N> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(broadcast::Sender::new(capacity.max(1)))
    }

    pub(crate) fn publish(&self, notice: N) -> usize {
        self.0.send(notice).unwrap_or(0)
    }

    pub(crate) fn listen(&self) -> Subscriber<N> {
        Subscriber { notices: self.0.subscribe(), missed: 0 }
    }
}

impl<N: Notice> Subscriber<N> {
    /// The next notice; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<N> {
        loop {
            match self.notices.recv().await {
                Ok(notice) => return Some(notice),
                Err(RecvError::Lagged(missed)) => self.missed += missed,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// How many notices this subscriber has missed because it was slow.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
