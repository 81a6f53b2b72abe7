//! The supervisor of a node: asks the pure decision, and a second opinion that counts in its own way.

use std::time::Duration;

use umbel_core::subscription::Millis;
use umbel_supervision::{
    Restart, Strategy,
    decision::{Decider, Ending, Jitter, Verdict},
};

use crate::{bug::Bug, shape::Shape};

/// A supervisor.
#[derive(Debug)]
pub(crate) struct Supervisor {
    decider: Decider,
    kinds: Vec<Restart>,
    pub(crate) running: Vec<bool>,
    /// When it restarted something.
    restarts: Vec<Duration>,
    bug: Option<Bug>,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Order {
    StayDown,
    Restart { stop: Vec<usize>, start: Vec<usize>, after: Millis },
    GiveUp,
}

impl Supervisor {
    /// Of a writer, a runner for each subscription, every second of which others do without, a job that ends at last, and one that is done
    /// only once.
    pub(crate) fn new(shape: &Shape, bug: Option<Bug>) -> Self {
        let mut kinds = vec![Restart::Permanent; shape.options.len() + 1];
        kinds.iter_mut().skip(2).step_by(2).for_each(|kind| *kind = Restart::Independent);
        kinds.extend([Restart::Transient, Restart::Temporary]);
        let decider = Decider::new(shape.strategy, shape.intensity, shape.backoff, kinds.clone());
        Self { decider, running: vec![true; kinds.len()], kinds, restarts: Vec::new(), bug }
    }

    /// Whether all that must run always do.
    pub(crate) fn is_whole(&self) -> bool {
        let mut all = self.kinds.iter().zip(&self.running);
        all.all(|(kind, running)| *running || matches!(kind, Restart::Transient | Restart::Temporary))
    }

    /// A worker has ended.
    pub(crate) fn ended(
        &mut self,
        shape: &Shape,
        worker: usize,
        ending: Ending,
        at: Millis,
        jitter: u32,
    ) -> Result<Order, String> {
        self.running[worker] = false;
        let now = Duration::from_millis(at);
        let told = match self.bug {
            Some(Bug::SupervisorCountsWrong) => Duration::from_secs(at),
            _ => now,
        };
        let mut verdict = self.decider.judge(&[worker], ending, told, Jitter(jitter));
        if self.bug == Some(Bug::SupervisorNeverGivesUp) && verdict == Verdict::Escalate {
            let (stop, start) = (vec![worker], vec![worker]);
            verdict = Verdict::Restart { stop, start, after: shape.backoff.max };
        }
        self.check(shape, worker, ending, now, &verdict)?;
        Ok(match verdict {
            Verdict::StayDown => Order::StayDown,
            Verdict::Escalate => Order::GiveUp,
            Verdict::Restart { stop, start, after } => {
                if self.kinds[worker] != Restart::Independent {
                    self.restarts.push(now);
                }
                for worker in &stop {
                    self.running[*worker] = false;
                }
                let after = Millis::try_from(after.as_millis()).unwrap_or(Millis::MAX);
                Order::Restart { stop, start, after }
            }
        })
    }

    /// What must hold of a verdict, counted anew.
    fn check(
        &self,
        shape: &Shape,
        worker: usize,
        ending: Ending,
        now: Duration,
        verdict: &Verdict,
    ) -> Result<(), String> {
        let wanted = match self.kinds[worker] {
            Restart::Permanent | Restart::Independent => true,
            Restart::Transient => ending != Ending::Done,
            Restart::Temporary => false,
        };
        let recent = self.restarts.iter().filter(|then| now - **then <= shape.intensity.within).count();
        let alone = self.kinds[worker] == Restart::Independent;
        let full = !alone && u32::try_from(recent).is_ok_and(|recent| recent >= shape.intensity.max_restarts);
        let broken = |what: &str| {
            Err(format!(
                "supervision: {what}: worker {worker} {ending:?}, {recent} recent restarts, {verdict:?}"
            ))
        };
        match verdict {
            Verdict::StayDown if wanted => broken("a worker that must run stays down"),
            Verdict::StayDown => Ok(()),
            _ if !wanted => broken("a worker is restarted that shall not be"),
            Verdict::Escalate if full => Ok(()),
            Verdict::Escalate => broken("it gives up too early"),
            Verdict::Restart { .. } if full => broken("it restarts more often than it may"),
            Verdict::Restart { stop, start, after } => {
                let along = |other: usize| match shape.strategy {
                    _ if alone => other == worker,
                    Strategy::OneForOne => other == worker,
                    Strategy::RestForOne => other >= worker,
                    Strategy::OneForAll => true,
                };
                let all: Vec<_> = (0..self.kinds.len()).filter(|other| along(*other)).collect();
                let kept = |other: &&usize| self.kinds[**other] != Restart::Temporary;
                if !stop.iter().rev().eq(&all) || !start.iter().eq(all.iter().filter(kept)) {
                    return broken("the wrong workers are restarted");
                }
                if *after < shape.backoff.min || *after > shape.backoff.max {
                    return broken("the pause is not within its bounds");
                }
                Ok(())
            }
        }
    }
}
