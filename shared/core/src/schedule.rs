//! Commands for later: what a schedule is, and what becomes of it step by step. Pure; whoever carries it out is told the time.
//!
//! A schedule is an entry of the outbox, in the queue of the app that owns its command, due when the command is. Its way:
//!
//! 1. It *waits*, under the schedule's id.
//! 2. Due, it is *taken* by one append: the entry goes, and in its place comes a run, under an id of its own, due again when whoever
//!    took it must be done. Of several nodes that try, the store lets one. A recurring schedule waits for its next time from then on.
//!    Who takes it back or plans it anew does that in the same way, by [`replace`]: so one of them is first, and the others know.
//! 3. The command is dispatched with the run's id as its own, so that carrying it out twice has one effect.
//! 4. The run is *settled*: it goes, or is due again later, or is kept as failed. Whoever took it and died leaves it due again.

mod planning;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    id::CommandId,
    json::{Json, JsonError},
    metadata::Metadata,
    personal::Owned,
    store::{Append, CommandRecord, OutboxEntry, Waiting},
    time::Timestamp,
    waiting::{first_schema, is_first_schema},
};

pub use planning::{PlanError, PlanStep, PlannedCommand, Planner, Plans, Worked, base_at, id_at, id_named};

/// The queue of schedules that were given up: their commands were rejected, cannot be read, or failed too often. No app's queue has this
/// name, so nobody carries them out.
pub const FAILED_QUEUE: &str = "schedule_failed";

/// What the names of the queues of schedules begin with.
const QUEUE: &str = "schedule.";

/// How long the text of an error may be that is kept with a schedule, in bytes.
pub const ERROR_MAX_BYTES: usize = 2000;

/// A command for later, as the outbox keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// The schedule that it belongs to.
    pub schedule: Uuid,
    /// The command's wire name.
    pub command: String,
    /// Version of its shape.
    #[serde(default = "first_schema", skip_serializing_if = "is_first_schema")]
    pub schema: u32,
    /// The command, and whose personal data it holds.
    pub body: Owned,
    /// When it is to be carried out; tries after the first do not change it.
    pub due_at: Timestamp,
    /// Set when it is to be carried out again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring: Option<Recurring>,
    /// What its events shall carry.
    #[serde(default)]
    pub metadata: Metadata,
    /// How often it was taken.
    #[serde(default)]
    pub attempts: u32,
    /// What became of the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// When a command is to be carried out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurring {
    /// The schedule's name.
    pub name: String,
    /// When, as a cron expression in UTC.
    pub cron: String,
    /// What becomes of times at which nobody carried it out.
    pub missed: Missed,
    /// The app whose code declares it; without one it was planned while the system ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_by: Option<String>,
}

/// What becomes of times that have passed while nobody carried out a recurring command, such as when the system was down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// It is carried out once for all of them, as soon as somebody can.
    #[default]
    RunOnce,
    /// It is carried out at its next time.
    Skip,
}

/// When a command is to be carried out: then, or as soon after as somebody can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this moment; one that has passed is now.
    At(Timestamp),
    /// When this time has passed from now on.
    After(Duration),
}

/// Bounds of carrying out schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long a taken run is left alone, in microseconds.
    pub lease_micros: i64,
    /// How late a recurring command may be until that time counts as missed, in microseconds.
    pub late_after_micros: i64,
    /// The pause before the first retry, in microseconds; doubled with each.
    pub retry_min_micros: i64,
    /// The longest pause before a retry, in microseconds.
    pub retry_max_micros: i64,
    /// How often it is tried before it is given up; begun so often without a word of how it ended counts, too.
    pub attempts_max: u32,
}

/// A schedule that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What takes it. Whose answer is a reply of before, and not its own, has come too late: another one has taken it.
    pub append: Append,
    /// What to carry out then; nothing when its time was missed and is to be skipped, or it was begun too often already and is kept as
    /// failed.
    pub run: Option<Run>,
}

