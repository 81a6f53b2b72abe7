//! Dead letters as they are kept.

use std::collections::BTreeSet;

use umbel_core::{
    Place,
    store::Failure,
    subscription::{Due, Input, Item, Key, Parking, SettledLetter, Settling},
};

use super::{Log, Subscription, size};
use crate::{bug::Bug, random::Random};

/// A dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(super) partition: u32,
    key: Key,
    failure: Option<Failure>,
    retry: bool,
    replay: bool,
}

impl Letter {
    fn is_due(&self) -> bool {
        self.retry || self.failure.is_none()
    }
}

impl Subscription {
    pub(super) fn letters_of(&self, partition: u32) -> impl Iterator<Item = &Letter> {
        self.letters.values().filter(move |letter| letter.partition == partition)
    }

    /// The first letter of each key, if it is due.
    pub(super) fn due(&self) -> impl Iterator<Item = (Place, &Letter)> {
        let mut seen = BTreeSet::new();
        let firsts = self.letters.iter().filter(move |(_, letter)| seen.insert(letter.key));
        firsts.filter(|(_, letter)| letter.is_due()).map(|(place, letter)| (*place, letter))
    }

    pub(super) fn parked_keys(&self, partition: u32) -> Vec<Key> {
        if self.bug == Some(Bug::LettersForgotten) {
            return Vec::new();
        }
        let keys: BTreeSet<_> = self.letters_of(partition).map(|letter| letter.key).collect();
        keys.into_iter().collect()
    }

    pub(super) fn park(&mut self, letters: &[Parking<u64>]) -> Vec<u32> {
        let mut refused = BTreeSet::new();
        for one in letters {
            if !self.is_current(one.partition, one.epoch) {
                refused.insert(one.partition);
                continue;
            }
            let partition = one.item.key.partition(self.partition_count());
            let replay = one.item.place <= self.partitions[size(partition)].handled;
            let (key, failure) = (one.item.key, one.failure.clone());
            let letter = Letter { partition, key, failure, retry: false, replay };
            self.letters.entry(one.item.place).or_insert(letter);
        }
        refused.into_iter().collect()
    }

    pub(super) fn take(&self, partitions: &[u32], limit: u32) -> Vec<Due<u64>> {
        let due = self.due().filter(|(_, letter)| partitions.contains(&letter.partition));
        due.take(size(limit))
            .map(|(place, letter)| Due {
                partition: letter.partition,
                item: Item { place, key: letter.key, event: place.get() },
                attempts: letter.failure.as_ref().map_or(0, |failure| failure.attempts),
                first_at: letter.failure.as_ref().map(|failure| failure.first_at),
                replay: letter.replay,
            })
            .collect()
    }

    pub(super) fn settle(&mut self, log: &Log, settled: &[SettledLetter]) -> Input<u64> {
        let (mut refused, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for one in settled {
            if !self.is_current(one.partition, one.epoch) {
                refused.insert(one.partition);
                continue;
            }
            match &one.settling {
                Settling::Done => {
                    self.letters.remove(&one.place);
                    // The same again gets the same answer, though the letter itself is gone.
                    let entry = log.entries.get(size(one.place.get().saturating_sub(1)));
                    gone.extend(entry.map(|entry| (one.partition, entry.key)));
                }
                Settling::Failed(failure) => {
                    if let Some(letter) = self.letters.get_mut(&one.place) {
                        letter.failure = Some(failure.clone());
                        letter.retry = false;
                    }
                }
            }
        }
        if self.bug != Some(Bug::StoreFreesKeysEarly) {
            gone.retain(|(_, key)| !self.letters.values().any(|letter| letter.key == *key));
        }
        Input::Settled { free: gone.into_iter().collect(), refused: refused.into_iter().collect() }
    }

    /// The places of all letters.
    pub(crate) fn letter_places(&self) -> impl ExactSizeIterator<Item = Place> {
        self.letters.keys().copied()
    }

    /// Whether this event is a dead letter.
    pub(crate) fn is_parked(&self, place: Place) -> bool {
        self.letters.contains_key(&place)
    }

    /// An operator asks for letters to be tried again, some of them by chance or all.
    pub(crate) fn retry(&mut self, mut some: Option<&mut Random>) {
        for letter in self.letters.values_mut() {
            letter.retry |= some.as_mut().is_none_or(|random| random.one_in(2));
        }
    }

    /// An operator discards a letter.
    pub(crate) fn discard_one(&mut self, random: &mut Random) -> Option<Place> {
        let place = *self.letters.keys().nth(random.below(self.letters.len()))?;
        self.letters.remove(&place);
        Some(place)
    }
}
