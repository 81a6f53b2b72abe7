//! Which lanes have something to send, by when their first event came: those of which nobody holds anything, and for each consumer those
//! of which it does. Not by its place: what is far behind would always come first, as long as more of it does.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ConsumerId, Key,
    lane::{Lane, Listed},
};

/// The lanes that are ready.
#[derive(Debug, Default)]
pub(super) struct Ready {
    free: Lanes,
    kept: BTreeMap<ConsumerId, Lanes>,
    /// Events in `kept`.
    kept_items: usize,
}

/// Lanes, by their first event.
#[derive(Debug, Default)]
struct Lanes {
    lanes: BTreeSet<(u64, Key)>,
    items: usize,
}

impl Ready {
    /// Events that may be sent to somebody.
    pub(super) fn items(&self) -> usize {
        self.free.items + self.kept_items
    }

    /// Lanes of which nobody holds anything.
    pub(super) fn free_lanes(&self) -> usize {
        self.free.lanes.len()
    }

    /// How many events this consumer may be sent, and of which key the first of them is.
    pub(super) fn waiting_for(&self, consumer: ConsumerId) -> (usize, Option<Key>) {
        let kept = self.kept.get(&consumer);
        let first = [Some(&self.free), kept].into_iter().flatten().filter_map(|lanes| lanes.lanes.first());
        (self.free.items + kept.map_or(0, |kept| kept.items), first.min().map(|(_, key)| *key))
    }

    /// The key of the first event that this consumer may have, from lanes that nobody holds only if it may have those; and the number of
    /// the first event of another key that it may have.
    pub(super) fn next(&self, consumer: ConsumerId, free: bool) -> Option<(Key, Option<u64>)> {
        let mut kept = self.kept.get(&consumer).into_iter().flat_map(|kept| &kept.lanes).peekable();
        let mut free = self.free.lanes.iter().take(if free { 2 } else { 0 }).peekable();
        let mut least = || match (kept.peek(), free.peek()) {
            (Some(one), Some(other)) if one < other => kept.next(),
            (_, Some(_)) => free.next(),
            (_, None) => kept.next(),
        };
        let (_, key) = least()?;
        Some((*key, least().map(|(number, _)| *number)))
    }

    /// Lists a lane as what it has become.
    pub(super) fn relist<E>(&mut self, key: Key, lane: &mut Lane<E>) {
        let (before, after) = (lane.listed, lane.ready());
        lane.listed = after;
        match (before, after) {
            (Some(before), Some(after)) if (before.number, before.holder) == (after.number, after.holder) => {
                // The common case, and no more than counting.
                self.add(after.holder, after.items);
                self.remove(before.holder, before.items);
            }
            _ => {
                self.unlist(key, before);
                self.list(key, after);
            }
        }
    }

    /// A lane is not ready any more.
    pub(super) fn unlist(&mut self, key: Key, listed: Option<Listed>) {
        let Some(Listed { number, holder, items }) = listed else { return };
        self.remove(holder, items).lanes.remove(&(number, key));
    }

    /// A consumer is gone, and holds nothing.
    pub(super) fn forget_consumer(&mut self, consumer: ConsumerId) {
        self.kept.remove(&consumer);
    }

    fn list(&mut self, key: Key, listed: Option<Listed>) {
        let Some(Listed { number, holder, items }) = listed else { return };
        self.add(holder, items).lanes.insert((number, key));
    }

    fn add(&mut self, holder: Option<ConsumerId>, items: usize) -> &mut Lanes {
        let lanes = match holder {
            None => &mut self.free,
            Some(holder) => {
                self.kept_items += items;
                self.kept.entry(holder).or_default()
            }
        };
        lanes.items += items;
        lanes
    }

    fn remove(&mut self, holder: Option<ConsumerId>, items: usize) -> &mut Lanes {
        let lanes = match holder {
            None => &mut self.free,
            Some(holder) => {
                self.kept_items -= items;
                self.kept.entry(holder).or_default()
            }
        };
        lanes.items -= items;
        lanes
    }
}
