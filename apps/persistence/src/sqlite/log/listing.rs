//! Where the events of each kind are, span by span: written when a span is closed, read by selections, and kept true when
//! events are removed.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Rows, params};
use umbel_core::{Position, Version, document::Direction};

use super::{range::Range, span::Span};
use crate::sqlite::sql::{
    FIND_KINDS, FIND_OFFSETS, LISTED_BACKWARD, LISTED_FORWARD, PUT_OFFSETS, REMOVE_OFFSETS, Table,
};

/// Offsets as they are stored, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct Offsets(Vec<u8>);

impl Offsets {
    /// Those of a span that has events of a kind.
    pub(in crate::sqlite) fn find(
        connection: &Connection,
        kind: i64,
        span: Span,
    ) -> rusqlite::Result<Option<Self>> {
        let mut statement = connection.prepare_cached(FIND_OFFSETS)?;
        statement.query_row(params![kind, span.first().to_i64()], |row| row.get(0).map(Self)).optional()
    }

    pub(super) fn push(&mut self, offset: u16) {
        self.0.extend(offset.to_be_bytes());
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The offsets in stored bytes.
    pub(in crate::sqlite) fn of(bytes: &[u8]) -> impl DoubleEndedIterator<Item = u16> {
        bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes))
    }

    /// What is left of them without these.
    fn without(&self, gone: &BTreeSet<u16>) -> Self {
        let mut left = Self::default();
        Self::of(&self.0).filter(|offset| !gone.contains(offset)).for_each(|offset| left.push(offset));
        left
    }
}

/// The statement that goes through what spans say of a kind.
pub(super) const fn sql(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => LISTED_FORWARD,
        Direction::Backward => LISTED_BACKWARD,
    }
}

/// The positions of a kind's events in reading order, while they are gone through. Those of one span are in memory.
pub(super) struct Listing<'a> {
    rows: Rows<'a>,
    range: Range,
    direction: Direction,
    /// Of the span at hand, the next one last.
    left: Vec<Position>,
}

impl<'a> Listing<'a> {
    /// What the [statement](sql) leads to within a range.
    pub(super) fn new(
        statement: &'a mut rusqlite::Statement<'_>,
        kind: i64,
        range: Range,
        direction: Direction,
    ) -> rusqlite::Result<Self> {
        let [low, high] = [range.low, range.high].map(|position| Span::of(position).first().to_i64());
        Ok(Self { rows: statement.query(params![kind, low, high])?, range, direction, left: Vec::new() })
    }

    pub(super) fn next(&mut self) -> rusqlite::Result<Option<Position>> {
        loop {
            if let Some(next) = self.left.pop() {
                return Ok(Some(next));
            }
            let Some(row) = self.rows.next()? else { return Ok(None) };
            let span = Span::of(Position::from_i64(row.get(0)?));
            let offsets = Offsets::of(row.get_ref(1)?.as_blob()?).map(|offset| span.at(offset));
            let within = offsets.filter(|position| self.range.has(*position));
            match self.direction {
                Direction::Forward => self.left.extend(within.rev()),
                Direction::Backward => self.left.extend(within),
            }
        }
    }
}

/// Takes events of a stream that are about to be removed, those of a table below a version, out of what spans say.
pub(in crate::sqlite) fn unlist(
    connection: &Connection,
    table: Table,
    stream: Option<i64>,
    before: Version,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&table.of(FIND_KINDS))?;
    let mut rows = statement.query(params![stream, before.to_i64()])?;
    // A stream's events are in the order of the log, so those of one span come one behind the other.
    let mut span = Span::of(Position::START);
    let mut gone = BTreeMap::<i64, BTreeSet<u16>>::new();
    while let Some(row) = rows.next()? {
        let position = Position::from_i64(row.get(0)?);
        if Span::of(position) != span {
            remove(connection, span, std::mem::take(&mut gone))?;
            span = Span::of(position);
        }
        gone.entry(row.get(1)?).or_default().extend(span.offset(position));
    }
    remove(connection, span, gone)
}

/// Takes offsets out of what a span says of kinds. One that is open says nothing yet.
fn remove(
    connection: &Connection,
    span: Span,
    gone: impl IntoIterator<Item = (i64, BTreeSet<u16>)>,
) -> rusqlite::Result<()> {
    for (kind, gone) in gone {
        let Some(offsets) = Offsets::find(connection, kind, span)? else { continue };
        let (left, first) = (offsets.without(&gone), span.first().to_i64());
        if left.as_bytes().is_empty() {
            connection.prepare_cached(REMOVE_OFFSETS)?.execute(params![kind, first])?;
        } else {
            connection.prepare_cached(PUT_OFFSETS)?.execute(params![kind, first, left.as_bytes()])?;
        }
    }
    Ok(())
}
