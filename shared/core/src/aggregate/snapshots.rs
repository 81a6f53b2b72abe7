//! Whether and how an aggregate is kept as snapshots.

use std::{fmt, num::NonZeroU64};

use crate::{
    json::{Json, JsonError},
    store::{Snapshot, SnapshotError, State},
    stream::StreamName,
    time::Timestamp,
    version::Version,
};

/// What [`Aggregate::snapshots`](crate::Aggregate::snapshots) declares: after how many events a snapshot is taken, and how the state
/// becomes one. The name and the version of its shape are those of its [`State`].
pub struct Snapshots<A> {
    every: Option<NonZeroU64>,
    form: Option<Form<A>>,
}

/// A state as JSON and back.
struct Form<A> {
    take: fn(StreamName, Version, &A, Timestamp) -> Result<Snapshot, JsonError>,
    read: fn(&Snapshot) -> Result<A, SnapshotError>,
    reveal: fn(&A) -> Result<Json, JsonError>,
}

impl<A> Snapshots<A> {
    /// None are taken and none are read, whatever the store holds; and the state cannot be returned to callers.
    #[must_use]
    pub const fn none() -> Self {
        Self { every: None, form: None }
    }

    /// One is taken once this many events or more have come since the last one. With 0 none are taken and none are read; the
    /// state can be returned to callers all the same.
    #[must_use]
    pub const fn every(events: u64) -> Self
    where
        A: State,
    {
        let form = Form { take: Snapshot::of::<A>, read: Snapshot::decode::<A>, reveal: Json::encode::<A> };
        Self { every: NonZeroU64::new(events), form: Some(form) }
    }

    /// Whether one is due at `version` when the last one was of `last`.
    #[must_use]
    pub fn is_due(&self, last: Version, version: Version) -> bool {
        self.every.is_some_and(|every| version.get().saturating_sub(last.get()) >= every.get())
    }

    /// Whether snapshots are taken and read.
    #[must_use]
    pub const fn are_used(&self) -> bool {
        self.every.is_some()
    }

    /// The state as a snapshot; `None` if there are none of this aggregate.
    #[must_use]
    pub fn take(
        &self,
        stream: StreamName,
        version: Version,
        state: &A,
        at: Timestamp,
    ) -> Option<Result<Snapshot, JsonError>> {
        self.form.as_ref().map(|form| (form.take)(stream, version, state, at))
    }

    /// The state in a snapshot; `None` if there are none of this aggregate.
    #[must_use]
    pub fn read(&self, snapshot: &Snapshot) -> Option<Result<A, SnapshotError>> {
        self.form.as_ref().map(|form| (form.read)(snapshot))
    }

    /// The state as JSON, for callers who ask for it; `None` if it has no such form.
    #[must_use]
    pub fn reveal(&self, state: &A) -> Option<Result<Json, JsonError>> {
        self.form.as_ref().map(|form| (form.reveal)(state))
    }
}

impl<A> fmt::Debug for Snapshots<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots").field("every", &self.every).finish_non_exhaustive()
    }
}
