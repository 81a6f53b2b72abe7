//! Dead letters: parking events, trying letters again, and finding out which keys are free of them.

use super::{Machine, count, stopping::Stopping};
use crate::{
    store::{Failure, Lease},
    subscription::{
        ConsumerId, Due, Effect, Key, Millis, Parking, SettledLetter, Settling, Verdict,
        lane::Gate,
        letters::{InHand, State},
    },
    time::Timestamp,
    version::Place,
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
        if self.stopping != Stopping::No {
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
        // What is parked here is at least what is parked in the store. So an answer only sets free, and only keys of which nothing
        // was on its way there since it was asked for.
        for key in self.queue.parked_keys(number) {
            let touched = self.queue.lane(key).is_some_and(|lane| lane.parked_in >= asked_in);
            if !touched && !keys.contains(&key) {
                self.free(number, key);
            }
        }
    }

    pub(super) fn parked_keys_failed(&mut self, number: u32, epoch: u64) {
        let now = self.now;
        if let Some(partition) = self.under(number, epoch)
            && partition.load.failed(now).is_some()
        {
            partition.reload = partition.loaded;
        }
    }

    /// A key has no dead letters any more: its events flow again. Not while one is on its way to become one: the store may have
    /// seen that only afterwards. Then it is due at once, being the first, and the key is free after it.
    fn free(&mut self, number: u32, key: Key) {
        let Some(lane) = self.queue.lane(key) else { return };
        let parking = lane.parking > 0 || lane.entries.iter().any(|entry| entry.failure.is_some());
        if parking {
            self.queue.look_again(key);
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
        for key in self.queue.to_park().take(PARK_MOST).collect::<Vec<_>>() {
            let number = key.partition(self.options.partitions);
            let Some(partition) = self.partition(number).filter(|one| one.is_leased(self.now)) else {
                continue;
            };
            if letters.len() >= PARK_MOST {
                break;
            }
            let lease = partition.lease();
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
        let Some(batches) = self.park.failed(self.now) else { return };
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

    /// Asks for letters that are due.
    pub(super) fn take_letters(&mut self) {
        if self.paused
            || self.stopping != Stopping::No
            || self.consumers.is_empty()
            || !self.take.may_start(self.now)
        {
            return;
        }
        let (most, in_hand) =
            (count(self.options.batch_max.min(self.options.buffer_max)), self.letters.len());
        if in_hand >= most {
            return;
        }
        let mut leases = Vec::new();
        for partition in self.partitions.iter_mut().flatten().filter(|one| one.take && one.active) {
            partition.take = false;
            leases.push(partition.lease());
        }
        if leases.is_empty() {
            return;
        }
        self.letters.begin_taking();
        // The store does not know which are in hand; it may name these first.
        let limit = u32::try_from(most + in_hand).unwrap_or(u32::MAX);
        let partitions = leases.iter().map(|lease| lease.partition).collect();
        self.take.start(leases);
        self.out.push(Effect::TakeLetters { partitions, limit });
    }

    pub(super) fn letters_due(&mut self, due: Vec<Due<E>>) {
        let Some(leases) = self.take.answered() else { return };
        let most = count(self.options.batch_max.min(self.options.buffer_max));
        for due in due {
            let (number, key) = (due.partition, due.item.key);
            let Some(lease) = leases.iter().find(|lease| lease.partition == number).copied() else {
                continue;
            };
            if self.under(number, lease.epoch).is_none() {
                continue;
            }
            let lane = self.queue.lane(key);
            let held = lane.is_some_and(|lane| lane.held > 0);
            if lane.is_some_and(|lane| lane.parking > 0) {
                // It may be the one that is just being parked. Once that is over, the store is asked again.
                self.queue.look_again(key);
            } else if self.letters.len() >= most {
                if let Some(partition) = self.partition_mut(number) {
                    partition.take = true;
                }
            } else if !held && self.letters.take(due, lease.epoch) {
                self.queue.set_gate(key, number, Gate::Parked);
            }
        }
    }

    pub(super) fn letters_failed(&mut self) {
        for lease in self.take.failed(self.now).unwrap_or_default() {
            if let Some(partition) = self.under(lease.partition, lease.epoch) {
                partition.take = true;
            }
        }
    }

    pub(super) fn open_letters(&mut self) {
        if !self.letters.is_empty() {
            self.letters.open_retries(self.now);
        }
    }

    /// A letter is in no consumer's hands any more and nothing is to be recorded.
    pub(super) fn letter_back(&mut self, place: Place, state: State) {
        let Some(letter) = self.letters.get_mut(place) else { return };
        letter.state = state;
        let number = letter.partition;
        if let Some(partition) = self.partition_mut(number) {
            partition.held = partition.held.saturating_sub(1);
        }
    }

    /// A letter was tried; how that went is to be recorded. Until it is, the partition counts it as held.
    pub(super) fn letter_over(&mut self, consumer: ConsumerId, place: Place, settling: Settling) {
        self.consumers.let_go(consumer, std::iter::once(place));
        if let Some(letter) = self.letters.get_mut(place) {
            letter.state = State::Over(settling);
        }
    }

    pub(super) fn letter_failed(
        &mut self,
        consumer: ConsumerId,
        place: Place,
        verdict: Verdict,
        error: String,
        at: Timestamp,
    ) {
        let Some(letter) = self.letters.get_mut(place) else { return };
        letter.failures = letter.failures.saturating_add(1);
        let first_at = *letter.failed_first.get_or_insert(at);
        let failure = Failure { error, attempts: letter.failures, first_at, last_at: at };
        match verdict {
            Verdict::Retry { after_ms } => {
                self.counters.retried += 1;
                self.consumers.let_go(consumer, std::iter::once(place));
                self.letter_back(place, State::Retry(self.now.saturating_add(after_ms)));
            }
            Verdict::Skip => {
                self.counters.skipped += 1;
                self.letter_over(consumer, place, Settling::Done);
            }
            Verdict::Park => {
                self.letter_over(consumer, place, Settling::Failed(failure));
            }
        }
    }

    /// Records how letters went.
    pub(super) fn settle_more(&mut self) {
        if self.letters.is_empty() || !self.settle.may_start(self.now) {
            return;
        }
        let (mut places, mut settled) = (Vec::new(), Vec::new());
        for (place, letter) in self.letters.iter() {
            let State::Over(settling) = &letter.state else { continue };
            if !self.partition(letter.partition).is_some_and(|one| one.is_leased(self.now)) {
                continue;
            }
            places.push(place);
            settled.push(SettledLetter {
                partition: letter.partition,
                epoch: letter.epoch,
                place,
                key: letter.item.key,
                settling: settling.clone(),
            });
        }
        if !places.is_empty() {
            self.settle.start(places);
            self.out.push(Effect::Settle(settled));
        }
    }

    pub(super) fn settled(&mut self, free: &[(u32, Key)], refused: &[u32]) {
        let Some(places) = self.settle.answered() else { return };
        let unsure = std::mem::take(&mut self.settle_unsure);
        for place in places {
            // One that is not there any more went with its partition, and one that is not over came with it again.
            let over = |letter: &&mut InHand<E>| matches!(letter.state, State::Over(_));
            let Some(letter) = self.letters.get_mut(place).filter(over) else { continue };
            let lease = Lease { partition: letter.partition, epoch: letter.epoch };
            if refused.contains(&lease.partition) {
                self.refused(std::iter::once(lease));
                continue;
            }
            let Some(letter) = self.letters.remove(place) else { continue };
            let is_free = free.contains(&(letter.partition, letter.item.key));
            let done = matches!(letter.state, State::Over(Settling::Done));
            if let Some(partition) = self.partition_mut(letter.partition) {
                partition.held = partition.held.saturating_sub(1);
                // The next of its key may be due now. If it was recorded before and nobody heard, the key may be free.
                partition.take |= done && !is_free;
                partition.reload |= done && !is_free && unsure;
            }
        }
        for (partition, key) in free {
            self.free(*partition, *key);
        }
    }

    pub(super) fn settle_failed(&mut self) {
        if self.settle.failed(self.now).is_some() {
            self.settle_unsure = true;
            self.stopping_failed();
        }
    }
}
