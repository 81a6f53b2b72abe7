//! Verifying: the rules of a healthy store, said once plainly. There are no spans here, and no rows of a log to be lost.

use std::collections::HashSet;

use umbel_core::{
    Json, Payload, Position, RecordedEvent, StreamName, Version,
    store::{ActRecord, FINDINGS_MAX_PER_RULE, Finding, Generation, Phase, Rule},
};

use super::{count, state::State, stream::Stream};
use crate::{
    adapter::SubjectKey,
    vault::{is_sealed, tried},
};

impl State {
    /// What is not as it must be. Documents hold their index entries themselves; there is nothing to compare. Of what is kept as JSON, events
    /// stand for the rest.
    pub(super) fn verify(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut rule = |rule, mut what: Vec<String>| {
            what.truncate(FINDINGS_MAX_PER_RULE);
            findings.extend(what.into_iter().map(|what| Finding { rule, what }));
        };
        rule(Rule::Log, self.wrong_numbers());
        rule(Rule::Positions, self.wrong_positions());
        rule(Rule::Versions, [self.in_streams(Self::wrong_versions), self.wrong_removals()].concat());
        rule(Rule::EventIds, self.in_events(|event| self.positions.get(&event.id) != Some(&event.position)));
        rule(Rule::References, self.in_events(|event| !self.is_in_its_stream(event) || !has_a_type(event)));
        rule(Rule::Links, self.in_streams(Self::wrong_links));
        rule(
            Rule::Checkpoints,
            [self.beyond_head(self.checkpoints.iter()), self.wrong_checkpoints()].concat(),
        );
        rule(Rule::Snapshots, self.wrong_snapshots());
        rule(Rule::Documents, self.wrong_served());
        let commands = self.commands.iter();
        let recorded =
            commands.filter_map(|(id, before)| Some((id, before.appended.last_position.as_ref()?)));
        rule(Rule::Commands, self.beyond_head(recorded));
        rule(Rule::Archive, self.beyond_head([("the archive", &self.archived_to)]));
        rule(Rule::Payloads, self.in_events(|event| !is_readable(&event.data)));
        rule(Rule::SubjectKeys, self.in_events(|event| self.has_lost_its_key(event)));
        rule(Rule::Letters, self.wrong_letters());
        findings.sort();
        findings
    }

    /// Nothing waits in the outbox under a number that was not given out.
    fn wrong_numbers(&self) -> Vec<String> {
        let beyond = self.outbox.keys().filter(|number| **number > self.outbox_head);
        beyond
            .map(|number| format!("outbox entry {number} is beyond the last, {}", self.outbox_head))
            .collect()
    }

    /// What is missing must be what hard acts removed.
    fn wrong_positions(&self) -> Vec<String> {
        let removed: u64 = self.hard_acts().map(|record| record.events).sum();
        let there = self.events.range(Position::START.next()..=self.head.max(Position::START.next())).count();
        let missing = self.head.get().saturating_sub(count(there));
        let mut wrong = Vec::new();
        if missing != removed {
            wrong.push(format!("up to {}, {missing} are missing and {removed} were removed", self.head));
        }
        let beyond = self.events.keys().filter(|position| **position > self.head);
        wrong.extend(beyond.map(|position| format!("position {position} is beyond the head")));
        wrong
    }

    /// An event stands in its stream at its own version, nothing stands beyond the stream's, and what is missing was counted
    /// when it was removed.
    fn wrong_versions(&self, name: &StreamName, stream: &Stream) -> Vec<String> {
        let wrong = |(at, position): (&Version, &Position)| {
            let event = self.events.get(position).filter(|event| event.stream == *name);
            let is_wrong = *at > stream.version || event.is_some_and(|event| event.version != *at);
            is_wrong.then(|| format!("{name} has position {position} at version {at}"))
        };
        let mut all: Vec<_> = stream.places.iter().filter_map(wrong).collect();
        let Stream { version, removed, first_version, .. } = stream;
        let there = count(stream.places.len());
        if there + removed != version.get() {
            all.push(format!("{name} is at version {version}; {removed} were removed, {there} are there"));
        }
        if *first_version > version.next() {
            all.push(format!("{name} is shown from version {first_version}, and ends at {version}"));
        }
        all
    }

    /// Streams that are there have lost no more than the audit tells of; those that are gone took their part along.
    fn wrong_removals(&self) -> Vec<String> {
        let lost: u64 = self.streams.values().map(|stream| stream.removed).sum();
        let told: u64 = self.hard_acts().map(|record| record.events + record.links).sum();
        let wrong = (lost > told).then(|| format!("streams have lost {lost}, and the audit tells of {told}"));
        wrong.into_iter().collect()
    }

    fn hard_acts(&self) -> impl Iterator<Item = ActRecord> {
        let audit = StreamName::audit();
        let records = self.events.values().filter(move |event| event.stream == audit);
        let records = records.filter_map(|event| event.data.decode::<ActRecord>().ok());
        records.filter(|record| record.act.is_hard())
    }

