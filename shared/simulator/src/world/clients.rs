//! Clients: they append, wait for an answer for a while, and try again with the same ids, perhaps elsewhere.

use std::rc::Rc;

use umbel_core::{
    CommandId, EventId, EventName, ExpectedVersion, Json, Metadata, NewEvent, Payload, Position, TagQuery,
    Tags, Version,
    event::EventType,
    store::{Append, AppendCondition, AppendError, CommandRecord, StreamAppend},
};
use uuid::Uuid;

use super::World;
use crate::{
    node::Waiting,
    oracle::Broken,
    schedule::{Address, Event, Part, Reply},
    store::{EVENT, count},
};

/// Intents that are open at the same time.
const OPEN_MAX: usize = 12;

/// Something that a client wants to append.
#[derive(Debug)]
pub(crate) struct Intent {
    pub(crate) append: Rc<Append>,
    pub(crate) tries: Vec<Try>,
    /// Whether the client does nothing more about it.
    pub(crate) is_over: bool,
}

/// How a try stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Try {
    Waiting,
    Unknown,
    Refused,
}

impl World {
    pub(super) fn begin(&mut self) {
        if self.quiet {
            return;
        }
        let every = self.shape.begin_every;
        let after = self.chances.clients.between(1, every * 2);
        self.after(after, Event::Begin);
        if self.open_intents() >= OPEN_MAX {
            return;
        }
        let append = Rc::new(self.fresh_append());
        let intent = self.intents.len();
        self.say(|| format!("client: intent {intent} is {}", tell(&append)));
        self.oracle.intends(intent, &append);
        self.intents.push(Intent { append, tries: Vec::new(), is_over: false });
        self.try_again(intent, 0);
    }

    pub(super) fn open_intents(&self) -> usize {
        self.intents.iter().filter(|intent| !intent.is_over).count()
    }

    fn fresh_append(&mut self) -> Append {
        let first = self.chances.clients.below(self.shape.streams.len());
        let second = self.chances.clients.below(self.shape.streams.len());
        let two = self.chances.clients.one_in(8) && second != first;
        let streams = if two { vec![first, second] } else { vec![first] };
        let streams = streams.into_iter().map(|stream| self.fresh_stream_append(stream)).collect();
        let command = self.chances.clients.one_in(4).then(|| CommandRecord {
            id: CommandId(Uuid::from_u128(self.fresh().into())),
            reply: Json::from_store("1"),
        });
        let mut append = Append { streams, command, ..Append::default() };
        if self.chances.clients.one_in(4) {
            self.decide_by_tag(&mut append);
        }
        append
    }

    /// The append rests on what has a tag, as far as its client has read the log, and adds to that: so of several who decide on the same only
    /// one is right.
    fn decide_by_tag(&mut self, append: &mut Append) {
        let tags = self.fresh_tag();
        let head = count(self.store.log.entries.len());
        let unread = if self.chances.clients.one_in(4) { self.chances.clients.between(1, 6) } else { 0 };
        let after = Position::new(head.saturating_sub(unread));
        append.conditions.push(AppendCondition::new(TagQuery::tagged(tags.clone()), after));
        if let Some(event) = append.streams.first_mut().and_then(|stream| stream.events.first_mut()) {
            event.tags = tags;
        }
    }

    fn fresh_tag(&mut self) -> Tags {
        let most = self.shape.tags;
        Tags::of("sim", self.chances.clients.small(1, most))
    }

    fn fresh_stream_append(&mut self, stream: usize) -> StreamAppend {
        let stream = self.shape.streams[stream].clone();
        let version = self.store.log.version(&stream);
        let expected = match self.chances.clients.below(10) {
            0..=3 => ExpectedVersion::Any,
            4..=6 => ExpectedVersion::Exact(version),
            // Somebody who has not seen the last event.
            7 => ExpectedVersion::Exact(Version::new(version.get().saturating_sub(1))),
            8 if version == Version::START || self.chances.clients.one_in(4) => ExpectedVersion::NoStream,
            _ => ExpectedVersion::StreamExists,
        };
        let events = (0..self.chances.clients.between(1, 4)).map(|_| self.fresh_event()).collect();
        StreamAppend::new(stream, expected, events)
    }

    fn fresh_event(&mut self) -> NewEvent {
        let schema = self.chances.clients.small(1, 3);
        NewEvent {
            id: EventId(Uuid::from_u128(self.fresh().into())),
            event_type: EventType { name: EventName::known(EVENT), schema },
            data: Payload::from(Json::from_store("{}")),
            subject: None,
            tags: if self.chances.clients.one_in(8) { self.fresh_tag() } else { Tags::none() },
            metadata: Metadata::default(),
        }
    }

