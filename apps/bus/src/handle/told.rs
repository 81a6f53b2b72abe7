//! What is told on the bus beside requests, to whoever listens: how far the log goes, that work waits, that a subscription has changed.

use std::pin::pin;

use tokio::sync::{broadcast, watch};
use umbel_core::{
    Position,
    store::{AllPage, ReadAll},
    subscription::Change,
};

use super::Bus;
use crate::tail::{Moment, Tail};

impl Bus {
    /// The log's last position as far as this process knows. It wakes followers; it is not the truth, which is
    /// in the store.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Position> {
        let head = self.shared.head.subscribe();
        self.shared.follower.notify_waiters();
        head
    }

    /// The same position once, without following the log.
    #[must_use]
    pub fn known_head(&self) -> Position {
        *self.shared.head.borrow()
    }

    /// Whether somebody follows the log: holds what [`Bus::head`] gave.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.shared.head.receiver_count() > 0
    }

    /// What this process has committed lately.
    #[must_use]
    pub fn tail(&self) -> &Tail {
        &self.shared.tail
    }

    /// The moment before a group of appends is stored, if what it commits is to be kept in the tail: somebody follows.
    #[must_use]
    pub fn tail_from_here(&self) -> Option<Moment> {
        (self.is_followed() && self.tail().is_on()).then(|| self.tail().moment())
    }

    /// A page of the log from the tail, if it has it.
    pub(crate) fn tail_page(&self, request: &ReadAll) -> Option<AllPage> {
        self.tail().page(request, self.known_head())
    }

    /// Waits until somebody follows the log.
    pub async fn followed(&self) {
        let mut one_more = pin!(self.shared.follower.notified());
        loop {
            // From here on nobody is missed.
            one_more.as_mut().enable();
            if self.is_followed() {
                return;
            }
            one_more.as_mut().await;
            one_more.set(self.shared.follower.notified());
        }
    }

    /// Tells followers that the log goes at least this far. The store calls it after a commit.
    pub fn announce_head(&self, position: Position) {
        self.shared.head.send_if_modified(|head| {
            let moved = position > *head;
            *head = position.max(*head);
            moved
        });
    }

    /// Changes when an append of this process has left work in the outbox: for those who do it. Others' appends are not told here.
    #[must_use]
    pub fn work(&self) -> watch::Receiver<u64> {
        self.shared.work.subscribe()
    }

    /// Tells that work may have been left in the outbox. The store calls it after a commit.
    pub fn announce_work(&self) {
        self.shared.work.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Hints that subscriptions have changed: for those who run them. Who falls behind is told so, and may take it for
    /// [`Change::Any`].
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Tells that subscriptions may have changed. The store calls it after it has changed one, and when it hears that another
    /// process has.
    pub fn announce_change(&self, change: Change) {
        // Nobody may be there to hear it.
        drop(self.shared.changes.send(change));
    }
}
