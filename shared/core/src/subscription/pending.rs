//! One kind of request to whoever interprets the effects: one at a time, and a pause after one that failed.

use super::Millis;

/// How long to wait after a failure, see [`Options::store_retry_min_ms`](super::Options::store_retry_min_ms).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pauses {
    /// The pause after the first failure; each further one in a row doubles it.
    pub(super) first: Millis,
    /// The longest pause.
    pub(super) most: Millis,
}

/// A kind of request; `T` is what must be remembered of the one under way.
#[derive(Debug)]
pub(super) struct Pending<T> {
    under_way: Option<T>,
    failures: u32,
    not_before: Millis,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self { under_way: None, failures: 0, not_before: 0 }
    }
}

impl<T> Pending<T> {
    pub(super) fn may_start(&self, now: Millis) -> bool {
        self.under_way.is_none() && now >= self.not_before
    }

    pub(super) fn start(&mut self, what: T) {
        self.under_way = Some(what);
    }

    pub(super) fn under_way(&self) -> Option<&T> {
        self.under_way.as_ref()
    }

    /// It was answered: what was asked, or `None` when nothing was and the answer means nothing.
    pub(super) fn answered(&mut self) -> Option<T> {
        let what = self.under_way.take()?;
        self.failures = 0;
        self.not_before = 0;
        Some(what)
    }

    /// It failed, and may start again only after a pause.
    pub(super) fn failed(&mut self, now: Millis, pauses: Pauses) -> Option<T> {
        let what = self.under_way.take()?;
        let doubled = 1_u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let pause = pauses.first.saturating_mul(doubled).min(pauses.most);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(pause);
        Some(what)
    }

    /// When its pause ends, if it is in one.
    pub(super) fn pause_ends(&self, now: Millis) -> Option<Millis> {
        (self.under_way.is_none() && self.not_before > now).then_some(self.not_before)
    }
}
