//! One aggregate's state and the optimistic loop around its decisions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use umbel_bus::{Dispatch, DispatchContext, DispatchError, Dispatched, Outcome, Store, edge};
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, EventId, EventName, EventSet, ExpectedVersion, Json,
    NewEvent, PayloadError, StreamName,
    event::EventType,
    store::{Append, AppendError, Appended, Claims, CommandRecord, StreamAppend},
};

use crate::aggregate::fold::{Fold, Trouble};

/// An aggregate in memory.
pub(crate) struct Cell<A> {
    fold: Fold<A>,
    /// Whether nothing is known yet, or not any more.
    stale: bool,
}

/// The domain's yes or no, or trouble on the way to it.
type Verdict<A, C> = Result<
    Result<Decided<<A as Aggregate>::Event, <C as Command>::Reply>, <C as Command>::Rejection>,
    Trouble,
>;

/// Events ready to be appended and the decision they came from.
struct Decided<E, R> {
    decision: Decision<E, R>,
    append: Append,
    names: Vec<EventName>,
}

impl<A: Aggregate> Cell<A> {
    pub(crate) fn new(stream: StreamName) -> Self {
        Self { fold: Fold::new(stream), stale: true }
    }

    /// Carries out one command: decide on the state in memory, append under the optimistic lock, evolve. When the
    /// lock fails, or when the domain says no on state that another node may have outdated, the state is brought
    /// up to date and the command is decided again, at most `retries` times.
    pub(crate) async fn carry_out<C: Command>(
        &mut self,
        store: &Store,
        Dispatch { command, context }: Dispatch<C>,
        retries: u32,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>
    where
        A: Decide<C>,
    {
        let store = &store.clone().by(context.deadline);
        if let Some(first) = self.carried_out_before::<C>(store, &context).await? {
            return Ok(first);
        }
        // Whether the state was read from the store during this call.
        let mut fresh = self.stale;
        if self.stale {
            self.catch_up(store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            let decided = match self.decide(&command, &context) {
                Ok(Ok(decided)) => decided,
                Ok(Err(_)) if !fresh => {
                    fresh = true;
                    self.catch_up(store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
                    continue;
                }
                // The same command may meanwhile have been carried out elsewhere, which may be why this is a no.
                Ok(Err(rejection)) => {
                    let before = self.carried_out_before::<C>(store, &context).await?;
                    return before.ok_or(DispatchError::Rejected(rejection));
                }
                Err(trouble) => return Err(trouble.into_error(C::NAME)),
            };
            if decided.append.streams.is_empty() && !fresh {
                // "Nothing to do" is a statement about the present as well.
                fresh = true;
                if self.catch_up(store).await.map_err(|trouble| trouble.into_error(C::NAME))? {
                    continue;
                }
            }
            match self.write(store, &decided.append).await {
                Ok(Appended { repeated: Some(reply), last_position, .. }) => {
                    self.stale = true;
                    return repeated::<C>(&reply, last_position);
                }
                Ok(appended) => return self.commit::<C>(decided, &appended),
                Err(AppendError::WrongExpectedVersion { .. }) if attempts <= retries => {
                    fresh = true;
                    self.catch_up(store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
                }
                Err(AppendError::WrongExpectedVersion { .. }) => {
                    return Err(DispatchError::Conflict { attempts });
                }
                Err(error) => return Err(self.refused(&command, &error)),
            }
        }
    }

    /// The reply kept for a command whose id the caller chose, if it was carried out before.
    async fn carried_out_before<C: Command>(
        &self,
        store: &Store,
        context: &DispatchContext,
    ) -> Result<Option<Dispatched<C::Reply>>, DispatchError<C::Rejection>> {
        if !context.idempotent {
            return Ok(None);
        }
        let found = store.find_command(context.command_id).await;
        match found.map_err(|error| nothing_stored(DispatchError::from_store(C::NAME, &error)))? {
            Some(Appended { repeated: Some(reply), last_position, .. }) => {
                repeated::<C>(&reply, last_position).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Evolves by everything appended since; says whether there was anything.
    async fn catch_up(&mut self, store: &Store) -> Result<bool, Trouble> {
        // Left half-way by an error or a caller that goes away, it is some state, but not the present one.
        self.stale = true;
        let anything = self.fold.catch_up(store, None).await?;
        self.stale = false;
        Ok(anything)
    }

    /// Forgets the state, which a panic may have left half-way: the next command loads it from the log.
    fn panicked(&mut self, doing: &str) -> Trouble {
        *self = Self::new(self.fold.stream.clone());
        Trouble::Failed(format!("{doing} {} panicked", self.fold.stream))
    }

    fn decide<C: Command>(&mut self, command: &C, context: &DispatchContext) -> Verdict<A, C>
    where
        A: Decide<C>,
    {
        let mut fresh_ids = edge::fresh_id;
        let surroundings = Context::new(edge::now(), &mut fresh_ids);
        match catch_unwind(AssertUnwindSafe(|| self.fold.state.decide(command, &surroundings))) {
            Ok(Ok(decision)) => self.prepare(decision, context).map(Ok),
            Ok(Err(rejection)) => Ok(Err(rejection)),
            Err(_) => Err(self.panicked(&format!("deciding {} for", C::NAME))),
        }
    }

    /// The append that a decision leads to.
    fn prepare<R: serde::Serialize>(
        &self,
        decision: Decision<A::Event, R>,
        context: &DispatchContext,
    ) -> Result<Decided<A::Event, R>, Trouble> {
        let failed = |error: PayloadError| Trouble::Failed(format!("cannot be encoded: {error}"));
        let mut names = Vec::with_capacity(decision.events.len());
        let mut events = Vec::with_capacity(decision.events.len());
        for event in &decision.events {
            let encoded = event.encode().map_err(failed)?;
            let EventType { name, .. } = &encoded.event_type;
            if !names.contains(name) {
                names.push(name.clone());
            }
            events.push(NewEvent::new(EventId(edge::fresh_id()), encoded, context.metadata.clone()));
        }
        let mut append = Append::default();
        if !events.is_empty() {
            let expected = ExpectedVersion::Exact(self.fold.version);
            append.streams.push(StreamAppend { stream: self.fold.stream.clone(), expected, events });
        }
        append.claims = Claims {
            owner: self.fold.stream.to_string(),
            take: decision.take.clone(),
            release: decision.release.clone(),
        };
        if context.idempotent {
            let reply = Json::encode(&decision.reply).map_err(|error| failed(error.into()))?;
            append.command = Some(CommandRecord { id: context.command_id, reply });
        }
        Ok(Decided { decision, append, names })
    }

    async fn write(&mut self, store: &Store, append: &Append) -> Result<Appended, AppendError> {
        if append.streams.is_empty() && append.claims.is_empty() && append.command.is_none() {
            return Ok(Appended::now(None, Vec::new()));
        }
        // Until the answer is in, nobody knows what the stream holds: a call dropped here leaves the cell stale.
        self.stale = true;
        let appended = store.append(append.clone()).await;
        self.stale = !matches!(appended, Ok(_) | Err(AppendError::Claimed { .. }));
        appended
    }

    /// Takes over what was stored and answers.
    fn commit<C: Command>(
        &mut self,
        Decided { decision, names, .. }: Decided<A::Event, C::Reply>,
        appended: &Appended,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let after = appended.versions.first().copied().unwrap_or(self.fold.version);
        self.stale = true;
        for event in &decision.events {
            if let Err(Trouble::Failed(reason)) = self.fold.evolve(event) {
                // Stored all the same; the next command loads the state again and meets the panic there.
                tracing::error!(stream = %self.fold.stream, reason, "state lost after an append");
                return Ok(answer(decision.reply, appended, names));
            }
        }
        self.fold.version = after;
        self.stale = false;
        Ok(answer(decision.reply, appended, names))
    }

    fn refused<C: Command>(&self, command: &C, error: &AppendError) -> DispatchError<C::Rejection>
    where
        A: Decide<C>,
    {
        let AppendError::Claimed { claim, .. } = error else {
            return DispatchError::from_append(C::NAME, error);
        };
        match catch_unwind(AssertUnwindSafe(|| A::claimed(command, claim))) {
            Ok(Some(rejection)) => DispatchError::Rejected(rejection),
            Ok(None) => DispatchError::from_append(C::NAME, error),
            Err(_) => DispatchError::Failed { reason: format!("rejecting {} panicked", C::NAME) },
        }
    }
}

impl Trouble {
    fn into_error<R>(self, command: &'static str) -> DispatchError<R> {
        match self {
            Self::Store(error) => nothing_stored(DispatchError::from_store(command, &error)),
            Self::Failed(reason) => DispatchError::Failed { reason },
        }
    }
}

/// The same error of a step that only reads.
fn nothing_stored<R>(error: DispatchError<R>) -> DispatchError<R> {
    match error {
        DispatchError::Timeout { command, .. } => {
            DispatchError::Timeout { command, outcome: Outcome::NothingStored }
        }
        error => error,
    }
}

fn answer<R>(reply: R, appended: &Appended, names: Vec<EventName>) -> Dispatched<R> {
    Dispatched { reply, position: appended.last_position, events: Some(names), repeated: false }
}

fn repeated<C: Command>(
    reply: &Json,
    position: Option<umbel_core::Position>,
) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
    let reply = reply.decode().map_err(|error| DispatchError::Failed {
        reason: format!("the reply kept for this {} cannot be read: {error}", C::NAME),
    })?;
    Ok(Dispatched { reply, position, events: None, repeated: true })
}
