//! The consumers of this process: how much each may hold, what it holds, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{ByPlace, ConsumerId, JoinError, Key};
use crate::version::Place;

/// What is known of a consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) capacity: usize,
    /// The turn in which it was last sent something, or joined.
    used: u64,
    /// The events it holds.
    pub(super) held: ByPlace<Key>,
    /// The dead letters it holds.
    pub(super) letters: BTreeSet<Place>,
}

/// All consumers.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    all: BTreeMap<ConsumerId, Consumer>,
    /// Those with room, the least recently used first.
    roomy: BTreeSet<(u64, ConsumerId)>,
    turn: u64,
}

impl Consumer {
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.held.len() + self.letters.len())
    }
}

impl Consumers {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn hold_nothing(&self) -> bool {
        self.all.values().all(|one| one.held.is_empty() && one.letters.is_empty())
    }

    pub(super) fn get(&self, id: ConsumerId) -> Option<&Consumer> {
        self.all.get(&id)
    }

    /// Takes one in. It counts as just used: what another one left goes to those first who were there.
    pub(super) fn join(&mut self, id: ConsumerId, capacity: u32, max: u32) -> Result<(), JoinError> {
        if self.all.contains_key(&id) {
            return Err(JoinError::AlreadyJoined);
        }
        if self.all.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
            return Err(JoinError::TooMany { max });
        }
        self.turn += 1;
        let capacity = usize::try_from(capacity.max(1)).unwrap_or(usize::MAX);
        let consumer =
            Consumer { capacity, used: self.turn, held: ByPlace::default(), letters: BTreeSet::new() };
        self.all.insert(id, consumer);
        self.roomy.insert((self.turn, id));
        Ok(())
    }

    pub(super) fn leave(&mut self, id: ConsumerId) -> Option<Consumer> {
        let consumer = self.all.remove(&id)?;
        self.roomy.remove(&(consumer.used, id));
        Some(consumer)
    }

    /// Those with room, the least recently used first.
    pub(super) fn with_room(&self) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.roomy.iter().filter_map(|(_, id)| Some((*id, self.all.get(id)?)))
    }

    pub(super) fn count_with_room(&self) -> usize {
        self.roomy.len()
    }

    /// It is sent events: they are its now, and it is the last to be used.
    pub(super) fn hold(&mut self, id: ConsumerId, events: impl Iterator<Item = (Place, Key)>) {
        self.turn += 1;
        let turn = self.turn;
        self.change(id, |consumer| {
            consumer.used = turn;
            consumer.held.extend(events);
        });
    }

    /// It is sent dead letters.
    pub(super) fn hold_letters(&mut self, id: ConsumerId, places: impl Iterator<Item = Place>) {
        self.turn += 1;
        let turn = self.turn;
        self.change(id, |consumer| {
            consumer.used = turn;
            consumer.letters.extend(places);
        });
    }

    /// What an acknowledgement of this place covers: all it holds up to there. `None` when it does not hold the place itself.
    pub(super) fn acknowledge(&mut self, id: ConsumerId, place: Place) -> Option<Vec<(Place, Key)>> {
        if !self.all.get(&id)?.held.contains(place) {
            return None;
        }
        let mut covered = Vec::new();
        self.change(id, |consumer| {
            while consumer.held.first().is_some_and(|(first, _)| first <= place) {
                covered.extend(consumer.held.pop_first());
            }
        });
        Some(covered)
    }

    /// What an acknowledgement of this place alone covers: the key of the event, if it holds that.
    pub(super) fn acknowledge_one(&mut self, id: ConsumerId, place: Place) -> Option<Key> {
        let mut key = None;
        self.change(id, |consumer| key = consumer.held.remove(place));
        key
    }

    /// It does not hold these any more, events or letters.
    pub(super) fn let_go(&mut self, id: ConsumerId, places: impl Iterator<Item = Place>) {
        self.change(id, |consumer| {
            for place in places {
                consumer.held.remove(place);
                consumer.letters.remove(&place);
            }
        });
    }

    fn change(&mut self, id: ConsumerId, change: impl FnOnce(&mut Consumer)) {
        let Some(consumer) = self.all.get_mut(&id) else { return };
        let before = (consumer.room() > 0).then_some(consumer.used);
        change(consumer);
        let after = (consumer.room() > 0).then_some(consumer.used);
        if before != after {
            before.map(|used| self.roomy.remove(&(used, id)));
            after.map(|used| self.roomy.insert((used, id)));
        }
    }
}
