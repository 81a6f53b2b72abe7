//! How a group of appends is seen through that did not go through at once. As long as it may have been stored it is tried again, with the
//! same ids, until what became of it is known; callers hear of it once. Pure: whoever writes to a store says what came of each attempt, and
//! is told what comes next.

use std::time::Duration;

/// Between two attempts, doubled from the first to the second.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What came of an attempt to store what is open of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Each append has its outcome.
    Through,
    /// There was no connection, and the store was not asked.
    NotAsked {
        /// Whether there may be one later without anybody changing anything.
        transient: bool,
    },
    /// The store said no to all that was open: this attempt has stored nothing.
    Refused {
        /// Whether it may say yes later without anybody changing anything.
        transient: bool,
        /// Whether it may be about one append only, of several.
        of_one: bool,
    },
    /// The connection was lost, or there was no answer in time: it may be stored.
    InDoubt,
}

/// What to do with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Tell all callers their outcomes.
    Tell,
    /// Tell whoever has no outcome what the store said: nothing of that was stored.
    Refuse,
    /// Tell whoever has no outcome that it is unknown.
    GiveUp,
    /// Try what is open at this time, all of it together. It may have been stored: whoever plans it says so
    /// ([`View::resolving`](super::plan::View::resolving)).
    Again {
        /// As `now` is counted.
        at: Duration,
    },
    /// Try what is open at once, each append alone.
    Singly {
        /// Whether it may have been stored.
        resolving: bool,
    },
}

/// What is known of a group under way.
#[derive(Clone, Debug)]
pub struct Resolution {
    limit: Duration,
    /// Until when to try, once it may have been stored.
    until: Option<Duration>,
    pause: Duration,
}

impl Resolution {
    /// Of a group that was not tried yet; once in doubt, it is tried for so long.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit, until: None, pause: PAUSE_MIN }
    }

    /// An attempt has come to this, at this time. Times are counted from any moment, the same for one group.
    pub fn next(&mut self, now: Duration, came: Attempt) -> Next {
        let Some(until) = self.until else {
            return match came {
                Attempt::Through => Next::Tell,
                Attempt::Refused { of_one: true, .. } => Next::Singly { resolving: false },
                Attempt::NotAsked { .. } | Attempt::Refused { .. } => Next::Refuse,
                Attempt::InDoubt => {
                    self.until = Some(now.saturating_add(self.limit));
                    if self.limit.is_zero() { Next::GiveUp } else { Next::Again { at: now } }
                }
            };
        };
        match came {
            Attempt::Through => Next::Tell,
            _ if now >= until => Next::GiveUp,
            Attempt::Refused { of_one: true, .. } => Next::Singly { resolving: true },
            // This attempt has stored nothing, but one before it may have.
            Attempt::NotAsked { transient: false } | Attempt::Refused { transient: false, .. } => {
                Next::GiveUp
            }
            Attempt::NotAsked { .. } | Attempt::Refused { .. } | Attempt::InDoubt => {
                let at = now.saturating_add(self.pause);
                self.pause = (self.pause * 2).min(PAUSE_MAX);
                if at < until { Next::Again { at } } else { Next::GiveUp }
            }
        }
    }

    /// Until when there is an answer, once in doubt: what is tried takes no longer.
    #[must_use]
    pub const fn until(&self) -> Option<Duration> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// Attempts, each with how long it took.
    fn attempts() -> impl Strategy<Value = Vec<(Attempt, Duration)>> {
        let came = prop_oneof![
            1 => Just(Attempt::Through),
            2 => any::<bool>().prop_map(|transient| Attempt::NotAsked { transient }),
            2 => any::<(bool, bool)>().prop_map(|(transient, of_one)| Attempt::Refused { transient, of_one }),
            8 => Just(Attempt::InDoubt),
        ];
        prop::collection::vec((came, (0..2000_u64).prop_map(Duration::from_millis)), 1..40)
    }

    proptest! {
        /// Once a group may have been stored its callers are told outcomes, or that these are unknown; never that it was refused.
        /// It is tried until the time is up, ever more seldom, and always as one that may be stored already.
        #[test]
        fn what_may_be_stored_is_never_called_refused(attempts in attempts()) {
            let (mut resolution, mut now, mut doubt) = (Resolution::new(LIMIT), Duration::ZERO, None);
            for (came, took) in attempts {
                now += took;
                let next = resolution.next(now, came);
                let in_doubt = doubt.is_some() || came == Attempt::InDoubt;
                let since = *doubt.get_or_insert(now);
                if !in_doubt {
                    doubt = None;
                }
                match next {
                    Next::Tell => prop_assert_eq!(came, Attempt::Through),
                    Next::Refuse => prop_assert!(!in_doubt),
                    Next::Singly { resolving } => prop_assert_eq!(resolving, in_doubt),
                    Next::GiveUp => {
                        let lasting = matches!(came, Attempt::NotAsked { transient: false }
                            | Attempt::Refused { transient: false, .. });
                        prop_assert!(in_doubt && (lasting || now + PAUSE_MAX >= since + LIMIT));
                    }
                    Next::Again { at } => {
                        prop_assert!(in_doubt && (now..since + LIMIT).contains(&at) && at <= now + PAUSE_MAX);
                        now = at;
                    }
                }
                if matches!(next, Next::Tell | Next::Refuse | Next::GiveUp) {
                    break;
                }
            }
        }
    }

    /// A store that is away is asked at once, and then after pauses that grow.
    #[test]
    fn pauses_grow() {
        let (mut resolution, mut now, mut pauses) = (Resolution::new(LIMIT), LIMIT, Vec::new());
        let mut came = Attempt::InDoubt;
        while let Next::Again { at } = resolution.next(now, came) {
            pauses.push((at - now).as_millis());
            (now, came) = (at, Attempt::NotAsked { transient: true });
        }
        assert_eq!(pauses, [0, 50, 100, 200, 400, 800, 1000, 1000, 1000]);
    }
}
