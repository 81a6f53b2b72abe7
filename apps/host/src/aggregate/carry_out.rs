//! Carrying out one command: the optimistic loop around the decisions of a [`Cell`].

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    task::Poll,
};

use tokio::sync::{Mutex, MutexGuard};
use umbel_bus::{Dispatch, DispatchContext, DispatchError, Dispatched, Refusal, Returned, Store};
use umbel_core::{
    After, Aggregate, Command, Decide, ExpectedVersion, Lifespan, StreamName, Version,
    aggregate::{Asked, Why},
    store::{Append, AppendError, Appended, Snapshot},
};

use crate::{
    aggregate::{
        cell::{Cell, Decided, lifespan},
        flight::{Airborne, Flight, Landing},
        inline,
    },
    deciding::{Trouble, carried_out_before, plan_named, repeated},
    inline::{Inlines, Inlining, Place},
};

/// An aggregate in memory, for the commands that take turns on it.
pub(super) struct Kept<A: Aggregate> {
    cell: Mutex<Cell<A>>,
}

/// One command on its way.
struct Passage<'a, C> {
    command: &'a C,
    context: &'a DispatchContext,
    store: &'a Store,
    inlines: &'a Inlines,
    /// How often it is decided anew when another writer was faster.
    retries: u32,
    /// Whether the state was read from the store during this call.
    fresh: bool,
    /// Whether it is not decided on what is not stored yet.
    patient: bool,
}

/// A command that was carried out, and what the domain says to its last event, if it led to one now.
type Done<C> = (Dispatched<<C as Command>::Reply>, Option<Lifespan>);
type Outcome<C> = Result<Done<C>, DispatchError<<C as Command>::Rejection>>;

/// What a decision leads to.
enum Step<C: Command> {
    Done(Done<C>),
    Append(Box<Ready<C>>),
}

/// Ready to be appended.
struct Ready<C: Command> {
    append: Append,
    /// The answer once it is stored.
    done: Dispatched<C::Reply>,
    lifespan: Option<Lifespan>,
    airborne: Airborne,
    inlining: Inlining,
    /// Whether it was decided on what is stored.
    settled: bool,
}

impl<A: Aggregate> Kept<A> {
    pub(super) fn new(stream: StreamName) -> Self {
        Self { cell: Mutex::new(Cell::new(stream, Rc::<Flight>::default())) }
    }

    /// Carries out one command, and says how long the aggregate stays in memory after it.
    pub(super) async fn carry_out<C: Command>(
        &self,
        (store, inlines): (&Store, &Inlines),
        Dispatch { command, context }: Dispatch<C>,
        retries: u32,
    ) -> (Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>, Lifespan)
    where
        A: Decide<C>,
    {
        let store = &store.clone().by(context.deadline);
        let (fresh, patient) = (false, false);
        let mut passage =
            Passage { command: &command, context: &context, store, inlines, retries, fresh, patient };
        let outcome = self.attempt(&mut passage).await;
        let asked = Asked::of(&command);
        match outcome {
            Ok((done, Some(lifespan))) => (Ok(done), lifespan),
            Ok((done, None)) => (Ok(done), lifespan::<A>(After::Nothing(asked))),
            Err(DispatchError::Rejected(why)) => {
                let lifespan = lifespan::<A>(After::Rejection(asked, Why::of(&why)));
                (Err(DispatchError::Rejected(why)), lifespan)
            }
            Err(error) => (Err(error), lifespan::<A>(After::Failure(asked))),
        }
    }

    /// Whether a snapshot is to be taken. Not while somebody has his turn: then he asks.
    pub(super) fn snapshot_is_due(&self) -> bool {
        self.at_rest(|cell| cell.snapshot_is_due()).unwrap_or_default()
    }

    /// Takes the snapshot that is due, if it still is. One that fails is tried again when the next is due.
    pub(super) fn take_snapshot(&self) -> Option<Snapshot> {
        self.at_rest(Cell::take_snapshot).flatten()
    }

    fn at_rest<T>(&self, act: impl FnOnce(&mut Cell<A>) -> T) -> Option<T> {
        let mut cell = self.cell.try_lock().ok()?;
        cell.take_note();
        Some(act(&mut cell))
    }

