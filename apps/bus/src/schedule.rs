//! Commands for later: they wait in the store, and outlive the process.
//!
//! Planning one is an append that leaves an entry in the outbox; [`umbel_core::schedule`] says what becomes of it. The app that owns
//! the command carries it out.

use std::fmt;

use serde_json::Value;
use umbel_core::{
    Command, CommandId, Json, Metadata, Timestamp,
    json::JsonError,
    personal::Owned,
    schedule::{Missed, Recurring, Scheduled, When, derived, id_of_name, is_ours, queue_of, replace},
    store::{Append, AppendError, CommandRecord, OutboxEntry, StoreError, Waiting},
    waiting::schema_of,
};
use uuid::Uuid;

use crate::{
    cron::{AllPast, Cron, CronError},
    edge,
    handle::Bus,
};

/// Identifies a schedule: a command for later, or one that recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleId(pub Uuid);

/// What a caller may say of a schedule.
#[derive(Clone, Debug, Default)]
pub struct ScheduleOptions {
    id: Option<ScheduleId>,
    metadata: Metadata,
    /// Set when the same plan, should it come again, is to be recognised by this id.
    once: Option<CommandId>,
}

/// A recurring command, to be planned while the system runs.
#[derive(Clone, Debug)]
pub struct Recurrence {
    name: String,
    cron: String,
    missed: Missed,
    metadata: Metadata,
}

/// Why nothing was planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The command has no JSON form.
    #[error("{command} cannot be kept for later: {reason}")]
    Unencodable {
        /// Its name.
        command: &'static str,
        /// Why not.
        reason: String,
    },
    /// When it recurs is no cron expression.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// It would recur at no time that is still to come.
    #[error(transparent)]
    AllPast(#[from] AllPast),
    /// The store does not take it, or did not answer.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl ScheduleOptions {
    /// The schedule's id, chosen by the caller. What waits under it is replaced; so a timer is set anew by the same id. What is being
    /// carried out already is not stopped.
    #[must_use]
    pub fn id(mut self, id: ScheduleId) -> Self {
        self.id = Some(id);
        self
    }

    /// The conversation that the command will belong to; without it, it begins one.
    #[must_use]
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.metadata.correlation_id = Some(id);
        self
    }

    /// The message that caused it.
    #[must_use]
    pub fn caused_by(mut self, id: Uuid) -> Self {
        self.metadata.causation_id = Some(id);
        self
    }

    /// An entry for the metadata of its events.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.custom.insert(key.into(), value.into());
        self
    }

    /// What it says of metadata, and for the rest that of a command that is being handled.
    #[must_use]
    pub fn in_context(mut self, context: &Metadata) -> Self {
        let own = &mut self.metadata;
        own.correlation_id = own.correlation_id.or(context.correlation_id);
        own.causation_id = own.causation_id.or(context.causation_id);
        for (key, value) in &context.custom {
            own.custom.entry(key.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// A plan with this id is made once: should it come again, it changes nothing, also when its command was carried out by then.
    #[must_use]
    pub fn once(mut self, id: CommandId) -> Self {
        self.once = Some(id);
        self
    }
}

impl Recurrence {
    /// A schedule with this name, of which the app that owns the command has one, and a cron expression in UTC.
    pub fn new(name: impl Into<String>, cron: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cron: cron.into(),
            missed: Missed::default(),
            metadata: Metadata::default(),
        }
    }

    /// What becomes of times at which nobody carried it out; see [`Missed`].
    #[must_use]
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// An entry for the metadata of its events.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.custom.insert(key.into(), value.into());
        self
    }
}

impl Bus {
    /// Plans a command: it is carried out when its time has come, by whichever node runs the app that owns it, also after restarts.
    /// With the answer it is stored.
    ///
    /// # Errors
    /// See [`ScheduleError`]. After one of the store's that leaves the outcome open, planning again with the same
    /// [`id`](ScheduleOptions::id) is safe.
    pub async fn schedule<C: Command>(
        &self,
        command: C,
        when: When,
        options: ScheduleOptions,
    ) -> Result<ScheduleId, ScheduleError> {
        let due_at = when.from(self.clock().now());
        let named = options.id.is_some();
        let id = options.id.unwrap_or_else(|| {
            ScheduleId(options.once.map_or_else(edge::fresh_id, |CommandId(id)| derived(id, 0)))
        });
        let scheduled = scheduled(id, &command, due_at, None, options.metadata)?;
        self.plan::<C>(&scheduled, named, options.once).await?;
        Ok(id)
    }

