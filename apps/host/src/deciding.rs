//! What carrying out a command takes, whether an aggregate decides it or a boundary.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use umbel_bus::{DispatchContext, DispatchError, Dispatched, Outcome, Refusal, Store, edge};
use umbel_core::{
    Command, CommandId, EncodedEvent, EventId, EventName, EventSet, Gap, Json, NewEvent, PayloadError,
    Position, StreamName, Timestamp,
    message::is_called,
    schedule::{Planner, Plans, Worked, replaced},
    store::{Append, Appended, CommandRecord, OutboxEntry, StoreError},
};
use uuid::Uuid;

/// Trouble on the way to a decision.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The store could not be read.
    Store(StoreError),
    /// The stream does not show all that it would take.
    Gap(Gap),
    /// The stream was deleted.
    Gone(StreamName),
    /// The log holds something this program cannot use, or the domain's code panicked.
    Failed(String),
}

/// The events of a decision as they are appended.
pub(crate) struct Wired {
    pub(crate) events: Vec<NewEvent>,
    /// Their names, each once.
    pub(crate) names: Vec<EventName>,
    /// They in their wire form, if they are to be returned.
    pub(crate) returned: Vec<EncodedEvent>,
}

/// Gives the events of a decision their wire form, ids and context.
pub(crate) fn wired<E: EventSet>(decided: &[E], context: &DispatchContext) -> Result<Wired, Trouble> {
    let mut events = Vec::with_capacity(decided.len());
    let mut names = Vec::with_capacity(decided.len());
    let mut returned = Vec::new();
    for event in decided {
        let encoded = event.encode().map_err(|error| unencodable(&error))?;
        let name = &encoded.event_type.name;
        if !names.contains(name) {
            names.push(name.clone());
        }
        if context.returning.events() {
            returned.push(encoded.clone());
        }
        events.push(NewEvent::new(EventId(edge::fresh_id()), encoded, context.metadata.clone()));
    }
    Ok(Wired { events, names, returned })
}

/// A reply and whose it is, as it is kept. Replies have shapes of their own: none of them has these fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named<R> {
    #[serde(rename = "$command")]
    command: Cow<'static, str>,
    #[serde(rename = "$reply")]
    reply: R,
}

/// Named plans of a decision: by id, what takes the place of what waits.
pub(crate) type NamedPlans = BTreeMap<Uuid, Option<OutboxEntry>>;

/// Puts the plans of a decision that have no names into its append; those with names are left.
pub(crate) fn plan(
    plans: &Plans,
    append: &mut Append,
    stream: &StreamName,
    base: Option<Uuid>,
    (context, at): (&DispatchContext, Timestamp),
) -> Result<NamedPlans, Trouble> {
    if plans.is_empty() {
        return Ok(NamedPlans::new());
    }
    let metadata = &context.metadata.clone().caused_by(context.command_id.0);
    let worked = plans.work(&Planner { stream, base, now: at, metadata });
    let Worked { new, named } = worked.map_err(|error| Trouble::Failed(error.to_string()))?;
    append.outbox.extend(new);
    Ok(named)
}

/// Puts those with names into the append, in the place of what waits under them. Who takes that meanwhile is first, and the append
/// refused.
pub(crate) async fn plan_named(store: &Store, named: NamedPlans, append: &mut Append) -> Result<(), Trouble> {
    for (id, entry) in named {
        if let Some(waiting) = store.find_work(id).await.map_err(Trouble::Store)? {
            let record = replaced(&waiting, edge::fresh_id()).map_err(|error| unencodable(&error.into()))?;
            append.done.push(id);
            append.replaces.push(record);
        }
        append.outbox.extend(entry);
    }
    Ok(())
}

/// The reply, to be kept for when the command comes again; with its name where a function dispatches it, which may
/// [ask](crate::Handling::done_before) later what it dispatched.
pub(crate) fn record<C: Command>(
    context: &DispatchContext,
    reply: &C::Reply,
) -> Result<CommandRecord, Trouble> {
    let reply = match context.depth {
        0 => Json::encode(reply),
        _ => Json::encode(&Named { command: C::NAME.into(), reply }),
    };
    let reply = reply.map_err(|error| unencodable(&error.into()))?;
    Ok(CommandRecord { id: context.command_id, reply })
}

