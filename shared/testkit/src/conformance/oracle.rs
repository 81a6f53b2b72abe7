//! What a store must answer to requests that come one after the other: the planner over plain maps.

use std::collections::{BTreeMap, HashMap};

use umbel_core::{
    EventId, EventName, Position, StreamName, Tags, Version,
    store::{
        Act, Append, AppendCondition, AppendError, Appended, LinkError, LinkEvents, Perform, PerformError,
        Performed, Removal,
        plan::{EventPlace, StreamState, View, plan},
    },
};

/// A store without a database, a time or a reader.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    view: View,
    /// Stream, version and id of each event, in log order; nothing where one was removed.
    pub(super) log: Vec<Option<(StreamName, Version, EventId)>>,
    /// What stands at each version of a stream, links included, shown or not.
    pub(super) places: BTreeMap<StreamName, BTreeMap<Version, EventId>>,
    /// Where streams that were truncated begin.
    first: HashMap<StreamName, Version>,
    /// What events that appends stored are found by.
    tagged: HashMap<EventId, (EventName, Tags)>,
    archived_to: Position,
    acts: HashMap<EventId, Performed>,
}

impl Oracle {
    pub(super) fn version(&self, stream: &StreamName) -> Version {
        self.view.streams.get(stream).map_or(Version::START, |state| state.version)
    }

    pub(super) fn is_deleted(&self, stream: &StreamName) -> bool {
        self.view.streams.get(stream).is_some_and(|state| state.deleted)
    }

    pub(super) fn first_version(&self, stream: &StreamName) -> Version {
        self.first.get(stream).copied().unwrap_or(Version::START.next())
    }

    pub(super) fn append(&mut self, append: &Append) -> Result<Appended, AppendError> {
        let head = self.head();
        self.view.head = head;
        self.view.failed = self.failed(append);
        let mut plan = plan(self.view.clone(), [append]);
        for planned in &plan.events {
            let stream = plan.streams[planned.stream].stream.clone();
            assert_eq!(self.record(stream, planned.event.id), planned.version);
            let found_by = (planned.event.event_type.name.clone(), planned.event.tags.clone());
            self.tagged.insert(planned.event.id, found_by);
        }
        for change in plan.claims {
            match change.after {
                Some(owner) => self.view.claims.insert(change.claim, owner),
                None => self.view.claims.remove(&change.claim),
            };
        }
        for (record, last_offset) in plan.commands {
            let last_position = last_offset.map(|offset| head.plus(offset));
            self.view.commands.insert(record.id, Appended::repeated(last_position, record.reply.clone()));
        }
        plan.outcomes.remove(0).map(|planned| planned.at(head))
    }

    pub(super) fn link(&mut self, link: &LinkEvents) -> Result<Version, LinkError> {
        let held = self.places.get(&link.stream);
        link.check(
            self.view.streams.get(&link.stream),
            |id| self.view.events.contains_key(&id),
            |id| held.is_some_and(|held| held.values().any(|held| *held == id)),
        )?;
        for id in &link.events {
            self.place(&link.stream, *id);
        }
        Ok(self.version(&link.stream))
    }

    pub(super) fn perform(&mut self, request: &Perform) -> Result<Performed, PerformError> {
        if let Some(performed) = self.acts.get(&request.id) {
            return Ok(*performed);
        }
        let state = request.act.stream().and_then(|stream| self.view.streams.get(stream));
        request.act.check(state, self.head())?;
        let (events, links) = self.act(&request.act);
        self.record(StreamName::audit(), request.id);
        let performed = Performed { position: self.head(), events, links };
        self.acts.insert(request.id, performed);
        Ok(performed)
    }

    /// The conditions that the log does not meet, and the first events by which it does not.
    fn failed(&self, append: &Append) -> HashMap<AppendCondition, Position> {
        let is_met = |condition: &AppendCondition, id: &EventId| {
            self.tagged.get(id).is_some_and(|(name, tags)| condition.query.is_about(name, tags))
        };
        let first = |condition: &AppendCondition| {
            let places = (1..).map(Position::new).zip(&self.log);
            let mut behind = places.filter(|(position, _)| *position > condition.after);
            let met = behind.find(|(_, event)| event.as_ref().is_some_and(|(.., id)| is_met(condition, id)));
            met.map(|(position, _)| (condition.clone(), position))
        };
        append.conditions.iter().filter_map(first).collect()
    }

    pub(super) fn head(&self) -> Position {
        Position::new(self.log.len().try_into().unwrap())
    }

    /// Puts an event of its own behind all others of a stream.
    fn record(&mut self, stream: StreamName, id: EventId) -> Version {
        let (version, position) = (self.place(&stream, id), self.head().next());
        self.log.push(Some((stream.clone(), version, id)));
        self.view.events.insert(id, EventPlace { stream, version, position });
        version
    }

    fn place(&mut self, stream: &StreamName, id: EventId) -> Version {
        let version = self.version(stream).next();
        let state = StreamState { key: None, version, deleted: false };
        self.view.streams.insert(stream.clone(), state);
        self.places.entry(stream.clone()).or_default().insert(version, id);
        version
    }

    /// Events and links that were removed, or events that were moved.
    fn act(&mut self, act: &Act) -> (u64, u64) {
        match act {
            Act::DeleteStream { stream, removal: Removal::Soft, .. } => {
                self.view.streams.get_mut(stream).unwrap().deleted = true;
                (0, 0)
            }
            Act::DeleteStream { stream, removal: Removal::Hard, .. } => {
                self.view.streams.remove(stream);
                self.first.remove(stream);
                let places = self.places.remove(stream).unwrap();
                self.remove(stream, &places)
            }
            Act::TruncateStream { stream, before, removal } => {
                self.first.insert(stream.clone(), self.first_version(stream).max(*before));
                if *removal == Removal::Soft {
                    return (0, 0);
                }
                let places = self.places.get_mut(stream).unwrap();
                let kept = places.split_off(before);
                let removed = std::mem::replace(places, kept);
                self.remove(stream, &removed)
            }
            Act::Archive { through } => {
                let places = self.view.events.values().map(|place| place.position);
                let moved = places.filter(|at| at > &self.archived_to && at <= through).count();
                self.archived_to = self.archived_to.max(*through);
                (moved.try_into().unwrap(), 0)
            }
            // Nothing else takes anything from streams.
            _ => (0, 0),
        }
    }

    fn remove(&mut self, stream: &StreamName, places: &BTreeMap<Version, EventId>) -> (u64, u64) {
        let (mut events, mut links) = (0, 0);
        for id in places.values() {
            if self.view.events[id].stream != *stream {
                links += 1;
                continue;
            }
            events += 1;
            let place = self.view.events.remove(id).unwrap();
            self.log[usize::try_from(place.position.get() - 1).unwrap()] = None;
            for held in self.places.values_mut() {
                let before = held.len();
                held.retain(|_, held| held != id);
                links += u64::try_from(before - held.len()).unwrap();
            }
        }
        (events, links)
    }
}
