//! The store in memory: for tests and examples, and the readable model of what every store does.
//!
//! One lock around one state of plain collections, no IO. Honours every contract; forgets all when dropped.

mod append;
mod documents;
mod extras;
mod generations;
mod letters;
mod log;
mod read_models;
mod state;
mod stream;
mod subscriptions;
mod upkeep;
mod verify;

use std::sync::{Mutex, MutexGuard, PoisonError};

use self::state::State;
use crate::{page::PAGE_MAX_BYTES, processes::Told};

/// A store that lives as long as this value.
#[derive(Debug)]
pub struct Memory {
    state: Mutex<State>,
    page_max_bytes: usize,
    told: Told,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Mutex::default(), page_max_bytes: PAGE_MAX_BYTES, told: Told::default() }
    }

    /// With pages of so many bytes of data and metadata at most, or of one event.
    #[must_use]
    pub fn with_page_max_bytes(self, page_max_bytes: usize) -> Self {
        Self { page_max_bytes, ..self }
    }

    /// A panic while the lock was held can only come from exhausted memory; the state is changed after all
    /// decisions, so it is taken as it is.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn size(limit: impl TryInto<usize>) -> usize {
    limit.try_into().unwrap_or(usize::MAX)
}
