//! What became of the commands that this process has dispatched, counted.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::dispatch::{DispatchError, Dispatched};

/// How a dispatch ended, as far as who counts distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was carried out.
    Ok,
    /// The domain, or a rule before it, said no: another command is needed.
    Refused,
    /// Others kept writing to the same stream.
    Conflict,
    /// Something it needs was away or full, or nobody owns it.
    Unavailable,
    /// There was no answer in time, or its effect was not visible in time.
    Timeout,
    /// A bug, a wrong setting or damage.
    Failed,
}

/// The dispatches of one command that ended in one way, since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tallied {
    /// The command's name.
    pub command: &'static str,
    /// How they ended.
    pub ending: Ending,
    /// How many there were.
    pub count: u64,
    /// How long they took together.
    pub took: Duration,
}

/// Counters by the names of commands. To count takes no lock and, but for a command's first time, no memory.
#[derive(Default)]
pub(crate) struct Tally(ArcSwap<HashMap<&'static str, Arc<Counters>>>);

/// Those of one command, by [`Ending`].
#[derive(Default)]
struct Counters([Counter; Ending::ALL.len()]);

#[derive(Default)]
struct Counter {
    count: AtomicU64,
    micros: AtomicU64,
}

impl Ending {
    /// All there are.
    const ALL: [Self; 6] =
        [Self::Ok, Self::Refused, Self::Conflict, Self::Unavailable, Self::Timeout, Self::Failed];

    /// A word for it, which stays as it is.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
        }
    }

    pub(crate) const fn of<R, E>(answer: &Result<Dispatched<R>, DispatchError<E>>) -> Self {
        match answer {
            Ok(_) => Self::Ok,
            Err(
                DispatchError::Rejected(_)
                | DispatchError::Refused(_)
                | DispatchError::BadIdentity { .. }
                | DispatchError::Undecodable { .. },
            ) => Self::Refused,
            Err(DispatchError::Conflict { .. }) => Self::Conflict,
            Err(DispatchError::Unavailable { .. } | DispatchError::NoHandler { .. }) => Self::Unavailable,
            Err(DispatchError::Timeout { .. } | DispatchError::NotYetVisible { .. }) => Self::Timeout,
            Err(DispatchError::Incomplete(_) | DispatchError::Failed { .. }) => Self::Failed,
        }
    }
}

impl Tally {
    /// Counts one dispatch.
    pub(crate) fn count(&self, command: &'static str, ending: Ending, took: Duration) {
        match self.0.load().get(command) {
            Some(counters) => counters.count(ending, took),
            None => self.counters(command).count(ending, took),
        }
    }

    /// Those of a command that has none yet; another thread may have made them meanwhile.
    fn counters(&self, command: &'static str) -> Arc<Counters> {
        let fresh = Arc::<Counters>::default();
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(command).or_insert_with(|| Arc::clone(&fresh));
            known
        });
        self.0.load().get(command).map_or(fresh, Arc::clone)
    }

    /// All endings of all commands that were dispatched, by name.
    pub(crate) fn all(&self) -> Vec<Tallied> {
        let known = self.0.load();
        let mut commands: Vec<_> = known.iter().collect();
        commands.sort_unstable_by_key(|(command, _)| **command);
        commands
            .into_iter()
            .flat_map(|(command, counters)| {
                Ending::ALL.into_iter().zip(&counters.0).map(|(ending, counter)| Tallied {
                    command,
                    ending,
                    count: counter.count.load(Ordering::Relaxed),
                    took: Duration::from_micros(counter.micros.load(Ordering::Relaxed)),
                })
            })
            .collect()
    }
}

impl Counters {
    fn count(&self, ending: Ending, took: Duration) {
        let counter = &self.0[ending as usize];
        counter.count.fetch_add(1, Ordering::Relaxed);
        counter.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads that meet a command for the first time at once count with the same counters.
    #[test]
    fn nothing_is_counted_in_vain() {
        let tally = Tally::default();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for command in ["a", "b", "c", "d"] {
                        for ending in Ending::ALL {
                            tally.count(command, ending, Duration::from_micros(2));
                        }
                    }
                });
            }
        });
        let all = tally.all();
        assert_eq!(all.len(), 4 * Ending::ALL.len());
        assert!(all.is_sorted_by_key(|one| one.command));
        assert!(all.iter().all(|one| (one.count, one.took) == (4, Duration::from_micros(8))), "{all:?}");
    }
}
