//! What is kept of a subscription: leases, checkpoints, whether it is paused. Its letters are beside it.

use std::collections::BTreeMap;

use umbel_core::{
    Place,
    store::{Checkpoint, KeepLeases, Lease, LeaseState, Leases},
    subscription::{Effect, Input, Item, Millis, NodeId},
};

use super::{Log, count, letters::Letter, selects, size};
use crate::bug::Bug;

/// A subscription as it is kept.
#[derive(Debug)]
pub(crate) struct Subscription {
    number: usize,
    /// Whether somebody has opened it.
    pub(crate) is_there: bool,
    /// The epoch that its partitions began with, which no earlier one of its name had.
    pub(crate) incarnation: u64,
    pub(crate) paused: bool,
    /// How often it was reset.
    pub(crate) resets: u64,
    pub(crate) partitions: Vec<Kept>,
    pub(super) letters: BTreeMap<Place, Letter>,
    members: BTreeMap<NodeId, Millis>,
    pub(super) bug: Option<Bug>,
}

/// A partition as it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) epoch: u64,
    /// Who had the last lease, unless it was given back or taken away, and until when.
    pub(crate) owner: Option<(NodeId, Millis)>,
    pub(crate) checkpoint: Place,
    /// The furthest checkpoint, which a reset leaves.
    pub(crate) handled: Place,
}

impl Kept {
    fn owner(&self, now: Millis) -> Option<NodeId> {
        self.owner.filter(|(_, until)| *until > now).map(|(node, _)| node)
    }
}

impl Subscription {
    pub(super) fn new(number: usize, partitions: u32, bug: Option<Bug>) -> Self {
        Self {
            number,
            is_there: false,
            incarnation: 0,
            paused: false,
            resets: 0,
            partitions: (0..partitions).map(|_| Kept::default()).collect(),
            letters: BTreeMap::new(),
            members: BTreeMap::new(),
            bug,
        }
    }

    /// The least of the checkpoints.
    pub(crate) fn checkpoint(&self) -> Place {
        self.partitions.iter().map(|kept| kept.checkpoint).min().unwrap_or_default()
    }

    pub(crate) fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_current(&self, partition: u32, epoch: u64) -> bool {
        let kept = self.partitions.get(size(partition));
        kept.is_some_and(|kept| kept.epoch == epoch || self.bug == Some(Bug::StoreIgnoresEpochs))
    }

    /// Carries out a request of a machine; it reads at most `most` events. What is no request is answered with nothing.
    pub(crate) fn execute(
        &mut self,
        log: &Log,
        effect: &Effect<u64>,
        now: Millis,
        most: u64,
    ) -> Option<Input<u64>> {
        Some(match effect {
            Effect::Lease(wanted) => Input::Leased(self.lease(wanted, now)),
            Effect::LoadParked { partition, epoch } => {
                let (partition, epoch) = (*partition, *epoch);
                Input::ParkedKeys { partition, epoch, keys: self.parked_keys(partition) }
            }
            Effect::Fetch { after, limit } => self.fetch(log, *after, *limit, most, now),
            Effect::Save(checkpoints) => Input::Saved { refused: self.save(checkpoints) },
            Effect::Park(letters) => Input::Parked { refused: self.park(letters) },
            Effect::TakeLetters { partitions, limit } => {
                let due = self.take(partitions, *limit);
                let more = due.len() == size(*limit);
                Input::Letters { due, free: Vec::new(), more }
            }
            Effect::Settle(settled) => self.settle(log, settled),
            _ => return None,
        })
    }

