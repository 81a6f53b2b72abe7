//! Turns: commands that ask for the same events wait for each other in this process, so that they do not run into conflicts which
//! one of them must lose.
//!
//! This saves work and decides nothing: whether an append is stored is decided by its condition.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use umbel_core::{TagItem, TagQuery};

/// With more items than this, those that nobody waits for any more are forgotten.
const KEPT_MAX: usize = 1024;

/// Whose turn it is, for each item of a query that somebody asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<TagItem, Weak<Turn<()>>>>>);

impl Turns {
    /// Waits until nobody else asks for any of these items. All take their turns in the same order, so nobody waits crosswise.
    pub(super) async fn wait(&self, query: &TagQuery) -> Vec<OwnedMutexGuard<()>> {
        let mut taken = Vec::with_capacity(query.items().len());
        for item in query.items().iter().collect::<BTreeSet<_>>() {
            taken.push(self.turn(item).lock_owned().await);
        }
        taken
    }

    fn turn(&self, item: &TagItem) -> Arc<Turn<()>> {
        // A map is whole after each change, whoever died.
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(item).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= KEPT_MAX {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::default();
        turns.insert(item.clone(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use umbel_core::Tags;

    use super::*;

    /// Who shares an item waits, in whichever order it is named; who shares none does not.
    #[test]
    fn who_asks_for_the_same_waits() {
        let turns = Turns::default();
        let query = |tags: [u32; 2]| TagQuery::tagged(Tags::of("t", tags[0])).or(Tags::of("t", tags[1]));
        let first = turns.wait(&query([1, 2])).now_or_never().unwrap();
        assert!(turns.wait(&query([3, 2])).now_or_never().is_none());
        assert!(turns.wait(&query([4, 3])).now_or_never().is_some());
        drop(first);
        assert!(turns.wait(&query([3, 2])).now_or_never().is_some());
        for number in 0..3000 {
            assert!(turns.wait(&query([number, number])).now_or_never().is_some(), "an item twice is one");
        }
        assert!(turns.0.lock().unwrap().len() <= KEPT_MAX);
    }
}
