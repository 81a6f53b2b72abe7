//! The queue of one subscriber as it is shared: publishers offer and go on, one reader waits.

use std::{
    mem,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, task::coop::consume_budget};

use umbel_core::{Position, Timestamp};

use super::{
    event::AnyEvent,
    queue::{Counters, Gap, Next, Overflow, Queue},
    table::Life,
};

/// An event on its way to one subscriber.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) event: Arc<dyn AnyEvent>,
    pub(crate) tracked: bool,
    /// Of its topic.
    pub(crate) life: Life,
}

/// Why there is nothing more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The subscriber was unsubscribed.
    #[error("unsubscribed")]
    Unsubscribed,
    /// The subscriber subscribed again, and the newer inbox reads on.
    #[error("replaced by a newer subscription of the same subscriber")]
    Replaced,
    /// The subscriber was too slow for [`Overflow::Disconnect`]. It may subscribe again.
    #[error("disconnected for being too slow: {} events were lost", gap.missed)]
    Disconnected {
        /// What it lost by now.
        gap: Gap,
    },
}

/// What a reader takes out.
#[derive(Debug)]
pub(crate) enum Taken {
    Parcel(Parcel),
    Lagged(Gap),
    /// So many events of this topic are to be read from the log behind this position, and to be [fed](Mailbox::feed).
    Behind {
        topic: Arc<str>,
        after: Position,
        room: usize,
    },
}

/// What became of an offer.
pub(crate) enum Offer {
    Accepted,
    /// The mailbox is closed for good.
    Closed,
    Refused,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    queue: Queue<Parcel>,
    /// Which reader may read: the latest.
    reader: u64,
    /// Whether it may wait for more, since it has found nothing.
    awaited: bool,
    closed: bool,
}

impl Mailbox {
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        let state = State { queue: Queue::new(capacity, overflow), reader: 0, awaited: false, closed: false };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Opens it for a new reader, in place of the one before; what waits stays.
    pub(crate) fn open(&self, capacity: usize, overflow: Overflow) -> u64 {
        let mut state = self.state();
        state.queue.reopen(capacity, overflow);
        state.reader += 1;
        let reader = state.reader;
        drop(state);
        self.changed.notify_waiters();
        reader
    }

    /// Closes it for good; what waited.
    pub(crate) fn close(&self) -> Vec<Parcel> {
        let mut state = self.state();
        state.closed = true;
        let waited = state.queue.withdraw(|_| true);
        drop(state);
        self.changed.notify_waiters();
        waited
    }

    /// Offers a parcel; what became of it, and which others were lost by it. Never waits for the reader.
    pub(crate) fn offer(&self, parcel: Parcel) -> (Offer, Vec<Parcel>) {
        let mut state = self.state();
        if state.closed {
            return (Offer::Closed, Vec::new());
        }
        let at = parcel.event.head().occurred_at;
        let offered = state.queue.offer(at, parcel);
        self.notify(state);
        (if offered.accepted { Offer::Accepted } else { Offer::Refused }, offered.lost)
    }

    /// Offers a parcel of a topic of the log; whether it was not refused. Never waits for the reader, nor for the log.
    pub(crate) fn offer_of_log(&self, parcel: Parcel, position: Position) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        let head = parcel.event.head();
        let (topic, at) = (Arc::clone(&head.topic), head.occurred_at);
        let offered = state.queue.offer_of_log(&topic, position, at, parcel);
        self.notify(state);
        offered.accepted
    }

    /// What was read of a topic of the log, behind one position up to another.
    pub(crate) fn feed(
        &self,
        topic: &str,
        span: (Position, Position),
        found: Vec<(Position, Timestamp, Parcel)>,
    ) {
        self.state().queue.feed(topic, span, found);
    }

    /// The subscriber gets nothing more of the topics that are meant.
    pub(crate) fn forget(&self, meant: impl FnMut(&str) -> bool) {
        self.state().queue.forget(meant);
    }

    /// Takes back what waits and is meant.
    pub(crate) fn withdraw(&self, meant: impl FnMut(&Parcel) -> bool) -> Vec<Parcel> {
        self.state().queue.withdraw(meant)
    }

    /// The parcel that was taken last is not for the subscriber after all.
    pub(crate) fn withdraw_last(&self) {
        self.state().queue.withdraw_last();
    }

    /// Waits for what comes next. Nothing is lost when the future is dropped.
    pub(crate) async fn take(&self, reader: u64) -> Result<Taken, Ended> {
        // A reader that always finds something lets others have their turn all the same.
        consume_budget().await;
        if let Some(taken) = self.try_take(reader)? {
            return Ok(taken);
        }
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(taken) = self.try_take(reader)? {
                return Ok(taken);
            }
            changed.await;
        }
    }

    fn try_take(&self, reader: u64) -> Result<Option<Taken>, Ended> {
        let mut state = self.state();
        if state.closed {
            return Err(Ended::Unsubscribed);
        }
        if state.reader != reader {
            return Err(Ended::Replaced);
        }
        match state.queue.next() {
            Next::Item(parcel) => Ok(Some(Taken::Parcel(parcel))),
            Next::Lagged(gap) => Ok(Some(Taken::Lagged(gap))),
            Next::Behind { topic, after, room } => Ok(Some(Taken::Behind { topic, after, room })),
            Next::Nothing => {
                state.awaited = true;
                Ok(None)
            }
            Next::Disconnected(gap) => Err(Ended::Disconnected { gap }),
        }
    }

    /// Tells the reader if it waits. Who offers to one that reads has nobody to tell.
    fn notify(&self, mut state: MutexGuard<'_, State>) {
        let awaited = mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        self.state().queue.counters()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.state().queue.is_connected()
    }

    /// Code of subscribers never runs under this lock, so whoever panicked left a whole queue.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
