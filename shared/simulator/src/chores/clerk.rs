//! Who sees to an instance of a process manager, effect by effect: it reads the file, stores what follows, dispatches the commands, and
//! settles them, or lets them wait with a dead letter of their event. It does in the order of the real one what that does, and may be gone
//! after each step.

use std::time::Duration;

use umbel_core::{
    Position, ProcessManager as _,
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
    /// Which instance, by number and by name.
    pub(super) at: usize,
    pub(super) instance: String,
    pub(super) why: Why,
    stage: Stage,
}

/// What a clerk does next.
#[derive(Debug)]
enum Stage {
    /// It reads the file.
    Look,
    /// It stores this, however often that takes, and does that then.
    Write(Box<Append>, Then),
    /// It dispatches the commands, from this one on.
    Dispatch(Pending, usize, bool),
    /// It puts down that they are carried out.
    Settle(Pending, bool),
    /// It puts down that they wait with a dead letter, from this one on.
    Park(Pending, usize),
}

/// What a clerk does once something is stored.
#[derive(Debug)]
enum Then {
    Look,
    /// It dispatches these, which are settled already. So does only a bug.
    Dispatch(Pending),
    /// It is done.
    Done,
    /// Its event becomes a dead letter.
    Park,
}

/// How a clerk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    No,
    Done,
    /// What it was given becomes a dead letter.
    Parked,
}

impl Clerk {
    pub(super) fn new(at: usize, instance: String, why: Why) -> Self {
        Self { at, instance, why, stage: Stage::Look }
    }

    /// The event that it was given, if it is the one that led to this.
    fn given(&self, cause: Uuid) -> Option<Happened> {
        match &self.why {
            Why::Event(happened) if event_id(happened.number) == cause => Some(*happened),
            Why::Event(_) | Why::Reminder(..) => None,
        }
    }

    fn cause(&self) -> Uuid {
        match &self.why {
            Why::Event(happened) => event_id(happened.number),
            Why::Reminder(id, _) => *id,
        }
    }
}

impl Chores {
    /// A clerk does one thing. Whether it is done with all.
    pub(super) fn go_on(&mut self, clerk: &mut Clerk) -> Result<Ended, Broken> {
        match std::mem::replace(&mut clerk.stage, Stage::Look) {
            Stage::Look => return self.look(clerk),
            Stage::Write(append, then) => {
                let Some(outcome) = self.store(&append)? else {
                    clerk.stage = Stage::Write(append, then);
                    return Ok(Ended::No);
                };
                // Whoever was faster has changed the file, and what was written before is there: both are seen by looking.
                let is_ours = outcome.is_ok_and(|appended| appended.repeated.is_none());
                match then {
                    Then::Done => return Ok(Ended::Done),
                    Then::Park if is_ours => return Ok(Ended::Parked),
                    Then::Dispatch(pending) if is_ours => clerk.stage = Stage::Dispatch(pending, 0, true),
                    Then::Look | Then::Park | Then::Dispatch(_) => {}
                }
            }
            Stage::Dispatch(pending, at, settled) => {
                let Some(order) = pending.orders.get(at) else {
                    if !settled {
                        clerk.stage = Stage::Settle(pending, false);
                    }
                    return Ok(Ended::No);
                };
                if self.refuses(order.id.0) {
                    self.count("refused command");
                    // Of others' commands, and those of timers, nothing can be said but that they are tried again.
                    let parks = clerk.given(pending.origin.cause).is_some() && !self.random.one_in(4);
                    clerk.stage = match parks {
                        true => Stage::Park(pending, at),
                        false => Stage::Dispatch(pending, at, settled),
                    };
                    return Ok(Ended::No);
                }
                let answered = self.dispatch("process", order.id.0, order.body.as_str())?;
                clerk.stage = Stage::Dispatch(pending, if answered { at + 1 } else { at }, settled);
            }
            Stage::Settle(pending, early) => {
                if let Some(append) = self.settled(clerk, &pending, &Settled::Done)? {
                    let then = if early { Then::Dispatch(pending) } else { Then::Look };
                    clerk.stage = Stage::Write(append, then);
                }
            }
            Stage::Park(pending, at) => {
                let Some(event) = clerk.given(pending.origin.cause) else { return Ok(Ended::No) };
                let at = if self.bug == Some(Bug::ProcessParksTooLittle) { at + 1 } else { at };
                let left = pending.orders.get(at..).unwrap_or_default();
                let parked =
                    Settled::Parked { left, letter: Position::new(event.number), stop: pending.stop };
                if let Some(append) = self.settled(clerk, &pending, &parked)? {
                    clerk.stage = Stage::Write(append, Then::Park);
                }
            }
        }
        Ok(Ended::No)
    }

