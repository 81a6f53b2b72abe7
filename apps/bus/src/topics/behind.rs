//! What of the log one subscriber has, topic by topic, and what was left for it to be read there. Pure.
//!
//! Of each topic of the log the subscriber *has* everything up to a position: what was put into its queue, or read from the
//! log. What is offered up to there is known to it already; what is offered beyond while it is behind is left to the log. It
//! is live again as soon as it has what was offered last. So nothing is missing and nothing comes twice, in whatever order
//! offers and reads meet.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use umbel_core::{Position, Timestamp};

use super::queue::{Gap, joined};

/// How far one subscriber has come with its topics of the log.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    topics: BTreeMap<Arc<str>, Cursor>,
    /// Those of which something was left to the log, in the order in which they are read next.
    turns: VecDeque<Arc<str>>,
}

#[derive(Debug)]
struct Cursor {
    /// The subscriber has everything up to here.
    has: Position,
    /// The last position that was left to the log.
    offered: Position,
    /// What was left to the log and was not read from there yet.
    left: Option<Gap>,
}

/// What becomes of an event of the log that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// The subscriber has it already.
    Known,
    /// It stays in the log, to be read from there.
    Left,
    /// It is to be put into the queue.
    Next,
}

/// What a page of the log has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Events in it that had been left to the log.
    pub(crate) caught_up: u64,
    /// Events that had been left to the log, and are there no more.
    pub(crate) vanished: u64,
}

impl Behind {
    /// Whether anything was left to the log.
    pub(crate) fn is_behind(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Events that were left to the log and were not read from there yet.
    pub(crate) fn left(&self) -> u64 {
        let behind = self.turns.iter().filter_map(|topic| self.topics.get(topic)?.left);
        behind.map(|gap| gap.missed).sum()
    }

    /// An event of a topic is offered, which occurred at this moment. Of one topic they come in order. While something is left to the log
    /// everything is.
    pub(crate) fn offer(&mut self, topic: &Arc<str>, position: Position, at: Timestamp, full: bool) -> Share {
        let leave = full || self.is_behind();
        let before = Position::new(position.get().saturating_sub(1));
        let fresh = || Cursor { has: before, offered: before, left: None };
        let cursor = self.topics.entry(Arc::clone(topic)).or_insert_with(fresh);
        if position <= cursor.has {
            return Share::Known;
        }
        if !leave {
            cursor.has = position;
            return Share::Next;
        }
        if cursor.left.is_none() {
            self.turns.push_back(Arc::clone(topic));
        }
        cursor.left = joined(cursor.left, Some(Gap::of(at)));
        cursor.offered = position;
        Share::Left
    }

    /// The topic to be read next, and the position behind which.
    pub(crate) fn next(&self) -> Option<(Arc<str>, Position)> {
        let topic = self.turns.front()?;
        Some((Arc::clone(topic), self.topics.get(topic)?.has))
    }

    /// The log was read behind one position up to another one, and these positions were found. `None` when that is not wanted any more: the
    /// subscriber has come further since, or the topic is gone.
    pub(crate) fn read(
        &mut self,
        topic: &str,
        (after, to): (Position, Position),
        found: impl Iterator<Item = Position>,
    ) -> Option<Progress> {
        let cursor = self.topics.get_mut(topic)?;
        let left = cursor.left.filter(|_| cursor.has == after)?;
        let offered = cursor.offered;
        let caught_up = found.filter(|position| *position <= offered).fold(0, |count, _| count + 1);
        let missed = left.missed.saturating_sub(caught_up);
        cursor.has = to.max(after);
        let is_live = cursor.has >= offered;
        cursor.left = (!is_live).then_some(Gap { missed, ..left });
        let turn = self.turns.iter().position(|one| **one == *topic).and_then(|at| self.turns.remove(at));
        // The others have their turns before it goes on.
        self.turns.extend(turn.filter(|_| !is_live));
        Some(Progress { caught_up, vanished: if is_live { missed } else { 0 } })
    }

    /// Forgets the topics that are meant; how many events had been left of them.
    pub(crate) fn forget(&mut self, mut meant: impl FnMut(&str) -> bool) -> u64 {
        let before = self.left();
        self.topics.retain(|topic, _| !meant(topic));
        self.turns.retain(|topic| !meant(topic));
        before - self.left()
    }

    /// Gives up on the log; what had been left to it.
    pub(crate) fn give_up(&mut self) -> Option<Gap> {
        let Self { topics, .. } = std::mem::take(self);
        topics.into_values().fold(None, |gap, cursor| joined(gap, cursor.left))
    }
}

#[cfg(test)]
mod tests;
