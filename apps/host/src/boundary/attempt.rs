//! One command: read what it rests on, decide, append on condition that nothing was added to it, and again if something was.

use std::panic::{AssertUnwindSafe, catch_unwind};

use umbel_bus::{Dispatch, DispatchContext, DispatchError, Dispatched, Returned, Store, edge};
use umbel_core::{
    Boundary, Command, Context, Decision, EventName, ExpectedVersion, Position, StreamName, TagQuery,
    Timestamp, Version,
    document::Direction,
    event::EncodedEvent,
    store::{
        Append, AppendCondition, AppendError, Appended, Claims, ReadAll, ReadError, Selector, StreamAppend,
    },
};

use super::turns::{Crowded, Turns};
use crate::{
    deciding::{NamedPlans, Trouble, Wired, carried_out_before, plan, plan_named, record, repeated, wired},
    inline::{Inlines, Inlining, Place},
};

/// Events per read.
const LOAD_PAGE: u32 = 1000;

type Reply<B> = <<B as Boundary>::Command as Command>::Reply;
type Rejection<B> = <<B as Boundary>::Command as Command>::Rejection;
pub(super) type Outcome<B> = Result<Dispatched<Reply<B>>, DispatchError<Rejection<B>>>;

/// What a command is decided on: the state that all events lead to which the query is about, up to a position.
struct Ground<B> {
    query: TagQuery,
    state: B,
    upto: Position,
}

/// Events ready to be appended and what to answer when they are.
struct Decided<R> {
    reply: R,
    append: Append,
    /// Commands for later with names, which are not in the append yet.
    named: NamedPlans,
    names: Vec<EventName>,
    returned: Vec<EncodedEvent>,
    at: Timestamp,
}

/// Carries out one command. When its condition fails, or when the domain says no on what others may have added to, what is new is
/// read and it is decided again: for either reason at most `retries` times.
pub(super) async fn carry_out<B: Boundary>(
    (store, inlines): (&Store, &Inlines),
    turns: &Turns,
    Dispatch { command, context }: Dispatch<B::Command>,
    retries: u32,
) -> Outcome<B> {
    let name = B::Command::NAME;
    let failed = |trouble: Trouble| trouble.into_error(name);
    let store = &store.clone().by(context.deadline);
    let id = guarded(name, "identifying the stream of", || B::identify(&command)).map_err(failed)?;
    let stream = StreamName::of(B::CATEGORY, &id).map_err(|reason| DispatchError::BadIdentity {
        command: name,
        id,
        reason,
    })?;
    let mut ground = Ground::<B>::of(&command).map_err(failed)?;
    let waiting = tokio::time::timeout_at(context.deadline, turns.wait(&ground.query));
    let late = DispatchError::Timeout { command: name, outcome: umbel_bus::Outcome::NothingStored };
    let _turns = waiting.await.map_err(|_late| late)?.map_err(|Crowded { waiting }| {
        DispatchError::unavailable(format!("{waiting} commands wait for what {name} asks for already"))
    })?;
    if let Some(first) = carried_out_before::<B::Command>(store, &context).await? {
        return Ok(first);
    }
    ground = ground.extended(store).await.map_err(failed)?.0;
    let (mut conflicts, mut looks) = (0, 0);
    let mut turns_of_documents = Vec::new();
    loop {
        let decided = ground.decide(&command, &context, (&stream, store.clock().now())).map_err(failed)?;
        let is_change =
            decided.as_ref().is_ok_and(|decided| !is_nothing(&decided.append) || !decided.named.is_empty());
        if !is_change {
            // A page may be of a moment ago. Whether something was added since is asked once more: "no" and "nothing to do" are
            // statements about the present, too.
            let (again, anything) = ground.extended(store).await.map_err(failed)?;
            ground = again;
            if anything && looks < retries {
                looks += 1;
                continue;
            }
        }
        let mut decided = match decided {
            Ok(decided) => decided,
            // The same command may meanwhile have been carried out elsewhere, which may be why this is a no.
            Err(rejection) => {
                let before = carried_out_before::<B::Command>(store, &context).await?;
                return before.ok_or(DispatchError::Rejected(rejection));
            }
        };
        let named = std::mem::take(&mut decided.named);
        plan_named(store, named, &mut decided.append).await.map_err(failed)?;
        if is_nothing(&decided.append) && decided.append.command.is_none() {
            return Ok(decided.done(&Appended::now(None, Vec::new()), &context));
        }
        let inlining = Inlining::of(inlines, &decided.names).await;
        if inlining.writes() {
            place(store, &mut decided.append, &stream).await.map_err(failed)?;
        }
        let version = decided.append.streams.first().map_or(Version::START, |stream| match stream.expected {
            ExpectedVersion::Exact(version) => version,
            _ => Version::START,
        });
        let here = Place { stream: &stream, version, at: decided.at };
        inlining.write(store, &mut decided.append, here).await.map_err(failed)?;
        match store.append(decided.append.clone()).await {
            Ok(Appended { repeated: Some(reply), last_position, .. }) => {
                return repeated::<B::Command>(&reply, last_position);
            }
            Ok(appended) => {
                if let Some(position) = appended.last_position {
                    drop(turns_of_documents);
                    inlining.stored(position, context.deadline).await;
                }
                return Ok(decided.done(&appended, &context));
            }
            Err(error) if is_conflict(&error) && conflicts < retries => {
                match error {
                    AppendError::InlineBelief { .. } => inlining.look(store).await.map_err(failed)?,
                    AppendError::DocumentChanged { .. } if turns_of_documents.is_empty() => {
                        turns_of_documents = inlining.turns().await;
                    }
                    _ => {}
                }
                conflicts += 1;
                ground = ground.extended(store).await.map_err(failed)?.0;
            }
            Err(error) if is_conflict(&error) => {
                return Err(DispatchError::Conflict { attempts: conflicts + 1 });
            }
            Err(error) => return Err(refused::<B>(&command, &error)),
        }
    }
}