    /// A turn: those who wait have theirs in the order in which they came.
    async fn turn(&self) -> MutexGuard<'_, Cell<A>> {
        let mut cell = self.cell.lock().await;
        cell.take_note();
        cell
    }

    /// Decides on the state in memory, appends under the optimistic lock, evolves. When the lock fails, or when the domain says no on
    /// state that another node may have outdated, the state is brought up to date and the command is decided again, a bounded number
    /// of times. While the append is under way the next command has its turn.
    async fn attempt<C: Command>(&self, passage: &mut Passage<'_, C>) -> Outcome<C>
    where
        A: Decide<C>,
    {
        if let Some(first) = carried_out_before::<C>(passage.store, passage.context).await? {
            return Ok((first, None));
        }
        let mut held = None;
        let (mut attempts, mut turns) = (0, Vec::new());
        loop {
            let mut turn = match held.take() {
                Some(turn) => turn,
                None => self.turn().await,
            };
            let Ready { append, mut done, lifespan, airborne, inlining, settled } =
                match passage.decide(&mut turn).await? {
                    Step::Done(done) => return Ok(done),
                    Step::Append(ready) => *ready,
                };
            // It is on its way before the turn passes on: so appends come to the store in the order of their decisions.
            let mut appending = Box::pin(passage.store.append(append));
            let begun = poll_fn(|context| Poll::Ready(appending.as_mut().poll(context))).await;
            held = turn.is_cautious().then_some(turn);
            let outcome = match begun {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => appending.await,
            };
            airborne.land(landing(&outcome));
            if let Some(turn) = &mut held {
                turn.take_note();
            }
            // One that was decided on what never came to be was nobody's fault but ours, and is not next time.
            attempts += u32::from(settled);
            passage.patient = !settled;
            match outcome {
                Ok(Appended { repeated: Some(reply), last_position, .. }) => {
                    return repeated::<C>(&reply, last_position).map(|done| (done, None));
                }
                Ok(appended) => {
                    done.position = appended.last_position;
                    done.version = appended.versions.first().copied().or(done.version);
                    if let Some(position) = appended.last_position {
                        drop((held, turns));
                        inlining.stored(position, passage.context.deadline).await;
                    }
                    return Ok((done, lifespan));
                }
                Err(
                    AppendError::WrongExpectedVersion { .. }
                    | AppendError::NotBehind { .. }
                    | AppendError::WorkTaken { .. },
                ) => {
                    if attempts > passage.retries {
                        return Err(DispatchError::Conflict { attempts });
                    }
                }
                Err(AppendError::DocumentChanged { .. }) => {
                    if attempts > passage.retries {
                        return Err(DispatchError::Conflict { attempts });
                    }
                    if turns.is_empty() {
                        // Whoever has the turn may need this one.
                        held = None;
                        turns = inlining.turns().await;
                    }
                }
                Err(AppendError::InlineBelief { .. }) => {
                    if attempts > passage.retries {
                        return Err(DispatchError::Conflict { attempts });
                    }
                    inlining.look(passage.store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
                }
                Err(error) => return Err(refused::<A, C>(passage.command, &error)),
            }
        }
    }
}

impl<C: Command> Passage<'_, C> {
    /// Decides the command until there is something to be appended, or an answer without that.
    async fn decide<A: Decide<C>>(
        &mut self,
        cell: &mut Cell<A>,
    ) -> Result<Step<C>, DispatchError<C::Rejection>> {
        let failed = |trouble: Trouble| trouble.into_error(C::NAME);
        let Self { command, context, store, .. } = *self;
        loop {
            if self.patient {
                cell.settle().await;
            }
            cell.look_ahead();
            if cell.stale {
                cell.settle().await;
                self.fresh = true;
                cell.catch_up(store).await.map_err(failed)?;
            }
            let settled = cell.is_settled();
            if let Some(expected) = context.expected.filter(|expected| !is_at(cell.fold.version, *expected)) {
                if self.is_renewed(cell).await? {
                    continue;
                }
                // The same command may meanwhile have been carried out elsewhere, which moved the version.
                let actual = cell.fold.version;
                return self.answer(DispatchError::Refused(Refusal::WrongVersion { expected, actual })).await;
            }
            let mut decided = match cell.decide(command, context, store.clock().now()).map_err(failed)? {
                Ok(decided) => decided,
                Err(_) if self.is_renewed(cell).await? => continue,
                // The same command may meanwhile have been carried out elsewhere, which may be why this is a no.
                Err(rejection) => return self.answer(DispatchError::Rejected(rejection)).await,
            };
            let inlining = Inlining::of(self.inlines, &decided.names).await;
            let plans_by_name = !decided.named.is_empty();
            if decided.decision.events.is_empty() {
                // "Nothing to do" is a statement about the present as well.
                if self.is_renewed(cell).await? {
                    continue;
                }
            } else {
                let (here, at) = ((&cell.fold.stream, cell.fold.version), decided.at);
                let changes = inline::changes::<A>(here, &decided.decision.events, at, &context.metadata);
                let changes = changes.map_err(failed)?;
                if (!changes.is_empty() || plans_by_name || inlining.writes()) && !settled {
                    // What is under way may change the same documents, or plan under the same names.
                    drop(inlining);
                    cell.settle().await;
                    continue;
                }
                let (stream, version) = here;
                let place = Place { stream, version, at };
                inlining.write(store, &mut decided.append, place).await.map_err(failed)?;
                let writes = inline::writes(store, &cell.fold.stream, changes).await;
                decided.append.documents = writes.map_err(failed)?;
            }
            if plans_by_name {
                let named = std::mem::take(&mut decided.named);
                plan_named(store, named, &mut decided.append).await.map_err(failed)?;
            }
            return Ok(self.step(cell, decided, inlining, settled));
        }
    }

    /// What a decision leads to.
    fn step<A: Decide<C>>(
        &self,
        cell: &mut Cell<A>,
        decided: Decided<A::Event, C::Reply>,
        inlining: Inlining,
        settled: bool,
    ) -> Step<C> {
        let Decided { decision, append, names, returned, .. } = decided;
        let lifespan = decision.events.last().map(|last| lifespan::<A>(After::Event(last)));
        let mut done = Dispatched {
            version: Some(cell.fold.version),
            events: Some(names),
            ..Dispatched::reply_only(decision.reply)
        };
        let returning = self.context.returning;
        let tell = |cell: &Cell<A>| {
            if returning.events() || returning.state() {
                let state = returning.state().then(|| cell.reveal()).flatten();
                done.returned = Some(Box::new(Returned { events: returned, state }));
            }
        };
        let does_work = !append.done.is_empty() || !append.outbox.is_empty();
        if append.streams.is_empty() && append.claims.is_empty() && append.command.is_none() && !does_work {
            tell(cell);
            return Step::Done((done, lifespan));
        }
        let airborne = cell.take_off(&append, decision.events);
        if returning.state() {
            cell.look_ahead();
        }
        if !cell.stale {
            tell(cell);
        }
        Step::Append(Box::new(Ready { append, done, lifespan, airborne, inlining, settled }))
    }

    /// Whether the state that an answer would rest on is another one now: it is what the log holds, read during this call.
    async fn is_renewed<A: Aggregate>(
        &mut self,
        cell: &mut Cell<A>,
    ) -> Result<bool, DispatchError<C::Rejection>> {
        if !cell.is_settled() {
            cell.settle().await;
            return Ok(true);
        }
        if std::mem::replace(&mut self.fresh, true) {
            return Ok(false);
        }
        cell.catch_up(self.store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
        Ok(true)
    }

    /// This answer, unless the command was carried out before.
    async fn answer(
        &self,
        error: DispatchError<C::Rejection>,
    ) -> Result<Step<C>, DispatchError<C::Rejection>> {
        carried_out_before::<C>(self.store, self.context)
            .await?
            .map(|done| Step::Done((done, None)))
            .ok_or(error)
    }
}

/// What became of an append, for the state it was decided on.
fn landing(outcome: &Result<Appended, AppendError>) -> Landing {
    match outcome {
        Ok(Appended { repeated: None, .. }) => Landing::Stored,
        Err(
            AppendError::Claimed { .. }
            | AppendError::WorkTaken { .. }
            | AppendError::DocumentChanged { .. }
            | AppendError::InlineBelief { .. },
        ) => Landing::Refused,
        Ok(_) | Err(_) => Landing::Unsure,
    }
}

/// What a caller is told of an append that was refused.
fn refused<A: Decide<C>, C: Command>(command: &C, error: &AppendError) -> DispatchError<C::Rejection> {
    let AppendError::Claimed { claim, .. } = error else {
        return DispatchError::from_append(C::NAME, error);
    };
    match catch_unwind(AssertUnwindSafe(|| A::claimed(command, claim))) {
        Ok(Some(rejection)) => DispatchError::Rejected(rejection),
        Ok(None) => DispatchError::from_append(C::NAME, error),
        Err(_) => DispatchError::Failed { reason: format!("rejecting {} panicked", C::NAME) },
    }
}

/// Whether a stream at this version is as expected.
fn is_at(version: Version, expected: ExpectedVersion) -> bool {
    match expected {
        ExpectedVersion::Any => true,
        ExpectedVersion::NoStream => version == Version::START,
        ExpectedVersion::StreamExists => version > Version::START,
        ExpectedVersion::Exact(exact) => version == exact,
    }
}
