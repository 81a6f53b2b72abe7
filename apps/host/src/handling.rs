//! What a command handler has at hand while it carries out one command.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use umbel_bus::{
    Bus, DispatchContext, DispatchError, Dispatched, Outcome, Returning, ScheduleError, ScheduleId,
    ScheduleOptions, When, edge,
};
use umbel_core::{Command, CommandId, EventName, Position, Timestamp, store::AppendError};
use uuid::Uuid;

use crate::{deciding::known_before, ids::Ids, kept::Keeping, read_models::ReadModels};

/// The surroundings of one command: read models, fresh ids, and the way to dispatch what it breaks down into.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handling {
    bus: Bus,
    context: DispatchContext,
    ids: Ids,
    models: ReadModels,
    written: Arc<Mutex<Written>>,
}

/// What the commands dispatched so far have written.
#[derive(Debug, Default)]
struct Written {
    /// Numbers of the parts that were carried out or are being.
    parts: BTreeSet<u32>,
    position: Option<Position>,
    events: Option<Vec<EventName>>,
    repeated: bool,
}

impl Handling {
    pub(crate) fn new(bus: Bus, context: DispatchContext, ids: Ids) -> Self {
        let models = ReadModels::new(bus.store(), context.deadline);
        let written = Written { events: Some(Vec::new()), ..Written::default() };
        Self { bus, context, ids, models, written: Arc::new(Mutex::new(written)) }
    }

    /// Dispatches a command as part of this one: same conversation, same deadline, and so deterministic an id that
    /// repeating the whole repeats this one too.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn dispatch<C: Command>(&self, command: C) -> Result<C::Reply, DispatchError<C::Rejection>> {
        let (part, mut context) = self.begin();
        // What the caller wants back is wanted of the whole.
        context.returning = Returning::Reply;
        let outcome = self.bus.dispatch_in(command, context).await;
        self.end(part, outcome)
    }

    /// The reply to the command that is dispatched next, if that was carried out when this one came before: then it counts as dispatched, and
    /// must not be again. For what is not found any more because it was carried out, such as under a name that it changed. `None` where
    /// this one comes for the first time, or its caller chose no id, or the next one was begun by a function and is to be ended, or was no `C`.
    ///
    /// # Errors
    /// When the store does not answer, or what is kept does not say whether the next one was a `C`.
    pub async fn done_before<C: Command>(&self) -> Result<Option<C::Reply>, DispatchError<C::Rejection>> {
        let (part, context) = self.begin();
        match self.known_before::<C>(&context).await.transpose() {
            Some(outcome) => self.end(part, outcome).map(Some),
            None => {
                self.written().parts.remove(&part);
                Ok(None)
            }
        }
    }

    /// Plans a command for later: in the same conversation, and once, however often this one is repeated.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub async fn schedule<C: Command>(
        &self,
        command: C,
        when: When,
        options: ScheduleOptions,
    ) -> Result<ScheduleId, ScheduleError> {
        let part = self.begin_part();
        let once = self.ids.plan(part);
        let metadata = self.context.metadata.clone().caused_by(self.context.command_id.0);
        let planned = self.bus.schedule(command, when, options.in_context(&metadata).once(once)).await;
        planned.inspect_err(|_| {
            self.written().parts.remove(&part);
        })
    }

    /// Takes back what is planned; whether it still waited.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn cancel_schedule(&self, id: ScheduleId) -> Result<bool, AppendError> {
        self.bus.cancel_schedule(id).await
    }

    /// The read models.
    #[must_use]
    pub fn models(&self) -> &ReadModels {
        &self.models
    }

    /// The id of the command being handled.
    #[must_use]
    pub fn command_id(&self) -> CommandId {
        self.context.command_id
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.bus.clock().now()
    }

    /// An id nobody has used.
    #[must_use]
    pub fn fresh_id(&self) -> Uuid {
        edge::fresh_id()
    }

    /// The handled command's outcome, with all that its parts wrote.
    pub(crate) fn finish<R>(&self, reply: R) -> Dispatched<R> {
        let mut written = self.written();
        Dispatched {
            reply,
            position: written.position,
            version: None,
            events: written.events.take(),
            repeated: written.repeated,
            returned: None,
        }
    }

    /// The handled command's failure. When parts of it were stored, none of its kinds may claim that nothing was.
    pub(crate) fn fail<C: Command>(&self, error: DispatchError<C::Rejection>) -> DispatchError<C::Rejection> {
        let claims_nothing_stored = matches!(
            error,
            DispatchError::Unavailable { .. }
                | DispatchError::Conflict { .. }
                | DispatchError::Refused(_)
                | DispatchError::NoHandler { .. }
                | DispatchError::Undecodable { .. }
                | DispatchError::Incomplete(_)
                | DispatchError::BadIdentity { .. }
                | DispatchError::Timeout { outcome: Outcome::NothingStored, .. }
        );
        if claims_nothing_stored && self.written().position.is_some() {
            tracing::warn!(command = C::NAME, ?error, "only a part of a command was carried out");
            return DispatchError::Timeout { command: C::NAME, outcome: Outcome::Unknown };
        }
        error
    }

    /// What is known of a part: that a function carried it out, or else an aggregate or a boundary.
    async fn known_before<C: Command>(
        &self,
        context: &DispatchContext,
    ) -> Result<Option<Dispatched<C::Reply>>, DispatchError<C::Rejection>> {
        let store = self.bus.store();
        let ids = Ids::of(context.command_id, context.depth);
        let Some(keeping) = Keeping::of(&store, context, ids.reply()) else { return Ok(None) };
        match keeping.find::<C>().await? {
            None => known_before::<C>(&store.by(context.deadline), context).await,
            first => Ok(first),
        }
    }

    /// A part, and what it is dispatched with.
    fn begin(&self) -> (u32, DispatchContext) {
        let part = self.begin_part();
        let (command_id, depth) = (self.ids.part(part), self.context.depth.saturating_add(1));
        (part, DispatchContext { command_id, depth, ..self.context.clone() })
    }

    /// Takes into account what became of a part.
    fn end<R, E>(
        &self,
        part: u32,
        outcome: Result<Dispatched<R>, DispatchError<E>>,
    ) -> Result<R, DispatchError<E>> {
        let mut written = self.written();
        let dispatched = outcome.inspect_err(|_| {
            written.parts.remove(&part);
        })?;
        written.position = written.position.max(dispatched.position);
        written.repeated |= dispatched.repeated;
        match (&mut written.events, dispatched.events) {
            (Some(events), Some(more)) => events.extend(more),
            _ => written.events = None,
        }
        Ok(dispatched.reply)
    }

    /// Takes the lowest free number: the n-th part after n others, also when several are under way at once.
    fn begin_part(&self) -> u32 {
        let mut written = self.written();
        let part = (0..).find(|part| !written.parts.contains(part)).unwrap_or(u32::MAX);
        written.parts.insert(part);
        part
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
