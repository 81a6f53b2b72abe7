//! One aggregate's state and the optimistic loop around its decisions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use umbel_bus::{
    Dispatch, DispatchContext, DispatchError, Dispatched, Outcome, Refusal, Returned, Store, edge,
};
use umbel_core::{
    After, Aggregate, Command, Context, Decide, Decision, EncodedEvent, EventId, EventName, EventSet,
    ExpectedVersion, Json, Lifespan, NewEvent, PayloadError, StreamName, Timestamp, Version,
    aggregate::{Asked, Why},
    event::EventType,
    store::{Append, AppendError, Appended, Claims, CommandRecord, Snapshot, StreamAppend},
};

use crate::aggregate::{
    fold::{Fold, Trouble},
    inline,
};

/// An aggregate in memory.
pub(crate) struct Cell<A> {
    fold: Fold<A>,
    /// Whether nothing is known yet, or not any more.
    stale: bool,
    /// Whether the state was begun: with a snapshot, if there was one.
    begun: bool,
    /// Version of the last snapshot that is known of, or was tried.
    snapshot: Version,
    /// What the domain says about the last command.
    lifespan: Lifespan,
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
    at: Timestamp,
    /// The events in their wire form, if they are to be returned.
    returned: Vec<EncodedEvent>,
}

impl<A: Aggregate> Cell<A> {
    pub(crate) fn new(stream: StreamName) -> Self {
        Self {
            fold: Fold::new(stream),
            stale: true,
            begun: false,
            snapshot: Version::START,
            lifespan: Lifespan::Default,
        }
    }

    /// Carries out one command, and says how long the aggregate stays in memory after it.
    pub(crate) async fn carry_out<C: Command>(
        &mut self,
        store: &Store,
        Dispatch { command, context }: Dispatch<C>,
        retries: u32,
    ) -> (Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>, Lifespan)
    where
        A: Decide<C>,
    {
        let store = &store.clone().by(context.deadline);
        let outcome = self.attempt(store, &command, &context, retries).await;
        let asked = Asked::of(&command);
        let lifespan = match &outcome {
            // Asked about its last event when that was at hand.
            Ok(done) if done.position.is_some() && !done.repeated => self.lifespan,
            Ok(_) => lifespan::<A>(After::Nothing(asked)),
            Err(DispatchError::Rejected(why)) => lifespan::<A>(After::Rejection(asked, Why::of(why))),
            Err(_) => lifespan::<A>(After::Failure(asked)),
        };
        (outcome, lifespan)
    }

    /// Whether a snapshot is to be taken.
    pub(crate) fn snapshot_is_due(&self) -> bool {
        !self.stale && A::snapshots().is_due(self.snapshot, self.fold.version)
    }

    /// Takes the snapshot that is due, if it still is. One that fails is tried again when the next is due.
    pub(crate) fn take_snapshot(&mut self) -> Option<Snapshot> {
        if !self.snapshot_is_due() {
            return None;
        }
        let Fold { stream, state, version } = &self.fold;
        self.snapshot = *version;
        let taken = || A::snapshots().take(stream.clone(), *version, state, edge::now());
        match catch_unwind(AssertUnwindSafe(taken)) {
            Ok(Some(Ok(snapshot))) => Some(snapshot),
            Ok(Some(Err(error))) => {
                tracing::warn!(%stream, %error, "the state has no JSON form; no snapshot is taken");
                None
            }
            Ok(None) => None,
            Err(_) => {
                tracing::warn!(%stream, "taking a snapshot panicked");
                None
            }
        }
    }