    /// The same append, for which a writer with a bug makes new ids.
    pub(super) fn with_fresh_ids(&mut self, append: &Append) -> Append {
        let mut append = append.clone();
        for event in append.streams.iter_mut().flat_map(|stream| &mut stream.events) {
            event.id = EventId(Uuid::from_u128(self.fresh().into()));
        }
        append
    }

    /// A client tries an intent again after a while, at some node.
    fn try_again(&mut self, intent: usize, after: u64) {
        let number = self.intents[intent].tries.len();
        self.intents[intent].tries.push(Try::Waiting);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let node = self.chances.clients.below(self.nodes.len());
        let on_its_way = after + self.delay();
        self.after(on_its_way, Event::Try { node, intent, number });
        self.after(after + self.shape.patience, Event::TimeUp { intent, number });
    }

    /// A try reaches a node.
    pub(super) fn take_try(&mut self, node: usize, intent: usize, number: u32) {
        let append = Rc::clone(&self.intents[intent].append);
        let queue_max = self.shape.queue_max;
        let process = self.nodes[node].process.as_mut().filter(|process| !process.stopping);
        let writer = process.and_then(|process| process.writer.as_mut());
        let Some(writer) = writer.filter(|writer| writer.queue.len() < queue_max) else {
            self.say(|| format!("node {node} refuses intent {intent}, try {number}: no room or no writer"));
            self.reply(intent, number, Reply::Refused);
            return;
        };
        writer.queue.push_back(Waiting { intent, number, append });
        let to = Address { node, part: Part::Writer, incarnation: writer.incarnation };
        self.after(0, Event::Write { to });
    }

    /// A client is told what became of a try, if nothing happens on the way.
    pub(super) fn reply(&mut self, intent: usize, number: u32, reply: Reply) {
        let after = self.delay();
        self.after(after, Event::Reply { intent, number, reply });
    }

    /// A client hears what became of a try.
    pub(super) fn hear(&mut self, intent: usize, number: u32, reply: Reply) -> Result<(), Broken> {
        self.say(|| format!("client hears of intent {intent}, try {number}: {reply:?}"));
        let append = Rc::clone(&self.intents[intent].append);
        let Intent { tries, is_over, .. } = &mut self.intents[intent];
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        match reply {
            Reply::Outcome(outcome) => {
                if outcome.is_err() {
                    tries[at] = Try::Refused;
                }
                // Another try that nobody knows anything of may still be stored.
                let alone = tries.iter().all(|one| *one == Try::Refused);
                let was_over = std::mem::replace(is_over, true);
                self.oracle.told(intent, &append, &outcome, alone)?;
                if !append.conditions.is_empty() && outcome.is_ok() {
                    self.count("condition held");
                }
                match *outcome {
                    Ok(appended) if !was_over => self.begin_wait(appended.last_position),
                    Err(AppendError::ConditionFailed { .. }) => self.count("condition failed"),
                    Ok(_) => {}
                    Err(_) => self.count("refused append"),
                }
                return Ok(());
            }
            Reply::Refused => tries[at] = Try::Refused,
            Reply::Unknown => tries[at] = Try::Unknown,
        }
        if !*is_over && at + 1 == tries.len() {
            let after = self.chances.clients.between(20, 200);
            self.try_again(intent, after);
        }
        Ok(())
    }

    /// A client stops waiting for a try.
    pub(super) fn time_up(&mut self, intent: usize, number: u32) {
        let Intent { tries, is_over, .. } = &mut self.intents[intent];
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if *is_over || tries[at] != Try::Waiting {
            return;
        }
        tries[at] = Try::Unknown;
        if at + 1 == tries.len() {
            self.say(|| format!("client: intent {intent}, try {number} is not answered in time"));
            self.count("append tried again");
            self.try_again(intent, 0);
        }
    }
}

fn tell(append: &Append) -> String {
    let tell = |stream: &StreamAppend| {
        let events: Vec<_> =
            stream.events.iter().map(|event| (event.id.0.as_u128(), event.event_type.schema)).collect();
        format!("{} expected at {}: events (id, kind) {events:?}", stream.stream, stream.expected)
    };
    let condition = |condition: &AppendCondition| {
        let tags: Vec<_> = condition.query.items().iter().map(|item| format!("{:?}", item.tags)).collect();
        format!(", if nothing behind {} has {tags:?}", condition.after)
    };
    let streams: Vec<_> = append.streams.iter().map(tell).collect();
    streams.join(" and ") + &append.conditions.iter().map(condition).collect::<String>()
}
