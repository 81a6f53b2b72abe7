//! What a consumer has handled and is not stored yet.

use std::{collections::VecDeque, sync::Arc};

use umbel_core::{Place, RecordedEvent};

use crate::subscription::{Delivered, Saved};

/// Events at most that wait for their checkpoint: far more than are handled between two saves. Beyond that the oldest are forgotten.
const WAITING_MAX: usize = 10_000;

/// Events that were handled and whose checkpoint is not known to be saved.
#[derive(Debug, Default)]
pub(super) struct Commits(VecDeque<Waiting>);

#[derive(Debug)]
struct Waiting {
    partition: u32,
    place: Place,
    letter: bool,
    event: Arc<RecordedEvent>,
}

impl Commits {
    /// An event was handled.
    pub(super) fn handled(&mut self, delivered: &Delivered, partitions: u32) {
        let &Delivered { place, key, letter, .. } = delivered;
        let (partition, event) = (key.partition(partitions), Arc::clone(&delivered.event));
        self.0.push_back(Waiting { partition, place, letter, event });
        if self.0.len() > WAITING_MAX {
            self.0.pop_front();
        }
    }

    /// Takes those that are stored, in the order in which they were handled.
    pub(super) fn stored(&mut self, saved: &Saved) -> Vec<Arc<RecordedEvent>> {
        let is_stored = |one: &Waiting| {
            one.letter || saved.get(&one.partition).is_some_and(|checkpoint| *checkpoint >= one.place)
        };
        let (stored, waiting) = std::mem::take(&mut self.0).into_iter().partition(is_stored);
        self.0 = waiting;
        let stored: VecDeque<Waiting> = stored;
        stored.into_iter().map(|one| one.event).collect()
    }

    /// Forgets all of them: they come again.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
