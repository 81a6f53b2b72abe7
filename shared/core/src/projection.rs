//! Projections: events in, documents out, each event's effect exactly once.

use crate::{
    document::{Changes, Collection},
    event::{EventSet, RecordedEvent},
};

/// A read model's rule: how each event changes the documents.
///
/// The host reads the log, loads the documents that the rule touches, applies the changes and commits them
/// together with the checkpoint. A rule is pure and sees every event once, in log order.
pub trait Projection: Send + Sync + 'static {
    /// Stable name, `app.model`; its checkpoint is kept under `name/version`.
    const NAME: &'static str;
    /// Raised when the rule changes, so that the read model is built anew: it is emptied, and every event is
    /// projected again from the start of the log. Until that has caught up, readers see the new model as far as it
    /// has come. Two versions at a time, on several nodes, are not supported yet: they write the same documents.
    const VERSION: u32 = 1;
    /// The events it wants. Others are not even read.
    type Event: EventSet;

    /// The collections it owns; nobody else writes them. They are emptied when a version of the rule begins.
    fn collections() -> Vec<Collection>;

    /// The changes an event makes. `recorded` is the event's place, time and metadata.
    fn project(event: Self::Event, recorded: &RecordedEvent, changes: &mut Changes);
}