    /// Plans a recurring command from its next time on, in place of the schedule that the owner has under that name, if there is one.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub async fn schedule_recurring<C: Command>(
        &self,
        command: C,
        recurrence: Recurrence,
    ) -> Result<ScheduleId, ScheduleError> {
        let Recurrence { name, cron, missed, metadata } = recurrence;
        let due_at = cron.parse::<Cron>()?.first_after(self.clock().now())?;
        let id = recurring_id::<C>(&name);
        let recurring = Recurring { name, cron, missed, declared_by: None };
        self.plan::<C>(&scheduled(id, &command, due_at, Some(recurring), metadata)?, true, None).await?;
        Ok(id)
    }

    /// Takes back what is planned; whether it still waited. What is being carried out already is not stopped: either this says true, and
    /// it is not carried out, or somebody was faster. Of a recurring command all further times are taken back.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn cancel_schedule(&self, id: ScheduleId) -> Result<bool, AppendError> {
        while let Some(waiting) = self.store().find_work(id.0).await? {
            if self.replace_work(&waiting, Vec::new()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Replaces what waits as it was read; whether that was still there, and not taken or replaced since.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn replace_work(&self, waiting: &Waiting, left: Vec<OutboxEntry>) -> Result<bool, AppendError> {
        let append = replace(waiting, left, edge::fresh_id())
            .map_err(|error| AppendError::Store(StoreError::Failed { reason: error.to_string() }))?;
        let appended = self.store().append(append.clone()).await?;
        Ok(is_ours(&append, appended.repeated.as_ref()))
    }

    async fn plan<C: Command>(
        &self,
        scheduled: &Scheduled,
        replaces: bool,
        once: Option<CommandId>,
    ) -> Result<(), ScheduleError> {
        let entry = scheduled.waiting().map_err(|error| unencodable::<C>(&error))?;
        if replaces && self.replaces(&entry, once).await? {
            return Ok(());
        }
        // Somebody else who plans it at the same moment may be first; then it is as if theirs had replaced this one.
        let command = once.map(|id| CommandRecord { id, reply: Json::from_store("null") });
        self.store().append(Append { outbox: vec![entry], command, ..Append::default() }).await?;
        Ok(())
    }

    /// Puts a plan in the place of what waits under its id; whether there is nothing left to do. An append has one record: a plan that is
    /// made once has its own, and so what waits is taken back first.
    async fn replaces(&self, entry: &OutboxEntry, once: Option<CommandId>) -> Result<bool, ScheduleError> {
        if let Some(id) = once
            && self.store().find_command(id).await.map_err(AppendError::Store)?.is_some()
        {
            return Ok(true);
        }
        while let Some(waiting) = self.store().find_work(entry.id).await.map_err(AppendError::Store)? {
            let left = if once.is_some() { Vec::new() } else { vec![entry.clone()] };
            if self.replace_work(&waiting, left).await? {
                return Ok(once.is_none());
            }
        }
        Ok(false)
    }
}

/// The id of the recurring schedule of commands of type `C` with this name.
#[must_use]
pub fn recurring_id<C: Command>(name: &str) -> ScheduleId {
    ScheduleId(id_of_name(&queue_of(C::NAME), name))
}

fn scheduled<C: Command>(
    id: ScheduleId,
    command: &C,
    due_at: Timestamp,
    recurring: Option<Recurring>,
    metadata: Metadata,
) -> Result<Scheduled, ScheduleError> {
    let body = Json::encode(command).map_err(|error| unencodable::<C>(&error))?;
    let body = Owned::new(body, command.subject());
    let command = C::NAME.to_owned();
    let schema = const { schema_of::<C>() };
    Ok(Scheduled {
        schedule: id.0,
        command,
        schema,
        body,
        due_at,
        recurring,
        metadata,
        attempts: 0,
        error: None,
    })
}

fn unencodable<C: Command>(error: &JsonError) -> ScheduleError {
    ScheduleError::Unencodable { command: C::NAME, reason: error.to_string() }
}

impl fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
