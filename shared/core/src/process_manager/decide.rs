//! The decisions: what an instance makes of a cue, as one append, and what ends it.

use std::time::Duration;

use serde_json::Value;
use uuid::{Builder, Uuid};

use super::{
    Cue, File, Occasion, Order, Origin, Pending, ProcessManager, Reaction, Reminder, Step, Timer,
    TimerChange,
    file::{self, COLLECTION},
};
use crate::{
    document::{DocumentWrite, index},
    event::RecordedEvent,
    id::CommandId,
    json::{Json, JsonError},
    metadata::Metadata,
    personal::Owned,
    schedule::Scheduled,
    store::{Append, ClaimName, Claims, CommandRecord, OutboxEntry},
    subscription::Key,
    time::Timestamp,
    version::Position,
};

/// Something that an instance is to handle.
#[derive(Debug)]
pub struct Task<'a, E> {
    /// The name that the process manager is kept under: its own, unless that was changed since.
    pub kept_as: &'a str,
    /// What.
    pub cue: Cue<'a, E>,
    /// The event as it was recorded; `None` for a timer.
    pub recorded: Option<&'a RecordedEvent>,
    /// Why, and together with what.
    pub origin: Origin,
    /// What becomes of the instance; a timer continues it.
    pub step: Step,
    /// Whether it is an error that it is there already, or is not.
    pub strict: bool,
    /// This moment.
    pub now: Timestamp,
    /// How long whoever dispatches the commands has before others look after them.
    pub patience: Duration,
}

/// What is to be stored, and how the instance is kept from then on.
#[derive(Debug)]
pub struct Decision {
    /// The append. The store refuses it if the file is not as it was read, and answers "repeated" if the same was stored before.
    pub append: Append,
    /// The file once it is stored; `None` when there is none any more.
    pub file: Option<File>,
}

/// Why there is no decision.
#[derive(Debug)]
pub enum Trouble<E> {
    /// The process manager gave this error.
    Error(E),
    /// The instance is there already.
    Started,
    /// The instance is not there.
    NotStarted,
    /// The state cannot be read.
    State(String),
    /// The answer cannot be stored.
    Refused(String),
}

/// What became of commands that were pending.
#[derive(Debug)]
pub enum Settled<'a> {
    /// They are carried out or left out.
    Done,
    /// So they are, and one of them was the instance's last deed.
    Stopped,
    /// One of them is left out: these are still to be carried out.
    Left {
        /// What is left.
        left: &'a [Order],
        /// Whether the instance has said that it ends with them.
        stop: bool,
    },
    /// They are given up, since what led to them cannot become a dead letter: these are kept as failed, as schedules are.
    GivenUp {
        /// What is left.
        left: &'a [Order],
        /// What the first of them met.
        error: &'a str,
        /// When.
        now: Timestamp,
        /// Whether the instance has said that it ends with them.
        stop: bool,
    },
    /// The event that led to them becomes a dead letter: what is left of them waits with it.
    Parked {
        /// What is left.
        left: &'a [Order],
        /// The event's place in the log.
        letter: Position,
        /// Whether the instance has said that it ends with them.
        stop: bool,
    },
    /// These take the place of what is left.
    Instead {
        /// What has the commands.
        reaction: &'a Reaction,
        /// Whether the instance has said that it ends with them.
        stop: bool,
    },
}

/// Where a process manager's reminders are in the outbox.
#[must_use]
pub fn queue(manager: &str) -> String {
    format!("{COLLECTION}/{manager}")
}

/// Under which id it is recorded that an instance has handled an event or a timer.
#[must_use]
pub fn record_id(manager: &str, instance: &str, cause: Uuid) -> CommandId {
    CommandId(derived(manager, cause, "handled", instance))
}