impl<B: Boundary> Ground<B> {
    /// Before anything was read.
    fn of(command: &B::Command) -> Result<Self, Trouble> {
        let begin = || (B::query(command).within::<B::Event>(), B::begin(command));
        let (query, state) = guarded(B::Command::NAME, "asking what matters to", begin)?;
        let wrong = |error| Trouble::Failed(format!("what matters to {}: {error}", B::Command::NAME));
        query.check().map_err(wrong)?;
        Ok(Self { query, state, upto: Position::START })
    }

    /// With all that was stored since, and whether there was anything.
    async fn extended(mut self, store: &Store) -> Result<(Self, bool), Trouble> {
        let mut anything = false;
        loop {
            let (from, selector) = (self.upto.next(), Selector::tagged(self.query.clone()));
            let request =
                ReadAll { from: Some(from), direction: Direction::Forward, limit: LOAD_PAGE, selector };
            let page = store.read_all(request).await.map_err(Trouble::Store)?;
            anything |= !page.events.is_empty();
            for recorded in &page.events {
                let events =
                    recorded.decode::<B::Event>().map_err(|error| Trouble::Failed(error.to_string()))?;
                for event in events {
                    let evolve = || self.state.evolve(&event);
                    self.state = guarded(B::Command::NAME, "evolving what matters to", evolve)?;
                }
            }
            self.upto = self.upto.max(page.scanned_to);
            if page.scanned_to >= page.head {
                return Ok((self, anything));
            }
            // Taken for the end, this would let commands be decided on a state that never was.
            if page.scanned_to < from {
                let (from, head) = (from, page.head);
                return Err(Trouble::Failed(format!(
                    "reading the log from {from} led nowhere, though it goes to {head}"
                )));
            }
        }
    }

