//! Commands: to their one owner, with a deadline, and if wanted until their effect is visible.

mod error;

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use umbel_core::{
    Command, CommandId, EventName, ExpectedVersion, Json, Metadata, Position, Request, Version,
};
use uuid::Uuid;

use crate::{
    edge,
    envelope::SendError,
    handle::{self, Bus},
    returning::{Returned, Returning},
    tally::Ending,
    visible::{Awaits, Consistency},
};

pub use error::{DispatchError, Outcome};

/// A command on its way to its owner.
#[derive(Debug)]
pub struct Dispatch<C> {
    /// The command.
    pub command: C,
    /// What it belongs to.
    pub context: DispatchContext,
}

/// What travels with a command and ends up in the metadata of its events.
#[derive(Clone, Debug)]
pub struct DispatchContext {
    /// Identifies this intent.
    pub command_id: CommandId,
    /// Whether the caller chose the id: then the reply is kept, and the same id again gets it.
    pub idempotent: bool,
    /// What its events carry: the conversation, their cause, the caller's own entries.
    pub metadata: Metadata,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The handlers of events that it is dispatched by, the outermost first: they wait for it, so nobody who carries it out
    /// waits for them.
    pub within: Vec<&'static str>,
    /// What to return beside the reply.
    pub returning: Returning,
    /// The version that its aggregate must have.
    pub expected: Option<ExpectedVersion>,
    /// How many functions it is dispatched by, one within the other. The first command that a function dispatches has the function's own id:
    /// what each of them makes of that id differs by this.
    pub depth: u32,
}

/// What a caller may ask of one dispatch.
#[derive(Clone, Debug, Default)]
pub struct DispatchOptions {
    command_id: Option<CommandId>,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    pub(crate) custom: BTreeMap<String, Value>,
    consistency: Option<Consistency>,
    deadline: Option<Duration>,
    within: Vec<&'static str>,
    pub(crate) returning: Option<Returning>,
    pub(crate) expected: Option<ExpectedVersion>,
}

/// A command that was carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatched<R> {
    /// Its reply.
    pub reply: R,
    /// Position of the last event it led to, if any.
    pub position: Option<Position>,
    /// Version of its aggregate after it; `None` when it is not known, as for a repeated command or one of a handler.
    pub version: Option<Version>,
    /// Names of the events it led to; `None` when they are not known, as for a repeated command.
    pub events: Option<Vec<EventName>>,
    /// Whether this id was carried out before: nothing happened now, this is the first reply.
    pub repeated: bool,
    /// What else was asked for by [`DispatchOptions::returning`]; `None` when nothing was, or it is not known any more.
    pub returned: Option<Box<Returned>>,
}

impl DispatchOptions {
    /// Return only when the effect is visible: see [`Consistency::Strong`].
    #[must_use]
    pub fn strong(self) -> Self {
        self.consistency(Consistency::Strong)
    }

    /// What must be visible before the dispatch returns. Without it, what the app that owns the command says, or else
    /// `bus.consistency`.
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = Some(consistency);
        self
    }

    /// One deadline for the whole call, waiting for visibility included.
    #[must_use]
    pub fn deadline(mut self, within: Duration) -> Self {
        self.deadline = Some(within);
        self
    }

    /// The intent's id: its reply is kept, and the same id again gets that reply and changes nothing.
    #[must_use]
    pub fn command_id(mut self, id: CommandId) -> Self {
        self.command_id = Some(id);
        self
    }

    /// The conversation it belongs to; without it, it begins one.
    #[must_use]
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// The message that caused it; without it, its events name the command itself.
    #[must_use]
    pub fn caused_by(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// The handler of events that dispatches it, with those that it works for itself: it is not waited for, as it waits itself.
    #[must_use]
    pub fn within(mut self, handlers: &[&'static str]) -> Self {
        self.within.extend(handlers);
        self
    }

    /// An entry for the metadata of its events.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.custom.insert(key.into(), value.into());
        self
    }
}

