//! Which appends of a group succeed: the one decision all adapters share.
//!
//! A group commit takes the appends that wait and stores them in one transaction. [`plan`] goes through them in
//! order against a [`View`] of what the store holds, gives each its own outcome, and says what to write. A
//! refused append leaves nothing behind and does not touch its neighbours; later appends see earlier ones.
//!
//! The adapter's part is IO: fill the view, write the plan, and make sure that the view still holds when it
//! commits (by a lock, or by writing conditionally and planning again when a condition fails).

mod inline;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

pub use self::inline::{Belief, Joined, Moved};

use crate::{
    document::DocumentWrite,
    event::NewEvent,
    id::{CommandId, EventId},
    json::Json,
    store::{
        Append, AppendCondition, AppendError, Appended, ClaimName, Claims, CommandRecord, OutboxEntry,
        Stored, StreamAppend,
    },
    stream::StreamName,
    time::Timestamp,
    version::{ExpectedVersion, Position, Version},
};

/// What the store holds, as far as a group asks. What is missing from a map does not exist.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Streams of the group.
    pub streams: foldhash::HashMap<StreamName, StreamState>,
    /// Claims of the group that somebody holds, with their owners.
    pub claims: HashMap<ClaimName, String>,
    /// Commands of the group that were recorded before.
    pub commands: HashMap<CommandId, Appended>,
    /// Events of the group that are in the log already.
    pub events: foldhash::HashMap<EventId, EventPlace>,
    /// Conditions of the group that fail by what is in the log, each with the first event that it must not meet.
    pub failed: HashMap<AppendCondition, Position>,
    /// Position of the log's last event, from which on the events of the group itself are counted; [`Position::MAX`] where it is
    /// not known and each condition is of a position before it.
    pub head: Position,
    /// The generations of inline projections that are joined to appends: all of them.
    pub joined: Vec<Joined>,
    /// Documents that the group changes if they are as they were read, by collection, with the suffix of the generation, and key. One that
    /// is missing here is taken to be as it was read.
    pub documents: HashMap<(String, String), Option<Json>>,
    /// Whether this group was tried before with an unknown outcome. Then an append whose events are all in the
    /// log is this append, stored by that try, also when it expected nothing of its stream.
    pub resolving: bool,
}

/// A stream as the store has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// The adapter's key for it; `None` when it has no row yet.
    pub key: Option<i64>,
    /// Version of its last event.
    pub version: Version,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// Where an event stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPlace {
    /// Its stream.
    pub stream: StreamName,
    /// Its place there.
    pub version: Version,
    /// Its place in the log.
    pub position: Position,
}

/// What to write for a group, and what to answer.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// One per append, in order.
    pub outcomes: Vec<Result<Planned, AppendError>>,
    /// The streams that change, each once.
    pub streams: Vec<StreamChange>,
    /// The events in log order: the first gets the log's last position plus one, and so on.
    pub events: Vec<PlannedEvent<'a>>,
    /// The conditions that were taken to hold, in order: to be verified by whoever has not read under a lock.
    pub conditions: Vec<&'a AppendCondition>,
    /// The claims that change, each once, sorted.
    pub claims: Vec<ClaimChange>,
    /// Documents to write, in order.
    pub documents: Vec<&'a DocumentWrite>,
    /// Documents of inline projections to write, each once, their collections with the suffixes of generations.
    pub inline: Vec<DocumentWrite>,
    /// How these were taken to be before the group, each once: to be verified by whoever has not read them under a lock.
    pub beliefs: Vec<Belief>,
    /// What becomes of joined generations, each once.
    pub moved: Vec<Moved>,
    /// Work to take out of the outbox, each id once: before any is left.
    pub done: Vec<Uuid>,
    /// Work to leave behind, each id once, in order. One that waits already, after what is done was taken out, stays.
    pub outbox: Vec<&'a OutboxEntry>,
    /// Commands to record, with the number of the group's events up to their last own one, if they have any.
    pub commands: Vec<(&'a CommandRecord, Option<u64>)>,
    /// Those of them that are kept for good.
    pub for_good: HashSet<CommandId>,
}

/// The outcome of one append before positions are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// It is stored by this group.
    Stored {
        /// Number of the group's events up to its last one; `None` when it has none.
        last_offset: Option<u64>,
        /// Version of each of its streams.
        versions: Vec<Version>,
    },
    /// It was stored before this group.
    Before(Appended),
    /// Its command is carried out by an earlier append of this group.
    Repeated {
        /// Number of the group's events up to that append's last one; `None` when it has none.
        last_offset: Option<u64>,
        /// The reply recorded with that append.
        reply: Json,
    },
}

