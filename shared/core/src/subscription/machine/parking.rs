//! Events that become dead letters, and which keys have some.

use std::collections::BTreeSet;

use super::{Machine, stopping::Stopping};
use crate::{
    store::Lease,
    subscription::{Effect, Key, Millis, Parking, lane::Gate},
};

/// Events that are parked with one request, at most.
const PARK_MOST: usize = 500;

/// The events of a key that are being parked.
#[derive(Debug)]
pub(super) struct Batch {
    key: Key,
    lease: Lease,
}

impl<E: Clone> Machine<E> {
    /// Looks up which keys have dead letters, of partitions that are new or where some may have become free.
    pub(super) fn look_up_parked(&mut self) {
        if !self.chores || self.stopping != Stopping::No {
            return;
        }
        let (now, step) = (self.now, self.step);
        for partition in self.partitions.iter_mut().flatten() {
            let wanted = !partition.loaded || partition.reload;
            if wanted && partition.is_leased(now) && partition.load.may_start(now) {
                partition.reload = false;
                partition.load.start(step);
                let (partition, epoch) = (partition.number, partition.epoch);
                self.out.push(Effect::LoadParked { partition, epoch });
            }
        }
    }

    pub(super) fn load_at(&self) -> Option<Millis> {
        if !self.chores {
            return None;
        }
        self.owned_partitions().filter_map(|partition| partition.load.pause_ends(self.now)).min()
    }

    pub(super) fn reload(&mut self, number: u32) {
        if let Some(partition) = self.partition_mut(number) {
            partition.reload = true;
        }
    }

    pub(super) fn parked_keys(&mut self, number: u32, epoch: u64, keys: &[Key]) {
        let Some(partition) = self.under(number, epoch) else { return };
        let Some(asked_in) = partition.load.answered() else { return };
        if !partition.loaded {
            partition.loaded = true;
            for key in keys {
                self.queue.set_gate(*key, number, Gate::Parked);
            }
            self.activate();
            return;
        }
        // What is parked here is at least what is parked in the store. So an answer only sets free.
        let keys: BTreeSet<_> = keys.iter().collect();
        for key in self.queue.parked_keys(number).into_iter().filter(|key| !keys.contains(key)) {
            self.free(number, key, asked_in);
        }
    }

    pub(super) fn parked_keys_failed(&mut self, number: u32, epoch: u64) {
        let (now, pauses) = (self.now, self.pauses());
        if let Some(partition) = self.under(number, epoch)
            && partition.load.failed(now, pauses).is_some()
        {
            partition.reload = partition.loaded;
            self.chores = true;
        }
    }

    /// A key has no dead letters any more, by an answer to what was asked in the step `since`: its events flow again. Not if some
    /// of them were on their way to become letters at any time since then: the store may have seen that only afterwards, whatever
    /// the order of its answers. Then the first of them is due at once, and the key is free once it is handled.
    pub(super) fn free(&mut self, number: u32, key: Key, since: u64) {
        let Some(lane) = self.queue.lane(key) else { return };
        let failing = lane.entries.iter().any(|entry| entry.failure.is_some());
        if failing || lane.parking > 0 || lane.parked_in >= since {
            if lane.entries.is_empty() {
                self.chores = true;
                if let Some(partition) = self.partition_mut(number) {
                    partition.take = true;
                }
            } else {
                self.queue.look_again(key);
            }
        } else if !self.letters.has_key(key) && lane.gate == Gate::Parked {
            self.queue.set_gate(key, number, Gate::Open);
        }
    }

    /// Parks what waits for it.
    pub(super) fn park_more(&mut self) {
        if self.queue.nothing_to_park() || !self.park.may_start(self.now) {
            return;
        }
        let (mut batches, mut letters) = (Vec::new(), Vec::new());
        let leased = self.queue.to_park().filter_map(|key| {
            let partition = self.partition(key.partition(self.options.partitions))?;
            partition.is_leased(self.now).then(|| (key, partition.lease()))
        });
        for (key, lease) in leased.take(PARK_MOST).collect::<Vec<_>>() {
            if letters.len() >= PARK_MOST {
                break;
            }
            batches.push(Batch { key, lease });
            let entries = self.queue.begin_parking(key, PARK_MOST - letters.len(), self.step);
            letters.extend(entries.map(|entry| Parking {
                partition: lease.partition,
                epoch: lease.epoch,
                item: entry.item.clone(),
                failure: entry.failure.as_deref().cloned(),
            }));
        }
        if !batches.is_empty() {
            self.park.start(batches);
            self.out.push(Effect::Park(letters));
        }
    }

    pub(super) fn parked(&mut self, refused: &[u32]) {
        let Some(batches) = self.park.answered() else { return };
        let refusals = batches.iter().map(|batch| batch.lease);
        self.refused(refusals.filter(|lease| refused.contains(&lease.partition)));
        self.parking_ended(&batches, true);
    }

    pub(super) fn park_failed(&mut self) {
        let Some(batches) = self.park.failed(self.now, self.pauses()) else { return };
        self.parking_ended(&batches, false);
        self.stopping_failed();
    }

    fn parking_ended(&mut self, batches: &[Batch], parked: bool) {
        for Batch { key, lease } in batches {
            if self.under(lease.partition, lease.epoch).is_none() {
                continue;
            }
            let (entries, look_again) = self.queue.end_parking(*key, parked, self.step);
            if let Some(partition) = self.partition_mut(lease.partition) {
                partition.take |= look_again;
            }
            self.chores |= look_again;
            for entry in entries {
                self.counters.parked += 1;
                if let Some(partition) =
                    self.partition_mut(lease.partition).filter(|_| entry.failure.is_some())
                {
                    partition.failing = partition.failing.saturating_sub(1);
                }
                self.done(lease.partition, entry.item.place, false);
            }
        }
    }
}
