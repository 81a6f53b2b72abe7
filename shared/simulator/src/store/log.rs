//! The log: a group is planned on what was looked up, and written if the log still stands where it stood then.

use std::collections::HashMap;

use umbel_core::{
    EventId, Place, Position, StreamName, Tags, Version,
    id::CommandId,
    store::{
        Append, AppendCondition, AppendError, Appended,
        plan::{EventPlace, Plan, StreamState, View, plan},
    },
    subscription::{Key, Millis},
};

use super::{count, size};
use crate::bug::Bug;

/// What all events are called.
pub(crate) const EVENT: &str = "sim.happened";

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) stream: StreamName,
    pub(crate) key: Key,
    pub(crate) version: Version,
    pub(crate) id: EventId,
    pub(crate) kind: u32,
    pub(crate) tags: Tags,
    /// When it was stored.
    stored_at: Millis,
    /// Since when it is visible.
    visible_at: Millis,
}

/// The log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    streams: HashMap<StreamName, (i64, Version)>,
    ids: HashMap<EventId, usize>,
    commands: HashMap<CommandId, Appended>,
    bug: Option<Bug>,
}

impl Log {
    pub(super) fn new(streams: &[StreamName], bug: Option<Bug>) -> Self {
        let streams = (1..).zip(streams).map(|(key, name)| (name.clone(), (key, Version::START))).collect();
        Self { entries: Vec::new(), streams, ids: HashMap::new(), commands: HashMap::new(), bug }
    }

    /// The last place there is.
    pub(crate) fn head(&self) -> Place {
        Place::new(count(self.entries.len()))
    }

    /// Version of a stream's last event.
    pub(crate) fn version(&self, stream: &StreamName) -> Version {
        self.streams.get(stream).map_or(Version::START, |(_, version)| *version)
    }

    /// Whether an event is to be seen at this moment.
    pub(crate) fn is_visible(&self, index: usize, now: Millis) -> bool {
        self.entries.get(index).is_some_and(|entry| entry.visible_at <= now)
    }

    /// What the planner may ask about a group at this moment, and where the log stands.
    pub(crate) fn look<'a>(&self, group: impl IntoIterator<Item = &'a Append>, now: Millis) -> (View, usize) {
        let mut view = View { head: self.counted_from(), ..View::default() };
        for append in group {
            for stream in &append.streams {
                let name = &stream.stream;
                if let Some((key, version)) = self.streams.get(name).filter(|(_, at)| *at > Version::START) {
                    let state = StreamState { key: Some(*key), version: *version, deleted: false };
                    view.streams.insert(name.clone(), state);
                }
                for event in &stream.events {
                    view.events.extend(self.ids.get(&event.id).map(|index| (event.id, self.place(*index))));
                }
            }
            for condition in &append.conditions {
                view.failed.extend(self.met(condition, now).map(|position| (condition.clone(), position)));
            }
            for command in append.records() {
                let before = self.commands.get(&command.id);
                view.commands.extend(before.map(|before| (command.id, before.clone())));
            }
        }
        (view, self.entries.len())
    }

    /// Behind which position the events of a group are counted.
    fn counted_from(&self) -> Position {
        let forgets = self.bug == Some(Bug::ConditionsMissTheGroup);
        if forgets { Position::START } else { Position::new(count(self.entries.len())) }
    }

    /// The first event that a condition must not meet.
    fn met(&self, condition: &AppendCondition, now: Millis) -> Option<Position> {
        let behind = self.entries.iter().enumerate().skip(size(condition.after.get()));
        // What a bug would do: what leads from a tag to its events is written some time after them.
        let late = if self.bug == Some(Bug::ConditionsMissTheNewest) { 30 } else { 0 };
        let mut met = behind.filter(|(_, entry)| entry.stored_at + late <= now);
        let met = met.find(|(_, entry)| condition.query.is_about(EVENT, &entry.tags));
        met.map(|(index, _)| Position::new(count(index) + 1))
    }

    fn place(&self, index: usize) -> EventPlace {
        let entry = &self.entries[index];
        EventPlace {
            stream: entry.stream.clone(),
            version: entry.version,
            position: Position::new(count(index) + 1),
        }
    }

    /// Writes a group that was planned on this view. `None` when the log has gone on since.
    pub(crate) fn commit<'a>(
        &mut self,
        (view, mark): (View, usize),
        group: impl IntoIterator<Item = &'a Append>,
        now: Millis,
    ) -> Option<Vec<Result<Appended, AppendError>>> {
        if self.entries.len() != mark {
            return None;
        }
        let mut plan = plan(view, group);
        let outcomes = std::mem::take(&mut plan.outcomes);
        self.write(&plan, now);
        let head = Position::new(count(mark));
        Some(outcomes.into_iter().map(|outcome| outcome.map(|planned| planned.at(head))).collect())
    }

    fn write(&mut self, plan: &Plan<'_>, now: Millis) {
        let head = Position::new(count(self.entries.len()));
        // What a bug would do: every third event is seen only later.
        let late = |index: usize| self.bug == Some(Bug::StoreShowsOutOfOrder) && index.is_multiple_of(3);
        for planned in &plan.events {
            let stream = &plan.streams[planned.stream].stream;
            let index = self.entries.len();
            self.ids.insert(planned.event.id, index);
            self.entries.push(Entry {
                stream: stream.clone(),
                key: Key::of(stream.as_str()),
                version: planned.version,
                id: planned.event.id,
                kind: planned.event.event_type.schema,
                tags: planned.event.tags.clone(),
                stored_at: now,
                visible_at: if late(index) { now + 300 } else { now },
            });
        }
        for change in &plan.streams {
            if let Some((_, version)) = self.streams.get_mut(&change.stream) {
                *version = change.to;
            }
        }
        for (command, last_offset) in &plan.commands {
            let last_position = last_offset.map(|offset| head.plus(offset));
            self.commands.insert(command.id, Appended::repeated(last_position, command.reply.clone()));
        }
    }
}
