//! Closing spans: what leads to the events of a span is written once, by the append that passes its end. So an event pays for no index
//! by kind, conversation or time; until then the few events of the open span are looked through.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};
use umbel_core::Position;
use uuid::Uuid;

use super::{listing::Offsets, span::Span};
use crate::{
    filter::Filter,
    sqlite::sql::{INSERT_SPAN, INSERT_SPAN_CONVERSATIONS, INSERT_SPAN_KIND, READ_SPAN, Table},
};

/// What the events of a span are found by.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Contents {
    /// Between which moments they were recorded; `None` when there are no events.
    times: Option<(i64, i64)>,
    /// Where those of each kind are.
    pub(in crate::sqlite) kinds: BTreeMap<i64, Offsets>,
    /// Of conversations and causes, as often as they come.
    pub(in crate::sqlite) ids: Vec<Uuid>,
}

/// Writes what leads to the events of the spans that ended when the head moved.
pub(super) fn close(connection: &Connection, before: Position, head: Position) -> rusqlite::Result<()> {
    for span in Span::ended(before, head) {
        let Contents { times, kinds, ids } = Contents::read(connection, span)?;
        let first = span.first().to_i64();
        let Some((earliest, latest)) = times else { continue };
        connection.prepare_cached(INSERT_SPAN)?.execute(params![first, earliest, latest])?;
        let mut insert = connection.prepare_cached(INSERT_SPAN_KIND)?;
        for (kind, offsets) in kinds {
            insert.execute(params![kind, first, offsets.as_bytes()])?;
        }
        let filter = Filter::of(ids).into_bytes();
        connection.prepare_cached(INSERT_SPAN_CONVERSATIONS)?.execute(params![first, filter])?;
    }
    Ok(())
}

impl Contents {
    /// By the events themselves.
    pub(in crate::sqlite) fn read(connection: &Connection, span: Span) -> rusqlite::Result<Self> {
        let mut contents = Self::default();
        let bounds = params![span.first().to_i64(), span.last().to_i64()];
        for table in Table::ALL {
            let mut statement = connection.prepare_cached(&table.of(READ_SPAN))?;
            let mut rows = statement.query(bounds)?;
            while let Some(row) = rows.next()? {
                contents.add(span, row)?;
            }
        }
        Ok(contents)
    }

    fn add(&mut self, span: Span, row: &Row<'_>) -> rusqlite::Result<()> {
        let Some(offset) = span.offset(Position::from_i64(row.get(0)?)) else { return Ok(()) };
        self.kinds.entry(row.get(1)?).or_default().push(offset);
        let time = row.get(2)?;
        let (earliest, latest) = self.times.unwrap_or((time, time));
        self.times = Some((earliest.min(time), latest.max(time)));
        for column in [3, 4] {
            // Nobody looks for what damage has left of an id, and it must not keep the span from being closed or looked at.
            let id = row.get_ref(column)?.as_blob_or_null()?.and_then(|id| Uuid::from_slice(id).ok());
            self.ids.extend(id);
        }
        Ok(())
    }
}
