//! Reading the log: one feed for all partitions that are ours, as long as they are at one place.
//!
//! A partition may stand far behind the others: it was just won from somebody who was slow. Then two places are read from by turns, that of
//! the last one and that of the first one. Each partition takes what is next for it and leaves the rest, so the one catches up while the
//! others go on; those between wait until the last one has come to them. So no event is read more than twice for it, and a part of the
//! buffer is kept for the first ones: what happens now waits behind no more than the buffer.
//!
//! What a key that waits to be tried again may hold here is bounded, so that others flow however much comes of it: what is beyond
//! is left in the log, and read again once what is here of the key is done.

use std::collections::BTreeMap;

use super::{Machine, count, stopping::Stopping};
use crate::{
    subscription::{Effect, Item, Key, lane::Gate, partition::Partition, queue::Queue},
    version::Place,
};

/// Which part of the buffer one key may hold that waits, and which part all of them.
const OF_ONE: usize = 8;
const OF_ALL: usize = 2;
/// Which part of the buffer is kept for those ahead while others are behind.
const OF_AHEAD: usize = 4;

impl<E: Clone> Machine<E> {
    pub(super) fn announced(&mut self, place: Place) {
        self.behind |= place > self.head;
        self.head = self.head.max(place);
        self.announced = self.announced.max(place);
    }

    /// Reads on when there may be something, and room for it.
    pub(super) fn fetch_more(&mut self) {
        let back = self.place_to_read_from();
        if !(self.behind || back.is_some())
            || self.paused
            || self.stopping != Stopping::No
            || self.consumers.is_empty()
            || !self.fetch.may_start(self.now)
        {
            return;
        }
        let seen = || self.owned_partitions().filter(|partition| partition.active).map(|one| one.seen);
        let (Some(last), Some(first)) = (seen().chain(back).min(), seen().max()) else { return };
        if !self.look && last >= self.head {
            self.behind = false;
            return;
        }
        let Some((after, limit)) = self.next_read(last, first) else { return };
        self.read_behind = after < first;
        self.look = false;
        self.announced = Place::START;
        self.fetch.start(after);
        self.out.push(Effect::Fetch { after, limit: u32::try_from(limit).unwrap_or(u32::MAX) });
    }

    /// From where to read, and how much: by turns for those that are last and for those that are first, if these have something to read.
    fn next_read(&self, last: Place, first: Place) -> Option<(Place, usize)> {
        let most = count(self.options.buffer_max);
        let room = most.saturating_sub(self.queue.len());
        let kept = if last < first { most / OF_AHEAD } else { 0 };
        let room_behind = room.saturating_sub(kept);
        // Not event by event behind slow consumers; but if what is here waits for something, others need not.
        let flowing = most.saturating_sub(self.queue.waiting() + kept);
        let is_idle = self.queue.sendable() == 0;
        let is_enough = |room: usize, of: usize| room > 0 && (is_idle || room >= of.div_ceil(2));
        let behind = is_enough(room_behind, flowing).then_some((last, room_behind));
        let is_wanted = last < first && (self.look || first < self.head);
        let ahead = (is_wanted && is_enough(room, kept)).then_some((first, room));
        if self.read_behind { ahead.or(behind) } else { behind.or(ahead) }
    }