    /// Whether it holds personal data that nobody can open, without a key or with a wrong one, and of a subject that was not forgotten.
    fn has_lost_its_key(&self, event: &RecordedEvent) -> bool {
        let key = event.subject.as_ref().map(|subject| self.subjects.get(subject));
        match key {
            None => false,
            Some(None) => is_sealed(&event.data),
            Some(Some(SubjectKey::Known(key))) => tried(event.id, &event.data, key).is_some(),
            Some(Some(SubjectKey::Forgotten | SubjectKey::Damaged)) => false,
        }
    }

    fn wrong_links(&self, name: &StreamName, stream: &Stream) -> Vec<String> {
        let mut seen = HashSet::new();
        let wrong = |(at, position): (&Version, &Position)| {
            let is_wrong = !self.events.contains_key(position) || !seen.insert(*position);
            is_wrong.then(|| format!("{name} links at version {at} to position {position}"))
        };
        stream.places.iter().filter_map(wrong).collect()
    }

    fn is_in_its_stream(&self, event: &RecordedEvent) -> bool {
        let stream = self.streams.get(&event.stream);
        stream.is_some_and(|stream| stream.places.get(&event.version) == Some(&event.position))
    }

    fn wrong_snapshots(&self) -> Vec<String> {
        let version = |name| self.streams.get(name).map(|stream| stream.version);
        // Of a stream that is not there it is beyond, too: `None` is less than any version.
        let wrong =
            self.snapshots.values().filter(|snapshot| version(&snapshot.stream) < Some(snapshot.version));
        wrong.map(|snapshot| format!("{} at version {}", snapshot.stream, snapshot.version)).collect()
    }

    /// Readers get what a generation that serves keeps.
    fn wrong_served(&self) -> Vec<String> {
        let is_wrong = |collection: &String, served: &Generation| {
            let kept = self.generations.get(&served.checkpoint());
            !kept.is_some_and(|kept| {
                let is_kept = kept.collections.contains(collection) && kept.suffix == served.suffix;
                kept.phase == Phase::Serving && is_kept
            })
        };
        let wrong = self.served.iter().filter(|(collection, served)| is_wrong(collection, served));
        wrong.map(|(collection, served)| format!("{collection} of {}", served.projection)).collect()
    }

    fn in_streams(&self, wrong: impl Fn(&Self, &StreamName, &Stream) -> Vec<String>) -> Vec<String> {
        self.streams.iter().flat_map(|(name, stream)| wrong(self, name, stream)).collect()
    }

    fn in_events(&self, is_wrong: impl Fn(&RecordedEvent) -> bool) -> Vec<String> {
        let wrong = self.events.values().filter(|event| is_wrong(event));
        wrong.map(|event| format!("event {} at position {}", event.id, event.position)).collect()
    }

    fn beyond_head<'a, N: ToString>(
        &self,
        places: impl IntoIterator<Item = (N, &'a Position)>,
    ) -> Vec<String> {
        let beyond = places.into_iter().filter(|(_, position)| **position > self.head);
        beyond.map(|(what, position)| format!("{} at {position}", what.to_string())).collect()
    }
}

fn has_a_type(event: &RecordedEvent) -> bool {
    !event.event_type.name.is_empty() && event.event_type.schema >= 1
}

