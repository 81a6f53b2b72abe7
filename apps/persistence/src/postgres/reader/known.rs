//! What never changes and is looked up by number for every event: names of streams, and kinds. So pages need no joins,
//! and their events share the names.

use std::{
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use crate::postgres::recent::Recent;

/// Values in each of the two generations: some 5 MB at most.
const GENERATION_MAX: usize = 32_768;

/// What is known, to all readers.
#[derive(Debug)]
pub(super) struct Known<K, V>(Mutex<Recent<K, V>>);

impl<K: Copy + Eq + Hash, V: Clone> Known<K, V> {
    /// The values known of these keys, one entry each, in order.
    pub(super) fn get(&self, keys: &[K]) -> Vec<Option<V>> {
        self.with(|known| {
            let mut last: Option<(K, Option<V>)> = None;
            let mut find = |key: K| match &last {
                // Neighbours in the log are often of one stream and kind.
                Some((before, value)) if *before == key => value.clone(),
                _ => last.insert((key, known.get(&key).cloned())).1.clone(),
            };
            keys.iter().copied().map(&mut find).collect()
        })
    }

    pub(super) fn insert(&self, key: K, value: V) {
        self.with(|known| known.insert(key, value));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Recent<K, V>) -> T) -> T {
        // Nothing can be half done: a panic between two insertions loses a value that is looked up again.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Copy + Eq + Hash, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(GENERATION_MAX)))
    }
}
