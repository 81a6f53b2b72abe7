//! Reading the log: one feed for all partitions that are ours.

use super::{Machine, count, stopping::Stopping};
use crate::{
    subscription::{Effect, Item},
    version::Place,
};

impl<E: Clone> Machine<E> {
    pub(super) fn announced(&mut self, place: Place) {
        self.behind |= place > self.head;
        self.head = self.head.max(place);
        self.announced = self.announced.max(place);
    }

    /// Reads on when there may be something, and room for it.
    pub(super) fn fetch_more(&mut self) {
        if !self.behind
            || self.paused
            || self.stopping != Stopping::No
            || self.consumers.is_empty()
            || !self.fetch.may_start(self.now)
        {
            return;
        }
        let most = count(self.options.buffer_max);
        let room = most.saturating_sub(self.queue.len());
        // Not event by event behind slow consumers; but if what is here waits for something, others need not.
        let enough = room >= most.div_ceil(2) || self.queue.sendable() == 0;
        if room == 0 || !enough {
            return;
        }
        let active = self.owned_partitions().filter(|partition| partition.active);
        let Some(after) = active.map(|partition| partition.seen).min() else { return };
        if !self.look && after >= self.head {
            self.behind = false;
            return;
        }
        self.look = false;
        self.announced = Place::START;
        self.fetch.start(after);
        self.out.push(Effect::Fetch { after, limit: u32::try_from(room).unwrap_or(u32::MAX) });
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
        let most = count(self.options.buffer_max);
        let mut upto = last;
        for item in items {
            let number = item.key.partition(self.options.partitions);
            let Some(partition) = self.partitions.get_mut(count(number)).and_then(Option::as_mut) else {
                continue;
            };
            if !partition.active || partition.seen < after || item.place <= partition.seen {
                continue;
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
        }
        if moved && self.options.durable {
            self.unsaved_since.get_or_insert(self.now);
        }
    }

    pub(super) fn fetch_failed(&mut self) {
        if self.fetch.failed(self.now).is_some() {
            self.look = true;
            self.behind = true;
        }
    }
}