/// What an instance makes of a cue. `file` is what is kept of it; commands of other events must not be outstanding in it.
///
/// # Errors
/// See [`Trouble`]; nothing happens then.
pub fn decide<P: ProcessManager>(
    instance: &str,
    file: Option<&File>,
    task: &Task<'_, P::Event>,
) -> Result<Decision, Trouble<P::Error>> {
    if instance.is_empty() {
        return Err(Trouble::Refused("the id of an instance is empty".to_owned()));
    }
    let alive = file.filter(|file| file.is_alive());
    match (task.step, alive) {
        (Step::Start, Some(_)) if task.strict => return Err(Trouble::Started),
        (Step::Continue, None) if task.strict => return Err(Trouble::NotStarted),
        (Step::Stop, _) => return Ok(end(instance, file, task)),
        _ => {}
    }
    let state = alive.map(upgrade_or_decode::<P>).transpose().map_err(Trouble::State)?.unwrap_or_default();
    let Task { kept_as, cue, recorded, origin, now, .. } = task;
    let occasion = Occasion { instance, now: *now, recorded: *recorded, origin };
    let reaction = state.handle(*cue, &occasion).map_err(Trouble::Error)?;
    let state = state.evolve(*cue);
    let refused = |error: JsonError| Trouble::Refused(error.to_string());
    let state = (!reaction.stop)
        .then(|| Json::encode(&state).map(|json| Owned::new(json, state.subject())))
        .transpose()
        .map_err(refused)?;

    let mut next = next_file(instance, file, task);
    (next.schema, next.state) = (P::SCHEMA, state);
    let mut change = Change::default();
    if let Cue::Timer(name) = cue {
        change.end_timer(&mut next, name);
    }
    for timer in &reaction.timers {
        change.timer(&mut next, timer, task);
    }
    if reaction.stop {
        change.end_timers(&mut next);
    }
    let orders = orders(kept_as, instance, task.origin.cause, 0, &reaction).map_err(Trouble::Refused)?;
    if !orders.is_empty() {
        let reminder = derived(kept_as, task.origin.cause, "commands", instance);
        let ordered = u32::try_from(orders.len()).unwrap_or(u32::MAX);
        next.pending.push(Pending {
            origin: task.origin.clone(),
            reminder,
            orders,
            ordered,
            parked: false,
            letter: None,
            stop: false,
        });
        let about = Reminder::of(instance.to_owned(), None);
        change.remind(kept_as, reminder, &about, task.now.plus(task.patience));
    }
    let append = change.into_append(file, &next).map_err(refused)?;
    Ok(Decision { append: recorded_as(append, kept_as, instance, task.origin.cause), file: kept(next) })
}

/// The cue counts as handled, and nothing follows from it.
#[must_use]
pub fn skip<P: ProcessManager>(instance: &str, file: Option<&File>, task: &Task<'_, P::Event>) -> Decision {
    let mut change = Change::default();
    let timer = match (task.cue, file) {
        (Cue::Timer(name), Some(file)) if file.timers.contains_key(name) => Some(name),
        _ => None,
    };
    let Some(name) = timer else {
        let append = recorded_as(Append::default(), task.kept_as, instance, task.origin.cause);
        return Decision { append, file: file.cloned() };
    };
    let mut next = next_file(instance, file, task);
    change.end_timer(&mut next, name);
    let append = change.into_append(file, &next).unwrap_or_default();
    Decision { append: recorded_as(append, task.kept_as, instance, task.origin.cause), file: kept(next) }
}

/// What became of the commands that an event or a timer led to; `None` when none are pending of it. `revision` is an id that whoever
/// settles them has made up for that: so a file that was settled is known from the one before, and from what another one made of it.
///
/// # Errors
/// When what takes their place cannot be stored.
pub fn settle(
    file: &File,
    cause: Uuid,
    settled: &Settled<'_>,
    revision: Uuid,
) -> Result<Option<Decision>, String> {
    let Some(at) = file.pending.iter().position(|pending| pending.origin.cause == cause) else {
        return Ok(None);
    };
    let mut next = File { revision, ..file.clone() };
    let mut pending = next.pending.remove(at);
    let mut change = Change::default();
    match settled {
        Settled::Done | Settled::Stopped => change.done.push(pending.reminder),
        Settled::Left { left, stop } => {
            (pending.orders, pending.stop) = (left.to_vec(), *stop);
            next.pending.insert(at, pending);
        }
        Settled::GivenUp { left, error, now, .. } => {
            change.done.push(pending.reminder);
            change.goes_on = true;
            for order in *left {
                let failed = given_up(order, &pending.origin, *now).failed(error, *now);
                change.outbox.push(failed.map_err(|error| error.to_string())?);
            }
        }
        Settled::Parked { left, letter, stop } => {
            // The letter is the reminder from now on.
            change.done.push(pending.reminder);
            (pending.orders, pending.parked, pending.stop) = (left.to_vec(), true, *stop);
            pending.letter = Some(*letter);
            next.pending.insert(at, pending);
        }
        Settled::Instead { reaction, stop } => {
            let orders = orders(&file.manager, &file.instance, cause, pending.ordered, reaction)?;
            let more = u32::try_from(orders.len()).unwrap_or(u32::MAX);
            (pending.ordered, pending.orders) = (pending.ordered.saturating_add(more), orders);
            pending.stop = *stop;
            match pending.orders.is_empty() {
                true => change.done.push(pending.reminder),
                false => next.pending.insert(at, pending),
            }
        }
    }
    let none_follow = next.pending_of(cause).is_none();
    let stops = matches!(
        settled,
        Settled::Stopped | Settled::Instead { stop: true, .. } | Settled::GivenUp { stop: true, .. }
    );
    if stops && none_follow {
        next.state = None;
        change.end_timers(&mut next);
    }
    let append = change.into_append(Some(file), &next).map_err(|error| error.to_string())?;
    Ok(Some(Decision { append, file: kept(next) }))
}

