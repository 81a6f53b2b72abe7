//! Serves one instance with one thing at a time: reads its file, has it decided, and sees to what follows.

use std::{collections::HashSet, rc::Rc, sync::Arc, time::Duration};

use tokio::time::sleep;
use umbel_bus::{Bus, Store};
use umbel_core::{
    Cue, ProcessManager, RecordedEvent, Timestamp,
    process_manager::{Cause, File, Interest, ManagerOptions, Memory, Origin, Step, Task, Verdict, skip},
};
use umbel_supervision::Stopping;
use uuid::Uuid;

use super::{
    calls::{About, decided, judge},
    dispatching::Behalf,
    storing::Written,
    ticket::Ticket,
};
use crate::{
    event_handler::{FailurePolicy, Pauses},
    subscription::Told,
};

/// What all instances of a process manager have in common.
pub(super) struct Surroundings {
    /// The name that its instances, timers and records are kept under.
    pub(super) kept_as: Arc<str>,
    pub(super) bus: Bus,
    pub(super) store: Store,
    pub(super) options: ManagerOptions,
    pub(super) policy: FailurePolicy,
    /// Between attempts at the store, and where a verdict is none for a timer.
    pub(super) pauses: Pauses,
    pub(super) patience: Duration,
    pub(super) stopping: Stopping,
    /// What others are told of it.
    pub(super) told: Arc<Told>,
}

/// Something to serve an instance with.
pub(super) enum Work<E> {
    Event {
        event: Rc<E>,
        /// Which one it is of those that the recorded event has become.
        part: u32,
        recorded: Arc<RecordedEvent>,
        interest: Interest,
        /// Which attempt of the subscription it is.
        attempt: u32,
        ticket: Rc<Ticket>,
    },
    /// A timer has run out, if it is still this one; it was tried in vain so often.
    Timer { name: String, id: Uuid, in_vain: u32 },
    /// Commands that should have been dispatched long ago, if they are still there; the same.
    Left { reminder: Uuid, in_vain: u32 },
}

/// What is known of an instance's file.
#[derive(Default)]
pub(super) enum Known {
    /// Nothing: it is to be read.
    #[default]
    Unread,
    /// This, or that there is none; unless somebody else has written since.
    Read(Option<Box<File>>),
}

/// What became of it.
pub(super) struct Served<E> {
    pub(super) work: Work<E>,
    pub(super) known: Known,
    pub(super) ended: Result<(), Ended>,
}

/// Why an instance has not done with something.
pub(super) enum Ended {
    /// The event becomes a dead letter.
    Parked(String),
    /// The process manager fails.
    Stopped(String),
    /// It comes again.
    Dropped,
}

/// Serves one instance.
pub(super) struct Clerk<'a, P: ProcessManager> {
    pub(super) around: &'a Surroundings,
    pub(super) instance: &'a str,
    pub(super) known: Known,
    /// Which attempt at the event or timer it is.
    pub(super) attempt: u32,
    /// How often it was tried in vain before.
    pub(super) in_vain: u32,
    manager: std::marker::PhantomData<fn() -> P>,
}

/// What an instance is given.
pub(super) struct Given<'a, E> {
    pub(super) cue: Cue<'a, E>,
    pub(super) recorded: Option<&'a RecordedEvent>,
    pub(super) origin: Origin,
    step: Step,
    strict: bool,
    ticket: Option<&'a Ticket>,
}

/// Serves an instance with some work.
pub(super) async fn serve<P: ProcessManager>(
    around: Rc<Surroundings>,
    instance: String,
    known: Known,
    work: Work<P::Event>,
) -> (String, Served<P::Event>) {
    let (attempt, in_vain) = match &work {
        Work::Event { attempt, .. } => (*attempt, 0),
        Work::Timer { in_vain, .. } | Work::Left { in_vain, .. } => (1, *in_vain),
    };
    let manager = std::marker::PhantomData;
    let mut clerk = Clerk::<P> { around: &around, instance: &instance, known, attempt, in_vain, manager };
    let ended = clerk.serve(&work).await;
    let known = clerk.known;
    (instance, Served { work, known, ended })
}

