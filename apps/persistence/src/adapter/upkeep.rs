//! Upkeep: links, acts that remove or move, subjects' keys, verification.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use umbel_core::{
    StreamName, Subject, Timestamp, Version,
    store::{Finding, LinkError, LinkEvents, Perform, PerformError, Performed, Step, StoreError},
};

use super::missing;
use crate::steps::to_the_end;

/// The key that a subject's personal data is encrypted with.
#[derive(Clone, PartialEq, Eq)]
pub enum SubjectKey {
    /// 256 bits.
    Known([u8; 32]),
    /// It was dropped; the subject is forgotten.
    Forgotten,
    /// There is one that has not 256 bits, and so opens nothing. It can be dropped like any other.
    Damaged,
}

/// How a verification goes through a store.
#[derive(Clone)]
pub struct Stride {
    /// Events, or whatever it walks through, in one step. Some hundred milliseconds unless said otherwise.
    pub rows: u32,
    /// Who is told how far it has come, after each step.
    pub told: Arc<dyn Fn(Looked) + Send + Sync>,
}

/// How far a verification has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Rows that were looked at, by each check that looked at them.
    pub rows: u64,
    /// Checks that are through.
    pub done: usize,
    /// Checks there are.
    pub checks: usize,
}

/// Looks after what is stored.
pub trait Upkeep: Send + Sync + 'static {
    /// Links events to a stream, all or none; its version after it. Under the same lock as appends.
    fn link(&self, request: LinkEvents, now: Timestamp) -> BoxFuture<'_, Result<Version, LinkError>> {
        let _ = (request, now);
        missing_link()
    }

    /// Does the next step of an act, in one transaction, under the same lock as appends; the last one records it. All acts but removals
    /// for good are one step.
    fn perform_step(&self, request: Perform, now: Timestamp) -> BoxFuture<'_, Result<Step, PerformError>> {
        let _ = (request, now);
        Box::pin(async { missing::<Step>().await.map_err(PerformError::from) })
    }

    /// The removals that have begun and are not through, as they were asked for.
    fn removals(&self) -> BoxFuture<'_, Result<Vec<Perform>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Does an act to its end, all at this time.
    fn perform(&self, request: Perform, now: Timestamp) -> BoxFuture<'_, Result<Performed, PerformError>> {
        Box::pin(to_the_end(self, request, move || now))
    }

    /// The keys of these subjects, one answer for each, in order; `None` for one that has none yet.
    fn find_subject_keys(
        &self,
        subjects: Vec<Subject>,
    ) -> BoxFuture<'_, Result<Vec<Option<SubjectKey>>, StoreError>> {
        let _ = subjects;
        missing()
    }

    /// Stores keys for subjects that have none yet; the keys that are there afterwards, one for each, in order.
    fn create_subject_keys(
        &self,
        keys: Vec<(Subject, [u8; 32])>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubjectKey>, StoreError>> {
        let _ = (keys, now);
        missing()
    }

    /// Whose personal data events of a stream can hold that stand behind one version and up to another: its own and linked ones,
    /// archived or not, shown or not. Each subject once, in no order; nobody's for a stream that is not there.
    fn find_subjects(
        &self,
        stream: StreamName,
        behind: Version,
        through: Version,
    ) -> BoxFuture<'_, Result<Vec<Subject>, StoreError>> {
        let _ = (stream, behind, through);
        missing()
    }

    /// What is not as it must be, sorted by rule. Whatever grows with the log is looked at in steps, none of which takes long, and
    /// no more than a step is held in memory.
    fn verify_by(&self, stride: Stride) -> BoxFuture<'_, Result<Vec<Finding>, StoreError>> {
        let _ = stride;
        missing()
    }

    /// The same, in the usual steps, telling nobody.
    fn verify(&self) -> BoxFuture<'_, Result<Vec<Finding>, StoreError>> {
        self.verify_by(Stride::default())
    }
}

fn missing_link() -> BoxFuture<'static, Result<Version, LinkError>> {
    Box::pin(async { missing::<Version>().await.map_err(LinkError::from) })
}

impl SubjectKey {
    /// What is kept as one.
    pub(crate) fn stored(key: Option<&[u8]>) -> Self {
        let known = |key: &[u8]| key.try_into().map_or(Self::Damaged, Self::Known);
        key.map_or(Self::Forgotten, known)
    }
}

impl Stride {
    pub(crate) fn tell(&self, looked: Looked) {
        (self.told)(looked);
    }
}

impl Default for Stride {
    fn default() -> Self {
        Self { rows: 65_536, told: Arc::new(|_| {}) }
    }
}

impl std::fmt::Debug for Stride {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stride").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// A key is never printed.
impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Known(_) => "Known(..)",
            Self::Forgotten => "Forgotten",
            Self::Damaged => "Damaged",
        })
    }
}