fn is_readable(data: &Payload) -> bool {
    match data {
        Payload::Json(json) => Json::parse(json.as_str()).is_ok(),
        Payload::Binary(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{
        ExpectedVersion, Metadata, Subject, Timestamp,
        store::{Act, Append, LinkEvents, OutboxEntry, Perform, Removal, Snapshot, Waiting},
        version::Place,
    };
    use umbel_testkit::conformance::{Events, command, position, stream, version};
    use uuid::Uuid;

    use super::*;
    use crate::{
        adapter::{Log, Upkeep},
        memory::Memory,
    };

    const NOW: Timestamp = Timestamp::from_micros(1);

    /// A store with three events, a link, a snapshot, a command, a checkpoint and an archive.
    async fn healthy() -> Memory {
        let (store, events) = (Memory::new(), Events::default());
        let append = events.append("s", ExpectedVersion::Any, 3);
        let linked = append.streams[0].events[1].id;
        let append = Append { command: Some(command(1, "1")), ..append };
        store.append(vec![append], NOW).await.remove(0).unwrap();
        let (stream, expected) = (stream("list"), ExpectedVersion::Any);
        store.link(LinkEvents { stream, expected, events: vec![linked] }, NOW).await.unwrap();
        for act in [
            Act::Archive { through: position(2) },
            Act::TruncateStream { stream: s(), before: version(2), removal: Removal::Hard },
        ] {
            let id = events.one().id;
            store.perform(Perform { id, act, metadata: Metadata::default() }, NOW).await.unwrap();
        }
        let data = Json::parse("0").unwrap();
        let snapshot = Snapshot {
            stream: s(),
            version: version(3),
            state: "test.state".into(),
            schema: 1,
            taken_at: NOW,
            data,
        };
        store.state().snapshots.insert(s(), snapshot);
        store.state().checkpoints.insert("test.one/1".into(), position(5));
        crate::conformance::served::serve(&store).await;
        crate::conformance::kept::fill(&store).await;
        store
    }

    fn s() -> StreamName {
        stream("s")
    }

    async fn found(damage: impl FnOnce(&mut State)) -> Vec<Rule> {
        let store = healthy().await;
        damage(&mut store.state());
        store.verify().await.unwrap().into_iter().map(|finding| finding.rule).collect()
    }

    /// Every rule is seen to be broken when it is; a healthy store breaks none.
    #[tokio::test]
    async fn every_broken_rule_is_found() {
        assert_eq!(found(|_| ()).await, []);
        let lost = found(|state| drop(state.events.remove(&position(3)))).await;
        assert!(lost.contains(&Rule::Positions), "{lost:?}");
        let of_stream = |state: &mut State| state.streams.remove(&s());
        assert!(found(|state| drop(of_stream(state))).await.contains(&Rule::References));
        let moved = found(|state| state.streams.get_mut(&s()).unwrap().version = version(2)).await;
        assert!(moved.contains(&Rule::Versions) && moved.contains(&Rule::Snapshots), "{moved:?}");
        let forgotten_id = found(|state| state.positions.clear()).await;
        assert_eq!(forgotten_id, [Rule::EventIds; 4]);
        let link = |state: &mut State, to| {
            state.streams.get_mut(&stream("list")).unwrap().add(position(to));
        };
        let unlinked = |state: &mut State| state.streams.get_mut(&stream("list")).unwrap().places.clear();
        assert_eq!(found(unlinked).await, [Rule::Versions]);
        let lost = found(|state| state.streams.get_mut(&s()).unwrap().removed = 9).await;
        assert_eq!(lost, [Rule::Versions; 2], "its own count, and what the audit tells");
        let hidden = found(|state| state.streams.get_mut(&s()).unwrap().first_version = version(5)).await;
        assert_eq!(hidden, [Rule::Versions]);
        let waiting = |state: &mut State| {
            let entry =
                OutboxEntry { id: Uuid::nil(), queue: "q".into(), body: Json::from_store("0"), due_at: None };
            state.outbox.insert(1, Waiting { number: 1, entry, recorded_at: NOW });
        };
        assert_eq!(found(waiting).await, [Rule::Log]);
        let sealed = |state: &mut State| {
            let event = state.events.get_mut(&position(2)).unwrap();
            event.subject = Some(Subject::new("ada").unwrap());
            event.data = Json::from_store(r#"{"name":{"$sealed":"AAAA"}}"#).into();
        };
        assert_eq!(found(sealed).await, [Rule::SubjectKeys]);
        let wrong = |state: &mut State| {
            sealed(state);
            state.subjects.insert(Subject::new("ada").unwrap(), SubjectKey::Known([1; 32]));
        };
        assert_eq!(found(wrong).await, [Rule::SubjectKeys]);
        assert_eq!(found(|state| link(state, 2)).await, [Rule::Links]);
        assert_eq!(found(|state| link(state, 1)).await, [Rule::Links]);
        let ahead = found(|state| {
            state.checkpoints.insert("test.one/2".into(), position(6));
        })
        .await;
        assert_eq!(ahead, [Rule::Checkpoints]);
        let retired = |state: &mut State| {
            state.generations.values_mut().for_each(|one| one.phase = Phase::Retired);
        };
        assert_eq!(found(retired).await, [Rule::Documents]);
        let commands = |state: &mut State| {
            state.commands.values_mut().for_each(|before| before.appended.last_position = Some(position(9)));
        };
        assert_eq!(found(commands).await, [Rule::Commands]);
        let checkpoint = |state: &mut State| {
            let kept = state.subscriptions.values_mut().next().unwrap();
            kept.partitions[1].checkpoint = Place::new(99);
        };
        assert_eq!(found(checkpoint).await, [Rule::Checkpoints]);
        let letter = |state: &mut State| {
            let kept = state.subscriptions.values_mut().next().unwrap();
            kept.letters.values_mut().next().unwrap().position = position(99);
        };
        assert_eq!(found(letter).await, [Rule::Letters]);
        assert_eq!(found(|state| state.archived_to = position(6)).await, [Rule::Archive]);
        let unreadable = |state: &mut State| {
            state.events.get_mut(&position(2)).unwrap().data = Json::from_store("{").into();
        };
        assert_eq!(found(unreadable).await, [Rule::Payloads]);
    }
}
