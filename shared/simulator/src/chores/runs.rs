//! Who carries out a schedule, effect by effect: it takes the entry, dispatches the command under the run's id, and settles the run.

use umbel_core::{
    Timestamp,
    schedule::{Bounds, Run, Scheduled, Settled, Taken, is_ours},
    store::{Append, Waiting},
};

use super::Chores;
use crate::{bug::Bug, oracle::Broken};

/// How often a recurring schedule comes again.
const EVERY_MICROS: i64 = 700_000;

pub(super) const BOUNDS: Bounds = Bounds {
    lease_micros: 500_000,
    late_after_micros: 200_000,
    retry_min_micros: 10_000,
    retry_max_micros: 300_000,
    // Nothing is given up here, so each run is carried out in the end.
    attempts_max: u32::MAX,
};

/// Who carries out an entry.
#[derive(Debug)]
pub(super) enum Runner {
    /// It takes the entry, or takes it back.
    Take(Box<Taken>),
    /// It dispatches the command.
    Dispatch(Box<Run>),
    /// It puts down what became of it.
    Settle(Box<Append>),
}

impl Chores {
    /// Takes up an entry that is due.
    pub(super) fn take_up(&mut self, waiting: &Waiting) -> Result<Runner, Broken> {
        let wrong = |error| format!("schedule: {waiting:?} cannot be taken: {error}");
        let scheduled: Scheduled = waiting.entry.body.decode().map_err(wrong)?;
        let (now, taker) = (self.now(), self.fresh());
        // Once nothing is planned any more, what recurs ends.
        let next = now.as_micros() / EVERY_MICROS * EVERY_MICROS + EVERY_MICROS;
        let next = (!self.quiet).then(|| Timestamp::from_micros(next));
        let taken = scheduled.take(waiting, now, next, taker, &BOUNDS).map_err(wrong)?;
        Ok(Runner::Take(Box::new(taken)))
    }

    /// A runner does one thing, and says what comes next.
    pub(super) fn run(&mut self, runner: Runner) -> Result<Option<Runner>, Broken> {
        match runner {
            Runner::Take(taken) => {
                let Some(outcome) = self.store(&taken.append)? else { return Ok(Some(Runner::Take(taken))) };
                let appended = outcome.map_err(|error| format!("schedule: it is not taken: {error}"))?;
                let ours = is_ours(&taken.append, appended.repeated.as_ref());
                let run = taken.run.filter(|_| ours);
                self.oracle.runs.extend(run.as_ref().map(|run| run.id));
                Ok(run.map(|run| Runner::Dispatch(Box::new(run))))
            }
            Runner::Dispatch(run) => {
                let id = if self.bug == Some(Bug::ScheduleForgetsIds) { self.fresh() } else { run.id };
                let what = format!("{} at {}", run.scheduled.schedule, run.scheduled.due_at.as_micros());
                let settled = match self.dispatch("schedule", id, &what)? {
                    true => Settled::Done,
                    false => Settled::Again { error: "no answer".into() },
                };
                let settling = run.settle(settled, self.now(), &BOUNDS);
                let append = settling.map_err(|error| format!("schedule: it cannot be settled: {error}"))?;
                Ok(Some(Runner::Settle(Box::new(append))))
            }
            Runner::Settle(append) => {
                let answered = self.store(&append)?.is_some();
                Ok((!answered).then_some(Runner::Settle(append)))
            }
        }
    }
}