/// A command as a schedule that is kept as failed.
fn given_up(order: &Order, origin: &Origin, now: Timestamp) -> Scheduled {
    Scheduled {
        schedule: order.id.0,
        command: order.name.clone(),
        schema: order.schema,
        body: order.body.clone(),
        due_at: now,
        recurring: None,
        metadata: Metadata {
            correlation_id: Some(origin.correlation_id),
            causation_id: Some(origin.causation_id()),
            custom: origin.custom.clone(),
        },
        attempts: 0,
        error: None,
    }
}

/// Removes a reminder of something that is not there any more.
#[must_use]
pub fn forget(reminder: Uuid) -> Append {
    Change { done: vec![reminder], ..Change::default() }.into_bare_append()
}

/// Puts off a reminder while whoever sees to it tries again and again: so it is not looked after by others meanwhile, and does not stand
/// before reminders that nobody sees to. If there is nothing left by then, it is forgotten when it comes.
#[must_use]
pub fn put_off(manager: &str, reminder: Uuid, about: &Reminder, due_at: Timestamp) -> Append {
    let mut change = Change { done: vec![reminder], goes_on: true, ..Change::default() };
    change.remind(manager, reminder, about, due_at);
    change.into_bare_append()
}

/// What a file remembers, as the process manager knows it today.
///
/// # Errors
/// In words, when it cannot be read.
pub fn upgrade_or_decode<P: ProcessManager>(file: &File) -> Result<P, String> {
    let Some(state) = &file.state else { return Ok(P::default()) };
    if file.schema == P::SCHEMA {
        return state.decode().map_err(|error| error.to_string());
    }
    P::upgrade(file.schema, state.json()).ok_or_else(|| {
        let (name, known) = (P::NAME, P::SCHEMA);
        format!(
            "it was stored with schema version {}, and {name} knows {known}; say in `upgrade` how it is read",
            file.schema
        )
    })
}

/// What changes beside the document.
#[derive(Default)]
struct Change {
    outbox: Vec<OutboxEntry>,
    done: Vec<Uuid>,
    /// See [`Append::goes_on`].
    goes_on: bool,
}

impl Change {
    fn timer<E>(&mut self, file: &mut File, change: &TimerChange, task: &Task<'_, E>) {
        self.end_timer(file, &change.name);
        let Some(until) = change.until else { return };
        let (cause, due_at) = (task.origin.cause, until.from(task.now));
        let id = derived(&file.manager, cause, &format!("timer {}", change.name), &file.instance);
        let origin = Origin { cause: id, event: None, timer: true, ..task.origin.clone() };
        file.timers.insert(change.name.clone(), Timer { id, due_at, origin });
        let about = Reminder::of(file.instance.clone(), Some(change.name.clone()));
        self.remind(&file.manager, id, &about, due_at);
    }

    fn end_timer(&mut self, file: &mut File, name: &str) {
        let Some(timer) = file.timers.remove(name) else { return };
        // Set and ended within one reaction, it was never there.
        let before = self.outbox.len();
        self.outbox.retain(|entry| entry.id != timer.id);
        if self.outbox.len() == before {
            self.done.push(timer.id);
        }
    }

    fn end_timers(&mut self, file: &mut File) {
        let names: Vec<_> = file.timers.keys().cloned().collect();
        for name in names {
            self.end_timer(file, &name);
        }
    }

