//! Saving checkpoints: often enough, and no more than that.

#[cfg(test)]
use crate::{store::Checkpoint, subscription::tests::Bug};

use super::{Machine, stopping::Stopping};
use crate::{
    store::Lease,
    subscription::{Effect, Millis, partition::Partition},
};

impl<E: Clone> Machine<E> {
    /// Saves the checkpoints that have moved, when enough was done, long enough ago, or nothing more is to come.
    pub(super) fn save_more(&mut self) {
        if !self.options.durable || !self.save.may_start(self.now) {
            return;
        }
        let due = self.unsaved >= self.options.checkpoint_after
            || self.save_time().is_some_and(|at| at <= self.now)
            || self.stopping == Stopping::Saving
            || (self.chores
                && self
                    .owned_partitions()
                    .any(|one| one.draining && one.is_idle() && one.is_leased(self.now)));
        if !due {
            return;
        }
        let leased = self.owned_partitions().filter(|one| one.is_leased(self.now));
        let checkpoints: Vec<_> = leased.filter_map(Partition::moved).collect();
        #[cfg(test)]
        let checkpoints = if self.bug == Some(Bug::SavesWhatWasSeen) { self.seen() } else { checkpoints };
        self.unsaved = 0;
        self.unsaved_since = None;
        if !checkpoints.is_empty() {
            self.save.start(checkpoints.clone());
            self.out.push(Effect::Save(checkpoints));
        }
    }

    /// What a bug would save.
    #[cfg(test)]
    fn seen(&self) -> Vec<Checkpoint> {
        let leased = self.owned_partitions().filter(|one| one.is_leased(self.now) && one.seen > one.saved);
        let seen = leased.map(|one| Checkpoint { partition: one.number, epoch: one.epoch, place: one.seen });
        seen.collect()
    }

    fn save_time(&self) -> Option<Millis> {
        self.unsaved_since.map(|since| since.saturating_add(self.options.checkpoint_within_ms))
    }

    /// When checkpoints are saved, if not before.
    pub(super) fn save_at(&self) -> Option<Millis> {
        if self.save.under_way().is_some() {
            return None;
        }
        let due = if self.unsaved >= self.options.checkpoint_after { Some(0) } else { self.save_time() };
        due.map(|at| at.max(self.save.pause_ends(self.now).unwrap_or(0)))
    }

    pub(super) fn saved(&mut self, refused: &[u32]) {
        let Some(checkpoints) = self.save.answered() else { return };
        for checkpoint in checkpoints {
            if refused.contains(&checkpoint.partition) {
                let lease = Lease { partition: checkpoint.partition, epoch: checkpoint.epoch };
                self.refused(std::iter::once(lease));
            } else if let Some(partition) = self.under(checkpoint.partition, checkpoint.epoch) {
                partition.saved = partition.saved.max(checkpoint.place);
            }
        }
    }

    pub(super) fn save_failed(&mut self) {
        if self.save.failed(self.now, self.pauses()).is_some() {
            self.unsaved_since.get_or_insert(self.now);
            self.stopping_failed();
        }
    }
}
