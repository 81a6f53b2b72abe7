//! Recurring commands that an app declares in its code: the store's schedules are made to agree with them.

use anyhow::Context;
use umbel_bus::{Bus, Cron, recurring_id};
use umbel_core::{
    Command, Json, Metadata, Timestamp,
    json::JsonError,
    personal::Owned,
    schedule::{Missed, Recurring, Scheduled},
    store::Append,
    waiting::schema_of,
};
use uuid::Uuid;

/// A recurring command of an app.
#[derive(Clone)]
pub(crate) struct Declared {
    pub(crate) id: Uuid,
    /// Its name in the app.
    pub(crate) name: &'static str,
    /// Its command's name.
    pub(super) command: &'static str,
    schema: u32,
    cron: &'static str,
    missed: Missed,
    make: std::sync::Arc<dyn Fn() -> Result<Owned, JsonError> + Send + Sync>,
}

impl Declared {
    pub(crate) fn new<C: Command>(
        name: &'static str,
        cron: &'static str,
        missed: Missed,
        make: impl Fn() -> C + Send + Sync + 'static,
    ) -> Self {
        let make = std::sync::Arc::new(move || {
            let command = make();
            Ok(Owned::new(Json::encode(&command)?, command.subject()))
        });
        Self {
            id: recurring_id::<C>(name).0,
            name,
            command: C::NAME,
            schema: const { schema_of::<C>() },
            cron,
            missed,
            make,
        }
    }

    /// What it is called.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it can be planned.
    ///
    /// # Errors
    /// When it recurs by no cron expression, or by one that has no time after this moment.
    pub(crate) fn check(&self, now: Timestamp) -> anyhow::Result<()> {
        let first = || anyhow::Ok(self.cron.parse::<Cron>()?.first_after(now)?);
        let with_name = || format!("the recurring command {:?} cannot be planned", self.name);
        first().with_context(with_name).map(drop)
    }

    /// Plans it, unless it waits already just so, or had its last time since the app began. One that waits keeps its time as long as its
    /// expression stays, or if that has passed while the app was down and is to be made up for.
    pub(super) async fn plan(&self, app: &str, bus: &Bus, now: Timestamp) -> anyhow::Result<()> {
        let recurring = Recurring {
            name: self.name.to_owned(),
            cron: self.cron.to_owned(),
            missed: self.missed,
            declared_by: Some(app.to_owned()),
        };
        let found = bus.store().find_work(self.id).await?;
        let waits = found.as_ref().and_then(|waiting| waiting.entry.body.decode::<Scheduled>().ok());
        // A time that has passed is made up for as it is said to be now, also when those to come are others.
        let has_passed = |before: &Scheduled| before.due_at <= now && self.missed == Missed::RunOnce;
        let stays = |before: &&Scheduled| {
            before.recurring.as_ref().is_some_and(|it| it.cron == self.cron || has_passed(before))
        };
        let kept = waits.as_ref().filter(stays).map(|before| before.due_at);
        let next = self.cron.parse::<Cron>()?.next_after(now);
        // One that was planned by a clock that was ahead is not waited for.
        let Some(due_at) = kept.into_iter().chain(next).min() else { return Ok(()) };
        let wanted = Scheduled {
            schedule: self.id,
            command: self.command.to_owned(),
            schema: self.schema,
            body: (self.make)()?,
            due_at,
            recurring: Some(recurring),
            metadata: Metadata::default(),
            attempts: 0,
            error: None,
        };
        if waits.as_ref() != Some(&wanted) {
            tracing::info!(schedule = self.name, command = self.command, %due_at, "planned a recurring command");
            let left = vec![wanted.waiting()?];
            match found {
                // Whoever takes or replaces it at this moment is as right; the next look sees to what is left.
                Some(waiting) => drop(bus.replace_work(&waiting, left).await?),
                None => drop(bus.store().append(Append { outbox: left, ..Append::default() }).await?),
            }
        }
        Ok(())
    }
}
