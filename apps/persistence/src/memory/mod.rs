//! The store in memory: for tests and examples, and the readable model of what every store does.
//!
//! One lock around one state of plain collections, no IO. Honours every contract; forgets all when dropped.

mod append;
mod documents;
mod extras;
mod log;
mod read_models;
mod state;
mod stream;
mod upkeep;
mod verify;

use std::sync::{Mutex, MutexGuard, PoisonError};

use self::state::State;

/// A store that lives as long as this value.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic while the lock was held can only come from exhausted memory; the state is changed after all
    /// decisions, so it is taken as it is.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn size(limit: impl TryInto<usize>) -> usize {
    limit.try_into().unwrap_or(usize::MAX)
}
