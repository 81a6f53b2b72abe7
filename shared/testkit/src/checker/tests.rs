//! The judge is judged: a good history is accepted, and whatever is made wrong in it is found, by the right rule.

use std::collections::HashMap;

use umbel_core::{
    CommandId, EventId, ExpectedVersion, Json, Position, RecordedEvent, TagItem, TagQuery, Tags, Timestamp,
    Version,
    store::{Append, AppendCondition, Appended, ClaimName, Claims, StreamAppend},
};
use uuid::Uuid;

use super::{Accepted, Attempt, History, Outcome, Refusal, Rule, TriedEvent, attempt::content, check};
use crate::conformance::{Events, command, exact, position, stream, version};

use ExpectedVersion::{Any, NoStream, StreamExists};

/// A history as it is told, with the log and the commands that it led to.
#[derive(Default)]
struct Story {
    events: Events,
    history: History,
    lines: [usize; 2],
    log: Vec<RecordedEvent>,
    commands: HashMap<CommandId, Appended>,
}

impl Story {
    /// An append with so many new events for each of these streams.
    fn append(&self, streams: &[(&str, ExpectedVersion, usize)]) -> Append {
        let one = |(name, expected, count): &(&str, _, _)| {
            StreamAppend::new(stream(name), *expected, self.events.many(*count))
        };
        Append { streams: streams.iter().map(one).collect(), ..Append::default() }
    }

    /// A writer sends it and gets an answer.
    fn tell(&mut self, writer: usize, append: &Append, outcome: Outcome) {
        let sent_at = self.lines[writer];
        self.lines[writer] += 2;
        let number = u64::try_from(sent_at).unwrap();
        let told_at = Some(sent_at + 1);
        let attempt = Attempt { writer, number, sent_at, told_at, tried: append.into(), outcome };
        self.history.attempts.push(attempt);
    }

    /// It is stored now.
    fn store(&mut self, append: &Append) -> Outcome {
        let mut versions = Vec::new();
        for one in &append.streams {
            for event in one.events.clone() {
                self.record(one.stream.as_str(), event.id, &event.into());
            }
            versions.push(self.version(one.stream.as_str()));
        }
        let last_position = self.log.last().map(|event| event.position).filter(|_| !versions.is_empty());
        if let Some(record) = append.command.clone() {
            let first = Appended::repeated(last_position, record.reply);
            self.commands.insert(record.id, first);
        }
        Outcome::Stored { last_position, versions }
    }

    /// An event at the end of the log.
    fn record(&mut self, name: &str, id: EventId, event: &TriedEvent) {
        let next = Position::new(self.log.len().try_into().unwrap()).next();
        let data = Json::parse(event.data.clone()).unwrap().into();
        self.log.push(RecordedEvent {
            position: next,
            stream: stream(name),
            version: self.version(name).next(),
            id,
            event_type: event.event_type.clone(),
            recorded_at: Timestamp::from_micros(0),
            data,
            subject: None,
            tags: event.tags.clone(),
            metadata: umbel_core::Metadata::default(),
            linked_at: None,
        });
    }

    fn version(&self, name: &str) -> Version {
        let count = self.log.iter().filter(|event| event.stream.as_str() == name).count();
        version(count.try_into().unwrap())
    }

    fn stored(&mut self, writer: usize, append: &Append) {
        let outcome = self.store(append);
        self.tell(writer, append, outcome);
    }

    fn refused(&mut self, writer: usize, append: &Append, refusal: Refusal) {
        self.tell(writer, append, Outcome::Refused(refusal));
    }

    /// The attempt with this number in the history.
    fn at(&mut self, index: usize) -> &mut Attempt {
        &mut self.history.attempts[index]
    }

    /// Puts the events of an attempt into the log after all.
    fn record_attempt(&mut self, index: usize) {
        for one in self.history.attempts[index].tried.streams.clone() {
            for event in &one.events {
                self.record(one.stream.as_str(), event.id, event);
            }
        }
    }

