//! Verifying what a store holds.

use serde::Serialize;

use crate::{message::Request, store::StoreError};

/// Checks every invariant of the log and what hangs on it, by looking at all of it. Appends go on meanwhile.
///
/// Each rule is checked on what the store holds at that moment, and not all of them on the same: a snapshot held for so long
/// would slow appends down. What is appended after the beginning need not be looked at.
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
    /// Tables, indexes, triggers and functions are there as the migrations have made them, and nobody else's triggers are on the tables.
    Schema,
    /// The file that a store on SQLite is in can be read throughout, and each index leads to all rows of its table, by SQLite's own check. (On
    /// PostgreSQL that is for its own programs to find, such as `pg_amcheck`.)
    Integrity,
    /// The log has its one row, and what it numbers (positions, streams, the outbox) has no number beyond those it has given
    /// out.
    Log,
    /// Positions run from 1 to the head; what is missing was hard-removed, and the audit says so, or it is of a removal under way.
    Positions,
    /// Versions of a stream, links included, run from 1 to the stream's; what is missing was hard-removed, as many as the
    /// stream has counted, which are no more than the audit says, and what removals under way have counted. Such a removal is of
    /// what its stream shows no more.
    Versions,
    /// An event id is in the log once, archive included.
    EventIds,
    /// Every event belongs to a stream and a kind that are known, and a kind has a name and a schema from 1.
    References,
    /// What leads reads by time to the events takes in the times of all of them. So does what else is written for many events at once:
    /// where those of a kind are, and which conversations they may be of.
    Spans,
    /// A link points to an event, once for each stream.
    Links,
    /// An event is found by each of its tags, and a tag leads only to events that have it.
    Tags,
    /// A projection's checkpoint is from the log's start to its head, and so is that of a subscription that follows the log; what is noted
    /// with it can be read.
    Checkpoints,
    /// A snapshot is JSON, of a stream that is there, and not beyond its last version.
    Snapshots,
    /// Index entries of documents belong to documents, and under which indexes documents have entries is noted for their collection.
    /// A document is JSON, and readers of a collection get those of a generation that serves.
    Documents,
    /// A recorded command's position is in the log, and its reply is JSON.
    Commands,
    /// The archive ends where the log says.
    Archive,
    /// An event's data, metadata and time can be read, and so can what waits in the outbox, and kept notices.
    Payloads,
    /// A subject of whom an event holds sealed personal data has a key, which opens it, or was forgotten.
    SubjectKeys,
    /// A subscription's partitions are numbered from 0, without a gap, and each belongs to a subscription that is there. Who owns them, and what
    /// is counted, can be read.
    Subscriptions,
    /// A dead letter belongs to the partition of its key, of a subscription that is there, and is of an event that the log has come
    /// to. It may be of one that is gone. What its data was edited to is JSON.
    Letters,
}

/// At most so many findings of one rule are told; a damaged store can have millions. Where there are so many of one, there may
/// be more: see [`Finding::are_all`].
pub const FINDINGS_MAX_PER_RULE: usize = 20;

impl Finding {
    /// Whether these findings of one verification are all there are, and not only the first of some rule.
    #[must_use]
    pub fn are_all(findings: &[Self]) -> bool {
        let of = |rule| findings.iter().filter(|finding| finding.rule == rule).count();
        findings.iter().all(|finding| of(finding.rule) < FINDINGS_MAX_PER_RULE)
    }
}

impl Request for VerifyStore {
    const NAME: &'static str = "store.verify";
    /// What is wrong, sorted by rule; empty for a healthy store.
    type Answer = Vec<Finding>;
    type Error = StoreError;
}