    fn decide(
        &self,
        command: &B::Command,
        context: &DispatchContext,
        (stream, at): (&StreamName, Timestamp),
    ) -> Result<Result<Decided<Reply<B>>, Rejection<B>>, Trouble> {
        let mut fresh_ids = edge::fresh_id;
        let surroundings = Context::new(at, &mut fresh_ids).with_metadata(&context.metadata);
        let decide = || self.state.decide(command, &surroundings);
        match guarded(B::Command::NAME, "deciding", decide)? {
            Ok(decision) => self.prepare(decision, (context, at), stream).map(Ok),
            Err(rejection) => Ok(Err(rejection)),
        }
    }

    /// The append that a decision leads to.
    fn prepare(
        &self,
        decision: Decision<B::Event, Reply<B>>,
        (context, at): (&DispatchContext, Timestamp),
        stream: &StreamName,
    ) -> Result<Decided<Reply<B>>, Trouble> {
        let Decision { events, reply, take, release, plans } = decision;
        let Wired { events, names, returned } = wired(&events, context)?;
        let mut append = Append::default();
        // Others may write to the stream at the same time: the version does not say which events these are.
        let base = events.first().map(|event| event.id.0);
        let named = plan(&plans, &mut append, stream, base, (context, at))?;
        if !events.is_empty() {
            let (stream, expected) = (stream.clone(), ExpectedVersion::Any);
            append.streams.push(StreamAppend::new(stream, expected, events));
        }
        append.claims = Claims { owner: stream.to_string(), take, release, from: None };
        append.conditions = vec![AppendCondition::new(self.query.clone(), self.upto)];
        if context.idempotent {
            append.command = Some(record::<B::Command>(context, &reply)?);
        }
        Ok(Decided { reply, append, named, names, returned, at })
    }
}

impl<R> Decided<R> {
    fn done(self, appended: &Appended, context: &DispatchContext) -> Dispatched<R> {
        let Self { reply, names, returned, .. } = self;
        let asked = context.returning.events() || context.returning.state();
        Dispatched {
            reply,
            position: appended.last_position,
            version: appended.versions.first().copied(),
            events: Some(names),
            repeated: false,
            returned: asked.then(|| Box::new(Returned { events: returned, state: None })),
        }
    }
}

/// Lets the append say where the stream ends, which rules that write documents are told: others may write to it at the same time.
async fn place(store: &Store, append: &mut Append, stream: &StreamName) -> Result<(), Trouble> {
    let version = match store.stream_info(stream.clone()).await {
        Ok(info) => info.version,
        Err(ReadError::Store(error)) => return Err(Trouble::Store(error)),
        // It begins with this append, or that tells what is the matter.
        Err(_) => Version::START,
    };
    for append in &mut append.streams {
        append.expected = ExpectedVersion::Exact(version);
    }
    Ok(())
}

/// Whether it is decided again: somebody was faster, or something is not as it was believed.
const fn is_conflict(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::ConditionFailed { .. }
            | AppendError::WorkTaken { .. }
            | AppendError::WrongExpectedVersion { .. }
            | AppendError::DocumentChanged { .. }
            | AppendError::InlineBelief { .. }
    )
}

/// Whether nothing changes by it.
fn is_nothing(append: &Append) -> bool {
    append.streams.is_empty()
        && append.claims.is_empty()
        && append.done.is_empty()
        && append.outbox.is_empty()
}

fn refused<B: Boundary>(command: &B::Command, error: &AppendError) -> DispatchError<Rejection<B>> {
    let name = B::Command::NAME;
    let AppendError::Claimed { claim, .. } = error else {
        return DispatchError::from_append(name, error);
    };
    match guarded(name, "rejecting", || B::claimed(command, claim)) {
        Ok(Some(rejection)) => DispatchError::Rejected(rejection),
        Ok(None) => DispatchError::from_append(name, error),
        Err(trouble) => trouble.into_error(name),
    }
}

/// The domain's own code, whose panic is this command's trouble and nobody else's.
fn guarded<T>(command: &str, doing: &str, code: impl FnOnce() -> T) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|_| Trouble::Failed(format!("{doing} {command} panicked")))
}
