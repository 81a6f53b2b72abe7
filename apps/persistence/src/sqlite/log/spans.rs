//! The times of spans of positions: what a read by time may leave out.

use rusqlite::{Connection, params};
use umbel_core::{Position, Timestamp, document::Direction};

use super::range::Range;
use crate::sqlite::sql::{FIND_SPANS_BACKWARD, FIND_SPANS_FORWARD, INSERT_SPAN};

/// How many positions a span has. Small enough that looking through one is quick, large enough that there are few.
const SPAN: u64 = 4096;
/// How many spans one page goes through, at most.
const SPANS_MAX: u32 = 256;

/// The moments that are wanted: from one on, and before another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

/// Where to look, in reading order, and how far that covers a range.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) ranges: Vec<Range>,
    pub(super) covered_to: Position,
}

/// Writes the spans that ended when the head moved.
pub(super) fn write(connection: &Connection, before: Position, head: Position) -> rusqlite::Result<()> {
    let mut end = before.get() / SPAN * SPAN + SPAN;
    while end <= head.get() {
        let range = Range { low: Position::new(end - SPAN + 1), high: Position::new(end) };
        connection.prepare_cached(INSERT_SPAN)?.execute(params![range.low.to_i64(), range.high.to_i64()])?;
        end += SPAN;
    }
    Ok(())
}

/// The parts of a range that may hold events of these moments.
pub(super) fn windows(
    connection: &Connection,
    range: Range,
    moments: Moments,
    head: Position,
    direction: Direction,
) -> rusqlite::Result<Windows> {
    let ended = Position::new(head.get() / SPAN * SPAN);
    let spans =
        Range { low: Position::new(range.low.get().saturating_sub(1) / SPAN * SPAN + 1), high: ended };
    let sql = match direction {
        Direction::Forward => FIND_SPANS_FORWARD,
        Direction::Backward => FIND_SPANS_BACKWARD,
    };
    let parameters = params![
        spans.low.to_i64(),
        spans.high.min(range.high).to_i64(),
        moments.from.map(Timestamp::as_micros),
        moments.until.map(Timestamp::as_micros),
        SPANS_MAX,
    ];
    let found = connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| row.get(0).map(Position::from_i64))?
        .map(|first| first.map(|low| Range { low, high: low.plus(SPAN - 1) }.within(range)))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let open_end = Range { low: ended.next(), high: head }.within(range);
    let is_cut = found.len() >= usize::try_from(SPANS_MAX).unwrap_or(usize::MAX);
    let last = found.last().copied();
    let (covered_to, ranges) = match (direction, last.filter(|_| is_cut)) {
        (Direction::Forward, Some(last)) => (last.high, found),
        (Direction::Forward, None) => (range.high, [found, vec![open_end]].concat()),
        (Direction::Backward, last) => {
            (last.map_or(range.low, |last| last.low), [vec![open_end], found].concat())
        }
    };
    Ok(Windows { ranges: joined(ranges, direction), covered_to })
}

/// Neighbours as one, and nothing empty.
fn joined(ranges: Vec<Range>, direction: Direction) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
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
        let forward = vec![range(1, 4), range(5, 8), range(9, 8), range(13, 20)];
        let backward = forward.iter().rev().copied().collect();
        assert_eq!(joined(forward, Direction::Forward), [range(1, 8), range(13, 20)]);
        assert_eq!(joined(backward, Direction::Backward), [range(13, 20), range(1, 8)]);
    }
}
