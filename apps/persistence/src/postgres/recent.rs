//! A bounded memory of what was used lately.

use std::{borrow::Borrow, hash::Hash, mem};

use foldhash::HashMap;

/// Two generations: what is used moves to the younger one, and the older one is dropped when the younger one is full.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    generation_max: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// With so many entries in each of the two generations.
    pub(super) fn new(generation_max: usize) -> Self {
        Self { generation_max, young: HashMap::default(), old: HashMap::default() }
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation_max {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let mut recent = Recent::new(100);
        for number in 0..300 {
            recent.insert(number, number);
            recent.get(&0);
        }
        assert!(recent.young.len() + recent.old.len() <= 200);
        assert_eq!(recent.get(&0), Some(&mut 0));
        assert_eq!(recent.get(&1), None);
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let mut recent = Recent::new(2);
        for (key, value) in [(1, 1), (2, 2), (3, 3), (1, 4), (5, 5)] {
            recent.insert(key, value);
        }
        assert_eq!(recent.get(&1), Some(&mut 4));
    }
}