/// A stream that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamChange {
    /// Its name.
    pub stream: StreamName,
    /// The adapter's key, `None` for a new stream.
    pub key: Option<i64>,
    /// Its version before the group.
    pub from: Version,
    /// Its version after the group.
    pub to: Version,
}

/// An event to write.
#[derive(Clone, Copy, Debug)]
pub struct PlannedEvent<'a> {
    /// Index into [`Plan::streams`].
    pub stream: usize,
    /// Its place in the stream.
    pub version: Version,
    /// The event.
    pub event: &'a NewEvent,
    /// The time to record, if the append says so; else the moment of the group.
    pub recorded_at: Option<Timestamp>,
}

/// A claim whose owner changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimChange {
    /// Which.
    pub claim: ClaimName,
    /// Its owner before the group.
    pub before: Option<String>,
    /// Its owner after the group.
    pub after: Option<String>,
}

/// Decides a group. Appends are considered in order, each after those before it.
#[must_use]
pub fn plan<'a>(view: View, appends: impl IntoIterator<Item = &'a Append>) -> Plan<'a> {
    let mut planner = Planner { view, ..Planner::default() };
    for append in appends {
        let outcome = planner.consider(append);
        planner.plan.outcomes.push(outcome);
    }
    planner.finish()
}

/// The optimistic lock: whether a stream is as its writer expects. `None` is a stream that is not there.
///
/// # Errors
/// How it is not.
pub fn check_expected(
    stream: &StreamName,
    expected: ExpectedVersion,
    state: Option<&StreamState>,
) -> Result<(), AppendError> {
    let stream = stream.clone();
    if state.is_some_and(|state| state.deleted) {
        return Err(AppendError::StreamDeleted(stream));
    }
    let actual = state.map_or(Version::START, |state| state.version);
    match expected {
        ExpectedVersion::Any => Ok(()),
        ExpectedVersion::NoStream if actual == Version::START => Ok(()),
        ExpectedVersion::NoStream => Err(AppendError::StreamExists { stream, actual }),
        ExpectedVersion::StreamExists if actual > Version::START => Ok(()),
        ExpectedVersion::StreamExists => Err(AppendError::StreamNotFound(stream)),
        ExpectedVersion::Exact(version) if version == actual => Ok(()),
        ExpectedVersion::Exact(_) => Err(AppendError::WrongExpectedVersion { stream, expected, actual }),
    }
}

impl Planned {
    /// The answer, once the position before the group's first event is known.
    #[must_use]
    pub fn at(self, head: Position) -> Appended {
        match self {
            Self::Stored { last_offset, versions } => {
                Appended::now(last_offset.map(|offset| head.plus(offset)), versions)
            }
            Self::Before(appended) => appended,
            Self::Repeated { last_offset, reply } => {
                Appended::repeated(last_offset.map(|offset| head.plus(offset)), reply)
            }
        }
    }
}

impl Plan<'_> {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.claims.is_empty()
            && self.documents.is_empty()
            && self.inline.is_empty()
            && self.done.is_empty()
            && self.outbox.is_empty()
            && self.commands.is_empty()
    }

    /// How many positions the group takes.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.events.len().try_into().unwrap_or(u64::MAX)
    }
}

/// Stands for the position of an event of the group itself, which is not known before the group is stored. An id
/// used twice within a group is a mistake of its writer, never a repeated append.
const PENDING: Position = Position::MAX;

#[derive(Default)]
struct Planner<'a> {
    view: View,
    plan: Plan<'a>,
    /// Where a stream stands in `plan.streams`.
    changed: foldhash::HashMap<StreamName, usize>,
    /// Commands that this group carries out, with their [`Planned::Repeated`] for whoever repeats them within it.
    carried_out: HashMap<CommandId, Planned>,
    /// Owners before the group of the claims that it touched.
    owners_before: HashMap<ClaimName, Option<String>>,
    /// Ids in `plan.done`.
    done: HashSet<Uuid>,
    /// Ids in `plan.outbox`.
    left: HashSet<Uuid>,
    /// Where a document stands in `plan.inline`, by collection and key.
    inlined: HashMap<(String, String), usize>,
}

