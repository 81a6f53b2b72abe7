//! Stopping in order: what is held is waited for, what was done is saved, leases are given back.

use super::Machine;
use crate::subscription::{Effect, partition::Partition};

/// Failures after which nothing is waited for any more while stopping. What was not saved is handled again, and a lease
/// that was not given back runs out.
const FAILURES_MOST: u32 = 5;

/// How far stopping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopping {
    /// It runs.
    No,
    /// Consumers still hold something.
    Waiting,
    /// What was done is being saved.
    Saving,
    /// Leases are being given back.
    Leaving,
    /// It has stopped.
    Over,
}

impl<E: Clone> Machine<E> {
    pub(super) fn stop(&mut self, now: bool) {
        if self.stopping == Stopping::No {
            self.stopping = Stopping::Waiting;
            self.claims.clear();
        }
        if now && self.stopping == Stopping::Waiting {
            self.stopping = Stopping::Saving;
        }
    }

    /// Goes on stopping, as far as it comes.
    pub(super) fn end(&mut self) {
        if self.stopping == Stopping::No {
            self.give_back_soon();
            return;
        }
        if self.stopping == Stopping::Waiting && self.is_idle() {
            self.stopping = Stopping::Saving;
            self.save_more();
        }
        if self.stopping == Stopping::Saving && self.nothing_to_keep() {
            self.stopping = Stopping::Leaving;
            if !self.member {
                self.over();
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.owned_partitions().all(Partition::is_idle) || (self.gave_up() && self.consumers.hold_nothing())
    }

    /// Whether nothing is left that the store could be told.
    fn nothing_to_keep(&self) -> bool {
        let kept = !self.options.durable
            || self.owned_partitions().all(|one| one.moved().is_none() || !one.is_leased(self.now));
        let idle = self.save.under_way().is_none()
            && self.park.under_way().is_none()
            && self.settle.under_way().is_none();
        idle && (kept || self.gave_up())
    }

    fn gave_up(&self) -> bool {
        self.stop_failures >= FAILURES_MOST
    }

    /// Something failed that is waited for while stopping.
    pub(super) fn stopping_failed(&mut self) {
        if self.stopping != Stopping::No {
            self.stop_failures += 1;
        }
    }

    pub(super) fn leaving_failed(&mut self) {
        self.stop_failures += 1;
        if self.gave_up() {
            self.over();
        }
    }

    /// It has stopped.
    pub(super) fn over(&mut self) {
        if self.stopping != Stopping::Over {
            self.stopping = Stopping::Over;
            self.out.push(Effect::Stopped);
        }
    }
}
