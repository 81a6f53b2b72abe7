//! The outbox: work that an append leaves behind for later, in the same atom as its events.

use serde::Serialize;
use uuid::Uuid;

use crate::{json::Json, message::Request, store::StoreError, time::Timestamp};

/// Work to be done after an append, such as a command to dispatch. It is there if and only if the append is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboxEntry {
    /// Made once by the writer and kept over retries; each id is taken at most once.
    pub id: Uuid,
    /// Who shall do it.
    pub queue: String,
    /// What there is to do.
    pub body: Json,
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

/// Reads entries of a queue that wait, in their order.
#[derive(Clone, Debug)]
pub struct ReadOutbox {
    /// Which queue.
    pub queue: String,
    /// Only entries behind this number.
    pub after: u64,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
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

impl Request for ClearOutbox {
    const NAME: &'static str = "store.clear_outbox";
    type Answer = u64;
    type Error = StoreError;
}