/// A command that is being carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its entry in the outbox, and the command's id.
    pub id: Uuid,
    /// The command.
    pub scheduled: Scheduled,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was carried out.
    Done,
    /// Nothing is known to be wrong with it, but it was not carried out: once more, later.
    Again {
        /// Why not.
        error: String,
    },
    /// It will not be carried out, however often it is tried.
    Failed {
        /// Why not.
        error: String,
    },
}

/// The queue of commands of this name: that of the app in front of the first dot.
#[must_use]
pub fn queue_of(command: &str) -> String {
    let app = command.split_once('.').map_or(command, |(app, _)| app);
    format!("{QUEUE}{app}")
}

/// The id of the recurring schedule with this name, of commands of this queue.
#[must_use]
pub fn id_of_name(queue: &str, name: &str) -> Uuid {
    hashed(queue.bytes().chain([0]).chain(name.bytes()))
}

/// An id that depends on another one and a number only, and differs with either.
#[must_use]
pub fn derived(id: Uuid, number: u64) -> Uuid {
    hashed(id.into_bytes().into_iter().chain(number.to_be_bytes()))
}

/// FNV-1a with 128 bits: rows of databases have its values.
fn hashed(bytes: impl Iterator<Item = u8>) -> Uuid {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    Uuid::from_u128(bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
}

impl Scheduled {
    /// A schedule that waits for its time, as an entry of the outbox.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn waiting(&self) -> Result<OutboxEntry, JsonError> {
        self.entry(self.schedule, queue_of(&self.command), self.due_at)
    }

    /// Takes an entry of a schedule that is due. `taker` is an id that whoever takes it has made up for that, `next` the first time
    /// after `now` of a recurring one; without it, this time is its last.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn take(
        self,
        waiting: &Waiting,
        now: Timestamp,
        next: Option<Timestamp>,
        taker: Uuid,
        bounds: &Bounds,
    ) -> Result<Taken, JsonError> {
        let is_run = self.attempts > 0;
        if is_run && self.attempts >= bounds.attempts_max {
            return self.give_up(waiting, now, taker);
        }
        let mut left = Vec::new();
        if let (Some(due_at), false) = (next.filter(|_| self.recurring.is_some()), is_run) {
            left.push(Self { due_at, ..self.clone() }.waiting()?);
        }
        let late_micros = now.as_micros().saturating_sub(self.due_at.as_micros());
        let skips = self.recurring.as_ref().is_some_and(|recurring| recurring.missed == Missed::Skip);
        let run = (is_run || !skips || late_micros <= bounds.late_after_micros).then(|| {
            let id = derived(self.schedule, self.due_at.as_micros().unsigned_abs());
            Run { id, scheduled: Self { attempts: self.attempts.saturating_add(1), ..self } }
        });
        if let Some(Run { id, scheduled }) = &run {
            left.push(scheduled.entry(*id, waiting.entry.queue.clone(), plus(now, bounds.lease_micros))?);
        }
        let append = Append { goes_on: true, ..replace(waiting, left, taker)? };
        Ok(Taken { append, run })
    }

    /// It was begun as often as it may be, and whoever began it did not live to say how it ended.
    fn give_up(self, waiting: &Waiting, now: Timestamp, taker: Uuid) -> Result<Taken, JsonError> {
        let before =
            self.error.as_ref().map(|error| format!("; the try before: {error}")).unwrap_or_default();
        let error = format!(
            "begun {} times, the last time without a word of how it ended; look whether it ends its process{before}",
            self.attempts
        );
        let failed = self.failed(&error, now)?;
        let id = failed.id;
        let mut append = Append { goes_on: true, ..replace(waiting, vec![failed], taker)? };
        append.done.push(id);
        Ok(Taken { append, run: None })
    }

    /// As it is kept once it is given up. One for each schedule: of one that fails each time, the last is kept.
    pub(crate) fn failed(&self, error: &str, now: Timestamp) -> Result<OutboxEntry, JsonError> {
        let id = derived(self.schedule, u64::MAX - 1);
        let failed = Self { error: Some(shortened(error)), ..self.clone() };
        failed.entry(id, FAILED_QUEUE.to_owned(), now)
    }

    fn entry(&self, id: Uuid, queue: String, due_at: Timestamp) -> Result<OutboxEntry, JsonError> {
        Ok(OutboxEntry { id, queue, body: Json::encode(self)?, due_at: Some(due_at) })
    }
}

