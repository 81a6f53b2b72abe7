//! Random appends of every kind, right and wrong, that meet those of other writers often.

use std::collections::{HashMap, VecDeque};

use serde_json::json;
use umbel_core::{
    CommandId, EventId, ExpectedVersion, Json, Metadata, NewEvent, Payload, Position, StreamName, TagItem,
    TagQuery, Tags, Version,
    store::{Append, AppendCondition, AppendError, Appended, ClaimName, Claims, CommandRecord, StreamAppend},
};
use uuid::Uuid;

use super::Dice;

/// Streams that all writers share. Few, so that they meet.
const SHARED_STREAMS: u64 = 5;
/// Event ids that all writers use now and then, each with data of its own.
const COMMON_IDS: u64 = 40;
/// Owners and values of claims.
const OWNERS: u64 = 3;
const VALUES: u64 = 6;
/// Tags of events and in conditions.
const COURSES: u64 = 4;
const STUDENTS: u64 = 6;
/// Appends that may be sent once more.
const REMEMBERED: usize = 20;

/// What one writer sends, one after the other. Everything it makes carries its own name.
pub(crate) struct Appends {
    dice: Dice,
    name: String,
    made: u64,
    sent: VecDeque<Append>,
    /// Streams as it believes them to be.
    versions: HashMap<StreamName, Version>,
    /// How far the log goes, as far as it was told.
    head: Position,
}

impl Appends {
    pub(crate) fn new(mut dice: Dice) -> Self {
        let name = format!("{:016x}", dice.any());
        Self { dice, name, made: 0, sent: VecDeque::new(), versions: HashMap::new(), head: Position::START }
    }

    /// The next append: mostly a new one, now and then one that was sent before.
    pub(crate) fn next(&mut self) -> Append {
        if self.dice.once_in(8)
            && let Some(again) = self.dice.pick(self.sent.make_contiguous()).cloned()
        {
            return again;
        }
        self.made += 1;
        let mut append = Append { streams: self.streams(), ..Append::default() };
        if self.dice.once_in(3) {
            append.claims = self.claims();
        }
        if self.dice.once_in(3) {
            append.conditions.push(self.condition());
        }
        if self.dice.once_in(4) {
            append.command = Some(self.command());
        }
        if self.dice.once_in(20) {
            // Claims or a command alone, or nothing at all.
            append.streams.clear();
        }
        if self.dice.once_in(25) {
            self.spoil(&mut append);
        }
        self.sent.push_back(append.clone());
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
        append
    }

    /// Learns from an answer.
    pub(crate) fn learn(&mut self, append: &Append, outcome: &Result<Appended, AppendError>) {
        match outcome {
            Ok(appended) => {
                let names = append.streams.iter().map(|one| one.stream.clone());
                self.versions.extend(names.zip(appended.versions.iter().copied()));
                self.head = self.head.max(appended.last_position.unwrap_or_default());
            }
            Err(
                AppendError::WrongExpectedVersion { stream, actual, .. }
                | AppendError::StreamExists { stream, actual },
            ) => {
                self.versions.insert(stream.clone(), *actual);
            }
            Err(AppendError::ConditionFailed { position, .. }) => self.head = self.head.max(*position),
            Err(_) => {}
        }
    }

