//! Upkeep: links, acts that remove or move, subjects' keys.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::BoxFuture;
use umbel_core::{
    NewEvent, Position, RecordedEvent, StreamName, Subject, Timestamp, Version,
    store::{
        Act, ActRecord, Finding, LinkError, LinkEvents, Perform, PerformError, Performed, Removal, Step,
        StoreError,
    },
};

use super::{Memory, count, state::State, stream::Stream};
use crate::adapter::{Stride, SubjectKey, Upkeep};

impl Upkeep for Memory {
    fn link(&self, request: LinkEvents, now: Timestamp) -> BoxFuture<'_, Result<Version, LinkError>> {
        Box::pin(async move { self.state().link(&request, now) })
    }

    /// One step is enough: nobody outlives it who could find it halfway.
    fn perform_step(&self, request: Perform, now: Timestamp) -> BoxFuture<'_, Result<Step, PerformError>> {
        Box::pin(async move { self.state().perform(request, now).map(Step::Done) })
    }

    fn find_subject_keys(
        &self,
        subjects: Vec<Subject>,
    ) -> BoxFuture<'_, Result<Vec<Option<SubjectKey>>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            Ok(subjects.iter().map(|subject| state.subjects.get(subject).cloned()).collect())
        })
    }

    fn create_subject_keys(
        &self,
        keys: Vec<(Subject, [u8; 32])>,
        _now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubjectKey>, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let mut create =
                |(subject, key)| state.subjects.entry(subject).or_insert(SubjectKey::Known(key)).clone();
            Ok(keys.into_iter().map(&mut create).collect())
        })
    }

    fn find_subjects(
        &self,
        stream: StreamName,
        behind: Version,
        through: Version,
    ) -> BoxFuture<'_, Result<Vec<Subject>, StoreError>> {
        Box::pin(async move { Ok(self.state().find_subjects(&stream, behind, through)) })
    }

    fn verify_by(&self, _stride: Stride) -> BoxFuture<'_, Result<Vec<Finding>, StoreError>> {
        Box::pin(async move { Ok(self.state().verify()) })
    }
}

/// How much an act took away or moved.
#[derive(Default)]
struct Done {
    events: u64,
    links: u64,
}

impl State {
    fn find_subjects(&self, name: &StreamName, behind: Version, through: Version) -> Vec<Subject> {
        let places = self.streams.get(name).into_iter().flat_map(|stream| &stream.places);
        let asked = places.filter(|(at, _)| behind < **at && **at <= through);
        let subjects: HashSet<Subject> =
            asked.filter_map(|(_, position)| self.events.get(position)?.subject.clone()).collect();
        subjects.into_iter().collect()
    }

    fn link(&mut self, request: &LinkEvents, now: Timestamp) -> Result<Version, LinkError> {
        let target = self.streams.get(&request.stream);
        let position = |id| self.positions.get(&id).copied();
        request.check(
            target.map(Stream::state).as_ref(),
            |id| position(id).is_some(),
            |id| target.zip(position(id)).is_some_and(|(target, position)| target.holds(position)),
        )?;
        let positions: Vec<_> = request.events.iter().filter_map(|id| position(*id)).collect();
        let target = self.streams.entry(request.stream.clone()).or_insert_with(|| Stream::new(now));
        for position in positions {
            target.add(position);
        }
        Ok(target.version)
    }

    fn perform(&mut self, request: Perform, now: Timestamp) -> Result<Performed, PerformError> {
        if let Some(event) = self.find(request.id) {
            return request.done_before(event);
        }
        let Perform { id, act, metadata } = request;
        let state = act.stream().and_then(|stream| self.stream_state(stream));
        act.check(state.as_ref(), self.head)?;
        let Done { events, links } = self.act(&act, now)?;
        let act = act.recorded();
        let record = ActRecord { act, events, links }.encode();
        let record = record.map_err(|error| StoreError::Failed { reason: error.to_string() })?;
        let position = self.record(&StreamName::audit(), NewEvent::new(id, record, metadata), now);
        Ok(Performed { position, events, links })
    }

    fn act(&mut self, act: &Act, now: Timestamp) -> Result<Done, PerformError> {
        if let Some(letters) = self.act_on_subscription(act)? {
            return Ok(Done { events: letters, links: 0 });
        }
        if self.act_on_projection(act)?.is_some() {
            return Ok(Done::default());
        }
        Ok(self.act_on_log(act, now))
    }

    fn act_on_log(&mut self, act: &Act, now: Timestamp) -> Done {
        match act {
            Act::DeleteStream { stream, removal: Removal::Soft, .. } => {
                if let Some(stream) = self.streams.get_mut(stream) {
                    stream.deleted_at = Some(now);
                }
                Done::default()
            }
            Act::DeleteStream { stream, removal: Removal::Hard, .. } => {
                self.snapshots.remove(stream);
                self.reset_followers(stream);
                let removed = self.streams.remove(stream);
                removed.map_or_else(Done::default, |removed| self.remove(stream, &removed.places))
            }
            Act::TruncateStream { stream, before, removal } => self.truncate(stream, *before, *removal),
            Act::Archive { through } => {
                let upto = self.events.range(..=*through);
                let events = count(upto.filter(|(position, _)| **position > self.archived_to).count());
                self.archived_to = self.archived_to.max(*through);
                Done { events, links: 0 }
            }
            Act::ForgetSubject { subject } => {
                self.subjects.insert(subject.clone(), SubjectKey::Forgotten);
                Done::default()
            }
            _ => Done::default(),
        }
    }

    fn truncate(&mut self, name: &StreamName, before: Version, removal: Removal) -> Done {
        let Some(stream) = self.streams.get_mut(name) else { return Done::default() };
        stream.first_version = stream.first_version.max(before);
        if removal == Removal::Soft {
            return Done::default();
        }
        let kept = stream.places.split_off(&before);
        let removed = std::mem::replace(&mut stream.places, kept);
        stream.removed += count(removed.len());
        self.remove(name, &removed)
    }

    /// Removes what stood at these places of a stream: its own events with all links to them, and its links to others.
    fn remove(&mut self, name: &StreamName, places: &BTreeMap<Version, Position>) -> Done {
        let is_own = |event: &RecordedEvent| event.stream == *name;
        let (own, links): (HashSet<Position>, HashSet<Position>) =
            places.values().partition(|position| self.events.get(position).is_some_and(is_own));
        for position in &own {
            if let Some(event) = self.events.remove(position) {
                self.positions.remove(&event.id);
            }
        }
        let mut removed = links.len();
        for stream in self.streams.values_mut() {
            let before = stream.places.len();
            stream.places.retain(|_, position| !own.contains(position));
            let lost = before - stream.places.len();
            stream.removed += count(lost);
            removed += lost;
        }
        Done { events: count(own.len()), links: count(removed) }
    }
}
