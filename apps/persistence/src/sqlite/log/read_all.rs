//! Pages of the log of all streams.

use rusqlite::{Connection, params};
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{AllPage, ReadAll},
};

use super::{
    range::Range,
    rows,
    selection::Selection,
    span::closed_to,
    spans::{Windows, windows},
    state::{self, LogRow},
    walk::{Budget, Part, walk},
};
use crate::{
    page::Room,
    sqlite::sql::{READ_ALL_BACKWARD, READ_ALL_FORWARD},
};

/// A page while it is filled.
struct Page {
    events: Vec<RecordedEvent>,
    limit: usize,
    bytes: Room,
    /// Everything up to here, going forward, or down to here, going backward, was looked at.
    scanned_to: Position,
}

pub(super) fn read_all(
    connection: &mut Connection,
    request: &ReadAll,
    bytes: Room,
) -> rusqlite::Result<AllPage> {
    let snapshot = connection.transaction()?;
    let log = state::log(&snapshot)?;
    let range = Range::of(request, log.head);
    let mut page = Page::new(request, range, bytes);
    match Selection::of(&snapshot, &request.selector)? {
        None => page.fill(&snapshot, request.direction, range, log)?,
        Some(selection) => page.select(&snapshot, request.direction, range, log, &selection)?,
    }
    Ok(AllPage { events: page.events, scanned_to: page.scanned_to, head: log.head })
}

impl Page {
    fn new(request: &ReadAll, range: Range, bytes: Room) -> Self {
        let scanned_to = match request.direction {
            Direction::Forward => Position::new(range.low.get().saturating_sub(1)),
            Direction::Backward => range.high.next(),
        };
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        Self { events: Vec::new(), limit, bytes, scanned_to }
    }

    fn room(&self) -> usize {
        self.limit - self.events.len()
    }

    /// Every event.
    fn fill(
        &mut self,
        connection: &Connection,
        direction: Direction,
        range: Range,
        log: LogRow,
    ) -> rusqlite::Result<()> {
        let sql = match direction {
            Direction::Forward => READ_ALL_FORWARD,
            Direction::Backward => READ_ALL_BACKWARD,
        };
        for (table, part) in range.parts(log.archived_to, direction) {
            if self.bytes.is_full() {
                break;
            }
            let room = i64::try_from(self.room()).unwrap_or(i64::MAX);
            let parameters = params![part.low.to_i64(), part.high.to_i64(), room];
            self.events.extend(rows::events(connection, &table.of(sql), parameters, &mut self.bytes)?);
        }
        let is_full = self.room() == 0 || self.bytes.is_full();
        self.scanned_to = match self.events.last() {
            Some(last) if is_full => last.position,
            _ if is_full => self.scanned_to,
            _ => self.beyond(direction, range, range.end(direction)),
        };
        Ok(())
    }

    /// Only what is selected.
    fn select(
        &mut self,
        connection: &Connection,
        direction: Direction,
        range: Range,
        log: LogRow,
        selection: &Selection,
    ) -> rusqlite::Result<()> {
        let Windows { ranges, covered_to } = match selection.sieve() {
            Some(sieve) => windows(connection, range, &sieve, log.head, direction)?,
            None => Windows { ranges: vec![range], covered_to: range.end(direction) },
        };
        let mut budget = Budget::new(self.limit);
        // Where it does not matter what spans say, no part is one of them.
        let listed_to = selection.kinds().map_or(Position::START, |_| closed_to(log.head));
        let parts = ranges.into_iter().flat_map(|range| range.parts(log.archived_to, direction));
        let parts = parts.flat_map(|(table, range)| {
            let parts = range.split(listed_to, [true, false], direction);
            parts.into_iter().map(move |(is_listed, range)| Part { table, range, is_listed })
        });
        for part in parts {
            let walked = walk(connection, selection, part, direction, &mut budget)?;
            self.events.extend(rows::at(connection, part.table, &walked.wanted, &mut self.bytes)?);
            if let Some(last) = self.events.last().filter(|_| self.bytes.is_full()) {
                self.scanned_to = last.position;
                return Ok(());
            }
            if let Some(stopped_at) = walked.stopped_at {
                // When nothing was looked at in this part, what lies before it was.
                self.scanned_to = stopped_at.unwrap_or(self.scanned_to);
                return Ok(());
            }
            self.scanned_to = part.range.end(direction);
        }
        if self.room() > 0 {
            self.scanned_to = self.beyond(direction, range, covered_to);
        }
        Ok(())
    }

    /// A range was looked at as far as this, perhaps because there is nothing in it.
    fn beyond(&self, direction: Direction, range: Range, covered_to: Position) -> Position {
        match direction {
            Direction::Forward => self.scanned_to.max(covered_to),
            Direction::Backward => self.scanned_to.min(covered_to).min(range.high),
        }
    }
}