    fn streams(&mut self) -> Vec<StreamAppend> {
        let mut streams: Vec<StreamAppend> = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let stream = self.stream();
            if streams.iter().all(|one| one.stream != stream) {
                let count = if self.dice.once_in(30) { 40 } else { 1 + self.dice.below(4) };
                let first = streams.iter().map(|one| one.events.len() as u64).sum();
                let events = (first..first + count).map(|number| self.event(number)).collect();
                let expected = self.expected(&stream);
                streams.push(StreamAppend::new(stream, expected, events));
            }
        }
        if self.dice.once_in(15)
            && let Some(one) = streams.first_mut()
        {
            // An id that another append may have, beside new ones, so that this is never the same append again.
            let id = self.used_id();
            one.events.push(NewEvent { id, ..self.event(1000) });
        }
        streams
    }

    fn stream(&mut self) -> StreamName {
        let name = match self.dice.below(8) {
            0 => format!("own-{}", self.name),
            1 => format!("fresh-{}-{}", self.name, self.dice.any()),
            _ => format!("race-{}", self.dice.below(SHARED_STREAMS)),
        };
        StreamName::new(name).unwrap()
    }

    fn expected(&mut self, stream: &StreamName) -> ExpectedVersion {
        let believed = self.versions.get(stream).copied().unwrap_or_default();
        match self.dice.below(12) {
            0..=3 => ExpectedVersion::Any,
            4 => ExpectedVersion::NoStream,
            5 | 6 => ExpectedVersion::StreamExists,
            7 => {
                ExpectedVersion::Exact(Version::new((believed.get() + self.dice.below(5)).saturating_sub(2)))
            }
            _ => ExpectedVersion::Exact(believed),
        }
    }

    /// An event with data that no other has.
    fn event(&mut self, number: u64) -> NewEvent {
        let id = EventId(Uuid::from_u64_pair(self.dice.any(), self.dice.any()));
        let data = json!({"by": self.name, "append": self.made, "event": number});
        let (event_type, data) = if self.dice.once_in(10) {
            ("race.filmed/2", Payload::Binary(data.to_string().into_bytes().into()))
        } else {
            ("race.ran/1", Payload::json(&data).unwrap())
        };
        let event_type = event_type.parse().unwrap();
        let tags = if self.dice.once_in(3) { self.tags() } else { Tags::none() };
        NewEvent { id, event_type, data, subject: None, tags, metadata: Metadata::default() }
    }

    /// Tags that all writers use.
    fn tags(&mut self) -> Tags {
        let tags = Tags::of("course", self.dice.below(COURSES));
        if self.dice.once_in(2) { tags.and("student", self.dice.below(STUDENTS)) } else { tags }
    }

    /// A condition about a course or a student, mostly of what it knows.
    fn condition(&mut self) -> AppendCondition {
        let mut item = TagItem::tagged(self.tags());
        if self.dice.once_in(3) {
            item = item.named(&["race.ran"]);
        }
        let query = TagQuery::of([item]);
        let query = if self.dice.once_in(3) {
            query.or(Tags::of("student", self.dice.below(STUDENTS)))
        } else {
            query
        };
        let back = if self.dice.once_in(3) { self.dice.below(10) } else { 0 };
        AppendCondition::new(query, Position::new(self.head.get().saturating_sub(back)))
    }

    fn used_id(&mut self) -> EventId {
        let earlier = self.dice.pick(self.sent.make_contiguous());
        let earlier = earlier.and_then(|append| append.streams.first()?.events.first());
        match earlier.map(|event| event.id) {
            Some(id) if self.dice.once_in(2) => id,
            _ => EventId(common(1, self.dice.below(COMMON_IDS))),
        }
    }

    fn claims(&mut self) -> Claims {
        let owner = format!("owner-{}", self.dice.below(OWNERS));
        Claims { owner, take: self.claim_names(), release: self.claim_names(), from: None }
    }

    fn claim_names(&mut self) -> Vec<ClaimName> {
        let count = self.dice.below(3);
        (0..count).map(|_| ClaimName::new("race.name", self.dice.below(VALUES).to_string())).collect()
    }

    /// A command with a reply that no other has; half of the ids are other writers', too.
    fn command(&mut self) -> CommandRecord {
        let id = if self.dice.once_in(2) {
            common(2, self.dice.below(50 + 2 * self.made))
        } else {
            Uuid::from_u64_pair(self.dice.any(), self.dice.any())
        };
        let reply = Json::encode(&format!("{}/{}", self.name, self.made)).unwrap();
        CommandRecord { id: CommandId(id), reply }
    }

    /// Makes it one that no store takes.
    fn spoil(&mut self, append: &mut Append) {
        let Some(first) = append.streams.first().cloned() else { return };
        match self.dice.below(5) {
            0 => append.streams.push(first),
            1 => append.streams.push(StreamAppend { stream: StreamName::audit(), ..first }),
            2 => append.streams.iter_mut().for_each(|one| one.events.clear()),
            3 => append.streams.iter_mut().for_each(|one| one.events.extend(one.events.clone())),
            _ => *append = Append::default(),
        }
    }
}

/// An id that all writers know.
fn common(kind: u64, number: u64) -> Uuid {
    Uuid::from_u64_pair(kind, number)
}
