//! Work left behind by appends.

use rusqlite::{Connection, Row, params};
use umbel_core::{
    Json, Timestamp,
    store::{ClearOutbox, OutboxEntry, ReadOutbox, Waiting},
};
use uuid::Uuid;

use super::count;
use crate::sqlite::{
    error::Fault,
    sql::{DELETE_OUTBOX, INSERT_OUTBOX, READ_OUTBOX},
    writer::Writer,
};

/// Leaves entries, within the transaction of their append. One that waits already is left as it is.
pub(in crate::sqlite) fn leave_behind(
    connection: &Connection,
    entries: &[&OutboxEntry],
    now: Timestamp,
) -> rusqlite::Result<()> {
    for OutboxEntry { id, queue, body } in entries {
        let parameters = params![id.as_bytes(), queue, body.as_str(), now.as_micros()];
        connection.prepare_cached(INSERT_OUTBOX)?.execute(parameters)?;
    }
    Ok(())
}

pub(super) fn read(connection: &Connection, request: &ReadOutbox) -> rusqlite::Result<Vec<Waiting>> {
    let after = i64::try_from(request.after).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(READ_OUTBOX)?;
    statement.query_map(params![request.queue, after, request.limit], waiting)?.collect()
}

/// How many there were.
pub(super) fn clear(writer: &mut Writer, request: &ClearOutbox) -> Result<u64, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let mut cleared = 0;
    for number in request.numbers.iter().filter_map(|number| i64::try_from(*number).ok()) {
        cleared += transaction.prepare_cached(DELETE_OUTBOX)?.execute([number])?;
    }
    transaction.commit().map_err(Fault::Commit)?;
    Ok(count(cleared))
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        entry: OutboxEntry {
            id: Uuid::from_bytes(row.get(1)?),
            queue: row.get(2)?,
            body: Json::from_store(row.get::<_, String>(3)?),
        },
        recorded_at: Timestamp::from_micros(row.get(4)?),
    })
}
