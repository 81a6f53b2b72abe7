//! An event in hand.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use umbel_core::{
    Place,
    subscription::{Key, Verdict},
};

use crate::subscription::{Careful, Delivered, Taken};

/// An event that some instances have not done with.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) place: Place,
    pub(super) key: Key,
    /// The batch it came with.
    pub(super) number: u64,
    taken: Arc<Taken>,
    /// Instances that have not done with it.
    left: Cell<usize>,
    /// Whether it comes again, here or elsewhere: then nothing is said of it.
    void: Cell<bool>,
    /// As long as it is in hand, if it was begun with care.
    careful: Option<Careful>,
    /// What is to be said of it and why, once one of them could not handle it.
    failed: RefCell<Option<(Verdict, String)>>,
}

impl Ticket {
    pub(super) fn new(
        delivered: &Delivered,
        (number, taken): (u64, &Arc<Taken>),
        instances: usize,
        careful: Option<Careful>,
    ) -> Self {
        let Delivered { place, key, .. } = *delivered;
        let (void, failed) = (Cell::new(false), RefCell::default());
        let (taken, left) = (Arc::clone(taken), Cell::new(instances));
        Self { place, key, number, taken, left, void, careful, failed }
    }

    /// Whether nobody should begin with it any more.
    pub(super) fn is_void(&self) -> bool {
        self.void.get() || self.taken.has(self.place)
    }

    /// Whether it was begun with care.
    pub(super) const fn is_careful(&self) -> bool {
        self.careful.is_some()
    }

    /// It comes again.
    pub(super) fn cancel(&self) {
        self.void.set(true);
    }

    pub(super) fn fail(&self, verdict: Verdict, error: String) {
        self.failed.replace(Some((verdict, error)));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// One instance has done with it.
    pub(super) fn leave(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }

    /// Whether all have.
    pub(super) fn is_over(&self) -> bool {
        self.left.get() == 0
    }

    pub(super) fn failure(&self) -> Option<(Verdict, String)> {
        self.failed.take()
    }
}
