//! A partition that this node owns: its lease, how far it was read, and what of it is not done.

use std::collections::BTreeMap;

use super::{ByPlace, Key, Millis, pending::Pending};
use crate::{
    store::{Checkpoint, Lease},
    version::Place,
};

/// A partition as its owner sees it. Its checkpoint lies before the first event that is not done, whatever is done behind that.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) number: u32,
    pub(super) epoch: u64,
    /// Until when the lease lasts for certain: counted from the moment it was asked for, not from the answer.
    pub(super) until: Millis,
    /// The checkpoint as the store has it.
    pub(super) saved: Place,
    /// What comes up to here was done with when the lease began, and comes again after a reset.
    pub(super) handled: Place,
    /// Everything up to here was fetched.
    pub(super) seen: Place,
    /// What was fetched and is neither handled, skipped nor parked. Not more than the queue holds.
    undone: ByPlace<()>,
    /// Keys that wait and of which there was too much: from this place on, up to what was seen, theirs was left in the log.
    pub(super) left: BTreeMap<Key, Place>,
    /// What consumers hold of it, letters that are being settled included.
    pub(super) held: usize,
    /// Events that failed for good and are not yet dead letters.
    pub(super) failing: usize,
    /// Whether it is known which of its keys have dead letters.
    pub(super) loaded: bool,
    /// Whether that is to be looked up again: some may have become free without a word.
    pub(super) reload: bool,
    /// Looking it up; with the step in which that began.
    pub(super) load: Pending<u64>,
    /// Whether dead letters may be due.
    pub(super) take: bool,
    /// Whether it is to be given back: nothing more of it is sent.
    pub(super) draining: bool,
    /// Whether events of it may be sent, as the queue knows.
    pub(super) active: bool,
}

impl Partition {
    pub(super) fn new(lease: Lease, until: Millis, checkpoint: Place, loaded: bool) -> Self {
        Self {
            number: lease.partition,
            epoch: lease.epoch,
            until,
            saved: checkpoint,
            handled: Place::START,
            seen: checkpoint,
            undone: ByPlace::default(),
            left: BTreeMap::new(),
            held: 0,
            failing: 0,
            loaded,
            reload: false,
            load: Pending::default(),
            take: false,
            draining: false,
            active: false,
        }
    }

    pub(super) fn lease(&self) -> Lease {
        Lease { partition: self.number, epoch: self.epoch }
    }

    /// Whether the lease is certain to last still.
    pub(super) fn is_leased(&self, now: Millis) -> bool {
        now < self.until
    }

    pub(super) fn may_send(&self, now: Millis) -> bool {
        self.loaded && !self.draining && self.is_leased(now)
    }

    /// The place up to which everything is done.
    pub(super) fn settled_to(&self) -> Place {
        let undone = self.undone.first().map(|(place, ())| place);
        match undone.into_iter().chain(self.left.values().copied()).min() {
            Some(first) => Place::new(first.get().saturating_sub(1)),
            None => self.seen,
        }
    }

    /// The checkpoint, if it has moved since it was saved.
    pub(super) fn moved(&self) -> Option<Checkpoint> {
        let place = self.settled_to();
        (place > self.saved).then_some(Checkpoint { partition: self.number, epoch: self.epoch, place })
    }

    /// Whether nothing of it is in anybody's hands.
    pub(super) fn is_idle(&self) -> bool {
        self.held == 0 && self.failing == 0
    }

    /// Whether it wants more than to be read and saved.
    pub(super) fn has_chores(&self) -> bool {
        !self.loaded || self.reload || self.take || self.draining
    }

    pub(super) fn begin(&mut self, place: Place) {
        self.undone.insert(place, ());
    }

    /// An event is done. Says whether it was not before.
    pub(super) fn finish(&mut self, place: Place) -> bool {
        self.undone.remove(place).is_some()
    }
}