impl<'a> Planner<'a> {
    fn consider(&mut self, append: &'a Append) -> Result<Planned, AppendError> {
        let command = append.command.as_ref();
        if let Some(repeated) = command.and_then(|command| self.carried_out.get(&command.id)) {
            return Ok(repeated.clone());
        }
        if let Some(before) = self.recorded_before(append)? {
            return Ok(Planned::Before(before));
        }
        for stream in &append.streams {
            let state = self.view.streams.get(&stream.stream);
            check_expected(&stream.stream, stream.expected, state)?;
            self.check_behind(stream, state.map_or(Version::START, |state| state.version))?;
        }
        self.check_claims(append)?;
        self.check_conditions(append)?;
        self.check_replaced(append)?;
        self.check_inline(append)?;
        Ok(self.apply(append))
    }

    /// The answer given before, if this is the same command or the same append again.
    fn recorded_before(&self, append: &Append) -> Result<Option<Appended>, AppendError> {
        let recorded = append.command.as_ref().and_then(|command| self.view.commands.get(&command.id));
        if let Some(before) = recorded {
            return Ok(Some(before.clone()));
        }
        // Nobody else records the same of work that is replaced.
        let own = |record: &&CommandRecord| {
            let before = self.view.commands.get(&record.id);
            before.is_some_and(|before| before.repeated.as_ref() == Some(&record.reply))
        };
        if append.streams.is_empty() && append.replaces.iter().any(|record| own(&record)) {
            return Ok(Some(Appended { stored: Stored::Before, ..Appended::now(None, Vec::new()) }));
        }
        let known = |event: &NewEvent| self.view.events.get(&event.id);
        let events = || append.streams.iter().flat_map(|stream| &stream.events);
        let Some((id, _)) = events().find_map(|event| known(event).map(|place| (event.id, place))) else {
            return Ok(None);
        };
        if append.streams.iter().all(|stream| self.is_stored(stream)) {
            let last = events().filter_map(known).map(|place| place.position).max();
            let version =
                |stream: &StreamAppend| stream.events.last().and_then(known).map(|place| place.version);
            let versions = append.streams.iter().filter_map(version).collect();
            let stored = Appended::now(last, versions);
            // Then the try before it was this append itself.
            return Ok(Some(if self.view.resolving { stored } else { stored.again() }));
        }
        Err(AppendError::DuplicateEvent { id })
    }

    /// Whether the log holds just these events in just this place: the same append, stored before.
    fn is_stored(&self, append: &StreamAppend) -> bool {
        let first = match append.expected {
            ExpectedVersion::NoStream => Some(Version::START.next()),
            ExpectedVersion::Exact(version) => Some(version.next()),
            ExpectedVersion::Any | ExpectedVersion::StreamExists if self.view.resolving => {
                let first = append.events.first().and_then(|event| self.view.events.get(&event.id));
                first.map(|place| place.version)
            }
            ExpectedVersion::Any | ExpectedVersion::StreamExists => None,
        };
        let Some(first) = first else { return false };
        let mut versions = (0..).map(|offset| first.plus(offset));
        append.events.iter().all(|event| {
            let place = self.view.events.get(&event.id);
            place.is_some_and(|place| {
                place.position != PENDING
                    && place.stream == append.stream
                    && Some(place.version) == versions.next()
            })
        })
    }

    /// Whether the stream ends with the event that its writer believes to be there, so far as this group knows.
    fn check_behind(&self, append: &StreamAppend, version: Version) -> Result<(), AppendError> {
        let Some(behind) = append.behind else { return Ok(()) };
        let last = self.view.events.get(&behind);
        if last.is_some_and(|place| place.stream == append.stream && place.version == version) {
            return Ok(());
        }
        Err(AppendError::NotBehind { stream: append.stream.clone(), behind })
    }