fn unencodable(error: &PayloadError) -> Trouble {
    Trouble::Failed(format!("cannot be encoded: {error}"))
}

/// The reply kept for a command whose id the caller chose, if it was carried out before. What is kept there of another command is no reason
/// not to decide this one: the function that dispatched that one may have been refused this one before, and may be again.
pub(crate) async fn carried_out_before<C: Command>(
    store: &Store,
    context: &DispatchContext,
) -> Result<Option<Dispatched<C::Reply>>, DispatchError<C::Rejection>> {
    if !context.idempotent {
        return Ok(None);
    }
    match recorded::<C>(store, context.command_id).await? {
        Some((kept, _)) if Named::of(&kept).is_some_and(|named| !named.is_of::<C>()) => Ok(None),
        Some((kept, position)) => repeated::<C>(&kept, position).map(Some),
        None => Ok(None),
    }
}

/// The same where a function asks what it dispatched: of what is kept without a name nobody knows whether it was this command.
pub(crate) async fn known_before<C: Command>(
    store: &Store,
    context: &DispatchContext,
) -> Result<Option<Dispatched<C::Reply>>, DispatchError<C::Rejection>> {
    let Some((kept, position)) = recorded::<C>(store, context.command_id).await? else { return Ok(None) };
    match Named::of(&kept) {
        Some(named) if named.is_of::<C>() => repeated::<C>(&kept, position).map(Some),
        Some(_) => Ok(None),
        None => Err(DispatchError::Failed {
            reason: format!("what was carried out may have been {}: its name was not kept", C::NAME),
        }),
    }
}

/// What is kept under this id, and the last position of what was stored with it.
pub(crate) async fn recorded<C: Command>(
    store: &Store,
    id: CommandId,
) -> Result<Option<(Json, Option<Position>)>, DispatchError<C::Rejection>> {
    let found = store.find_command(id).await;
    let found = found.map_err(|error| nothing_stored(DispatchError::from_store(C::NAME, &error)))?;
    Ok(found.and_then(|Appended { repeated, last_position, .. }| Some((repeated?, last_position))))
}

/// The answer to a command that comes again: its first reply.
pub(crate) fn repeated<C: Command>(
    kept: &Json,
    position: Option<Position>,
) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
    let reply = match Named::of(kept) {
        Some(named) => {
            check_name::<C>(&named.command)?;
            named.reply
        }
        None => kept.clone(),
    };
    Ok(told_again(read::<C, _>(&reply)?, position))
}

/// What is kept of the reply to a command.
pub(crate) fn read<C: Command, K: DeserializeOwned>(kept: &Json) -> Result<K, DispatchError<C::Rejection>> {
    kept.decode().map_err(|error| DispatchError::Failed {
        reason: format!("the reply kept for this {} cannot be read: {error}", C::NAME),
    })
}

/// Refuses the reply of another command.
pub(crate) fn check_name<C: Command>(name: &str) -> Result<(), DispatchError<C::Rejection>> {
    if is_called::<C>(name) {
        return Ok(());
    }
    let reason = format!("under the id of this {} a {name} was carried out before", C::NAME);
    Err(DispatchError::Failed { reason })
}

impl Named<Json> {
    /// `None` for a reply without a name.
    fn of(kept: &Json) -> Option<Self> {
        kept.decode().ok()
    }

    fn is_of<C: Command>(&self) -> bool {
        is_called::<C>(&self.command)
    }
}

/// A first reply, told again.
pub(crate) fn told_again<R>(reply: R, position: Option<Position>) -> Dispatched<R> {
    Dispatched { position, events: None, repeated: true, ..Dispatched::reply_only(reply) }
}

impl Trouble {
    pub(crate) fn into_error<R>(self, command: &'static str) -> DispatchError<R> {
        match self {
            Self::Store(error) => nothing_stored(DispatchError::from_store(command, &error)),
            Self::Gap(gap) => DispatchError::Incomplete(gap),
            Self::Gone(stream) => DispatchError::Refused(Refusal::Gone { stream }),
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
