//! Removals: acts that remove for good, one step at a time.
//!
//! A stream may be longer than one transaction should take, for all appends wait while it lasts. So the first step marks what is to
//! go, and the store keeps the removal beside it: from then on nothing of that is read in its stream, appended to or linked.
//! Each step takes the next few versions, with the links to them, and counts what went; appends go on between two of them. The
//! last one records the act, with all that was counted. What ends in between, by a crash too, leaves the removal where its last
//! step was: whoever asks for the same act goes on there.

use std::ops::Range;

use crate::{
    store::{Act, Perform, PerformError, Performed, Removal, plan::StreamState},
    version::{Position, Version},
};

/// A removal that has begun and is not through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removing {
    /// Who asked for what, as the record will say.
    pub request: Perform,
    /// The first version that no step has taken.
    pub next: Version,
    /// The first version to keep; behind the last one of a stream that goes as a whole.
    pub before: Version,
    /// Events that are gone.
    pub events: u64,
    /// Links that are gone.
    pub links: u64,
}

/// What one step of an act led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is done and recorded.
    Done(Performed),
    /// It has begun, and there is more to do.
    More,
    /// Nothing was done: another removal of the same stream has begun, and must be through first.
    After(Box<Perform>),
}

/// What an act has to do first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What it is about, for nothing of it was done.
    Begin,
    /// Its next step.
    GoOn(Box<Removing>),
    /// To wait until another one is through.
    After(Box<Perform>),
}

impl Perform {
    /// Decides against what the store holds: the stream that it is about (`None` when it is not there), the log's head, and what is
    /// being removed of that stream, or under the id of this act.
    ///
    /// # Errors
    /// Why it is not done.
    pub fn turn(
        &self,
        state: Option<&StreamState>,
        head: Position,
        removing: Vec<Removing>,
    ) -> Result<Turn, PerformError> {
        let (own, other): (Vec<_>, Vec<_>) =
            removing.into_iter().partition(|removing| removing.request.id == self.id);
        if let Some(own) = own.into_iter().next() {
            let is_same = own.request.act == self.act;
            return if is_same {
                Ok(Turn::GoOn(Box::new(own)))
            } else {
                Err(PerformError::OtherEvent { id: self.id })
            };
        }
        self.act.check(state, head)?;
        Ok(other.into_iter().next().map_or(Turn::Begin, |other| Turn::After(Box::new(other.request))))
    }
}

impl Act {
    /// Whether the whole stream goes, with its name.
    #[must_use]
    pub const fn ends_stream(&self) -> bool {
        matches!(self, Self::DeleteStream { .. })
    }

    /// Whether this removes for good just what the other one does, so that one of them is enough.
    #[must_use]
    pub fn removes_as(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::DeleteStream { stream, removal: Removal::Hard, .. },
                Self::DeleteStream { stream: other, removal: Removal::Hard, .. },
            ) => stream == other,
            (Self::TruncateStream { removal: Removal::Hard, .. }, _) => self == other,
            _ => false,
        }
    }
}

impl Removing {
    /// Begins a removal from a stream that was found so.
    #[must_use]
    pub fn begin(request: Perform, state: &StreamState) -> Self {
        let end = state.version.next();
        let before = match &request.act {
            Act::TruncateStream { before, .. } => end.min(*before),
            _ => end,
        };
        Self { request, next: Version::START.next().min(before), before, events: 0, links: 0 }
    }

    /// The versions that the next step takes, so many at most.
    #[must_use]
    pub fn step(&self, room: u32) -> Range<Version> {
        self.next..self.next.plus(u64::from(room.max(1))).min(self.before)
    }

    /// A step has taken so much, and has come to this version.
    pub fn took(&mut self, next: Version, events: u64, links: u64) {
        self.next = self.next.max(next);
        self.events = self.events.saturating_add(events);
        self.links = self.links.saturating_add(links);
    }