impl Taken {
    /// Whether the append made it ours; see [`is_ours`].
    #[must_use]
    pub fn is_ours(&self, repeated: Option<&Json>) -> bool {
        is_ours(&self.append, repeated)
    }
}

impl Run {
    /// What puts down what became of it.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn settle(&self, settled: Settled, now: Timestamp, bounds: &Bounds) -> Result<Append, JsonError> {
        let mut append = Append { done: vec![self.id], goes_on: true, ..Append::default() };
        match settled {
            Settled::Done => {}
            Settled::Again { error } if self.scheduled.attempts < bounds.attempts_max => {
                let due_at = plus(now, bounds.pause_micros(self.scheduled.attempts));
                let again = Scheduled { error: Some(shortened(&error)), ..self.scheduled.clone() };
                append.outbox.push(again.entry(self.id, queue_of(&self.scheduled.command), due_at)?);
            }
            Settled::Again { error } | Settled::Failed { error } => {
                let failed = self.scheduled.failed(&error, now)?;
                append.done.push(failed.id);
                append.outbox.push(failed);
            }
        }
        Ok(append)
    }
}

impl When {
    /// The moment, for what is planned now.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::After(pause) => now.plus(pause),
        }
    }
}

impl Bounds {
    /// The pause after so many tries.
    #[must_use]
    pub fn pause_micros(&self, attempts: u32) -> i64 {
        let doubled = 1_i64.checked_shl(attempts.saturating_sub(1).min(32)).unwrap_or(i64::MAX);
        self.retry_min_micros.saturating_mul(doubled).min(self.retry_max_micros)
    }
}

/// What takes an entry away as it was read, and leaves these in its place. `by` is an id that whoever does it has made up for that.
///
/// An id may be planned anew at any time, so that it says nothing of what waits under it now. The entry's number does: under it is
/// recorded who was the first to replace the entry. Whoever comes later changes nothing, and learns it by [`is_ours`].
///
/// # Errors
/// When it has no JSON form.
pub fn replace(waiting: &Waiting, left: Vec<OutboxEntry>, by: Uuid) -> Result<Append, JsonError> {
    let record = replaced(waiting, by)?;
    Ok(Append { done: vec![waiting.entry.id], outbox: left, command: Some(record), ..Append::default() })
}

/// The record of who replaces an entry, for an append that has a command of its own; see [`replace`] and [`Append::replaces`].
///
/// # Errors
/// When it has no JSON form.
pub fn replaced(waiting: &Waiting, by: Uuid) -> Result<CommandRecord, JsonError> {
    let id = CommandId(derived(waiting.entry.id, waiting.number));
    Ok(CommandRecord { id, reply: Json::encode(&by)? })
}

/// Whether an append of [`replace`] has had its effect, by the reply of before that it was answered with, if any: one that comes again
/// after a lost answer finds its own.
#[must_use]
pub fn is_ours(append: &Append, repeated: Option<&Json>) -> bool {
    let own = append.command.as_ref().map(|command| &command.reply);
    repeated.is_none() || repeated == own
}

/// What moves an entry that is no schedule out of the way, where it is seen; `by` as for [`replace`].
///
/// # Errors
/// When it has no JSON form.
pub fn set_aside(waiting: &Waiting, by: Uuid) -> Result<Append, JsonError> {
    let id = derived(waiting.entry.id, u64::MAX - 1);
    let aside = OutboxEntry { id, queue: FAILED_QUEUE.to_owned(), ..waiting.entry.clone() };
    let mut append = Append { goes_on: true, ..replace(waiting, vec![aside], by)? };
    append.done.push(id);
    Ok(append)
}

fn plus(moment: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(moment.as_micros().saturating_add(micros))
}

/// As much of it as is kept.
pub(crate) fn shortened(error: &str) -> String {
    let mut end = error.len().min(ERROR_MAX_BYTES);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    error.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
