//! Commands for later that a decision plans, in the append of its events.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    json::{Json, JsonError},
    message::Command,
    metadata::Metadata,
    personal::Owned,
    schedule::{Scheduled, derived, hashed},
    store::OutboxEntry,
    stream::StreamName,
    time::Timestamp,
    version::Version,
    waiting::schema_of,
};

use super::When;

/// What a decision plans for later and takes back. It is stored with the decision's events, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    steps: Vec<Step>,
}

/// One of them.
#[derive(Clone, Debug)]
enum Step {
    Schedule { name: Option<String>, planned: PlannedCommand },
    Cancel { name: String },
}

/// A command for later.
#[derive(Clone, Debug)]
pub struct PlannedCommand {
    /// Its name.
    pub command: &'static str,
    /// Version of its shape.
    pub schema: u32,
    /// The command, or why it has no JSON form.
    pub body: Result<Owned, JsonError>,
    /// When it is to be carried out.
    pub when: When,
}

/// One of the plans of a decision, as tests see it.
#[derive(Clone, Debug)]
pub enum PlanStep<'a> {
    /// A command is planned, under a name or not.
    Schedule(Option<&'a str>, &'a PlannedCommand),
    /// What waits under this name is taken back.
    Cancel(&'a str),
}

/// Where, when and why something is planned.
#[derive(Clone, Copy, Debug)]
pub struct Planner<'a> {
    /// The stream of whoever decides.
    pub stream: &'a StreamName,
    /// What the ids of commands without a name are made of; without it there must be none.
    pub base: Option<Uuid>,
    /// The moment of the decision.
    pub now: Timestamp,
    /// What the events of the commands shall carry.
    pub metadata: &'a Metadata,
}

/// Plans, ready to be stored.
#[derive(Clone, Debug, Default)]
pub struct Worked {
    /// Entries of the outbox that are new.
    pub new: Vec<OutboxEntry>,
    /// By id, what takes the place of an entry that may wait; nothing when it is taken back.
    pub named: BTreeMap<Uuid, Option<OutboxEntry>>,
}

/// Why plans cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A command has no JSON form.
    #[error("command {command} cannot be kept for later: {reason}")]
    Unencodable {
        /// Its name.
        command: &'static str,
        /// Why not.
        reason: String,
    },
    /// It has no event to be recognised by.
    #[error("command {command} is planned by a decision without events; give the plan a name")]
    Nameless {
        /// Its name.
        command: &'static str,
    },
}

/// The id of a command for later, of those without a name that were planned with the events of a stream from this version on, counted
/// from 0.
#[must_use]
pub fn id_at(stream: &StreamName, first: Version, number: u64) -> Uuid {
    derived(base_at(stream, first), number)
}

/// What the ids of commands are made of that are planned with the events of a stream from this version on.
#[must_use]
pub fn base_at(stream: &StreamName, first: Version) -> Uuid {
    let text = stream.as_str().bytes();
    hashed([1].into_iter().chain(text).chain([0]).chain(first.get().to_be_bytes()))
}

/// The id of the command for later that waits under a name of a stream's own.
#[must_use]
pub fn id_named(stream: &StreamName, name: &str) -> Uuid {
    hashed([2].into_iter().chain(stream.as_str().bytes()).chain([0]).chain(name.bytes()))
}

impl Plans {
    /// Plans a command. Its id is made of what happens with it.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "an author writes a command, and not a reference to one"
    )]
    pub fn schedule<C: Command>(&mut self, command: C, when: When) {
        self.steps.push(Step::Schedule { name: None, planned: PlannedCommand::of(&command, when) });
    }

    /// Plans a command under a name, in the place of what waits under it.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "an author writes a command, and not a reference to one"
    )]
    pub fn schedule_as<C: Command>(&mut self, name: impl Into<String>, command: C, when: When) {
        let planned = PlannedCommand::of(&command, when);
        self.steps.push(Step::Schedule { name: Some(name.into()), planned });
    }

    /// Takes back what waits under a name. If nothing does, that changes nothing.
    pub fn cancel(&mut self, name: impl Into<String>) {
        self.steps.push(Step::Cancel { name: name.into() });
    }

    /// These, and then others.
    pub fn extend(&mut self, others: Self) {
        self.steps.extend(others.steps);
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether some have names: then what waits under them must be known.
    #[must_use]
    pub fn have_names(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step, Step::Schedule { name: None, .. }))
    }

    /// Each, in order.
    pub fn steps(&self) -> impl Iterator<Item = PlanStep<'_>> {
        self.steps.iter().map(|step| match step {
            Step::Schedule { name, planned } => PlanStep::Schedule(name.as_deref(), planned),
            Step::Cancel { name } => PlanStep::Cancel(name),
        })
    }

    /// As they are stored. Of several under one name the last counts.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn work(&self, planner: &Planner<'_>) -> Result<Worked, PlanError> {
        let mut worked = Worked::default();
        for step in self.steps() {
            match step {
                PlanStep::Schedule(None, planned) => {
                    let nameless = PlanError::Nameless { command: planned.command };
                    let number = u64::try_from(worked.new.len()).unwrap_or(u64::MAX);
                    let id = derived(planner.base.ok_or(nameless)?, number);
                    worked.new.push(planned.entry(id, planner)?);
                }
                PlanStep::Schedule(Some(name), planned) => {
                    let id = id_named(planner.stream, name);
                    worked.named.insert(id, Some(planned.entry(id, planner)?));
                }
                PlanStep::Cancel(name) => {
                    worked.named.insert(id_named(planner.stream, name), None);
                }
            }
        }
        Ok(worked)
    }
}

impl PlannedCommand {
    fn of<C: Command>(command: &C, when: When) -> Self {
        let body = Json::encode(command).map(|body| Owned::new(body, command.subject()));
        Self { command: C::NAME, schema: const { schema_of::<C>() }, body, when }
    }

    fn entry(&self, id: Uuid, planner: &Planner<'_>) -> Result<OutboxEntry, PlanError> {
        let unencodable =
            |error: &JsonError| PlanError::Unencodable { command: self.command, reason: error.to_string() };
        let scheduled = Scheduled {
            schedule: id,
            command: self.command.to_owned(),
            schema: self.schema,
            body: self.body.clone().map_err(|error| unencodable(&error))?,
            due_at: self.when.from(planner.now),
            recurring: None,
            metadata: planner.metadata.clone(),
            attempts: 0,
            error: None,
        };
        scheduled.waiting().map_err(|error| unencodable(&error))
    }
}
