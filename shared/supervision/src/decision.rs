//! The restart decision: given who ended and how, who is stopped, who is started, when - or whether to give up.
//!
//! Pure. Time is a [`Duration`] since some fixed start and never goes back; randomness is a number handed in. One
//! [`Decider`] serves one incarnation of one group.

mod starts;

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::{Backoff, Intensity, Restart, Strategy};

pub(crate) use starts::next_start;

/// How a child ended that nobody had told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It returned `Ok`: it takes itself to be done.
    Done,
    /// An error, a panic, a start that took too long, a thread that blocked.
    Failed,
    /// An error that says that starting it again helps nothing: [`Incurable`](crate::Incurable).
    Incurable,
}

/// What to do about it. Children are named by their index in the declared order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the child stays down, as its kind demands.
    StayDown,
    /// Stop these, then start those.
    Restart {
        /// Stop what of these is running, in this order (the reverse of the declared one).
        stop: Vec<usize>,
        /// Start these, in this order (the declared one).
        start: Vec<usize>,
        /// Wait so long before the first start.
        after: Duration,
    },
    /// The intensity is passed, or no restart helps: stop everything and fail as a group.
    Escalate,
}

/// Jitter as it comes from a random source: the whole range of `u32` stands for `0..1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter(pub u32);

/// The memory behind the decision: which children there are, and when restarts were made.
#[derive(Clone, Debug)]
pub struct Decider {
    strategy: Strategy,
    intensity: Intensity,
    backoff: Backoff,
    children: Vec<Restart>,
    /// When the restarts within the period were decided, oldest first; at most `max_restarts` of them.
    recent: VecDeque<Duration>,
    /// The same of each independent child, at most [`OWN_MAX`] of them.
    own: Vec<VecDeque<Duration>>,
}

/// More restarts of an independent child than this are not remembered: by then it waits as long as it ever will.
const OWN_MAX: usize = 64;

impl Decider {
    /// A decider for children of these kinds, in the declared order, that has seen no restart yet.
    pub fn new(strategy: Strategy, intensity: Intensity, backoff: Backoff, children: Vec<Restart>) -> Self {
        let own = vec![VecDeque::new(); children.len()];
        Self { strategy, intensity, backoff, children, recent: VecDeque::new(), own }
    }

    /// Judges one event: usually one child that ended, or several at once when they lost their thread together. Counts as one
    /// restart however many children it takes along.
    pub fn judge(&mut self, ended: &[usize], ending: Ending, now: Duration, jitter: Jitter) -> Verdict {
        if ending == Ending::Incurable {
            return Verdict::Escalate;
        }
        let to_revive = |child: &usize| self.children[*child].revives(ending);
        let mut revived: Vec<usize> = ended.iter().copied().filter(to_revive).collect();
        if revived.is_empty() {
            return Verdict::StayDown;
        }
        revived.sort_unstable();
        if revived.iter().all(|child| self.children[*child] == Restart::Independent) {
            let nth = revived.iter().map(|child| self.count_own(*child, now)).max().unwrap_or_default();
            return Verdict::Restart {
                stop: revived.iter().rev().copied().collect(),
                start: revived,
                after: self.backoff.wait(nth, jitter),
            };
        }
        if !self.count_restart(now) {
            return Verdict::Escalate;
        }
        let affected: Vec<usize> =
            (0..self.children.len()).filter(|child| self.affects(&revived, *child)).collect();
        Verdict::Restart {
            stop: affected.iter().rev().copied().collect(),
            start: affected.into_iter().filter(|child| self.children[*child] != Restart::Temporary).collect(),
            after: self.backoff.wait(self.recent.len(), jitter),
        }
    }

    /// Makes room for one more restart and notes it; false when the period is full.
    fn count_restart(&mut self, now: Duration) -> bool {
        forget(&mut self.recent, self.intensity.within, now);
        let has_room = u32::try_from(self.recent.len()).is_ok_and(|made| made < self.intensity.max_restarts);
        if has_room {
            self.recent.push_back(now);
        }
        has_room
    }

    /// Notes a restart of an independent child; how many there were within the period.
    fn count_own(&mut self, child: usize, now: Duration) -> usize {
        let own = &mut self.own[child];
        forget(own, self.intensity.within, now);
        if own.len() == OWN_MAX {
            own.pop_front();
        }
        own.push_back(now);
        own.len()
    }

    fn affects(&self, revived: &[usize], child: usize) -> bool {
        match self.strategy {
            Strategy::OneForOne => revived.contains(&child),
            Strategy::RestForOne => revived.iter().any(|failed| *failed <= child),
            Strategy::OneForAll => true,
        }
    }
}

/// Forgets what is longer ago than this.
fn forget(restarts: &mut VecDeque<Duration>, within: Duration, now: Duration) {
    while restarts.front().is_some_and(|then| now.saturating_sub(*then) > within) {
        restarts.pop_front();
    }
}

impl Backoff {
    /// The wait before the `nth` recent restart (from 1): `min * 2^(n-1)`, at most `max`; of that at least half, and at
    /// least `min`, the rest by jitter.
    pub fn wait(&self, nth: usize, jitter: Jitter) -> Duration {
        let doublings = u32::try_from(nth.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 2u32.checked_pow(doublings).unwrap_or(u32::MAX);
        let full = self.min.saturating_mul(factor).min(self.max);
        let half = full / 2;
        let jittered = half + half.mul_f64(f64::from(jitter.0) / f64::from(u32::MAX));
        jittered.max(self.min).min(self.max)
    }
}

#[cfg(test)]
mod tests;
