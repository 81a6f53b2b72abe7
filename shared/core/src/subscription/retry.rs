//! What becomes of an event that a handler could not handle: tried again so often, so long apart, and then.

use serde::{Deserialize, Serialize};

use super::{Millis, Verdict};

/// Why a handler failed, as far as it matters for what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Something it needs is not there just now: the same event may well succeed later.
    Transient,
    /// The event cannot be handled as things are: the same again would fail again, until somebody mends something.
    Permanent,
    /// The handler panicked.
    Panic,
}

/// What comes after the last attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// The event counts as handled.
    Skip,
    /// It becomes a dead letter; what comes behind it of its key waits with it.
    #[default]
    Park,
    /// The handler stops, with the error.
    Stop,
}

/// How often to try, how long apart, and what then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. 0 counts as 1; `None`: there is no last one.
    pub attempts_max: Option<u32>,
    /// How long to wait before the second attempt. Before each further one it is twice as long.
    pub first_after_ms: Millis,
    /// But never longer than this.
    pub after_max_ms: Millis,
    /// By how many percent a pause may be shorter, by chance, so that those who failed together do not return together. 100 at
    /// most.
    pub jitter_percent: u32,
    /// What then.
    pub then: Exhausted,
}

/// A policy for each class of error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicies {
    /// For [`ErrorClass::Transient`].
    pub transient: RetryPolicy,
    /// For [`ErrorClass::Permanent`].
    pub permanent: RetryPolicy,
    /// For [`ErrorClass::Panic`].
    pub panic: RetryPolicy,
}

/// What shall be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// This shall become of the event.
    Verdict(Verdict),
    /// The handler stops; the event counts as not handled.
    Stop,
}

/// Ten attempts within about a minute and a half, then a dead letter.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: Some(10),
            first_after_ms: 200,
            after_max_ms: 30_000,
            jitter_percent: 50,
            then: Exhausted::Park,
        }
    }
}

/// What may pass is waited for, what is wrong for good is not, and a panic is given two more chances.
impl Default for RetryPolicies {
    fn default() -> Self {
        let attempts = |attempts| RetryPolicy { attempts_max: Some(attempts), ..RetryPolicy::default() };
        Self { transient: RetryPolicy::default(), permanent: attempts(1), panic: attempts(3) }
    }
}

impl RetryPolicy {
    /// What becomes of an event whose attempt of this number, 1 for the first, has failed. `random` is any number by chance.
    #[must_use]
    pub fn after(&self, attempt: u32, random: u64) -> Resolution {
        if self.attempts_max.is_some_and(|most| attempt >= most) {
            return match self.then {
                Exhausted::Skip => Resolution::Verdict(Verdict::Skip),
                Exhausted::Park => Resolution::Verdict(Verdict::Park),
                Exhausted::Stop => Resolution::Stop,
            };
        }
        let doublings = attempt.saturating_sub(1).min(63);
        let pause = self.first_after_ms.saturating_mul(1 << doublings).min(self.after_max_ms);
        let most = u128::from(pause) * u128::from(self.jitter_percent.min(100)) / 100;
        let shorter = u64::try_from(most * u128::from(random) / u128::from(u64::MAX)).unwrap_or(0);
        Resolution::Verdict(Verdict::Retry { after_ms: pause - shorter.min(pause) })
    }
}

impl RetryPolicies {
    /// The same policy for whatever happens.
    #[must_use]
    pub fn all(policy: RetryPolicy) -> Self {
        Self { transient: policy.clone(), permanent: policy.clone(), panic: policy }
    }

    /// The policy for errors of a class.
    #[must_use]
    pub fn of(&self, class: ErrorClass) -> &RetryPolicy {
        match class {
            ErrorClass::Transient => &self.transient,
            ErrorClass::Permanent => &self.permanent,
            ErrorClass::Panic => &self.panic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(policy: &RetryPolicy, attempt: u32, random: u64) -> Millis {
        match policy.after(attempt, random) {
            Resolution::Verdict(Verdict::Retry { after_ms }) => after_ms,
            other => panic!("attempt {attempt}: {other:?}"),
        }
    }

    #[test]
    fn pauses_grow_up_to_a_ceiling() {
        let policy = RetryPolicy { attempts_max: None, jitter_percent: 0, ..RetryPolicy::default() };
        let pauses: Vec<_> = (1..=10).map(|attempt| pause(&policy, attempt, 7)).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(pause(&policy, u32::MAX, 7), 30_000);
        let vast = RetryPolicy { first_after_ms: u64::MAX, after_max_ms: u64::MAX, ..policy };
        assert_eq!(pause(&vast, 50, 7), u64::MAX);
    }

    #[test]
    fn chance_makes_pauses_shorter_and_never_longer() {
        let policy = RetryPolicy { jitter_percent: 50, ..RetryPolicy::default() };
        assert_eq!(pause(&policy, 3, 0), 800);
        assert_eq!(pause(&policy, 3, u64::MAX / 2), 601);
        assert_eq!(pause(&policy, 3, u64::MAX), 400);
        let wild = RetryPolicy { jitter_percent: 1000, ..policy };
        assert_eq!(pause(&wild, 3, u64::MAX), 0);
    }

    #[test]
    fn after_the_last_attempt_comes_what_was_chosen() {
        for (then, resolution) in [
            (Exhausted::Skip, Resolution::Verdict(Verdict::Skip)),
            (Exhausted::Park, Resolution::Verdict(Verdict::Park)),
            (Exhausted::Stop, Resolution::Stop),
        ] {
            let policy = RetryPolicy { attempts_max: Some(2), then, ..RetryPolicy::default() };
            assert!(matches!(policy.after(1, 0), Resolution::Verdict(Verdict::Retry { .. })));
            assert_eq!(policy.after(2, 0), resolution);
            assert_eq!(policy.after(3, 0), resolution);
        }
    }

    #[test]
    fn each_class_of_error_has_its_policy() {
        let policies = RetryPolicies::default();
        let outcomes = [ErrorClass::Transient, ErrorClass::Panic, ErrorClass::Permanent].map(|class| {
            (1..).find(|n| policies.of(class).after(*n, 0) == Resolution::Verdict(Verdict::Park))
        });
        assert_eq!(outcomes, [Some(10), Some(3), Some(1)]);
        let same = RetryPolicies::all(RetryPolicy::default());
        assert_eq!(same.of(ErrorClass::Permanent), same.of(ErrorClass::Transient));
    }
}
