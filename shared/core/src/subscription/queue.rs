//! What was fetched and is not done, by key: who may be sent what next, and which keys wait for something.
//!
//! Every event stays in the lane of its key until it is done; to send it, to take it back and to send it again moves nothing. Lanes
//! that have something to send are listed as ready.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
};

use super::{
    ConsumerId, Delivery, Item, Key, Millis,
    lane::{Entry, Gate, Lane},
    ready::Ready,
};
use crate::version::Place;

/// Lanes by their key.
#[derive(Debug)]
pub(super) struct Queue<E> {
    lanes: HashMap<Key, Lane<E>, BuildHasherDefault<Spread>>,
    ready: Ready,
    /// Keys that wait for the moment to be tried again.
    retries: BTreeSet<(Millis, Key)>,
    /// Keys of which something is to be parked.
    to_park: BTreeSet<Key>,
    /// How many keys of each partition are parked.
    parked: BTreeMap<u32, usize>,
    len: usize,
    /// How many came so far.
    came: u64,
}

/// Keys are hashes already.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            lanes: HashMap::default(),
            ready: Ready::default(),
            retries: BTreeSet::new(),
            to_park: BTreeSet::new(),
            parked: BTreeMap::new(),
            len: 0,
            came: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Events that wait, are held, or are being parked.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Events that may be sent to somebody.
    pub(super) fn sendable(&self) -> usize {
        self.ready.items()
    }

    /// Lanes of which nobody holds anything and that have something to send.
    pub(super) fn free_lanes(&self) -> usize {
        self.ready.free_lanes()
    }

    pub(super) fn lane(&self, key: Key) -> Option<&Lane<E>> {
        self.lanes.get(&key)
    }

    /// Adds the last event so far of its key.
    pub(super) fn push(&mut self, item: Item<E>, partition: u32, now: Millis) {
        let key = item.key;
        let lane = self.lanes.entry(key).or_insert_with(|| Lane::new(partition, true));
        let number = self.came;
        self.came += 1;
        lane.entries.push_back(Entry {
            item,
            failures: 0,
            failed_first: None,
            failure: None,
            since: now,
            number,
        });
        self.len += 1;
        if lane.gate == Gate::Parked {
            self.to_park.insert(key);
        } else {
            self.ready.relist(key, lane);
        }
    }

    /// How many events this consumer may be sent now, and since when the first of them has been waiting.
    pub(super) fn waiting_for(&self, consumer: ConsumerId) -> (usize, Millis) {
        let (items, first) = self.ready.waiting_for(consumer);
        let entry = first.and_then(|key| self.lanes.get(&key)).and_then(|lane| lane.entries.get(lane.held));
        (items, entry.map_or(0, |entry| entry.since))
    }

    /// Hands a consumer the first events that it may have, at most `most` and of at most `lanes` keys nobody holds.
    pub(super) fn hand_out(&mut self, consumer: ConsumerId, most: usize, mut lanes: usize) -> Vec<Delivery<E>>
    where
        E: Clone,
    {
        let mut batch = Vec::with_capacity(most.min(self.waiting_for(consumer).0));
        while batch.len() < most {
            let Some((key, before)) = self.ready.next(consumer, lanes > 0) else { break };
            let Some(lane) = self.lanes.get_mut(&key) else { break };
            // What follows in the same lane goes with it, up to the first event of another one.
            let room = most - batch.len();
            let waiting = lane.entries.iter().skip(lane.held).take(room);
            let run = waiting.take_while(|entry| before.is_none_or(|before| entry.number < before));
            let sent = batch.len();
            batch.extend(run.map(|entry| Delivery {
                item: entry.item.clone(),
                attempt: entry.failures.saturating_add(1),
                letter: false,
                // Its partition knows.
                replay: false,
                resets: 0,
            }));
            if batch.len() == sent {
                break;
            }
            lane.held += batch.len() - sent;
            if lane.holder.replace(consumer).is_none() {
                lanes = lanes.saturating_sub(1);
            }
            self.ready.relist(key, lane);
        }
        batch
    }

    /// An event is done: handled, or skipped. Says of which partition it is.
    pub(super) fn finish(&mut self, key: Key, place: Place) -> Option<u32> {
        let lane = self.lanes.get_mut(&key)?;
        let at = lane.find(place)?;
        lane.entries.remove(at)?;
        self.len -= 1;
        if at < lane.held {
            lane.held -= 1;
            if lane.held == 0 {
                lane.holder = None;
            }
        }
        let partition = lane.partition;
        self.ready.relist(key, lane);
        if lane.is_over() {
            self.lanes.remove(&key);
        }
        Some(partition)
    }

    /// What is held of a key waits again. Its places.
    pub(super) fn take_back(&mut self, key: Key) -> Vec<Place> {
        let Some(lane) = self.lanes.get_mut(&key) else { return Vec::new() };
        let places = lane.take_back().collect();
        self.relist(key);
        places
    }

    /// The event, to record a failure with it.
    pub(super) fn entry_mut(&mut self, key: Key, place: Place) -> Option<&mut Entry<E>> {
        let lane = self.lanes.get_mut(&key)?;
        let at = lane.find(place)?;
        lane.entries.get_mut(at)
    }

    /// Opens or shuts a key. There need not be anything of it.
    pub(super) fn set_gate(&mut self, key: Key, partition: u32, gate: Gate) {
        let lane = self.lanes.entry(key).or_insert_with(|| Lane::new(partition, true));
        if let Gate::Retry(until) = lane.gate {
            self.retries.remove(&(until, key));
        }
        let parked = self.parked.entry(partition).or_default();
        *parked -= usize::from(lane.gate == Gate::Parked);
        *parked += usize::from(gate == Gate::Parked);
        lane.gate = gate;
        match gate {
            Gate::Retry(until) => {
                self.retries.insert((until, key));
            }
            Gate::Parked if lane.entries.len() > lane.parking => {
                self.to_park.insert(key);
            }
            Gate::Open => {
                self.to_park.remove(&key);
            }
            Gate::Parked => {}
        }
        self.relist(key);
    }

    /// The next moment at which a key is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Millis> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Events of keys that wait to be tried again.
    pub(super) fn waiting(&self) -> usize {
        let lanes = self.retries.iter().filter_map(|(_, key)| self.lanes.get(key));
        lanes.map(|lane| lane.entries.len()).sum()
    }

    /// Takes out what of a key is behind its first events. Nothing of it is held. The places.
    pub(super) fn cut(&mut self, key: Key, keep: usize) -> Vec<Place> {
        let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.entries.len() > keep) else {
            return Vec::new();
        };
        let behind = lane.entries.split_off(keep);
        self.len -= behind.len();
        self.relist(key);
        behind.into_iter().map(|entry| entry.item.place).collect()
    }

    /// Opens the keys whose moment has come.
    pub(super) fn open_retries(&mut self, now: Millis) {
        while let Some((_, key)) = self.retries.first().copied().filter(|(at, _)| *at <= now) {
            match self.lanes.get(&key).map(|lane| lane.partition) {
                Some(partition) => self.set_gate(key, partition, Gate::Open),
                None => {
                    self.retries.pop_first();
                }
            }
        }
    }

    /// Keys of which something is to be parked.
    pub(super) fn to_park(&self) -> impl Iterator<Item = Key> {
        self.to_park.iter().copied()
    }

    pub(super) fn nothing_to_park(&self) -> bool {
        self.to_park.is_empty()
    }

    /// The first events of a key, at most `most`, are being parked now.
    pub(super) fn begin_parking(
        &mut self,
        key: Key,
        most: usize,
        step: u64,
    ) -> impl Iterator<Item = &Entry<E>> {
        self.to_park.remove(&key);
        let lane = self.lanes.get_mut(&key);
        let lane = lane.map(|lane| {
            lane.parking = lane.entries.len().min(most);
            lane.parked_in = step;
            &*lane
        });
        lane.into_iter().flat_map(|lane| lane.entries.iter().take(lane.parking))
    }

    /// What was being parked of a key is parked, or is not and has to be again. The events that were.
    /// And whether letters of the key may be due by now.
    pub(super) fn end_parking(&mut self, key: Key, parked: bool, step: u64) -> (Vec<Entry<E>>, bool) {
        let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.gate == Gate::Parked) else {
            return (Vec::new(), false);
        };
        let count = std::mem::take(&mut lane.parking).min(lane.entries.len());
        lane.parked_in = step;
        let done: Vec<_> = lane.entries.drain(..if parked { count } else { 0 }).collect();
        self.len -= done.len();
        if !lane.entries.is_empty() {
            self.to_park.insert(key);
        }
        (done, parked && std::mem::take(&mut lane.look_again))
    }

    /// Letters of this key may be due once what is being parked of it is parked.
    pub(super) fn look_again(&mut self, key: Key) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.look_again = true;
        }
    }

    /// Whether keys of a partition are parked.
    pub(super) fn has_parked(&self, partition: u32) -> bool {
        self.parked.get(&partition).is_some_and(|count| *count > 0)
    }

    /// The parked keys of a partition.
    pub(super) fn parked_keys(&self, partition: u32) -> Vec<Key> {
        let lanes = self.lanes.iter();
        let parked = lanes.filter(|(_, lane)| lane.partition == partition && lane.gate == Gate::Parked);
        let mut keys: Vec<_> = parked.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }

    /// A partition may send from now on, or no longer.
    pub(super) fn set_active(&mut self, partition: u32, active: bool) {
        for key in self.keys_of(partition) {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.active = active;
                self.relist(key);
            }
        }
    }

    /// Forgets a partition. Who held what of it.
    pub(super) fn forget(&mut self, partition: u32) -> Vec<(ConsumerId, Place)> {
        let mut held = Vec::new();
        self.parked.remove(&partition);
        for key in self.keys_of(partition) {
            let Some(mut lane) = self.lanes.remove(&key) else { continue };
            self.ready.unlist(key, lane.listed);
            if let Gate::Retry(until) = lane.gate {
                self.retries.remove(&(until, key));
            }
            self.to_park.remove(&key);
            self.len -= lane.entries.len();
            if let Some(holder) = lane.holder {
                held.extend(lane.take_back().map(|place| (holder, place)));
            }
        }
        held
    }

    /// A consumer is gone, and everything it held was taken back.
    pub(super) fn forget_consumer(&mut self, consumer: ConsumerId) {
        self.ready.forget_consumer(consumer);
    }

    /// What a bug would do: the first event of a key goes behind the others.
    #[cfg(test)]
    pub(super) fn rotate(&mut self, key: Key) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.entries.rotate_left(1);
        }
        self.relist(key);
    }

    fn keys_of(&self, partition: u32) -> Vec<Key> {
        let mut keys: Vec<_> =
            self.lanes.iter().filter(|(_, lane)| lane.partition == partition).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }

    /// Lists a lane as what it has become, and drops it when it is over.
    fn relist(&mut self, key: Key) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        self.ready.relist(key, lane);
        if lane.is_over() {
            self.lanes.remove(&key);
        }
    }
}
