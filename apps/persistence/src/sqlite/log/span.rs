//! Spans: parts of the log, of as many positions each, whatever is in them.

use umbel_core::Position;

use super::range::Range;

/// How many positions a span has. Small enough that looking through one is quick, large enough that there are few. Files are written
/// so, and some statements know it.
const SPAN: u64 = 4096;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sqlite) struct Span {
    first: Position,
}

impl Span {
    /// The one that a position is in.
    pub(in crate::sqlite) fn of(position: Position) -> Self {
        Self { first: Position::new(position.get().saturating_sub(1) / SPAN * SPAN).next() }
    }

    /// Those that ended when the head moved.
    pub(super) fn ended(before: Position, head: Position) -> impl Iterator<Item = Self> {
        let next = |span: &Self| Some(Self { first: span.first.plus(SPAN) });
        let spans = std::iter::successors(Some(Self::of(before.next())), next);
        spans.take_while(move |span| span.last() <= head)
    }

    pub(in crate::sqlite) const fn first(self) -> Position {
        self.first
    }

    pub(in crate::sqlite) const fn last(self) -> Position {
        self.first.plus(SPAN - 1)
    }

    pub(super) const fn range(self) -> Range {
        Range { low: self.first, high: self.last() }
    }

    /// How far a position is behind the first one; `None` for one that is elsewhere.
    pub(super) fn offset(self, position: Position) -> Option<u16> {
        let offset = position.get().checked_sub(self.first.get()).filter(|offset| *offset < SPAN);
        offset.and_then(|offset| u16::try_from(offset).ok())
    }

    /// The position that is so far behind the first one.
    pub(in crate::sqlite) fn at(self, offset: u16) -> Position {
        self.first.plus(offset.into())
    }
}

/// Where the spans end that the log has passed. What is behind is in the span that is open.
pub(super) const fn closed_to(head: Position) -> Position {
    Position::new(head.get() / SPAN * SPAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn position(number: u64) -> Position {
        Position::new(number)
    }

    #[test]
    fn a_position_is_in_one_span() {
        for (at, first) in [(1, 1), (4096, 1), (4097, 4097), (8192, 4097), (8193, 8193)] {
            let span = Span::of(position(at));
            assert_eq!((span.first(), span.last()), (position(first), position(first + 4095)), "{at}");
            assert_eq!(span.offset(position(at)).map(|offset| span.at(offset)), Some(position(at)));
            assert_eq!((span.offset(position(first - 1)), span.offset(position(first + 4096))), (None, None));
        }
    }

    #[test]
    fn spans_end_where_the_head_passes() {
        for (before, head, expected) in [
            (0, 0, vec![]),
            (0, 4095, vec![]),
            (0, 4096, vec![1]),
            (4095, 4096, vec![1]),
            (4096, 8191, vec![]),
            (4095, 8192, vec![1, 4097]),
            (5000, 13_000, vec![4097, 8193]),
        ] {
            let ended: Vec<_> =
                Span::ended(position(before), position(head)).map(|span| span.first().get()).collect();
            assert_eq!(ended, expected, "{before} to {head}");
            let closed = Span::of(closed_to(position(head)).next());
            assert!(closed.first() <= position(head).next() && position(head) < closed.last());
        }
    }
}
