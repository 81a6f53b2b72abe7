//! Who sees to an instance of a process manager, effect by effect: it reads the file, stores what follows, dispatches the commands, and
//! settles them. It does in the order of the real one what that does, and may be gone after each step.

use std::time::Duration;

use umbel_core::{
    ProcessManager as _,
    process_manager::{
        Cue, Origin, Pending, Reminder, Settled, Step, Task, Trouble, decide, forget, record_id, settle,
    },
    store::Append,
};
use uuid::Uuid;

use super::{
    Chores, event_id,
    manager::{Errands, Happened, Happening},
};
use crate::{bug::Bug, oracle::Broken};

/// How long whoever dispatches commands is left alone.
const PATIENCE: Duration = Duration::from_millis(800);

/// Why a clerk looks after an instance.
#[derive(Clone, Debug)]
pub(super) enum Why {
    /// This event was delivered, for the first time or once more.
    Event(Happened),
    /// This entry of the outbox was due.
    Reminder(Uuid, Reminder),
}

/// A clerk.
#[derive(Debug)]
pub(super) struct Clerk {
    pub(super) instance: String,
    pub(super) why: Why,
    stage: Stage,
}

/// What a clerk does next.
#[derive(Debug)]
enum Stage {
    /// It reads the file.
    Look,
    /// It stores this, however often that takes; then it may have something to dispatch, or be done.
    Write(Box<Append>, Option<Pending>, bool),
    /// It dispatches the commands, from this one on.
    Dispatch(Pending, usize, bool),
    /// It puts down that they are carried out.
    Settle(Pending, bool),
}

impl Clerk {
    pub(super) fn new(instance: String, why: Why) -> Self {
        Self { instance, why, stage: Stage::Look }
    }
}

impl Chores {
    /// A clerk does one thing. Whether it is done with all.
    pub(super) fn go_on(&mut self, clerk: &mut Clerk) -> Result<bool, Broken> {
        match std::mem::replace(&mut clerk.stage, Stage::Look) {
            Stage::Look => return self.look(clerk),
            Stage::Write(append, then, last) => {
                let Some(outcome) = self.store(&append)? else {
                    clerk.stage = Stage::Write(append, then, last);
                    return Ok(false);
                };
                // Whoever was faster has changed the file, and what was written before is there: both are seen by looking.
                if outcome.is_ok_and(|appended| appended.repeated.is_none())
                    && let Some(pending) = then
                {
                    clerk.stage = Stage::Dispatch(pending, 0, true);
                }
                return Ok(last);
            }
            Stage::Dispatch(pending, at, settled) => {
                let Some(order) = pending.orders.get(at) else {
                    if !settled {
                        clerk.stage = Stage::Settle(pending, false);
                    }
                    return Ok(false);
                };
                let answered = self.dispatch("process", order.id.0, order.body.as_str())?;
                clerk.stage = Stage::Dispatch(pending, if answered { at + 1 } else { at }, settled);
            }
            Stage::Settle(pending, early) => {
                let file = self.store.file(Errands::NAME, &clerk.instance);
                let Some(file) = file.filter(|file| file.pending_of(pending.origin.cause) == Some(&pending))
                else {
                    return Ok(false);
                };
                let revision = self.fresh();
                let decision = settle(&file, pending.origin.cause, &Settled::Done, revision)
                    .map_err(|error| format!("process: commands cannot be settled: {error}"))?;
                if let Some(decision) = decision {
                    clerk.stage = Stage::Write(Box::new(decision.append), early.then_some(pending), false);
                }
            }
        }
        Ok(false)
    }

    fn look(&mut self, clerk: &mut Clerk) -> Result<bool, Broken> {
        let file = self.store.file(Errands::NAME, &clerk.instance);
        // What is outstanding comes before anything else.
        if let Some(pending) = file.as_ref().and_then(|file| file.outstanding()) {
            clerk.stage = match self.bug {
                Some(Bug::ProcessSettlesEarly) => Stage::Settle(pending.clone(), true),
                _ => Stage::Dispatch(pending.clone(), 0, false),
            };
            return Ok(false);
        }
        let happening;
        let (cue, origin, step) = match &clerk.why {
            Why::Event(happened) => {
                let cause = event_id(happened.number);
                if self.store.was_recorded(record_id(Errands::NAME, &clerk.instance, cause)) {
                    return Ok(true);
                }
                happening = Happening::Happened(*happened);
                let origin = Origin { cause, event: None, correlation_id: cause, custom: Default::default() };
                (Cue::Event(&happening), origin, happened.kind.step())
            }
            Why::Reminder(id, about) => {
                let timer = about.timer.as_ref().zip(file.as_ref());
                let timer = timer.filter(|(name, file)| file.runs(name, *id));
                let running = timer.and_then(|(name, file)| Some((name, file.timers.get(name)?)));
                let Some((name, timer)) = running else {
                    clerk.stage = Stage::Write(Box::new(forget(*id)), None, true);
                    return Ok(false);
                };
                (Cue::Timer(name), timer.origin.clone(), Step::Continue)
            }
        };
        let (now, patience) = (self.now(), PATIENCE);
        let task =
            Task { kept_as: Errands::NAME, cue, recorded: None, origin, step, strict: false, now, patience };
        let decision = match decide::<Errands>(&clerk.instance, file.as_ref(), &task) {
            Ok(decision) => decision,
            Err(Trouble::Error(never)) => match never {},
            Err(trouble) => return Err(format!("process: an instance cannot go on: {trouble:?}")),
        };
        clerk.stage = Stage::Write(Box::new(decision.append), None, false);
        Ok(false)
    }
}