    /// What puts down what became of commands, if they are still as they were read.
    fn settled(
        &mut self,
        clerk: &Clerk,
        pending: &Pending,
        settled: &Settled<'_>,
    ) -> Result<Option<Box<Append>>, Broken> {
        let file = self.store.file(Errands::NAME, &clerk.instance);
        let file = file.filter(|file| file.pending_of(pending.origin.cause) == Some(pending));
        let Some(file) = file else { return Ok(None) };
        let revision = self.fresh();
        let decision = settle(&file, pending.origin.cause, settled, revision)
            .map_err(|error| format!("process: commands cannot be settled: {error}"))?;
        Ok(decision.map(|decision| Box::new(decision.append)))
    }

    fn look(&mut self, clerk: &mut Clerk) -> Result<Ended, Broken> {
        let file = self.store.file(Errands::NAME, &clerk.instance);
        // What is outstanding comes before anything else.
        if let Some(pending) = file.as_ref().and_then(|file| file.outstanding()) {
            clerk.stage = match self.bug {
                Some(Bug::ProcessSettlesEarly) => Stage::Settle(pending.clone(), true),
                _ => Stage::Dispatch(pending.clone(), 0, false),
            };
            return Ok(Ended::No);
        }
        // What waits with a letter that an operator has discarded is left out.
        let instance = &self.instances[clerk.at];
        let is_left = |letter| instance.is_discarded(letter, self.bug);
        let mut parked = file.iter().flat_map(|file| file.parked_but(clerk.cause()));
        if let Some(pending) = parked.find(|pending| pending.letter.is_some_and(is_left)) {
            clerk.stage = Stage::Settle(pending.clone(), false);
            self.count("commands gone with their letter");
            return Ok(Ended::No);
        }
        let happening;
        let (cue, origin, step) = match &clerk.why {
            Why::Event(happened) => {
                let cause = event_id(happened.number);
                if self.store.was_recorded(record_id(Errands::NAME, &clerk.instance, cause)) {
                    // What is left of it waits with its letter.
                    let Some(pending) = file.as_ref().and_then(|file| file.pending_of(cause)) else {
                        return Ok(Ended::Done);
                    };
                    clerk.stage = Stage::Dispatch(pending.clone(), 0, false);
                    return Ok(Ended::No);
                }
                happening = Happening::Happened(*happened);
                let origin = Origin {
                    cause,
                    event: None,
                    correlation_id: cause,
                    custom: Default::default(),
                    timer: false,
                };
                (Cue::Event(&happening), origin, happened.kind.step())
            }
            Why::Reminder(id, about) => {
                let timer = about.timer.as_ref().zip(file.as_ref());
                let timer = timer.filter(|(name, file)| file.runs(name, *id));
                let running = timer.and_then(|(name, file)| Some((name, file.timers.get(name)?)));
                let Some((name, timer)) = running else {
                    clerk.stage = Stage::Write(Box::new(forget(*id)), Then::Done);
                    return Ok(Ended::No);
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
        clerk.stage = Stage::Write(Box::new(decision.append), Then::Look);
        Ok(Ended::No)
    }
}
