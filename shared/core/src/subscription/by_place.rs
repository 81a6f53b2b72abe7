//! What is known of places, for places that come in order and go nearly so: events that were sent, and are done.
//!
//! A queue with holes: adding behind the last place and taking the first one cost a few instructions, others a binary search, and one
//! that comes out of order a move of those behind it. Holes are never more than there are entries, and some.

use std::collections::VecDeque;

use crate::version::Place;

/// Holes that are kept however few entries there are.
const HOLES_MIN: usize = 64;

/// A map by place.
#[derive(Clone, Debug)]
pub struct ByPlace<T> {
    /// In order; neither the first nor the last is a hole.
    entries: VecDeque<(Place, Option<T>)>,
    len: usize,
}

impl<T> Default for ByPlace<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), len: 0 }
    }
}

impl<T> ByPlace<T> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is known of a place.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<&T> {
        self.entries.get(self.find(place)?)?.1.as_ref()
    }

    /// What is known of a place, to change it.
    pub fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        let at = self.find(place)?;
        self.entries.get_mut(at)?.1.as_mut()
    }

    /// Whether anything is known of a place.
    #[must_use]
    pub fn contains(&self, place: Place) -> bool {
        self.get(place).is_some()
    }

    /// The first place and what is known of it.
    #[must_use]
    pub fn first(&self) -> Option<(Place, &T)> {
        let (place, value) = self.entries.front()?;
        Some((*place, value.as_ref()?))
    }

    /// Everything, in order of places.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &T)> {
        self.entries.iter().filter_map(|(place, value)| Some((*place, value.as_ref()?)))
    }

    /// Knows this of a place from now on; what was known before.
    pub fn insert(&mut self, place: Place, value: T) -> Option<T> {
        if self.entries.back().is_none_or(|(last, _)| *last < place) {
            self.entries.push_back((place, Some(value)));
            self.len += 1;
            return None;
        }
        let before = match self.search(place) {
            Ok(at) => self.entries.get_mut(at).and_then(|(_, slot)| slot.replace(value)),
            Err(at) => {
                self.entries.insert(at, (place, Some(value)));
                None
            }
        };
        self.len += usize::from(before.is_none());
        before
    }

    /// Forgets a place; what was known of it.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        let at = self.find(place)?;
        let value = self.entries.get_mut(at)?.1.take()?;
        self.len -= 1;
        self.tidy();
        Some(value)
    }

    /// Forgets the first place, and what was known of it.
    pub fn pop_first(&mut self) -> Option<(Place, T)> {
        let (place, value) = self.entries.pop_front()?;
        self.len -= 1;
        self.tidy();
        Some((place, value?))
    }

    /// Forgets all places but these.
    pub fn retain(&mut self, mut keep: impl FnMut(Place, &T) -> bool) {
        self.entries.retain(|(place, value)| value.as_ref().is_some_and(|value| keep(*place, value)));
        self.len = self.entries.len();
    }

    fn find(&self, place: Place) -> Option<usize> {
        match self.entries.front() {
            Some((first, _)) if *first == place => Some(0),
            _ => self.search(place).ok(),
        }
    }

    fn search(&self, place: Place) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&place, |(place, _)| *place)
    }

    /// Drops holes at the ends, and all when they are too many.
    fn tidy(&mut self) {
        let is_hole = |entry: Option<&(Place, Option<T>)>| entry.is_some_and(|(_, value)| value.is_none());
        while is_hole(self.entries.front()) {
            self.entries.pop_front();
        }
        while is_hole(self.entries.back()) {
            self.entries.pop_back();
        }
        if self.entries.len() > self.len.saturating_mul(2).saturating_add(HOLES_MIN) {
            self.entries.retain(|(_, value)| value.is_some());
        }
    }
}

impl<T> Extend<(Place, T)> for ByPlace<T> {
    fn extend<I: IntoIterator<Item = (Place, T)>>(&mut self, entries: I) {
        for (place, value) in entries {
            self.insert(place, value);
        }
    }
}

impl<T> IntoIterator for ByPlace<T> {
    type Item = (Place, T);
    type IntoIter = std::iter::FilterMap<
        std::collections::vec_deque::IntoIter<(Place, Option<T>)>,
        fn((Place, Option<T>)) -> Option<(Place, T)>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter().filter_map(|(place, value)| Some((place, value?)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Act {
        /// Behind the last one.
        Push(u64),
        Insert(u64),
        Remove(u64),
        PopFirst,
        Keep(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => (1..4_u64).prop_map(Act::Push),
            1 => (0..200_u64).prop_map(Act::Insert),
            4 => (0..200_u64).prop_map(Act::Remove),
            3 => Just(Act::PopFirst),
            1 => (2..9_u64).prop_map(Act::Keep),
        ]
    }

    proptest! {
        /// Whatever is done to it, it is the map that a tree would be, and holes are few.
        #[test]
        fn it_is_a_map(acts in prop::collection::vec(act(), 0..400)) {
            let (mut map, mut tree) = (ByPlace::default(), BTreeMap::new());
            for (number, act) in acts.into_iter().enumerate() {
                let behind = |step| tree.last_key_value().map_or(step, |(last, _): (&u64, _)| last + step);
                match act {
                    Act::Push(step) => {
                        let place = behind(step);
                        prop_assert_eq!(map.insert(Place::new(place), number), tree.insert(place, number));
                    }
                    Act::Insert(place) => {
                        prop_assert_eq!(map.insert(Place::new(place), number), tree.insert(place, number));
                    }
                    Act::Remove(place) => prop_assert_eq!(map.remove(Place::new(place)), tree.remove(&place)),
                    Act::PopFirst => {
                        let first = tree.pop_first().map(|(place, value)| (Place::new(place), value));
                        prop_assert_eq!(map.pop_first(), first);
                    }
                    Act::Keep(part) => {
                        map.retain(|place, _| place.get() % part != 0);
                        tree.retain(|place, _| place % part != 0);
                    }
                }
                prop_assert_eq!((map.len(), map.is_empty()), (tree.len(), tree.is_empty()));
                prop_assert_eq!(map.first().map(|(place, _)| place.get()), tree.first_key_value().map(|(at, _)| *at));
                prop_assert!(map.entries.len() <= 2 * map.len() + HOLES_MIN);
            }
            for place in 0..300 {
                prop_assert_eq!(map.get(Place::new(place)), tree.get(&place));
                prop_assert_eq!(map.get_mut(Place::new(place)), tree.get_mut(&place));
            }
            let entries = |(place, value): (Place, usize)| (place.get(), value);
            let listed: Vec<_> = map.iter().map(|(place, value)| (place.get(), *value)).collect();
            prop_assert_eq!(&listed, &tree.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(map.into_iter().map(entries).collect::<Vec<_>>(), listed);
        }
    }

    /// One that stays while others come and go behind it costs no memory.
    #[test]
    fn what_stays_first_keeps_no_holes() {
        let mut map = ByPlace::default();
        map.insert(Place::new(0), ());
        for place in 1..10_000 {
            map.insert(Place::new(place), ());
            map.insert(Place::new(place + 1), ());
            map.remove(Place::new(place));
        }
        assert!(map.entries.len() <= HOLES_MIN + 2 * map.len(), "{}", map.entries.len());
    }
}