    fn lease(&mut self, wanted: &KeepLeases, now: Millis) -> Leases {
        if !self.is_there || self.incarnation != wanted.incarnation {
            return Leases { gone: true, ..Leases::default() };
        }
        let until = now + wanted.lease_ms;
        self.members.retain(|node, until| *until > now && *node != wanted.node);
        if !wanted.leave {
            self.members.insert(wanted.node, until);
        }
        for (leases, owner) in [(&wanted.release, None), (&wanted.hold, Some((wanted.node, until)))] {
            for Lease { partition, epoch } in leases {
                let is_own = |kept: &&mut Kept| {
                    kept.epoch == *epoch && kept.owner.is_some_and(|(owner, _)| owner == wanted.node)
                };
                if let Some(kept) = self.partitions.get_mut(size(*partition)).filter(is_own) {
                    kept.owner = owner;
                }
            }
        }
        if wanted.leave {
            for kept in &mut self.partitions {
                kept.owner = kept.owner.filter(|(owner, _)| *owner != wanted.node);
            }
        }
        for partition in &wanted.claim {
            let free = |kept: &&mut Kept| kept.owner(now).is_none();
            if let Some(kept) = self.partitions.get_mut(size(*partition)).filter(free) {
                kept.epoch += 1;
                kept.owner = Some((wanted.node, until));
            }
        }
        self.stand(now)
    }

    fn stand(&self, now: Millis) -> Leases {
        let states = (0..).zip(&self.partitions).map(|(partition, kept)| LeaseState {
            partition,
            epoch: kept.epoch,
            owner: kept.owner(now),
            checkpoint: kept.checkpoint,
            handled: kept.handled,
            letters: count(self.letters_of(partition).count()),
            due: self.due().any(|(_, letter)| letter.partition == partition),
            abandoned: Default::default(),
        });
        let members = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let (paused, resets) = (self.paused, self.resets);
        Leases { gone: false, paused, resets, members, partitions: states.collect() }
    }

    fn fetch(&self, log: &Log, after: Place, limit: u32, most: u64, now: Millis) -> Input<u64> {
        let upto = log.head().min(after.plus(most));
        let (from, to) = (size(after.get()), size(upto.get()));
        let mut items = Vec::new();
        let mut scanned_to = upto.max(after);
        for index in from..to {
            let (place, entry) = (super::place_of(index), &log.entries[index]);
            if !selects(self.number, entry.kind) || !log.is_visible(index, now) {
                continue;
            }
            items.push(Item { place, key: entry.key, event: place.get() });
            if items.len() == size(limit) {
                scanned_to = place;
                break;
            }
        }
        Input::Fetched { items, scanned_to, head: log.head() }
    }

    fn save(&mut self, checkpoints: &[Checkpoint]) -> Vec<u32> {
        let mut refused = Vec::new();
        for one in checkpoints {
            if self.is_current(one.partition, one.epoch) {
                let kept = &mut self.partitions[size(one.partition)];
                kept.checkpoint = kept.checkpoint.max(one.place);
                kept.handled = kept.handled.max(one.place);
            } else {
                refused.push(one.partition);
            }
        }
        refused
    }

    /// An operator lets it begin elsewhere: all leases are void, and so are all letters.
    pub(crate) fn reset(&mut self, to: Place) {
        for kept in &mut self.partitions {
            *kept = Kept { epoch: kept.epoch + 1, owner: None, checkpoint: to, handled: kept.handled };
        }
        self.resets += 1;
        self.letters.clear();
    }

    /// Somebody wants to run it: if it is not there, it is made. Which one of its name it is.
    pub(crate) fn open(&mut self) -> u64 {
        self.is_there = true;
        self.incarnation
    }

    /// An operator deletes it. Whoever opens one of its name next makes it with so many partitions, and lets it begin behind this place.
    pub(crate) fn delete(&mut self, partitions: u32, to: Place) {
        let last = self.partitions.iter().map(|kept| kept.epoch).max().unwrap_or(0);
        let incarnation = last.max(self.incarnation) + 1;
        *self = Self { incarnation, ..Self::new(self.number, partitions, self.bug) };
        let epoch = if self.bug == Some(Bug::DeletionForgetsEpochs) { 0 } else { incarnation };
        for kept in &mut self.partitions {
            (kept.epoch, kept.checkpoint) = (epoch, to);
        }
    }
}
