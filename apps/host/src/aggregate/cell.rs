//! One aggregate's state and the optimistic loop around its decisions.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use umbel_bus::{Dispatch, DispatchContext, DispatchError, Dispatched, Outcome, Store, edge};
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, EventId, EventSet, ExpectedVersion, Json, NewEvent,
    StreamName, Version,
    document::Direction,
    event::EventType,
    store::{
        Append, AppendError, Appended, Claims, CommandRecord, ReadError, ReadStream, StoreError, StreamAppend,
    },
};

/// Events per read while an aggregate is loaded.
const LOAD_PAGE: u32 = 1000;

/// An aggregate in memory: the fold of its stream up to `version`.
pub(crate) struct Cell<A> {
    stream: StreamName,
    state: A,
    version: Version,
    /// Whether nothing is known yet, or not any more.
    stale: bool,
}

/// A failure before anything was written, before it is told to a caller of some command.
enum Trouble {
    /// The store could not be read.
    Store(StoreError),
    /// The log holds something this program cannot use, or the domain's code panicked.
    Failed(String),
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
    names: Vec<Cow<'static, str>>,
}

impl<A: Aggregate> Cell<A> {
    pub(crate) fn new(stream: StreamName) -> Self {
        Self { stream, state: A::default(), version: Version::START, stale: true }
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
        let before = self.version;
        loop {
            let request = ReadStream {
                stream: self.stream.clone(),
                from: Some(self.version.next()),
                direction: Direction::Forward,
                limit: LOAD_PAGE,
            };
            let page = match store.read_stream(request).await {
                Ok(page) => page,
                Err(ReadError::StreamNotFound(_)) => break,
                Err(error @ ReadError::StreamDeleted(_)) => return Err(Trouble::Failed(error.to_string())),
                Err(ReadError::Store(error)) => return Err(Trouble::Store(error)),
            };
            for recorded in &page.events {
                let event =
                    recorded.decode::<A::Event>().map_err(|error| Trouble::Failed(error.to_string()))?;
                if let Some(event) = event {
                    self.evolve(&event)?;
                }
                self.version = recorded.version;
            }
            if self.version >= page.version {
                break;
            }
            // Taken for the end, this would let commands be decided on a state that never was.
            if page.events.is_empty() {
                let (stream, at, end) = (&self.stream, self.version, page.version);
                return Err(Trouble::Failed(format!(
                    "the store has no events of {stream} after version {at}, though it is at version {end}"
                )));
            }
        }
        self.stale = false;
        Ok(self.version > before)
    }

    fn evolve(&mut self, event: &A::Event) -> Result<(), Trouble> {
        let state = std::mem::take(&mut self.state);
        self.stale = true;
        match catch_unwind(AssertUnwindSafe(|| state.evolve(event))) {
            Ok(state) => self.state = state,
            Err(_) => return Err(self.panicked("evolving")),
        }
        Ok(())
    }

    /// Forgets the state, which a panic may have left half-way: the next command loads it from the log.
    fn panicked(&mut self, doing: &str) -> Trouble {
        *self = Self::new(self.stream.clone());
        Trouble::Failed(format!("{doing} {} panicked", self.stream))
    }

    fn decide<C: Command>(&mut self, command: &C, context: &DispatchContext) -> Verdict<A, C>
    where
        A: Decide<C>,
    {
        let mut fresh_ids = edge::fresh_id;
        let surroundings = Context::new(edge::now(), &mut fresh_ids);
        match catch_unwind(AssertUnwindSafe(|| self.state.decide(command, &surroundings))) {
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
        let no_json = |error| Trouble::Failed(format!("no JSON form: {error}"));
        let mut names = Vec::with_capacity(decision.events.len());
        let mut events = Vec::with_capacity(decision.events.len());
        for event in &decision.events {
            let (event_type, data) = event.encode().map_err(no_json)?;
            let EventType { name, .. } = &event_type;
            if !names.contains(name) {
                names.push(name.clone());
            }
            let (id, metadata) = (EventId(edge::fresh_id()), context.metadata.clone());
            events.push(NewEvent { id, event_type, data, metadata });
        }
        let mut append = Append::default();
        if !events.is_empty() {
            let expected = ExpectedVersion::Exact(self.version);
            append.streams.push(StreamAppend { stream: self.stream.clone(), expected, events });
        }
        append.claims = Claims {
            owner: self.stream.to_string(),
            take: decision.take.clone(),
            release: decision.release.clone(),
        };
        if context.idempotent {
            let reply = Json::encode(&decision.reply).map_err(no_json)?;
            append.command = Some(CommandRecord { id: context.command_id, reply });
        }
        Ok(Decided { decision, append, names })
    }

    async fn write(&mut self, store: &Store, append: &Append) -> Result<Appended, AppendError> {
        if append.streams.is_empty() && append.claims.is_empty() && append.command.is_none() {
            return Ok(Appended { last_position: None, versions: Vec::new(), repeated: None });
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
        let after = appended.versions.first().copied().unwrap_or(self.version);
        for event in &decision.events {
            if let Err(Trouble::Failed(reason)) = self.evolve(event) {
                // Stored all the same; the next command loads the state again and meets the panic there.
                tracing::error!(stream = %self.stream, reason, "state lost after an append");
                return Ok(answer(decision.reply, appended, names));
            }
        }
        self.version = after;
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

fn answer<R>(reply: R, appended: &Appended, names: Vec<Cow<'static, str>>) -> Dispatched<R> {
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