    fn check_claims(&self, append: &Append) -> Result<(), AppendError> {
        let Claims { owner, take, release, from } = &append.claims;
        for claim in take.iter().chain(release) {
            match (self.view.claims.get(claim), from) {
                (Some(holder), from) if holder != from.as_ref().unwrap_or(owner) => {
                    return Err(AppendError::Claimed { claim: claim.clone(), owner: holder.clone() });
                }
                (None, Some(from)) => {
                    return Err(AppendError::NotHeld { claim: claim.clone(), expected: from.clone() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether nothing was stored that the append would have had to know, before this group or earlier in it.
    fn check_conditions(&self, append: &Append) -> Result<(), AppendError> {
        for condition in &append.conditions {
            let before = self.view.failed.get(condition).copied();
            if let Some(position) = before.or_else(|| self.met_in_group(condition)) {
                return Err(AppendError::ConditionFailed { position, after: condition.after });
            }
        }
        Ok(())
    }

    /// Whether what it replaces in the outbox was taken or replaced by nobody else.
    fn check_replaced(&self, append: &Append) -> Result<(), AppendError> {
        let is_taken = |id| self.view.commands.contains_key(id) || self.carried_out.contains_key(id);
        match append.replaces.iter().find(|record| is_taken(&record.id)) {
            Some(record) => Err(AppendError::WorkTaken { id: record.id }),
            None => Ok(()),
        }
    }

    fn met_in_group(&self, AppendCondition { query, after }: &AppendCondition) -> Option<Position> {
        let positions = (1..).map(|offset| self.view.head.plus(offset));
        let events = self.plan.events.iter().map(|planned| planned.event).zip(positions);
        let mut behind = events.skip_while(|(_, position)| position <= after);
        behind
            .find(|(event, _)| query.is_about(&event.event_type.name, &event.tags))
            .map(|(_, position)| position)
    }

    fn apply(&mut self, append: &'a Append) -> Planned {
        self.plan.conditions.extend(&append.conditions);
        let before = self.plan.event_count();
        let versions =
            append.streams.iter().map(|stream| self.apply_events(stream, append.recorded_at)).collect();
        let last_offset = (!append.streams.is_empty()).then(|| self.plan.event_count());
        let claims = &append.claims;
        // Released first, so that a value both given back and taken stays taken.
        for claim in &claims.release {
            self.set_owner(claim, None);
        }
        for claim in &claims.take {
            self.set_owner(claim, Some(claims.owner.clone()));
        }
        self.plan.documents.extend(&append.documents);
        self.apply_inline(append, before);
        self.apply_work(append);
        for record in &append.replaces {
            self.plan.commands.push((record, None));
            let repeated = Planned::Repeated { last_offset: None, reply: record.reply.clone() };
            self.carried_out.insert(record.id, repeated);
        }
        if let Some(command) = &append.command {
            self.plan.commands.push((command, last_offset));
            self.plan.for_good.extend(append.for_good.then_some(command.id));
            let repeated = Planned::Repeated { last_offset, reply: command.reply.clone() };
            self.carried_out.insert(command.id, repeated);
        }
        Planned::Stored { last_offset, versions }
    }

    fn apply_events(&mut self, append: &'a StreamAppend, recorded_at: Option<Timestamp>) -> Version {
        let state = self.view.streams.entry(append.stream.clone()).or_default();
        let changes = &mut self.plan.streams;
        let index = *self.changed.entry(append.stream.clone()).or_insert_with(|| {
            let (key, version) = (state.key, state.version);
            changes.push(StreamChange { stream: append.stream.clone(), key, from: version, to: version });
            changes.len() - 1
        });
        for event in &append.events {
            state.version = state.version.next();
            self.plan.events.push(PlannedEvent { stream: index, version: state.version, event, recorded_at });
            let place =
                EventPlace { stream: append.stream.clone(), version: state.version, position: PENDING };
            self.view.events.insert(event.id, place);
        }
        if let Some(change) = changes.get_mut(index) {
            change.to = state.version;
        }
        state.version
    }

    /// What becomes of an id in the group comes to this, whether an entry with it waits or not: if it is done anywhere, what waits
    /// is taken out; and what was first left since, if anything was, is left.
    fn apply_work(&mut self, append: &'a Append) {
        for id in &append.done {
            if self.done.insert(*id) {
                self.plan.done.push(*id);
            }
            if self.left.remove(id) {
                self.plan.outbox.retain(|entry| entry.id != *id);
            }
        }
        for entry in &append.outbox {
            if self.left.insert(entry.id) {
                self.plan.outbox.push(entry);
            }
        }
    }

    fn set_owner(&mut self, claim: &ClaimName, owner: Option<String>) {
        let before = match owner {
            Some(owner) => self.view.claims.insert(claim.clone(), owner),
            None => self.view.claims.remove(claim),
        };
        self.owners_before.entry(claim.clone()).or_insert(before);
    }

    fn finish(mut self) -> Plan<'a> {
        let claims = &self.view.claims;
        self.plan.claims = self
            .owners_before
            .into_iter()
            .map(|(claim, before)| ClaimChange { after: claims.get(&claim).cloned(), claim, before })
            .filter(|change| change.before != change.after)
            .collect();
        self.plan.claims.sort_unstable();
        self.plan
    }
}

#[cfg(test)]
mod tests;