    fn remind(&mut self, manager: &str, id: Uuid, about: &Reminder, due_at: Timestamp) {
        // Texts and a number always have a JSON form.
        let body = Json::encode(about).unwrap_or_else(|_| Json::from_store("null"));
        self.outbox.push(OutboxEntry { id, queue: queue(manager), body, due_at: Some(due_at) });
    }

    /// The append that replaces the file as it was read.
    fn into_append(self, before: Option<&File>, next: &File) -> Result<Append, JsonError> {
        let File { manager, instance, .. } = next;
        let from = before.map(|file| file.revision.to_string());
        let claim = vec![ClaimName::new(COLLECTION, format!("{manager}/{instance}"))];
        let mut claims = Claims { owner: next.revision.to_string(), from, ..Claims::default() };
        let mut documents = Vec::new();
        let key = file::key(manager, instance).key;
        let collection = COLLECTION.to_owned();
        if !next.is_done() {
            let body = Json::encode(next)?;
            let entries = index::entries(&body, &["manager"])?;
            claims.take = claim;
            documents.push(DocumentWrite { collection, key, body: Some(body), entries });
        } else if before.is_some() {
            claims.release = claim;
            documents.push(DocumentWrite { collection, key, body: None, entries: Vec::new() });
        }
        let append = self.into_bare_append();
        Ok(Append { claims, documents, ..append })
    }

    fn into_bare_append(self) -> Append {
        let Self { outbox, done, goes_on } = self;
        Append { outbox, done, goes_on, ..Append::default() }
    }
}

/// The end of an instance that is not asked.
fn end<E>(instance: &str, file: Option<&File>, task: &Task<'_, E>) -> Decision {
    let mut next = next_file(instance, file, task);
    let mut change = Change::default();
    next.state = None;
    change.end_timers(&mut next);
    let append = change.into_append(file, &next).unwrap_or_default();
    Decision { append: recorded_as(append, task.kept_as, instance, task.origin.cause), file: kept(next) }
}

fn next_file<E>(instance: &str, file: Option<&File>, task: &Task<'_, E>) -> File {
    let mut next = file.cloned().unwrap_or_else(|| File {
        manager: task.kept_as.to_owned(),
        instance: instance.to_owned(),
        schema: 1,
        revision: Uuid::nil(),
        state: None,
        timers: std::collections::BTreeMap::new(),
        pending: Vec::new(),
    });
    next.revision = task.origin.cause;
    next
}

fn kept(file: File) -> Option<File> {
    (!file.is_done()).then_some(file)
}

fn recorded_as(append: Append, manager: &str, instance: &str, cause: Uuid) -> Append {
    let reply = Json::encode(&Value::Null).unwrap_or_else(|_| Json::from_store("null"));
    let command = Some(CommandRecord { id: record_id(manager, instance, cause), reply });
    // The event may come again whenever the subscription is reset.
    Append { command, for_good: true, ..append }
}

fn orders(
    manager: &str,
    instance: &str,
    cause: Uuid,
    before: u32,
    reaction: &Reaction,
) -> Result<Vec<Order>, String> {
    let number = |(number, encoded): (u32, &super::reaction::Encoded)| match encoded {
        Ok((name, schema, body)) => {
            let id = CommandId(derived(manager, cause, &format!("command {number}"), instance));
            Ok(Order { id, name: (*name).to_owned(), schema: *schema, body: body.clone() })
        }
        Err((name, error)) => Err(format!("command {name} has no JSON form: {error}")),
    };
    (before..).zip(&reaction.commands).map(number).collect()
}

/// The id of a later one of several events that a recorded one has become.
pub(super) fn part_of(event: Uuid, part: u32) -> Uuid {
    derived("", event, &format!("part {part}"), "")
}

/// An id that depends on these words and nothing else.
fn derived(manager: &str, cause: Uuid, what: &str, instance: &str) -> Uuid {
    // Its length says where one ends and the other begins.
    let text = format!("{manager} {cause} {} {what} {instance}", what.len());
    let half = |salt: &str| Key::of(&format!("{salt} {text}")).to_i64().to_be_bytes();
    let mut bytes = [0; 16];
    let (first, second) = bytes.split_at_mut(8);
    first.copy_from_slice(&half("first"));
    second.copy_from_slice(&half("second"));
    Builder::from_custom_bytes(bytes).into_uuid()
}
