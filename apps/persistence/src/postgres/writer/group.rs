//! A group under way.

use umbel_core::{
    Timestamp,
    store::{Append, AppendError, Appended, StoreError},
};

pub(super) type Outcome = Result<Appended, AppendError>;

/// A group under way; an append without an outcome is open.
pub(super) struct Group<'a> {
    pub(super) appends: &'a [Append],
    pub(super) now: Timestamp,
    pub(super) outcomes: Vec<Option<Outcome>>,
}

impl<'a> Group<'a> {
    pub(super) fn new(appends: &'a [Append], now: Timestamp) -> Self {
        Self { appends, now, outcomes: appends.iter().map(|_| None).collect() }
    }

    pub(super) fn open_count(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_none()).count()
    }

    /// Gives every open append this outcome.
    pub(super) fn fill(&mut self, error: &StoreError) {
        for outcome in self.outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
            *outcome = Some(Err(error.clone().into()));
        }
    }

    pub(super) fn finish(mut self) -> Vec<Outcome> {
        self.fill(&StoreError::Failed { reason: "an append was left without an outcome".into() });
        self.outcomes.into_iter().flatten().collect()
    }
}
