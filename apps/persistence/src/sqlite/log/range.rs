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

    /// Whether a position is in it.
    pub(super) fn has(self, position: Position) -> bool {
        self.low <= position && position <= self.high
    }

    /// How many positions it has.
    pub(super) fn len(self) -> usize {
        let count = self.high.next().get().saturating_sub(self.low.get());
        usize::try_from(count).unwrap_or(usize::MAX)
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
        self.split(archived_to, [Table::Archive, Table::Log], direction)
    }

    /// Its parts up to a position and behind it, in reading order, each with what it is called.
    pub(super) fn split<T: Copy>(
        self,
        at: Position,
        [before, behind]: [T; 2],
        direction: Direction,
    ) -> Vec<(T, Self)> {
        let mut parts = vec![
            (before, Self { high: self.high.min(at), ..self }),
            (behind, Self { low: self.low.max(at.next()), ..self }),
        ];
        parts.retain(|(_, part)| !part.is_empty());
        if direction == Direction::Backward {
            parts.reverse();
        }
        parts
    }
}
