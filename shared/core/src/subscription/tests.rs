//! The machine, example by example and under a scheduler that does its worst.

use super::machine::Machine;
use crate::store::Checkpoint;

/// A bug that is planted to see whether the tests find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Checkpoints are saved as far as was read.
    SavesWhatWasSeen,
    /// What waits for another try does not hold back what comes behind it.
    RetryLetsOthersPass,
}

impl<E: Clone> Machine<E> {
    pub(super) fn wrong_checkpoints(&self, right: Vec<Checkpoint>) -> Vec<Checkpoint> {
        if self.bug != Some(Bug::SavesWhatWasSeen) {
            return right;
        }
        let owned = self.owned_partitions().filter(|one| one.is_leased(self.now) && one.seen > one.saved);
        owned.map(|one| Checkpoint { partition: one.number, epoch: one.epoch, place: one.seen }).collect()
    }
}