impl<P: ProcessManager> Clerk<'_, P> {
    async fn serve(&mut self, work: &Work<P::Event>) -> Result<(), Ended> {
        match work {
            // What comes behind a part that becomes a dead letter comes again with it.
            Work::Event { part: 1.., ticket, .. } if ticket.has_failed() => Ok(()),
            Work::Event { event, part, recorded, interest, ticket, .. } => {
                let (step, strict) = (interest.step, interest.strict);
                let (recorded, cue, ticket) = (&**recorded, Cue::Event(&**event), Some(&**ticket));
                let (origin, letter) = (Origin::of(recorded, *part), recorded.position);
                let given = Given { cue, recorded: Some(recorded), origin, step, strict, ticket };
                match self.around.options.event_limit {
                    Some(limit) => self.handle_within(limit, &given, letter).await,
                    None => self.handle(&given).await,
                }
            }
            Work::Timer { name, id, .. } => self.run_out(name, *id).await,
            Work::Left { reminder, .. } => {
                // The reminder goes with the commands; whoever waits with a dead letter has none.
                let left = |file: &File| {
                    let mut pending = file.pending.iter().filter(|pending| !pending.parked);
                    pending.find(|pending| pending.reminder == *reminder).map(|pending| pending.origin.cause)
                };
                match self.find(left).await? {
                    Some(cause) => self.carry_out(cause, Behalf::Reminder).await,
                    None => self.forget(*reminder).await,
                }
            }
        }
    }

    /// A timer has run out, if it is still this one.
    async fn run_out(&mut self, name: &str, id: Uuid) -> Result<(), Ended> {
        let timer = |file: &File| file.timers.get(name).filter(|timer| timer.id == id).cloned();
        let Some(timer) = self.find(timer).await? else { return self.forget(id).await };
        let (cue, step, origin) = (Cue::Timer(name), Step::Continue, timer.origin);
        self.handle(&Given { cue, recorded: None, origin, step, strict: false, ticket: None }).await
    }

    /// What is found in the file as it is kept: what is known of it may be older than what was put there by another node.
    async fn find<T>(&mut self, find: impl Fn(&File) -> Option<T>) -> Result<Option<T>, Ended> {
        if let Some(found) = self.file().await?.and_then(&find) {
            return Ok(Some(found));
        }
        self.known = Known::Unread;
        Ok(self.file().await?.and_then(find))
    }

    /// Has something decided and stored, and its commands carried out.
    pub(super) async fn handle(&mut self, given: &Given<'_, P::Event>) -> Result<(), Ended> {
        let (cause, mut memory) = (given.origin.cause, Memory::new());
        let mut is_fresh = matches!(self.known, Known::Unread);
        loop {
            given.check()?;
            if let Cue::Timer(name) = given.cue
                && !self.file().await?.is_some_and(|file| file.runs(name, cause))
            {
                // Ended meanwhile, or handled: what that led to has a reminder of its own.
                return self.forget(cause).await;
            }
            // First what is left of what was before.
            while let Some(before) = self.outstanding(cause).await? {
                self.carry_out(before, Behalf::Next).await?;
            }
            self.leave_out_discarded(cause).await?;
            let task = given.task(self.around);
            let decision = decided::<P>(self.instance, self.file().await?, &task);
            let failed = match decision {
                Ok(decision) => match self.write(decision).await? {
                    Written::Now => break,
                    Written::Before => return self.resume(cause, given).await,
                    Written::Moved => continue,
                    Written::Refused(reason) => super::calls::Failed::refused(reason),
                },
                Err(failed) => failed,
            };
            // It may be an event that was handled before, with an instance that has gone on since.
            if self.was_handled(cause).await? {
                return self.resume(cause, given).await;
            }
            // Another node may have replaced what is known of it, which is no reason to fail.
            if !std::mem::replace(&mut is_fresh, true) && self.has_moved().await? {
                continue;
            }
            let verdict = self.judge(given, failed.cause(), 0, &mut memory).await?;
            match verdict {
                (Verdict::Retry { after }, error) => self.rest(given, after, &error).await?,
                (Verdict::Park, error) if given.recorded.is_some() => return Err(Ended::Parked(error)),
                // Until it comes again, what else there is for the instance has its turn: it may end the timer.
                (Verdict::Park, error) => {
                    let (manager, instance, timer) = (P::NAME, self.instance, given.timer());
                    tracing::error!(
                        manager,
                        instance,
                        timer,
                        error,
                        "a timer failed; it is tried again later"
                    );
                    self.put_off(cause, given.timer(), self.around.pauses.max, (self.attempt, &error)).await;
                    self.known = Known::Unread;
                    return Ok(());
                }
                (Verdict::Stop { reason }, _) => return Err(Ended::Stopped(reason)),
                (Verdict::Skip | Verdict::SkipRest | Verdict::Instead(_), _) => {
                    let skipped = skip::<P>(self.instance, self.file().await?, &task);
                    match self.write(skipped).await? {
                        Written::Now | Written::Before => return Ok(()),
                        Written::Moved => {}
                        Written::Refused(reason) => return Err(Ended::Stopped(reason)),
                    }
                }
            }
            self.attempt = self.attempt.saturating_add(1);
        }
        self.carry_out(cause, Behalf::Given(given)).await
    }

    /// Whether the file is another one than what was known of it.
    async fn has_moved(&mut self) -> Result<bool, Ended> {
        let before = self.file().await?.map(|file| file.revision);
        self.known = Known::Unread;
        Ok(self.file().await?.map(|file| file.revision) != before)
    }

    /// It was handled before: what is left of its commands is carried out. Those of a timer are in the hands of whoever has handled it,
    /// and if nobody lives to dispatch them, there is their reminder.
    async fn resume(&mut self, cause: Uuid, given: &Given<'_, P::Event>) -> Result<(), Ended> {
        self.known = Known::Unread;
        if given.timer().is_some() {
            return Ok(());
        }
        self.carry_out(cause, Behalf::Given(given)).await
    }

    /// The cause of commands that are to be carried out before this one's.
    async fn outstanding(&mut self, cause: Uuid) -> Result<Option<Uuid>, Ended> {
        let outstanding = self.file().await?.and_then(File::outstanding);
        Ok(outstanding.map(|pending| pending.origin.cause).filter(|before| *before != cause))
    }

    /// What the instance says of an event or a timer that failed, behind which so many commands wait.
    pub(super) async fn judge(
        &mut self,
        given: &Given<'_, P::Event>,
        cause: Cause<'_, P::Error>,
        pending: usize,
        memory: &mut Memory,
    ) -> Result<(Verdict, String), Ended> {
        let (instance, recorded, timer) = (Some(self.instance), given.recorded, given.timer());
        let (cause_id, attempt) = (given.origin.cause, self.attempt);
        let about = About { instance, recorded, timer, cause: cause_id, attempt, pending };
        let policy = self.around.policy;
        Ok(judge::<P>(self.file().await?, &about, cause, policy, memory))
    }

    /// Waits until it is to be tried again. By then the file may be another one.
    pub(super) async fn rest(
        &mut self,
        given: &Given<'_, P::Event>,
        time: Duration,
        error: &str,
    ) -> Result<(), Ended> {
        if let Some(name) = given.timer() {
            self.put_off(given.origin.cause, Some(name), time, (self.attempt, error)).await;
        }
        self.pause(time).await?;
        self.known = Known::Unread;
        Ok(())
    }

    /// Waits, unless everything is to end.
    pub(super) async fn pause(&self, time: Duration) -> Result<(), Ended> {
        tokio::select! {
            biased;
            () = self.around.stopping.clone() => Err(Ended::Dropped),
            () = sleep(time) => Ok(()),
        }
    }
}

