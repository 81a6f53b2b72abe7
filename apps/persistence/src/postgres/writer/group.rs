//! A group under way, and whether to guess for the next one.

use umbel_core::{
    Timestamp,
    store::{Append, AppendError, Appended, StoreError},
};

/// After so many wrong guesses in a row, so many groups (at most, doubled from one) are planned under the lock
/// straight away: another node writes to the same streams, and guessing would cost more than it gains.
const CAUTION_MAX: u32 = 64;

pub(super) type Outcome = Result<Appended, AppendError>;

/// A group under way; an append without an outcome is open.
pub(super) struct Group<'a> {
    pub(super) appends: &'a [Append],
    pub(super) now: Timestamp,
    pub(super) outcomes: Vec<Option<Outcome>>,
}

/// Whether to guess.
#[derive(Debug, Default)]
pub(super) struct Caution {
    groups_left: u32,
    next: u32,
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

    pub(super) fn finish(mut self, open: &StoreError) -> Vec<Outcome> {
        self.fill(open);
        self.outcomes.into_iter().flatten().collect()
    }
}

impl Caution {
    pub(super) fn may_guess(&mut self) -> bool {
        let may = self.groups_left == 0;
        self.groups_left = self.groups_left.saturating_sub(1);
        may
    }

    pub(super) fn guessed_right(&mut self) {
        self.next /= 2;
    }

    pub(super) fn guessed_wrong(&mut self) {
        // The first one alone means nothing.
        self.groups_left = self.next;
        self.next = (self.next * 2).clamp(1, CAUTION_MAX);
    }
}