    /// Lets the events at two positions change places.
    fn swap(&mut self, one: usize, other: usize) {
        self.log.swap(one - 1, other - 1);
        for (event, number) in self.log.iter_mut().zip(1..) {
            event.position = position(number);
        }
    }

    #[track_caller]
    fn breaks(&self, rule: Rule) {
        let broken = check(&self.history, &self.log, &self.commands).expect_err("something is wrong");
        let rules: Vec<_> = broken.iter().map(|broken| broken.rule).collect();
        assert!(rules.contains(&rule), "{rule:?} is not among {broken:#?}");
    }
}

impl From<umbel_core::NewEvent> for TriedEvent {
    fn from(event: umbel_core::NewEvent) -> Self {
        let data = content(&event.data);
        Self { id: event.id, event_type: event.event_type, data, tags: event.tags }
    }
}

fn name() -> ClaimName {
    ClaimName::new("test.name", "x")
}

fn taking(owner: &str, append: Append) -> Append {
    Append {
        claims: Claims { owner: owner.into(), take: vec![name()], release: vec![], from: None },
        ..append
    }
}

fn releasing(owner: &str, append: Append) -> Append {
    Append {
        claims: Claims { owner: owner.into(), take: vec![], release: vec![name()], from: None },
        ..append
    }
}

// Numbers of the attempts in `good`.
const FIRST: usize = 0;
const SECOND: usize = 1;
const AGAIN: usize = 2;
const ATOM: usize = 3;
const CLAIMED: usize = 4;
const UNKNOWN_STORED: usize = 5;
const UNKNOWN: usize = 6;
const EXISTS: usize = 8;
const WRONG: usize = 9;
const NOT_FOUND: usize = 10;
const DUPLICATE: usize = 11;
const NO_EVENTS: usize = 12;
const HELD: usize = 13;
const SENT_AGAIN: usize = 14;

/// Something of everything, and nothing wrong.
fn good() -> Story {
    let mut story = Story::default();
    let first = story.append(&[("a", NoStream, 2)]);
    let first = taking("ada", Append { command: Some(command(1, "1")), ..first });
    story.stored(0, &first);
    let second = story.append(&[("b", exact(0), 1)]);
    story.stored(1, &second);
    let again = Append { command: Some(command(1, "2")), ..story.append(&[("b", Any, 1)]) };
    let reply = Json::parse("1").unwrap();
    story.tell(1, &again, Outcome::Repeated { last_position: Some(position(2)), reply });
    let atom = story.append(&[("a", exact(2), 1), ("b", StreamExists, 2)]);
    story.stored(1, &atom);
    let claimed = taking("bob", story.append(&[("b", Any, 1)]));
    story.refused(1, &claimed, Refusal::Claimed { claim: name(), owner: "ada".into() });
    let unknown = releasing("ada", story.append(&[("a", Any, 1)]));
    story.store(&unknown);
    story.tell(0, &unknown, Outcome::Unknown);
    let unknown = story.append(&[("a", Any, 2)]);
    story.tell(0, &unknown, Outcome::Unknown);
    let taken = taking("bob", story.append(&[("b", Any, 1)]));
    story.stored(1, &taken);
    let wrong = story.append(&[("a", NoStream, 1)]);
    story.refused(1, &wrong, Refusal::StreamExists { stream: stream("a"), actual: version(4) });
    let wrong = story.append(&[("b", exact(7), 1)]);
    story.refused(1, &wrong, Refusal::WrongVersion { stream: stream("b"), actual: version(4) });
    let wrong = story.append(&[("c", StreamExists, 1)]);
    story.refused(1, &wrong, Refusal::StreamNotFound { stream: stream("c") });
    let mut wrong = story.append(&[("c", Any, 2)]);
    wrong.streams[0].events[1].id = second.streams[0].events[0].id;
    story.refused(1, &wrong, Refusal::Duplicate { id: second.streams[0].events[0].id });
    let alone = Append { claims: taking("eve", first.clone()).claims, ..Append::default() };
    let alone = Append {
        claims: Claims { take: vec![ClaimName::new("test.name", "y")], ..alone.claims },
        ..Append::default()
    };
    story.stored(1, &alone);
    let claims = Claims { owner: "ada".into(), ..alone.claims };
    let claim = claims.take[0].clone();
    let held = Append { claims, ..story.append(&[("a", Any, 1)]) };
    story.refused(0, &held, Refusal::Claimed { claim, owner: "eve".into() });
    // A retry of what was stored gets the first answer.
    let outcome = story.history.attempts[SECOND].outcome.clone();
    story.tell(0, &second, outcome);
    story
}

