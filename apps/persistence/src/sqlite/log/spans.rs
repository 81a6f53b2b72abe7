//! What spans say of their events as a whole, their times and conversations: which of them a read may leave out.

use rusqlite::{Connection, Row, params};
use umbel_core::{Position, Timestamp, document::Direction};
use uuid::Uuid;

use super::{
    range::Range,
    span::{Span, closed_to},
};
use crate::{
    filter::Filter,
    sqlite::sql::{
        FIND_CONVERSATION_SPANS_BACKWARD, FIND_CONVERSATION_SPANS_FORWARD, FIND_SPANS_BACKWARD,
        FIND_SPANS_FORWARD,
    },
};

/// How many spans one page goes through, at most.
const SPANS_MAX: u32 = 256;

/// What an event that is wanted has, by which spans are left out. At least one of it.
#[derive(Clone, Debug)]
pub(super) struct Sieve {
    /// It was recorded at this moment or later,
    pub(super) from: Option<Timestamp>,
    /// before this one,
    pub(super) until: Option<Timestamp>,
    /// and is of these conversations and causes.
    pub(super) ids: Vec<Uuid>,
}

/// Where to look, in reading order, and how far that covers a range.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) ranges: Vec<Range>,
    pub(super) covered_to: Position,
}

/// The parts of a range that may hold such events. The open span is one of them.
pub(super) fn windows(
    connection: &Connection,
    range: Range,
    sieve: &Sieve,
    head: Position,
    direction: Direction,
) -> rusqlite::Result<Windows> {
    let closed_to = closed_to(head);
    let sql = match (direction, sieve.ids.is_empty()) {
        (Direction::Forward, true) => FIND_SPANS_FORWARD,
        (Direction::Backward, true) => FIND_SPANS_BACKWARD,
        (Direction::Forward, false) => FIND_CONVERSATION_SPANS_FORWARD,
        (Direction::Backward, false) => FIND_CONVERSATION_SPANS_BACKWARD,
    };
    let parameters = params![
        Span::of(range.low).first().to_i64(),
        closed_to.min(range.high).to_i64(),
        sieve.from.map(Timestamp::as_micros),
        sieve.until.map(Timestamp::as_micros),
        SPANS_MAX,
    ];
    let seen = connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| {
            let span = Span::of(Position::from_i64(row.get(0)?));
            Ok((span.range().within(range), sieve.passes(row)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let open = Range { low: closed_to.next(), high: head }.within(range);
    let is_cut = seen.len() >= usize::try_from(SPANS_MAX).unwrap_or(usize::MAX);
    let last = seen.last().map(|(span, _)| *span).filter(|_| is_cut);
    let found = seen.into_iter().filter_map(|(span, passes)| passes.then_some(span)).collect::<Vec<_>>();
    let (covered_to, ranges) = match (direction, last) {
        (Direction::Forward, Some(last)) => (last.high, found),
        (Direction::Forward, None) => (range.high, [found, vec![open]].concat()),
        (Direction::Backward, last) => {
            (last.map_or(range.low, |last| last.low), [vec![open], found].concat())
        }
    };
    let ranges = ranges.into_iter().filter(|range| !range.is_empty()).collect();
    // Those of conversations are looked through, each as a whole, for the few events that they may hold: between two of them a page may end.
    let ranges = if sieve.ids.is_empty() { joined(ranges, direction) } else { ranges };
    Ok(Windows { ranges, covered_to })
}

impl Sieve {
    /// Whether the span of a row, whose times are right, may hold such an event. A filter that was lost says nothing.
    fn passes(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let stored = row.get_ref(1)?.as_blob_or_null()?;
        Ok(stored.is_none_or(|stored| {
            let filter = Filter::stored(stored);
            self.ids.iter().all(|id| filter.may_hold(*id))
        }))
    }
}

/// Neighbours as one.
fn joined(ranges: Vec<Range>, direction: Direction) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges {
        match (direction, joined.last_mut()) {
            (Direction::Forward, Some(last)) if last.high.next() == range.low => last.high = range.high,
            (Direction::Backward, Some(last)) if range.high.next() == last.low => last.low = range.low,
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined() {
        let range = |low, high| Range { low: Position::new(low), high: Position::new(high) };
        let forward = vec![range(1, 4), range(5, 8), range(13, 20)];
        let backward = forward.iter().rev().copied().collect();
        assert_eq!(joined(forward, Direction::Forward), [range(1, 8), range(13, 20)]);
        assert_eq!(joined(backward, Direction::Backward), [range(13, 20), range(1, 8)]);
    }
}
