//! What must hold of a subscription.

use std::collections::BTreeSet;

use umbel_core::{
    Place,
    subscription::{Input, Key},
};

use super::Broken;
use crate::store::{Entry, Kept, Subscription, selected, size};

/// The books of a subscription.
#[derive(Debug)]
pub(crate) struct Books {
    number: usize,
    partitions: u32,
    /// Where operators let it begin last: what is before need not be handled.
    pub(crate) base: Place,
    /// The epoch of each partition at that moment: what was sent under an earlier one does not count.
    since: Vec<u64>,
    /// Events that were handled, skipped or discarded since then.
    over: BTreeSet<Place>,
    /// Events that were handled, skipped, parked or discarded ever.
    ever: BTreeSet<Place>,
    /// The same of those that had the name before and were deleted.
    former: BTreeSet<Place>,
    /// With which epoch that began which has the name now: what was sent under an earlier one was of another.
    born: u64,
    /// Where checkpoints are.
    checkpoints: Vec<Place>,
}

impl Books {
    pub(super) fn new(number: usize, partitions: u32) -> Self {
        Self {
            number,
            partitions,
            base: Place::START,
            since: vec![0; size(partitions)],
            over: BTreeSet::new(),
            ever: BTreeSet::new(),
            former: BTreeSet::new(),
            born: 0,
            checkpoints: vec![Place::START; size(partitions)],
        }
    }

    /// Whether a lease is from before operators let it begin elsewhere.
    pub(crate) fn is_stale(&self, key: Key, epoch: u64) -> bool {
        epoch < self.since[size(key.partition(self.partitions))]
    }

    fn is_open(&self, place: Place) -> bool {
        place > self.base && !self.over.contains(&place)
    }

    /// Whether it was handled before.
    pub(crate) fn is_over(&self, place: Place) -> bool {
        !self.is_open(place)
    }

    /// Whether it was handled, skipped, parked or discarded ever.
    pub(crate) fn was_over(&self, place: Place) -> bool {
        self.ever.contains(&place)
    }

    /// Invariant 6: the first time that an event is handled, everything before it of its key is over.
    pub(crate) fn handled(
        &mut self,
        log: &[Entry],
        place: Place,
        key: Key,
        epoch: u64,
    ) -> Result<(), Broken> {
        if epoch < self.born {
            self.former.insert(place);
            return Ok(());
        }
        self.ever.insert(place);
        if self.is_stale(key, epoch) || !self.over.insert(place) || place <= self.base {
            return Ok(());
        }
        let mut before = selected(log, self.number, self.base, Place::new(place.get() - 1));
        match before.find(|(at, other)| *other == key && !self.over.contains(at)) {
            Some((at, _)) => Err(format!(
                "order: subscription {} handles event {place} of {key:?}, and {at} before it is not done",
                self.number
            )),
            None => Ok(()),
        }
    }

    /// An event was skipped by its consumer.
    pub(crate) fn skipped(&mut self, place: Place, key: Key, epoch: u64) {
        if epoch < self.born {
            self.former.insert(place);
            return;
        }
        self.ever.insert(place);
        if !self.is_stale(key, epoch) {
            self.over.insert(place);
        }
    }

    /// An operator has discarded a letter.
    pub(crate) fn discarded(&mut self, place: Place) {
        self.ever.insert(place);
        self.over.insert(place);
    }

    /// An operator lets it begin elsewhere. What is before that place counts as done.
    pub(crate) fn reset(&mut self, log: &[Entry], kept: &Subscription, to: Place) {
        self.ever.extend(selected(log, self.number, Place::START, to).map(|(place, _)| place));
        self.base = to;
        self.since = kept.partitions.iter().map(|kept| kept.epoch).collect();
        self.checkpoints = vec![to; kept.partitions.len()];
        self.over.retain(|place| *place <= to);
    }

    /// An operator deletes it. What has its name next begins behind this place and has done nothing; whoever still runs the one that
    /// is gone does nothing that counts.
    pub(crate) fn deleted(&mut self, log: &[Entry], kept: &Subscription, to: Place) {
        self.former.append(&mut self.ever);
        self.over.clear();
        self.partitions = kept.partition_count();
        self.born = kept.partitions.iter().map(|kept| kept.epoch).min().unwrap_or_default();
        self.reset(log, kept, to);
    }

    /// Letters as they are stored.
    pub(crate) fn parked(&mut self, kept: &Subscription) {
        self.ever.extend(kept.letter_places());
    }

    /// Invariant 7, whenever something was stored: checkpoints are nowhere further back, and passed nothing that is neither
    /// done nor a dead letter.
    pub(crate) fn stored(&mut self, log: &[Entry], kept: &Subscription) -> Result<(), Broken> {
        for (partition, (before, Kept { checkpoint, .. })) in
            (0_u32..).zip(self.checkpoints.iter_mut().zip(&kept.partitions))
        {
            let tell = |what: String| {
                Err(format!("checkpoint: subscription {}, partition {partition}: {what}", self.number))
            };
            if *checkpoint < *before {
                return tell(format!("it went back from {before} to {checkpoint}"));
            }
            let passed = selected(log, self.number, *before, *checkpoint);
            let mut passed = passed.filter(|(_, key)| key.partition(self.partitions) == partition);
            let open = passed.find(|(at, _)| !self.over.contains(at) && !kept.is_parked(*at));
            if let Some((at, _)) = open {
                return tell(format!(
                    "it passed event {at}, which is not done, from {before} to {checkpoint}"
                ));
            }
            *before = *checkpoint;
        }
        Ok(())
    }

    /// Invariant 2, for readers: what was read is all there is up to where it was read.
    pub(crate) fn read(&self, log: &[Entry], after: Place, read: &Input<u64>) -> Result<(), Broken> {
        let Input::Fetched { items, scanned_to, .. } = read else { return Ok(()) };
        let there = selected(log, self.number, after, *scanned_to).map(|(place, _)| place);
        if there.eq(items.iter().map(|item| item.place)) {
            return Ok(());
        }
        let seen: Vec<_> = items.iter().map(|item| item.place.get()).collect();
        Err(format!("log: a reader saw {seen:?} between {after} and {scanned_to}, and there is more"))
    }

    /// Somebody says that everything up to here is visible. Who runs one that was deleted, and has not heard of that, means that one.
    pub(crate) fn visible(&self, log: &[Entry], through: Place, is_former: bool) -> Result<(), Broken> {
        let mut all = selected(log, self.number, self.base, through);
        let was_over = |at: &Place| self.ever.contains(at) || is_former && self.former.contains(at);
        match all.find(|(at, _)| !was_over(at)) {
            Some((at, _)) => Err(format!(
                "visible: subscription {} is said to have passed {through}, and {at} is not done",
                self.number
            )),
            None => Ok(()),
        }
    }

    /// What is not done, of everything there is.
    pub(crate) fn open(&self, log: &[Entry]) -> Vec<Place> {
        let all = selected(log, self.number, self.base, Place::MAX);
        all.map(|(place, _)| place).filter(|place| self.is_open(*place)).collect()
    }
}
