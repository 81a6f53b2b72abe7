//! The appends of one aggregate that are under way: what became of them, in the order in which that was known.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use tokio::sync::Notify;

/// Appends under way, and what is known of others and not yet taken into account.
#[derive(Default)]
pub(super) struct Flight {
    log: RefCell<Log>,
    landed: Notify,
}

#[derive(Default)]
struct Log {
    begun: u64,
    under_way: usize,
    landed: VecDeque<(Ticket, Landing)>,
}

/// An append, by when it was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// It is stored, as decided.
    Stored,
    /// Nothing of it is, and its stream is as it was believed to be.
    Refused,
    /// Something else: its stream is not what it was believed to be, or nobody knows.
    Unsure,
}

/// An append under way. Dropped, nobody knows what became of it.
pub(super) struct Airborne {
    flight: Rc<Flight>,
    ticket: Ticket,
    landing: Landing,
}

impl Flight {
    /// An append is begun.
    pub(super) fn take_off(self: &Rc<Self>) -> Airborne {
        let mut log = self.log.borrow_mut();
        log.begun += 1;
        log.under_way += 1;
        Airborne { flight: Rc::clone(self), ticket: Ticket(log.begun), landing: Landing::Unsure }
    }

    /// The last append that was begun.
    pub(super) fn last(&self) -> Ticket {
        Ticket(self.log.borrow().begun)
    }

    /// Whether any is under way, or not yet taken into account.
    pub(super) fn is_over(&self) -> bool {
        let log = self.log.borrow();
        log.under_way == 0 && log.landed.is_empty()
    }

    /// The next of which it is known what became of it.
    pub(super) fn next_landed(&self) -> Option<(Ticket, Landing)> {
        self.log.borrow_mut().landed.pop_front()
    }

    /// Waits until none is under way.
    pub(super) async fn all_landed(&self) {
        while self.log.borrow().under_way > 0 {
            // Both in one thread: nothing lands between the look and the wait.
            self.landed.notified().await;
        }
    }
}

impl Airborne {
    pub(super) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// This became of it.
    pub(super) fn land(mut self, landing: Landing) {
        self.landing = landing;
    }
}

impl Drop for Airborne {
    fn drop(&mut self) {
        let mut log = self.flight.log.borrow_mut();
        log.under_way -= 1;
        log.landed.push_back((self.ticket, self.landing));
        if log.under_way == 0 {
            self.flight.landed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// What is dropped without a word is of unknown outcome, and who waits for all is told with the last.
    #[test]
    fn all_have_landed_with_the_last() {
        let flight = Rc::<Flight>::default();
        let (one, two) = (flight.take_off(), flight.take_off());
        let (first, second) = (one.ticket(), two.ticket());
        assert!(first < second && flight.last() == second);
        let mut all = Box::pin(flight.all_landed());
        assert_eq!(all.as_mut().now_or_never(), None);
        two.land(Landing::Stored);
        assert_eq!(all.as_mut().now_or_never(), None);
        drop(one);
        assert_eq!(all.as_mut().now_or_never(), Some(()));
        assert!(!flight.is_over());
        let landed: Vec<_> = std::iter::from_fn(|| flight.next_landed()).collect();
        assert_eq!(landed, [(second, Landing::Stored), (first, Landing::Unsure)]);
        assert!(flight.is_over());
    }
}
