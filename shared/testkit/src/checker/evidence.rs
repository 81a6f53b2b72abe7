//! What the rules look at: each attempt with its place in the log, and with the moments between which it was decided.

use std::collections::{HashMap, HashSet};

use umbel_core::{CommandId, EventId, RecordedEvent, StreamName, store::Appended};

use super::{
    Accepted, Broken, History, Rule,
    attempt::{Attempt, Outcome, TriedEvent, content},
};

/// Characters of an attempt that are shown; the rest is in its journal.
const SHOWN_MAX: usize = 1000;

/// A history beside its log.
pub(super) struct Evidence<'a> {
    pub(super) log: &'a [RecordedEvent],
    pub(super) commands: &'a HashMap<CommandId, Appended>,
    pub(super) cases: Vec<Case<'a>>,
    by_id: HashMap<EventId, &'a RecordedEvent>,
    /// Positions of each stream's events.
    streams: HashMap<&'a StreamName, Vec<u64>>,
}

/// One attempt.
pub(super) struct Case<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) place: Place<'a>,
    /// Whether what it was told allows that this attempt stored something.
    pub(super) may_have_stored: bool,
    /// Whether no other attempt sent one of its events, too.
    pub(super) sole: bool,
    /// How far the log went for certain when it was sent: the highest position its process had been told of.
    pub(super) after: u64,
    /// Where the log had not yet come when it was answered: the lowest position of what its process sent later.
    pub(super) before: u64,
}

/// Where an attempt's events are.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// It has none.
    NoEvents,
    /// None is in the log.
    Nowhere,
    /// Some are, or they are not together; what exactly.
    Partly(String),
    /// All are, one after the other.
    Whole(Vec<&'a RecordedEvent>),
}

impl<'a> Evidence<'a> {
    pub(super) fn new(
        history: &'a History,
        log: &'a [RecordedEvent],
        commands: &'a HashMap<CommandId, Appended>,
    ) -> Self {
        let by_id = log.iter().map(|event| (event.id, event)).collect();
        let mut streams: HashMap<_, Vec<_>> = HashMap::new();
        for event in log {
            streams.entry(&event.stream).or_default().push(event.position.get());
        }
        let mut evidence = Self { log, commands, cases: Vec::new(), by_id, streams };
        let shared = shared_ids(&history.attempts);
        let case = |attempt| evidence.case(attempt, &shared);
        evidence.cases = history.attempts.iter().map(case).collect();
        evidence.cases.sort_by_key(|case| (case.attempt.writer, case.attempt.sent_at));
        bound(&mut evidence.cases);
        evidence
    }

    fn case(&self, attempt: &'a Attempt, shared: &HashSet<EventId>) -> Case<'a> {
        let own_reply = |id, reply| self.recorded_reply(id) == Some(reply);
        let may_have_stored = match (&attempt.outcome, &attempt.tried.command) {
            (Outcome::Refused(_), _) => false,
            // A writer whose connection was lost may find its own command carried out.
            (Outcome::Unknown | Outcome::Repeated { .. }, Some(own)) => own_reply(own.id, &own.reply),
            (Outcome::Repeated { .. }, None) => false,
            (Outcome::Stored { .. } | Outcome::Unknown, _) => true,
        };
        Case {
            attempt,
            place: self.place(attempt),
            may_have_stored,
            sole: attempt.tried.events().all(|(_, event)| !shared.contains(&event.id)),
            after: 0,
            before: u64::MAX,
        }
    }

    fn place(&self, attempt: &Attempt) -> Place<'a> {
        let wanted = attempt.tried.events();
        let found: Vec<_> = wanted.map(|(stream, event)| self.recorded(stream, event)).collect();
        if found.is_empty() {
            return Place::NoEvents;
        }
        let events: Vec<_> = found.iter().copied().flatten().collect();
        if events.is_empty() {
            Place::Nowhere
        } else if events.len() < found.len() {
            Place::Partly(format!("{} of its {} events are there", events.len(), found.len()))
        } else if let Some(pair) = events.windows(2).find(|pair| pair[0].position.next() != pair[1].position)
        {
            let (one, next) = (pair[0].position, pair[1].position);
            Place::Partly(format!("its events at {one} and {next} are not neighbours"))
        } else {
            Place::Whole(events)
        }
    }

