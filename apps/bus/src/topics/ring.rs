//! Those who listen to one topic: one bounded ring, read by each at its own pace.
//!
//! Who falls behind by more than the ring holds misses the oldest notices and is told how many; publisher and
//! others do not notice. Nothing is kept of a notice but the notice itself: this is the fast path.

use std::{any::Any, sync::Arc};

use tokio::sync::broadcast::{self, error::RecvError};
use umbel_core::Notice;

/// The sending end for the listeners of one topic, kept in the table.
#[derive(Clone)]
pub(crate) struct Ring {
    /// A `broadcast::Sender<N>` for the `N` that the topic carries.
    sender: Arc<dyn Any + Send + Sync>,
    /// Sends a clone of what may be an `N`.
    send_any: fn(&Self, &dyn Any) -> usize,
}

/// The receiving end of one topic.
#[derive(Debug)]
pub struct Subscriber<N> {
    notices: broadcast::Receiver<N>,
    missed: u64,
}

impl Ring {
    pub(crate) fn new<N: Notice>(capacity: usize) -> Self {
        let sender = broadcast::Sender::<N>::new(capacity.max(1));
        Self { sender: Arc::new(sender), send_any: Self::send_clone::<N> }
    }

    /// Sends a notice to all who listen now; how many they are.
    pub(crate) fn send<N: Notice>(&self, notice: N) -> usize {
        self.of::<N>().map_or(0, |sender| sender.send(notice).unwrap_or(0))
    }

    /// Sends a clone of what the topic carries.
    pub(crate) fn send_any(&self, notice: &dyn Any) -> usize {
        (self.send_any)(self, notice)
    }

    /// Listens from now on; `None` when the topic carries something else.
    pub(crate) fn listen<N: Notice>(&self) -> Option<Subscriber<N>> {
        self.of::<N>().map(|sender| Subscriber { notices: sender.subscribe(), missed: 0 })
    }

    fn of<N: Notice>(&self) -> Option<&broadcast::Sender<N>> {
        self.sender.downcast_ref()
    }

    fn send_clone<N: Notice>(&self, notice: &dyn Any) -> usize {
        let sender = self.of::<N>().filter(|sender| sender.receiver_count() > 0);
        let notice = notice.downcast_ref::<N>();
        sender.zip(notice).map_or(0, |(sender, notice)| sender.send(notice.clone()).unwrap_or(0))
    }
}

impl<N: Notice> Subscriber<N> {
    /// The next notice; `None` when the topic was unregistered or the bus is gone, and all that was published
    /// before has been read.
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
