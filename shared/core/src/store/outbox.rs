//! The outbox: work that an append leaves behind for later, in the same atom as its events.
//!
//! Who does the work takes its entry out by the append that records it ([`Append::done`](crate::store::Append::done)), which may
//! leave new work in its turn: so "do this, record it, and plan the next" is one atom.

use serde::Serialize;
use uuid::Uuid;

use crate::{json::Json, message::Request, store::StoreError, time::Timestamp};

/// Work to be done after an append, such as a command to dispatch. It is there if and only if the append is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboxEntry {
    /// Made once by the writer and kept over retries. While an entry with it waits, another one is not taken, and the one that
    /// waits stays as it is; to replace it, the same append says that it is done. An id whose entry is gone is not remembered: it
    /// is taken like a new one. So who may send an append again after its work could have been done makes the store recognise
    /// the append, by its events or a [`CommandRecord`](crate::store::CommandRecord).
    pub id: Uuid,
    /// Who shall do it.
    pub queue: String,
    /// What there is to do.
    pub body: Json,
    /// Not to be done before; without it at once.
    pub due_at: Option<Timestamp>,
}

/// An entry that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its place among all entries ever made: greater than that of every entry stored before it.
    pub number: u64,
    /// The entry.
    #[serde(flatten)]
    pub entry: OutboxEntry,
    /// When it was stored.
    pub recorded_at: Timestamp,
}

impl Waiting {
    /// When it is due: as it says, or from the moment it was stored.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        self.entry.due_at.unwrap_or(self.recorded_at)
    }
}

/// Reads entries of a queue that wait, due or not, in the order they were stored.
#[derive(Clone, Debug)]
pub struct ReadOutbox {
    /// Which queue.
    pub queue: String,
    /// Only entries behind this number.
    pub after: u64,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

/// Reads entries of a queue that are due, in the order in which they became so.
#[derive(Clone, Debug)]
pub struct ReadDue {
    /// Which queue.
    pub queue: String,
    /// By when: the store compares with the moments in its entries and asks no clock.
    pub now: Timestamp,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// By [`Waiting::due_at`], and by number where that is the same. As many as were asked for: there may be more.
    pub entries: Vec<Waiting>,
    /// When the first of the queue is due that is not due yet; `None` when none waits for its time.
    pub next_due: Option<Timestamp>,
}

/// Lists the queues in which entries wait, by name. All that wait are counted: it is for people, and not for every second.
#[derive(Clone, Debug, Default)]
pub struct ListQueues {
    /// Only those whose names come behind this one: the last name of the page before. Empty for the first page.
    pub after: String,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

/// A queue in which entries wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueInfo {
    /// Its name.
    pub queue: String,
    /// How many wait, due or not.
    pub waiting: u64,
    /// When the first of them is due, or was.
    pub first_due_at: Timestamp,
}

/// The entry with this id, if one waits.
#[derive(Clone, Copy, Debug)]
pub struct FindWork {
    /// Its id.
    pub id: Uuid,
}

/// Takes entries that are done out of the outbox. One that is not there (any more) changes nothing.
/// Answers how many there were.
#[derive(Clone, Debug)]
pub struct ClearOutbox {
    /// Their numbers.
    pub numbers: Vec<u64>,
}

impl Request for ReadOutbox {
    const NAME: &'static str = "store.read_outbox";
    type Answer = Vec<Waiting>;
    type Error = StoreError;
}

impl Request for ReadDue {
    const NAME: &'static str = "store.read_due";
    type Answer = DuePage;
    type Error = StoreError;
}

impl Request for ListQueues {
    const NAME: &'static str = "store.list_queues";
    type Answer = Vec<QueueInfo>;
    type Error = StoreError;
}

impl Request for FindWork {
    const NAME: &'static str = "store.find_work";
    type Answer = Option<Waiting>;
    type Error = StoreError;
}

impl Request for ClearOutbox {
    const NAME: &'static str = "store.clear_outbox";
    type Answer = u64;
    type Error = StoreError;
}