impl Bus {
    /// Sends a command to its owner and waits for its reply, with the defaults of everything.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn dispatch<C: Command>(
        &self,
        command: C,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        self.dispatch_with(command, DispatchOptions::default()).await
    }

    /// Sends a command to its owner and waits as the options say.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn dispatch_with<C: Command>(
        &self,
        command: C,
        options: DispatchOptions,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let (context, awaits) = self.context_of(C::NAME, options);
        self.conduct(command, context, &awaits).await
    }

    /// Sends a command within a context that exists already, such as that of the command which caused it, and awaits nothing beyond
    /// storage, whatever the defaults say: that is for whoever dispatched the whole.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn dispatch_in<C: Command>(
        &self,
        command: C,
        context: DispatchContext,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        self.conduct(command, context, &Awaits::nothing()).await
    }

    /// What travels with a command of this name, and what is awaited.
    pub(crate) fn context_of(&self, name: &str, options: DispatchOptions) -> (DispatchContext, Awaits) {
        let within = options.deadline.unwrap_or(self.settings().default_deadline());
        let deadline = handle::within(within);
        let awaits = self.awaits(name, options.consistency.clone());
        (options.into_context(deadline, self.settings().returning), awaits)
    }

    /// With middleware around it, if there is any, and counted.
    pub(crate) async fn conduct<C: Command>(
        &self,
        command: C,
        context: DispatchContext,
        awaits: &Awaits,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let begun = Instant::now();
        let answer = match self.middleware() {
            None => self.dispatch_straight(command, context, awaits).await,
            // In a box, so that dispatches without middleware stay as small as they are.
            Some(chain) => Box::pin(self.dispatch_through(&chain, command, context, awaits, false)).await,
        };
        self.tally().count(C::NAME, Ending::of(&answer), begun.elapsed());
        answer
    }

    /// Sends a command to its owner and waits for what shall be visible.
    pub(crate) async fn dispatch_straight<C: Command>(
        &self,
        command: C,
        context: DispatchContext,
        awaits: &Awaits,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        context.metadata.check().map_err(|error| DispatchError::Refused(error.into()))?;
        let (deadline, within) = (context.deadline, context.within.clone());
        match self.hand_in(command, context).await {
            Ok(answer) => match awaits.given(None) {
                Consistency::Eventual => answer,
                consistency => self.await_visible(answer?, consistency, &within, deadline).await,
            },
            // In a box, so that dispatches that stay here are as small as they were.
            Err(dispatch) => Box::pin(self.dispatch_there(dispatch, awaits)).await,
        }
    }

    /// Sends a command to its owner here, and to nobody else.
    pub(crate) async fn hand_in_here<C: Command>(
        &self,
        command: C,
        context: DispatchContext,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let answer = self.hand_in(command, context).await;
        answer.unwrap_or_else(|_dispatch| Err(DispatchError::NoHandler { command: C::NAME.into() }))
    }

    /// Sends a command to its owner here; it comes back when there is none.
    async fn hand_in<C: Command>(
        &self,
        command: C,
        context: DispatchContext,
    ) -> Result<Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>, Dispatch<C>> {
        let deadline = context.deadline;
        let answer = self.send_here(Dispatch { command, context }, deadline).await?;
        Ok(answer.map_err(|error| match error {
            SendError::Refused(error) => error,
            SendError::NoOwner { .. } => DispatchError::NoHandler { command: C::NAME.into() },
            error @ SendError::Unavailable { .. } => DispatchError::unavailable(error.to_string()),
            SendError::Timeout { .. } | SendError::Crashed { .. } => {
                DispatchError::Timeout { command: C::NAME, outcome: Outcome::Unknown }
            }
        }))
    }

    /// Waits for what shall be visible of a command that was carried out.
    pub(crate) async fn await_visible<R: serde::Serialize, E>(
        &self,
        dispatched: Dispatched<R>,
        consistency: &Consistency,
        within: &[&'static str],
        deadline: Instant,
    ) -> Result<Dispatched<R>, DispatchError<E>> {
        let Some(position) = dispatched.position else { return Ok(dispatched) };
        let known = (&*self.progress(), &*self.listeners_elsewhere().borrow().clone());
        let awaited = consistency.awaited(known, dispatched.events.as_deref(), within);
        let (awaited, _waiting) = self.begin_to_wait(within, awaited);
        let waiting_for = self.lagging(awaited, position, deadline).await;
        if waiting_for.is_empty() {
            return Ok(dispatched);
        }
        let reply = Json::encode(&dispatched.reply);
        Err(match reply {
            Ok(reply) => DispatchError::NotYetVisible { position, waiting_for, reply },
            Err(error) => DispatchError::Failed { reason: format!("the reply has no JSON form: {error}") },
        })
    }
}

impl DispatchOptions {
    fn into_context(self, deadline: Instant, returning: Returning) -> DispatchContext {
        let command_id = self.command_id.unwrap_or_else(|| CommandId(edge::fresh_id()));
        DispatchContext {
            command_id,
            idempotent: self.command_id.is_some(),
            metadata: Metadata {
                correlation_id: Some(self.correlation_id.unwrap_or(command_id.0)),
                causation_id: Some(self.causation_id.unwrap_or(command_id.0)),
                custom: self.custom,
            },
            deadline,
            within: self.within,
            returning: self.returning.unwrap_or(returning),
            expected: self.expected,
            depth: 0,
        }
    }
}

impl<R> Dispatched<R> {
    /// The same with another reply, if it can be made.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn try_map<T, E>(self, make: impl FnOnce(R) -> Result<T, E>) -> Result<Dispatched<T>, E> {
        let Self { reply, position, version, events, repeated, returned } = self;
        Ok(Dispatched { reply: make(reply)?, position, version, events, repeated, returned })
    }
}

impl<C: Command> Request for Dispatch<C> {
    const NAME: &'static str = C::NAME;
    type Answer = Dispatched<C::Reply>;
    type Error = DispatchError<C::Rejection>;
}