    /// The log's event that is this one, not only by its id.
    pub(super) fn recorded(&self, stream: &StreamName, event: &TriedEvent) -> Option<&'a RecordedEvent> {
        self.by_id.get(&event.id).copied().filter(|recorded| {
            recorded.stream == *stream
                && recorded.event_type == event.event_type
                && content(&recorded.data) == event.data
                && recorded.tags == event.tags
        })
    }

    fn recorded_reply(&self, id: CommandId) -> Option<&'a umbel_core::Json> {
        self.commands.get(&id)?.repeated.as_ref()
    }

    /// Where an event with this id stands, whoever wrote it.
    pub(super) fn position_of(&self, id: EventId) -> Option<u64> {
        self.by_id.get(&id).map(|event| event.position.get())
    }

    /// The log up to a position. Nothing was removed from it.
    pub(super) fn upto(&self, position: u64) -> &'a [RecordedEvent] {
        let count = usize::try_from(position).unwrap_or(usize::MAX).min(self.log.len());
        &self.log[..count]
    }

    /// A stream's version when the log went up to `position`.
    pub(super) fn version_at(&self, stream: &StreamName, position: u64) -> u64 {
        let positions = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let count = positions.partition_point(|at| *at <= position);
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    pub(super) fn accepted(&self) -> Accepted {
        let mut numbers = Accepted { events: self.log.len(), ..Accepted::default() };
        for case in &self.cases {
            numbers.sent += 1;
            match case.attempt.outcome {
                Outcome::Stored { .. } => numbers.stored += 1,
                Outcome::Repeated { .. } => numbers.repeated += 1,
                Outcome::Refused(_) => numbers.refused += 1,
                Outcome::Unknown => {
                    numbers.unknown += 1;
                    numbers.unknown_stored += usize::from(case.span().is_some());
                }
            }
        }
        numbers
    }
}

impl Case<'_> {
    /// First and last position, if it is in the log as a whole.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        let Place::Whole(events) = &self.place else { return None };
        Some((events.first()?.position.get(), events.last()?.position.get()))
    }

    /// Whether it is in the log as a whole, put there by itself or by the same append sent once more.
    pub(super) fn is_stored(&self) -> bool {
        self.may_have_stored && self.span().is_some()
    }

    pub(super) fn breaks(&self, rule: Rule, what: impl std::fmt::Display) -> Broken {
        let attempt = format!("{:?}", self.attempt);
        let short: String = attempt.chars().take(SHOWN_MAX).collect();
        Broken { rule, what: format!("{}: {what}\n  it is {short}", self.attempt) }
    }
}

/// Ids that several attempts sent.
fn shared_ids(attempts: &[Attempt]) -> HashSet<EventId> {
    let mut seen = HashSet::new();
    let ids = attempts.iter().flat_map(|attempt| attempt.tried.events().map(|(_, event)| event.id));
    ids.filter(|id| !seen.insert(*id)).collect()
}

/// Finds out between which moments each attempt was decided. Cases are in the order of their journals, and within each
/// in the order of sending.
fn bound(cases: &mut [Case<'_>]) {
    for journal in cases.chunk_by_mut(|one, next| one.attempt.writer == next.attempt.writer) {
        let mut told: Vec<(usize, u64)> = journal
            .iter()
            .filter_map(|case| {
                let last = match &case.attempt.outcome {
                    Outcome::Stored { last_position, .. } | Outcome::Repeated { last_position, .. } => {
                        *last_position
                    }
                    Outcome::Refused(_) | Outcome::Unknown => None,
                };
                Some((case.attempt.told_at?, last?.get()))
            })
            .collect();
        told.sort_unstable();
        let (mut told, mut after) = (told.into_iter().peekable(), 0);
        for case in journal.iter_mut() {
            while let Some((_, last)) = told.next_if(|(at, _)| *at < case.attempt.sent_at) {
                after = after.max(last);
            }
            case.after = after;
        }
        let sent: Vec<(usize, u64)> = { journal.iter() }
            .filter(|case| case.sole && case.is_stored())
            .filter_map(|case| Some((case.attempt.sent_at, case.span()?.0)))
            .collect();
        // Lowest position from each place on, so that each case needs one look.
        let mut lowest = vec![u64::MAX; sent.len() + 1];
        for (index, (_, first)) in sent.iter().enumerate().rev() {
            lowest[index] = lowest[index + 1].min(*first);
        }
        for case in journal.iter_mut() {
            if let Some(told_at) = case.attempt.told_at
                && case.attempt.outcome != Outcome::Unknown
            {
                case.before = lowest[sent.partition_point(|(at, _)| *at < told_at)];
            }
        }
    }
}