    /// Whether all is gone that shall go.
    #[must_use]
    pub fn is_through(&self) -> bool {
        self.next >= self.before
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{EventId, ExpectedVersion, Metadata, StreamName};

    fn stream() -> StreamName {
        StreamName::new("s").unwrap()
    }

    fn perform(id: u128, act: Act) -> Perform {
        Perform { id: EventId(Uuid::from_u128(id)), act, metadata: Metadata::default() }
    }

    fn delete(expected: ExpectedVersion, removal: Removal) -> Act {
        Act::DeleteStream { stream: stream(), expected, removal }
    }

    fn truncate(before: u64) -> Act {
        Act::TruncateStream { stream: stream(), before: Version::new(before), removal: Removal::Hard }
    }

    const fn at(version: u64, deleted: bool) -> StreamState {
        StreamState { key: Some(1), version: Version::new(version), deleted }
    }

    fn hard() -> Act {
        delete(ExpectedVersion::Any, Removal::Hard)
    }

    /// LD-07: steps take every version up to the end once, none beyond it, however few one takes, and count what went.
    #[test]
    fn steps_take_everything_once() {
        for (act, end) in [(hard(), 10), (truncate(4), 3), (truncate(11), 10), (truncate(1), 0)] {
            for room in [0, 1, 3, 10, 100] {
                let mut removing = Removing::begin(perform(1, act.clone()), &at(10, false));
                let (mut taken, mut steps) = (Vec::new(), 0);
                while !removing.is_through() {
                    let step = removing.step(room);
                    taken.extend(step.start.get()..step.end.get());
                    // A step that found too many links does not come to its end.
                    let comes_to_end = steps % 2 == 1;
                    if !comes_to_end {
                        taken.truncate(usize::try_from(step.start.get() - 1).unwrap());
                    }
                    removing.took(if comes_to_end { step.end } else { step.start }, 2, 1);
                    steps += 1;
                }
                assert_eq!(taken, (1..=end).collect::<Vec<u64>>(), "{act:?} by {room}");
                assert_eq!((removing.events, removing.links), (2 * steps, steps));
            }
        }
    }

    /// LD-07, UX-02: the same act goes on where it was, unchecked; another one of the stream waits, if it could be done at all; an id is
    /// that of one act.
    #[test]
    fn whose_turn_it_is() {
        let head = Position::new(20);
        let begun = || vec![Removing::begin(perform(1, hard()), &at(10, false))];
        let turn = |request: &Perform, state: StreamState| request.turn(Some(&state), head, begun());
        let goes_on = Ok(Turn::GoOn(Box::new(begun().remove(0))));
        assert_eq!(turn(&perform(1, hard()), at(10, true)), goes_on);
        let waits = Ok(Turn::After(Box::new(perform(1, hard()))));
        assert_eq!(turn(&perform(2, hard()), at(10, true)), waits);
        let expects = |version| delete(ExpectedVersion::Exact(Version::new(version)), Removal::Hard);
        assert_eq!(turn(&perform(2, expects(10)), at(10, true)), waits);
        let wrong = turn(&perform(2, expects(9)), at(10, true));
        assert!(matches!(wrong, Err(PerformError::WrongExpectedVersion { .. })), "{wrong:?}");
        for act in [truncate(3), delete(ExpectedVersion::Any, Removal::Soft)] {
            let deleted = turn(&perform(2, act), at(10, true));
            assert_eq!(deleted, Err(PerformError::StreamDeleted(stream())));
        }
        let other = Err(PerformError::OtherEvent { id: perform(1, hard()).id });
        assert_eq!(turn(&perform(1, truncate(3)), at(10, true)), other);
        assert_eq!(perform(2, hard()).turn(Some(&at(10, false)), head, Vec::new()), Ok(Turn::Begin));
    }

    #[test]
    fn one_of_two_that_remove_the_same_is_enough() {
        let expects = delete(ExpectedVersion::StreamExists, Removal::Hard);
        assert!(hard().removes_as(&expects) && truncate(3).removes_as(&truncate(3)));
        let soft = delete(ExpectedVersion::Any, Removal::Soft);
        for (one, other) in
            [(hard(), soft.clone()), (soft.clone(), soft), (truncate(3), truncate(4)), (hard(), truncate(3))]
        {
            assert!(!one.removes_as(&other) && !other.removes_as(&one), "{one:?} {other:?}");
        }
    }
}
