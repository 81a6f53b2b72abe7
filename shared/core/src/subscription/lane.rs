//! The events of one key, in order: some in a consumer's hands, some on their way to become dead letters, the rest waiting.

use std::collections::VecDeque;

use super::{ConsumerId, Item, Millis};
use crate::{store::Failure, time::Timestamp, version::Place};

/// An event that is not done.
#[derive(Debug)]
pub(super) struct Entry<E> {
    pub(super) item: Item<E>,
    /// How often it failed.
    pub(super) failures: u32,
    /// When it failed first.
    pub(super) failed_first: Option<Timestamp>,
    /// Set once it is to become a dead letter for its own sake.
    pub(super) failure: Option<Box<Failure>>,
    /// When it came.
    pub(super) since: Millis,
    /// As the how manieth event of the queue it came.
    pub(super) number: u64,
}

/// Whether events of a key may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Not before this moment: the first one failed and is tried again then.
    Retry(Millis),
    /// Not at all: the key has dead letters, and what comes becomes one, too.
    Parked,
}

/// The events of a key. `entries` are in the order of their places; the first `held` of them are in the hands of `holder`.
#[derive(Debug)]
pub(super) struct Lane<E> {
    pub(super) partition: u32,
    /// Whether its partition may send.
    pub(super) active: bool,
    pub(super) gate: Gate,
    pub(super) entries: VecDeque<Entry<E>>,
    pub(super) held: usize,
    pub(super) holder: Option<ConsumerId>,
    /// How many, from the first on, are just being parked.
    pub(super) parking: usize,
    /// The step in which something of it was last parked or about to be.
    pub(super) parked_in: u64,
    /// Whether letters of it may be due once that is parked.
    pub(super) look_again: bool,
    /// As what it is listed as ready.
    pub(super) listed: Option<Listed>,
}

/// A lane that has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Which one came first of those that wait.
    pub(super) number: u64,
    /// The only consumer that may have it, if somebody holds something of the key.
    pub(super) holder: Option<ConsumerId>,
    /// How many wait.
    pub(super) items: usize,
}

impl<E> Lane<E> {
    pub(super) fn new(partition: u32, active: bool) -> Self {
        Self {
            partition,
            active,
            gate: Gate::Open,
            entries: VecDeque::new(),
            held: 0,
            holder: None,
            parking: 0,
            parked_in: 0,
            look_again: false,
            listed: None,
        }
    }

    /// As what it should be listed now.
    pub(super) fn ready(&self) -> Option<Listed> {
        if !self.active || self.gate != Gate::Open {
            return None;
        }
        let first = self.entries.get(self.held)?;
        Some(Listed {
            number: first.number,
            holder: self.holder,
            items: self.entries.len().saturating_sub(self.held),
        })
    }

    /// Whether nothing is left to remember.
    pub(super) fn is_over(&self) -> bool {
        self.entries.is_empty() && self.gate == Gate::Open
    }

    /// Where an event is.
    pub(super) fn find(&self, place: Place) -> Option<usize> {
        // Nearly always the first: what is acknowledged is acknowledged in order.
        self.entries.iter().position(|entry| entry.item.place == place)
    }

    /// Takes back what is held; its places.
    pub(super) fn take_back(&mut self) -> impl Iterator<Item = Place> {
        let held = std::mem::take(&mut self.held);
        self.holder = None;
        self.entries.iter().take(held).map(|entry| entry.item.place)
    }
}
