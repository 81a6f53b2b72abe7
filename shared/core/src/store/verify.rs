//! Verifying what a store holds.

use serde::Serialize;

use crate::{message::Request, store::StoreError};

/// Checks every invariant of the log and what hangs on it, by looking at all of it. Appends go on meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct VerifyStore;

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Which rule is broken.
    pub rule: Rule,
    /// Where, and how, for people.
    pub what: String,
}

/// The rules of a healthy store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Positions run from 1 to the head; what is missing was hard-removed, and the audit says so.
    Positions,
    /// Versions of a stream, links included, run from 1; what is missing was hard-removed, and the audit says so.
    Versions,
    /// An event id is in the log once, archive included.
    EventIds,
    /// Every event belongs to a stream and a kind that are known.
    References,
    /// A link points to an event, once for each stream.
    Links,
    /// A projection's checkpoint is not beyond the log's head.
    Checkpoints,
    /// A snapshot is of a stream that is there, and not beyond its last version.
    Snapshots,
    /// Index entries of documents belong to documents.
    Documents,
    /// A recorded command's position is in the log.
    Commands,
    /// The archive ends where the log says.
    Archive,
    /// An event's data can be read.
    Payloads,
}

/// At most so many findings of one rule are told; a damaged store can have millions.
pub const FINDINGS_MAX_PER_RULE: usize = 20;

impl Request for VerifyStore {
    const NAME: &'static str = "store.verify";
    /// What is wrong, sorted by rule; empty for a healthy store.
    type Answer = Vec<Finding>;
    type Error = StoreError;
}