    /// Carries out one command: decide on the state in memory, append under the optimistic lock, evolve. When the
    /// lock fails, or when the domain says no on state that another node may have outdated, the state is brought
    /// up to date and the command is decided again, at most `retries` times.
    async fn attempt<C: Command>(
        &mut self,
        store: &Store,
        command: &C,
        context: &DispatchContext,
        retries: u32,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>
    where
        A: Decide<C>,
    {
        if let Some(first) = self.carried_out_before::<C>(store, context).await? {
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
            if let Some(expected) = context.expected.filter(|expected| !is_at(self.fold.version, *expected)) {
                if !fresh {
                    fresh = true;
                    self.catch_up(store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
                    continue;
                }
                // The same command may meanwhile have been carried out elsewhere, which moved the version.
                let before = self.carried_out_before::<C>(store, context).await?;
                let actual = self.fold.version;
                return before.ok_or(DispatchError::Refused(Refusal::WrongVersion { expected, actual }));
            }
            let mut decided = match self.decide(command, context) {
                Ok(Ok(decided)) => decided,
                Ok(Err(_)) if !fresh => {
                    fresh = true;
                    self.catch_up(store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
                    continue;
                }
                // The same command may meanwhile have been carried out elsewhere, which may be why this is a no.
                Ok(Err(rejection)) => {
                    let before = self.carried_out_before::<C>(store, context).await?;
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
            if !decided.decision.events.is_empty() {
                let (fold, at) = (&self.fold, decided.at);
                let (here, events) = ((&fold.stream, fold.version), &decided.decision.events);
                let documents = inline::documents::<A>(store, here, events, at, &context.metadata).await;
                decided.append.documents = documents.map_err(|trouble| trouble.into_error(C::NAME))?;
            }
            match self.write(store, &decided.append).await {
                Ok(Appended { repeated: Some(reply), last_position, .. }) => {
                    self.stale = true;
                    return repeated::<C>(&reply, last_position);
                }
                Ok(appended) => return self.commit::<C>(decided, &appended, context),
                Err(AppendError::WrongExpectedVersion { .. }) if attempts <= retries => {
                    fresh = true;
                    self.catch_up(store).await.map_err(|trouble| trouble.into_error(C::NAME))?;
                }
                Err(AppendError::WrongExpectedVersion { .. }) => {
                    return Err(DispatchError::Conflict { attempts });
                }
                Err(error) => return Err(self.refused(command, &error)),
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
        let mut anything = false;
        if !self.begun {
            self.fold.begin_with_snapshot(store, None).await;
            (self.begun, self.snapshot) = (true, self.fold.version);
            anything = self.fold.version > Version::START;
        }
        anything |= self.fold.catch_up(store, None).await?;
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
        let at = edge::now();
        let surroundings = Context::new(at, &mut fresh_ids).with_metadata(&context.metadata);
        let state = &self.fold.state;
        let decide = || {
            state.before_decide(command, &surroundings)?;
            state.decide(command, &surroundings)
        };
        match catch_unwind(AssertUnwindSafe(decide)) {
            Ok(Ok(decision)) => self.prepare(decision, context, at).map(Ok),
            Ok(Err(rejection)) => Ok(Err(rejection)),
            Err(_) => Err(self.panicked(&format!("deciding {} for", C::NAME))),
        }
    }

    /// The append that a decision leads to.
    fn prepare<R: serde::Serialize>(
        &self,
        decision: Decision<A::Event, R>,
        context: &DispatchContext,
        at: Timestamp,
    ) -> Result<Decided<A::Event, R>, Trouble> {
        let failed = |error: PayloadError| Trouble::Failed(format!("cannot be encoded: {error}"));
        let mut names = Vec::with_capacity(decision.events.len());
        let mut events = Vec::with_capacity(decision.events.len());
        let mut returned = Vec::new();
        for event in &decision.events {
            let encoded = event.encode().map_err(failed)?;
            let EventType { name, .. } = &encoded.event_type;
            if !names.contains(name) {
                names.push(name.clone());
            }
            if context.returning.events() {
                returned.push(encoded.clone());
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
            from: None,
        };
        if context.idempotent {
            let reply = Json::encode(&decision.reply).map_err(|error| failed(error.into()))?;
            append.command = Some(CommandRecord { id: context.command_id, reply });
        }
        Ok(Decided { decision, append, names, at, returned })
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
        Decided { decision, names, returned, .. }: Decided<A::Event, C::Reply>,
        appended: &Appended,
        context: &DispatchContext,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let after = appended.versions.first().copied().unwrap_or(self.fold.version);
        let mut done = Dispatched {
            reply: decision.reply,
            position: appended.last_position,
            version: Some(after),
            events: Some(names),
            repeated: false,
            returned: None,
        };
        self.stale = true;
        for event in &decision.events {
            if let Err(Trouble::Failed(reason)) = self.fold.evolve(event) {
                // Stored all the same; the next command loads the state again and meets the panic there.
                tracing::error!(stream = %self.fold.stream, reason, "state lost after an append");
                *self = Self::new(self.fold.stream.clone());
                return Ok(done);
            }
        }
        self.fold.version = after;
        self.stale = false;
        if let Some(last) = decision.events.last() {
            self.lifespan = lifespan::<A>(After::Event(last));
        }
        if context.returning.events() || context.returning.state() {
            let state = context.returning.state().then(|| self.reveal()).flatten();
            done.returned = Some(Box::new(Returned { events: returned, state }));
        }
        Ok(done)
    }

    /// The state as callers see it who ask for it, if it has such a form.
    fn reveal(&self) -> Option<Json> {
        let revealed = catch_unwind(AssertUnwindSafe(|| A::snapshots().reveal(&self.fold.state)));
        revealed.ok().flatten().and_then(Result::ok)
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

/// How long the aggregate stays in memory after this. A panic says nothing.
fn lifespan<A: Aggregate>(after: After<'_, A::Event>) -> Lifespan {
    catch_unwind(AssertUnwindSafe(|| A::lifespan(after))).unwrap_or_default()
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

fn repeated<C: Command>(
    reply: &Json,
    position: Option<umbel_core::Position>,
) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
    let reply = reply.decode().map_err(|error| DispatchError::Failed {
        reason: format!("the reply kept for this {} cannot be read: {error}", C::NAME),
    })?;
    Ok(Dispatched { position, events: None, repeated: true, ..Dispatched::reply_only(reply) })
}