#[test]
fn a_good_history_is_accepted() {
    let story = good();
    let accepted = check(&story.history, &story.log, &story.commands).unwrap();
    let expected = Accepted {
        sent: 15,
        stored: 6,
        repeated: 1,
        refused: 6,
        unknown: 2,
        unknown_stored: 1,
        events: story.log.len(),
    };
    assert_eq!(accepted, expected);
    assert_eq!(check(&History::default(), &[], &HashMap::new()), Ok(Accepted::default()));
}

type Fault = (Rule, &'static str, fn(&mut Story));

const FAULTS: &[Fault] = &[
    (Rule::Log, "a gap", |story| drop(story.log.remove(2))),
    (Rule::Log, "an id twice", |story| story.log[7].id = story.log[0].id),
    (Rule::Origin, "an event of nobody", |story| {
        let event = story.events.one();
        story.record("a", event.id, &event.into());
    }),
    (Rule::Origin, "an event with other data", |story| {
        story.log[2].data = Json::parse("0").unwrap().into();
    }),
    (Rule::Origin, "an event of another type", |story| {
        story.log[2].event_type = "test.changed/1".parse().unwrap();
    }),
    (Rule::Origin, "a refused append is there", |story| story.record_attempt(EXISTS)),
    (Rule::Lost, "an acknowledged append is not there", |story| {
        let outcome = Outcome::Stored { last_position: Some(position(9)), versions: vec![version(5)] };
        story.at(UNKNOWN).outcome = outcome;
    }),
    (Rule::Lost, "an acknowledged append is in two pieces", |story| story.swap(6, 7)),
    (Rule::Lost, "an acknowledged append lacks an event", |story| {
        let more = story.events.one();
        story.at(ATOM).tried.streams[1].events.push(more.into());
    }),
    (Rule::Lost, "a recorded command lacks its events", |story| {
        story.commands.get_mut(&command(1, "1").id).unwrap().repeated = Some(command(1, "2").reply);
    }),
    (Rule::Torn, "half of an unknown append is there", |story| {
        let more = story.events.one();
        story.at(UNKNOWN_STORED).tried.streams[0].events.push(more.into());
    }),
    (Rule::Torn, "an unknown append is in two pieces", |story| {
        story.at(ATOM).outcome = Outcome::Unknown;
        story.swap(6, 7);
    }),
    (Rule::Answer, "a wrong position", |story| {
        let outcome = Outcome::Stored { last_position: Some(position(4)), versions: vec![version(1)] };
        story.at(SECOND).outcome = outcome;
    }),
    (Rule::Answer, "a wrong version", |story| {
        let outcome = Outcome::Stored { last_position: Some(position(3)), versions: vec![version(2)] };
        story.at(SECOND).outcome = outcome;
    }),
    (Rule::Answer, "places for nothing", |story| {
        let outcome = Outcome::Stored { last_position: Some(position(3)), versions: vec![] };
        story.at(NO_EVENTS).outcome = outcome;
    }),
    (Rule::Answer, "a retry gets another answer", |story| {
        let outcome = Outcome::Stored { last_position: Some(position(8)), versions: vec![version(4)] };
        story.at(SENT_AGAIN).outcome = outcome;
    }),
    (Rule::Command, "another reply than the first", |story| {
        let reply = Json::parse("2").unwrap();
        story.at(AGAIN).outcome = Outcome::Repeated { last_position: Some(position(2)), reply };
    }),
    (Rule::Command, "another position than the first", |story| {
        let reply = Json::parse("1").unwrap();
        story.at(AGAIN).outcome = Outcome::Repeated { last_position: Some(position(3)), reply };
    }),
    (Rule::Command, "carried out twice, as it was told", |story| {
        story.record_attempt(AGAIN);
        let outcome = Outcome::Stored { last_position: Some(position(9)), versions: vec![version(5)] };
        story.at(AGAIN).outcome = outcome;
    }),
    (Rule::Command, "carried out twice behind the writer's back", |story| story.record_attempt(AGAIN)),
    (Rule::Command, "carried out twice, the second with an unknown outcome", |story| {
        story.at(AGAIN).outcome = Outcome::Unknown;
        story.record_attempt(AGAIN);
    }),
    (Rule::Command, "forgotten", |story| story.commands.clear()),
    (Rule::Command, "recorded by nobody", |story| {
        story.commands.get_mut(&command(1, "1").id).unwrap().repeated = Some(command(1, "7").reply);
    }),
    (Rule::Command, "recorded elsewhere", |story| {
        story.commands.get_mut(&command(1, "1").id).unwrap().last_position = Some(position(3));
    }),
    (Rule::Expected, "another version was there", |story| {
        story.at(SECOND).tried.streams[0].expected = exact(1);
    }),
    (Rule::Expected, "there was a stream", |story| {
        story.at(ATOM).tried.streams[0].expected = NoStream;
    }),
    (Rule::Expected, "there was no stream", |story| {
        story.at(FIRST).tried.streams[0].expected = StreamExists;
    }),
    (Rule::Expected, "also where the outcome was unknown", |story| {
        story.at(UNKNOWN_STORED).tried.streams[0].expected = exact(2);
    }),
    (Rule::Order, "sent after another was answered, and stored before it", |story| {
        let late = story.at(ATOM);
        (late.sent_at, late.told_at) = (1000, Some(1001));
    }),
    (Rule::Refusal, "a version that never was", |story| {
        let refusal = Refusal::WrongVersion { stream: stream("b"), actual: version(9) };
        story.at(WRONG).outcome = Outcome::Refused(refusal);
    }),
    (Rule::Refusal, "a version that was, long ago", |story| {
        let refusal = Refusal::WrongVersion { stream: stream("b"), actual: version(1) };
        story.at(WRONG).outcome = Outcome::Refused(refusal);
    }),
    (Rule::Refusal, "a version that is yet to be", |story| {
        let refusal = Refusal::StreamExists { stream: stream("a"), actual: version(4) };
        let attempt = story.at(CLAIMED);
        attempt.tried.streams[0].stream = stream("a");
        attempt.tried.streams[0].expected = NoStream;
        attempt.outcome = Outcome::Refused(refusal);
        // Sent by its process after it, so that it stands where the other has not come to.
        let attempt = story.at(UNKNOWN_STORED);
        (attempt.writer, attempt.sent_at, attempt.told_at) = (1, 9, Some(10));
    }),
    (Rule::Refusal, "the version that was expected", |story| {
        story.at(WRONG).tried.streams[0].expected = exact(4);
    }),
    (Rule::Refusal, "an existing stream is missing", |story| {
        story.at(NOT_FOUND).tried.streams[0].stream = stream("b");
        let refusal = Refusal::StreamNotFound { stream: stream("b") };
        story.at(NOT_FOUND).outcome = Outcome::Refused(refusal);
    }),
    (Rule::Refusal, "a missing stream exists", |story| {
        let refusal = Refusal::StreamExists { stream: stream("a"), actual: version(0) };
        story.at(EXISTS).outcome = Outcome::Refused(refusal);
    }),
    (Rule::Refusal, "a new id is a duplicate", |story| {
        let id = story.at(DUPLICATE).tried.streams[0].events[0].id;
        story.at(DUPLICATE).outcome = Outcome::Refused(Refusal::Duplicate { id });
    }),
    (Rule::Refusal, "an id of another append is a duplicate", |story| {
        let id = EventId(Uuid::from_u128(1));
        story.at(DUPLICATE).outcome = Outcome::Refused(Refusal::Duplicate { id });
    }),
    (Rule::Refusal, "a claim is somebody's who never had it", |story| {
        let refusal = Refusal::Claimed { claim: name(), owner: "eve".into() };
        story.at(CLAIMED).outcome = Outcome::Refused(refusal);
    }),
    (Rule::Refusal, "a claim is its own owner's", |story| {
        story.at(HELD).tried.claims.owner = "eve".into();
    }),
    (Rule::Claim, "two owners", |story| story.at(UNKNOWN_STORED).tried.claims.release.clear()),
    (Rule::Claim, "another's claim is given back", |story| {
        story.at(UNKNOWN_STORED).tried.claims.owner = "eve".into();
    }),
    (Rule::Claim, "an append without events takes another's claim", |story| {
        story.at(NO_EVENTS).tried.claims.take = vec![name()];
    }),
];

#[test]
fn every_fault_is_found_by_its_rule() {
    for (rule, fault, make) in FAULTS {
        let mut story = good();
        make(&mut story);
        println!("{rule:?}: {fault}");
        story.breaks(*rule);
    }
}

/// What a fault is called leads to it: whoever reads the message finds the append and the journal.
#[test]
fn a_broken_promise_says_by_whom() {
    let mut story = good();
    story.at(SECOND).tried.streams[0].expected = exact(1);
    let broken = check(&story.history, &story.log, &story.commands).unwrap_err();
    let text = broken[0].to_string();
    assert!(
        text.starts_with("Expected: append 0 of writer 1: it expected version 1 of b, which was at 0"),
        "{text}"
    );
}

/// An append of one event with this tag, on condition that there was none behind a position.
fn conditioned(story: &Story, tag: u32, after: u64) -> Append {
    let mut append = story.append(&[("s", Any, 1)]);
    append.streams[0].events[0].tags = Tags::of("t", tag);
    let item = TagItem::tagged(Tags::of("t", tag)).named(&["test.happened"]);
    append.conditions.push(AppendCondition::new(TagQuery::of([item]), position(after)));
    append
}

/// UX-17: what was stored though its condition failed is found, as is a refusal that shows what was no reason, or came later.
#[test]
fn conditions_are_checked() {
    let refused = |position, after| Refusal::Condition {
        position: Position::new(position),
        after: Position::new(after),
    };
    let mut story = Story::default();
    for (tag, after) in [(1, 0), (2, 0), (1, 1), (2, 2)] {
        let append = conditioned(&story, tag, after);
        story.stored(0, &append);
    }
    let late = conditioned(&story, 1, 1);
    story.refused(1, &late, refused(3, 1));
    let accepted = check(&story.history, &story.log, &story.commands).unwrap();
    assert_eq!((accepted.stored, accepted.refused), (4, 1));

    for wrong in [refused(1, 1), refused(4, 1), refused(3, 0), refused(9, 1)] {
        story.at(4).outcome = Outcome::Refused(wrong);
        story.breaks(Rule::Refusal);
    }
    story.at(4).outcome = Outcome::Refused(refused(3, 1));
    story.at(2).tried.conditions[0].after = position(0);
    story.breaks(Rule::Condition);
    story.at(2).tried.conditions[0].after = position(1);
    story.log[3].tags = Tags::of("t", 1);
    story.breaks(Rule::Lost);
}
