//! Dead letters that are tried again: of each key one at a time, from the moment the store named it until it is settled.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConsumerId, Due, Item, Key, Millis, Settling};
use crate::{time::Timestamp, version::Place};

/// A dead letter in hand.
#[derive(Debug)]
pub(super) struct InHand<E> {
    pub(super) partition: u32,
    pub(super) epoch: u64,
    pub(super) item: Item<E>,
    /// How often it failed.
    pub(super) failures: u32,
    /// When it failed first, as far as is known.
    pub(super) failed_first: Option<Timestamp>,
    pub(super) replay: bool,
    pub(super) state: State,
}

/// What happens to it.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// It waits for a consumer.
    Waiting,
    /// It failed and waits for this moment.
    Retry(Millis),
    /// A consumer has it.
    Held(ConsumerId),
    /// How it went is to be recorded.
    Over(Settling),
}

/// The dead letters in hand; not more than one batch of them.
#[derive(Debug)]
pub(super) struct Letters<E> {
    all: BTreeMap<Place, InHand<E>>,
    keys: BTreeSet<Key>,
    /// Those that were settled since the store was last asked which are due: its answer may still name them.
    settled: BTreeSet<Place>,
}

impl<E> Default for Letters<E> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), keys: BTreeSet::new(), settled: BTreeSet::new() }
    }
}

impl<E> Letters<E> {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn has_key(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut InHand<E>> {
        self.all.get_mut(&place)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &InHand<E>)> {
        self.all.iter().map(|(place, letter)| (*place, letter))
    }

    /// The store is asked which are due.
    pub(super) fn begin_taking(&mut self) {
        self.settled.clear();
    }

    /// Takes one in hand. Not one that is already, or was when the store was asked.
    pub(super) fn take(&mut self, due: Due<E>, epoch: u64) -> bool {
        let (place, key) = (due.item.place, due.item.key);
        if self.settled.contains(&place) || !self.keys.insert(key) {
            return false;
        }
        let letter = InHand {
            partition: due.partition,
            epoch,
            item: due.item,
            failures: due.attempts,
            failed_first: due.first_at,
            replay: due.replay,
            state: State::Waiting,
        };
        self.all.insert(place, letter);
        true
    }

    /// It is settled.
    pub(super) fn remove(&mut self, place: Place) -> Option<InHand<E>> {
        let letter = self.all.remove(&place)?;
        self.keys.remove(&letter.item.key);
        self.settled.insert(place);
        Some(letter)
    }

    /// The next moment at which one is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Millis> {
        let moments = self.all.values().filter_map(|letter| match letter.state {
            State::Retry(at) => Some(at),
            _ => None,
        });
        moments.min()
    }

    /// Those whose moment has come wait for a consumer.
    pub(super) fn open_retries(&mut self, now: Millis) {
        for letter in self.all.values_mut() {
            if matches!(letter.state, State::Retry(at) if at <= now) {
                letter.state = State::Waiting;
            }
        }
    }

    /// Forgets those of a partition. Who held what of it.
    pub(super) fn forget(&mut self, partition: u32) -> Vec<(ConsumerId, Place)> {
        let mut held = Vec::new();
        let keys = &mut self.keys;
        self.all.retain(|place, letter| {
            if letter.partition != partition {
                return true;
            }
            keys.remove(&letter.item.key);
            if let State::Held(holder) = letter.state {
                held.push((holder, *place));
            }
            false
        });
        held
    }
}