    /// Each partition takes what is its own and new. One that stands before the place from which was read takes nothing: it would
    /// miss what lies between.
    pub(super) fn fetched(&mut self, items: Vec<Item<E>>, scanned_to: Place, head: Place) {
        let Some(after) = self.fetch.under_way().copied() else { return };
        self.head = head.max(self.announced);
        self.behind = true;
        let last = items.last().map_or(scanned_to, |item| item.place.max(scanned_to));
        if last <= after && self.head > after {
            // There should be something, and nothing came: not again at once.
            self.fetch_failed();
            return;
        }
        self.fetch.answered();
        #[cfg(test)]
        if self.bug == Some(crate::subscription::tests::Bug::GapsAreSkipped) {
            self.partitions.iter_mut().flatten().for_each(|one| one.seen = one.seen.max(after));
        }
        let most = count(self.options.buffer_max);
        let (mut upto, mut left) = (last, BTreeMap::new());
        let partitions = self.options.partitions;
        for item in items {
            let number = item.key.partition(self.options.partitions);
            let Some(partition) = self.partitions.get_mut(count(number)).and_then(Option::as_mut) else {
                continue;
            };
            if !partition.active || partition.seen < after {
                continue;
            }
            match partition.left.get(&item.key) {
                // It was left, and so was what is before it, unless this page begins there.
                Some(from) if item.place < *from || after >= *from => continue,
                None if item.place <= partition.seen => continue,
                _ if left.contains_key(&item.key) => continue,
                _ if may_hold(&self.queue, item.key, most) => {}
                _ => {
                    left.insert(item.key, item.place);
                    continue;
                }
            }
            if self.queue.len() >= most {
                // More came than was asked for. It stays in the log.
                upto = Place::new(item.place.get().saturating_sub(1));
                break;
            }
            partition.begin(item.place);
            self.queue.push(item, number, self.now);
        }
        let mut moved = false;
        for partition in self.partitions.iter_mut().flatten() {
            if partition.active && partition.seen >= after && partition.seen < upto {
                partition.seen = upto;
                moved = true;
            }
            if partition.active && partition.seen >= after {
                let own = left.iter().filter(|(key, _)| key.partition(partitions) == partition.number);
                read_again(partition, after, upto, &own.map(|(key, from)| (*key, *from)).collect());
                moved |= self.leaves;
                self.leaves |= !partition.left.is_empty();
            }
        }
        if moved && self.options.durable {
            self.unsaved_since.get_or_insert(self.now);
        }
    }

    /// A key waits from now on: what is here of it beyond its share is left in the log.
    pub(super) fn leave_behind(&mut self, key: Key, number: u32) {
        let most = count(self.options.buffer_max);
        let here = self.queue.lane(key).map_or(0, |lane| lane.entries.len());
        let others = self.queue.waiting().saturating_sub(here);
        let keep = share(most).min((most / OF_ALL).saturating_sub(others)).max(1);
        let places = self.queue.cut(key, keep);
        let Some(partition) = self.partition_mut(number) else { return };
        if let Some(first) = places.first() {
            // Before what was left of it already, as that is behind all that was here.
            partition.left.insert(key, *first);
        }
        for place in places {
            partition.finish(place);
        }
        self.leaves = true;
    }

    /// The place behind which to read again what was left of keys of which nothing is here any more.
    fn place_to_read_from(&mut self) -> Option<Place> {
        self.leaves = self.leaves && self.owned_partitions().any(|one| !one.left.is_empty());
        if !self.leaves {
            return None;
        }
        let left = self.owned_partitions().filter(|one| one.active).flat_map(|one| &one.left);
        let is_over = |key: Key| {
            let lane = self.queue.lane(key);
            lane.is_none_or(|lane| lane.entries.is_empty() && !matches!(lane.gate, Gate::Retry(_)))
        };
        let over = left.filter(|(key, _)| is_over(**key));
        over.map(|(_, from)| Place::new(from.get().saturating_sub(1))).min()
    }

    pub(super) fn fetch_failed(&mut self) {
        if self.fetch.failed(self.now, self.pauses()).is_some() {
            self.look = true;
            self.behind = true;
        }
    }
}

/// Events that a key may hold which waits.
fn share(most: usize) -> usize {
    (most / OF_ONE).max(1)
}

/// Whether there is room for one more event of this key: always, unless it waits.
fn may_hold<E>(queue: &Queue<E>, key: Key, most: usize) -> bool {
    let waits = queue.lane(key).filter(|lane| matches!(lane.gate, Gate::Retry(_)));
    waits.is_none_or(|lane| lane.entries.len() < share(most) && queue.waiting() < most / OF_ALL)
}

/// A page was read behind `after` up to a place: what had been left within it was taken, but for what is `left` now.
fn read_again(partition: &mut Partition, after: Place, upto: Place, left: &BTreeMap<Key, Place>) {
    let (seen, next) = (partition.seen, upto.plus(1));
    partition.left.retain(|_, from| {
        let was_reached = after < *from && *from < next;
        if was_reached {
            *from = next;
        }
        !was_reached || upto < seen
    });
    partition.left.extend(left);
}