impl<E> Given<'_, E> {
    /// Whether it is still this node's, and not to come again.
    pub(super) fn check(&self) -> Result<(), Ended> {
        if self.ticket.is_some_and(Ticket::is_void) { Err(Ended::Dropped) } else { Ok(()) }
    }

    /// The timer's name, if it is one.
    pub(super) const fn timer(&self) -> Option<&str> {
        match self.cue {
            Cue::Timer(name) => Some(name),
            Cue::Event(_) => None,
        }
    }

    pub(super) fn task<'a>(&'a self, around: &'a Surroundings) -> Task<'a, E> {
        let Self { cue, recorded, origin, step, strict, .. } = self;
        Task {
            kept_as: &around.kept_as,
            cue: *cue,
            recorded: *recorded,
            origin: origin.clone(),
            step: *step,
            strict: *strict,
            now: around.bus.clock().now(),
            patience: around.patience,
        }
    }
}

impl Known {
    /// When the first of its timers runs out, but for those that are being seen to.
    pub(super) fn next_due(&self, but: &HashSet<Uuid>) -> Option<Timestamp> {
        match self {
            Self::Read(Some(file)) => {
                let timers = file.timers.values().filter(|timer| !but.contains(&timer.id));
                timers.map(|timer| timer.due_at).min()
            }
            Self::Read(None) | Self::Unread => None,
        }
    }

    /// Whether it is worth keeping.
    pub(super) const fn is_something(&self) -> bool {
        matches!(self, Self::Read(Some(_)))
    }
}
