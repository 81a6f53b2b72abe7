//! Names of streams by id, so that pages of the log need no join and share the names.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use umbel_core::StreamName;

/// Names in each of the two generations: some 5 MB at most.
const GENERATION_MAX: usize = 32_768;

/// A stream's name never changes, so what is here is true. The older generation is dropped when the younger is full.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<i64, StreamName>,
    old: HashMap<i64, StreamName>,
}

impl Names {
    /// The names known of these ids, one entry each, in order.
    pub(super) fn get(&self, ids: &[i64]) -> Vec<Option<StreamName>> {
        let mut generations = self.lock();
        ids.iter().map(|id| generations.get(*id)).collect()
    }

    pub(super) fn insert(&self, id: i64, name: StreamName) {
        self.lock().insert(id, name);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // Nothing can be half done: a panic between two insertions loses a name that is looked up again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn get(&mut self, id: i64) -> Option<StreamName> {
        if let Some(name) = self.young.get(&id) {
            return Some(name.clone());
        }
        let name = self.old.remove(&id)?;
        self.insert(id, name.clone());
        Some(name)
    }

    fn insert(&mut self, id: i64, name: StreamName) {
        if self.young.len() >= GENERATION_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(id, name);
    }
}
