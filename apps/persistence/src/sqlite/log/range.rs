//! Ranges of positions.

use umbel_core::{Position, document::Direction, store::ReadAll};

use crate::sqlite::sql::Table;

/// Positions between these, both included; none when the lowest is above the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) low: Position,
    pub(super) high: Position,
}

impl Range {
    /// What a request goes through.
    pub(super) fn of(request: &ReadAll, head: Position) -> Self {
        let first = Position::START.next();
        match request.direction {
            Direction::Forward => Self { low: request.from.unwrap_or(first).max(first), high: head },
            Direction::Backward => {
                Self { low: first, high: request.from.map_or(head, |from| from.min(head)) }
            }
        }
    }

    /// Its part within another one.
    pub(super) fn within(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    pub(super) fn is_empty(self) -> bool {
        self.low > self.high
    }

    /// Where going through it ends.
    pub(super) fn end(self, direction: Direction) -> Position {
        match direction {
            Direction::Forward => self.high,
            Direction::Backward => self.low,
        }
    }

    /// Its parts in the archive and behind it, in reading order.
    pub(super) fn parts(self, archived_to: Position, direction: Direction) -> Vec<(Table, Self)> {
        let archived = Self { low: self.low, high: self.high.min(archived_to) };
        let rest = Self { low: self.low.max(archived_to.next()), high: self.high };
        let mut parts = vec![(Table::Archive, archived), (Table::Log, rest)];
        parts.retain(|(_, part)| !part.is_empty());
        if direction == Direction::Backward {
            parts.reverse();
        }
        parts
    }
}
