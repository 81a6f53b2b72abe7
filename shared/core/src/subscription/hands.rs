//! How a runner and its consumers take turns: what a consumer was sent, as the runner knows it, and what it has in its hands, as it knows
//! itself. Between them are queues, so each is behind the other.
//!
//! An event may be sent again while a word about it is on its way, so a place does not say which delivery is meant: the number of its
//! batch does. Batches of a subscription are counted.

use std::collections::BTreeMap;

use super::{ByPlace, Delivery, Key};
use crate::version::Place;

/// What a consumer was sent and is not done with, as its runner knows it. An event that was sent again is there as it was sent last. With
/// each is kept what the runner wants to find again.
#[derive(Clone, Debug)]
pub struct Given<T> {
    sent: ByPlace<Way<T>>,
}

/// The last delivery of an event.
#[derive(Clone, Debug)]
struct Way<T> {
    key: Key,
    number: u64,
    kept: T,
}

/// What a consumer has in its hands, as it knows itself: what is on its way to it is not there yet. With each is kept what the consumer
/// wants to know of it.
#[derive(Clone, Debug)]
pub struct Hands<T = ()> {
    held: ByPlace<Held<T>>,
    /// By key, the last batch that was sent before an event of it failed. What that and those before it have of the key will be sent
    /// again behind the event, and is not to be handled.
    stale: BTreeMap<Key, u64>,
}

/// An event in hand.
#[derive(Clone, Copy, Debug)]
pub struct Held<T = ()> {
    /// Its key.
    pub key: Key,
    /// Whether it is a dead letter that is tried again.
    pub letter: bool,
    /// The batch it came with.
    pub number: u64,
    /// What is known of it besides.
    pub kept: T,
}

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self { sent: ByPlace::default() }
    }
}

impl<T> Given<T> {
    /// These are sent with this batch.
    pub fn send<E>(&mut self, number: u64, deliveries: &[Delivery<E>], kept: &T)
    where
        T: Clone,
    {
        let way = |key| Way { key, number, kept: kept.clone() };
        self.sent.extend(deliveries.iter().map(|one| (one.item.place, way(one.item.key))));
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether this event was sent, in whatever batch.
    #[must_use]
    pub fn has(&self, place: Place) -> bool {
        self.sent.contains(place)
    }

    /// Whether an event of this key was sent.
    #[must_use]
    pub fn has_of(&self, key: Key) -> bool {
        self.sent.iter().any(|(_, way)| way.key == key)
    }

    /// Whether what the consumer says of this event, which it got with this batch or one before it, is about its last delivery. One that
    /// came again since then is not handled, whatever became of the one before.
    #[must_use]
    pub fn is_current(&self, place: Place, number: u64) -> bool {
        self.sent.get(place).is_some_and(|way| way.number <= number)
    }

    /// The consumer says with this batch that it has handled these: those that it is done with then, and those that it does not hold.
    pub fn handled(&mut self, number: u64, places: Vec<Place>) -> (Vec<Place>, Vec<Place>) {
        let (done, not_held): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|place| self.is_current(*place, number));
        for place in &done {
            self.sent.remove(*place);
        }
        (done, not_held)
    }

    /// This event is somebody else's now; what was kept with it.
    pub fn revoke(&mut self, place: Place) -> Option<T> {
        self.sent.remove(place).map(|way| way.kept)
    }

    /// An event of this key has failed: nothing of the key that was sent up to this batch counts any more.
    pub fn failed(&mut self, key: Key, batch: u64) {
        self.sent.retain(|_, way| way.key != key || way.number > batch);
    }

    /// The consumer is gone; what was sent, and what was kept with it.
    pub fn into_kept(self) -> impl Iterator<Item = (Place, T)> {
        self.sent.into_iter().map(|(place, way)| (place, way.kept))
    }
}

impl<T> Default for Hands<T> {
    fn default() -> Self {
        Self { held: ByPlace::default(), stale: BTreeMap::new() }
    }
}

impl<T> Hands<T> {
    /// Takes a batch, but for what will be sent again, and for that with which nothing is to be kept: it is somebody else's by now.
    pub fn take<E>(
        &mut self,
        number: u64,
        deliveries: &mut Vec<Delivery<E>>,
        keep: impl Fn(Place) -> Option<T>,
    ) {
        self.stale.retain(|_, last| number <= *last);
        let Self { held, stale } = self;
        deliveries.retain(|Delivery { item, letter, .. }| {
            let kept = (!stale.contains_key(&item.key)).then(|| keep(item.place)).flatten();
            let taken = kept.map(|kept| Held { key: item.key, letter: *letter, number, kept });
            let is_taken = taken.is_some();
            held.extend(taken.map(|taken| (item.place, taken)));
            is_taken
        });
    }

    /// Everything, in order of places.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &Held<T>)> {
        self.held.iter()
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Events up to this place, and these letters, as far as they are held and came with this batch or before it: one that came again
    /// later is another matter.
    #[must_use]
    pub fn up_to(&self, number: u64, place: Place, letters: &[Place]) -> Vec<Place> {
        let wanted = self.held.iter().filter(|(at, held)| {
            held.number <= number && if held.letter { letters.contains(at) } else { *at <= place }
        });
        wanted.map(|(at, _)| at).collect()
    }

    /// Whether it holds this one as a dead letter.
    #[must_use]
    pub fn is_letter(&self, place: Place) -> bool {
        self.held.get(place).is_some_and(|held| held.letter)
    }

    /// Knows this of an event that it holds from now on.
    pub fn keep(&mut self, place: Place, kept: T) {
        if let Some(held) = self.held.get_mut(place) {
            held.kept = kept;
        }
    }

    /// These are handled, as they came with this batch or before it.
    pub fn done(&mut self, number: u64, places: &[Place]) {
        for place in places {
            if self.held.get(*place).is_some_and(|held| held.number <= number) {
                self.held.remove(*place);
            }
        }
    }

    /// Lets go of all but these.
    pub fn retain(&mut self, keep: impl FnMut(Place, &Held<T>) -> bool) {
        self.held.retain(keep);
    }

    /// An event of this key has failed. What was sent of the key up to this batch comes again; it may have come already.
    pub fn failed(&mut self, key: Key, batch: u64) {
        self.held.retain(|_, held| held.key != key || held.number > batch);
        let last = self.stale.entry(key).or_default();
        *last = (*last).max(batch);
    }
}
