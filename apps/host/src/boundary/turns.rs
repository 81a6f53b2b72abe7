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
#[derive(Clone, Debug)]
pub(super) struct Turns {
    turns: Arc<Mutex<HashMap<TagItem, Weak<Turn<()>>>>>,
    /// So many may ask for the same item at once: others are to find a place in the host, too.
    waiting_max: usize,
}

/// Many ask for one of the items already.
#[derive(Debug)]
pub(super) struct Crowded {
    /// How many.
    pub(super) waiting: usize,
}

impl Turns {
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { turns: Arc::default(), waiting_max: waiting_max.max(1) }
    }

    /// Waits until nobody else asks for any of these items. All take their turns in the same order, so nobody waits crosswise. Where too many
    /// wait for one of them, nothing is waited for.
    pub(super) async fn wait(&self, query: &TagQuery) -> Result<Vec<OwnedMutexGuard<()>>, Crowded> {
        // Each is held from here on, by which those are counted who ask for it.
        let turns: Vec<_> =
            query.items().iter().collect::<BTreeSet<_>>().into_iter().map(|item| self.turn(item)).collect();
        let others = turns.iter().map(|turn| Arc::strong_count(turn).saturating_sub(1));
        if let Some(waiting) = others.max().filter(|others| *others >= self.waiting_max) {
            return Err(Crowded { waiting });
        }
        let mut taken = Vec::with_capacity(turns.len());
        for turn in turns {
            taken.push(turn.lock_owned().await);
        }
        Ok(taken)
    }

    fn turn(&self, item: &TagItem) -> Arc<Turn<()>> {
        // A map is whole after each change, whoever died.
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
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
    #[tokio::test]
    async fn who_asks_for_the_same_waits() {
        let turns = Turns::new(2);
        let query = |tags: [u32; 2]| TagQuery::tagged(Tags::of("t", tags[0])).or(Tags::of("t", tags[1]));
        let first = turns.wait(&query([1, 2])).await.unwrap();
        assert!(turns.wait(&query([3, 2])).now_or_never().is_none());
        assert!(turns.wait(&query([4, 3])).now_or_never().unwrap().is_ok());
        drop(first);
        assert!(turns.wait(&query([3, 2])).now_or_never().unwrap().is_ok());
        for number in 0..3000 {
            assert!(turns.wait(&query([number, number])).await.is_ok(), "an item twice is one");
        }
        assert!(turns.turns.lock().unwrap().len() <= KEPT_MAX);
    }

    /// Who comes when many wait for one item is refused at once, and holds up nobody who asks for others; who leaves makes room.
    #[tokio::test]
    async fn a_crowd_is_bounded() {
        let turns = Turns::new(2);
        let query = |tag: u32| TagQuery::tagged(Tags::of("t", tag));
        let popular = query(1);
        let first = turns.wait(&popular).await.unwrap();
        let mut second = Box::pin(turns.wait(&popular));
        assert!(second.as_mut().now_or_never().is_none());
        let third = turns.wait(&query(1)).now_or_never().unwrap();
        assert!(matches!(third, Err(Crowded { waiting: 2 })), "{third:?}");
        assert!(turns.wait(&query(2)).now_or_never().unwrap().is_ok());
        drop(first);
        let second = second.now_or_never().unwrap().unwrap();
        assert!(turns.wait(&query(1)).now_or_never().is_none(), "there is room to wait");
        drop(second);
        assert!(turns.wait(&query(1)).now_or_never().unwrap().is_ok());
    }
}
