//! Dead letters that are tried again: which are due, how they went.

use super::{Machine, count, stopping::Stopping};
use crate::{
    store::{Failure, Lease},
    subscription::{
        ConsumerId, Due, Effect, Key, SettledLetter, Settling, Verdict,
        lane::Gate,
        letters::{InHand, State},
    },
    time::Timestamp,
    version::Place,
};

impl<E: Clone> Machine<E> {
    /// Asks for letters that are due.
    pub(super) fn take_letters(&mut self) {
        if !self.chores
            || self.paused
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
        self.take.start((self.step, leases));
        self.out.push(Effect::TakeLetters { partitions, limit });
    }

    pub(super) fn letters_due(&mut self, due: Vec<Due<E>>, free: &[(u32, Key)], more: bool) {
        let Some((since, leases)) = self.take.answered() else { return };
        let (none_due, mut taken) = (due.is_empty(), false);
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
                self.chores = true;
            } else if !held && self.letters.take(due, lease.epoch) {
                self.queue.set_gate(key, number, Gate::Parked);
                taken = true;
            }
        }
        for (partition, key) in free {
            self.free(*partition, *key, since);
        }
        // Not when nothing came of what was there: the same would come again at once.
        if more && (taken || none_due) {
            self.take_again(&leases);
        }
    }

    fn take_again(&mut self, leases: &[Lease]) {
        self.chores = true;
        for lease in leases {
            if let Some(partition) = self.under(lease.partition, lease.epoch) {
                partition.take = true;
            }
        }
    }

    pub(super) fn letters_failed(&mut self) {
        let (_, leases) = self.take.failed(self.now, self.pauses()).unwrap_or_default();
        self.take_again(&leases);
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
            self.settle.start((self.step, places));
            self.out.push(Effect::Settle(settled));
        }
    }

    pub(super) fn settled(&mut self, free: &[(u32, Key)], refused: &[u32]) {
        let Some((since, places)) = self.settle.answered() else { return };
        let unsure = std::mem::take(&mut self.settle_unsure);
        self.chores = true;
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
            self.free(*partition, *key, since);
        }
    }

    pub(super) fn settle_failed(&mut self) {
        if self.settle.failed(self.now, self.pauses()).is_some() {
            self.settle_unsure = true;
            self.stopping_failed();
        }
    }
}
