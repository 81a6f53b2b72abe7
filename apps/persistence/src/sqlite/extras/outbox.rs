//! Work left behind by appends.

use rusqlite::{Connection, OptionalExtension, Row, params};
use umbel_core::{
    Json, Timestamp,
    store::{
        ClearOutbox, DuePage, FindWork, ListQueues, OutboxEntry, QueueInfo, ReadDue, ReadOutbox, Waiting,
    },
};
use uuid::Uuid;

use super::count;
use crate::sqlite::{
    error::Fault,
    sql::{DELETE_OUTBOX, FIND_WORK, INSERT_OUTBOX, LIST_QUEUES, NEXT_DUE, READ_DUE, READ_OUTBOX, TAKE_OUT},
    writer::Writer,
};

/// Takes out what is done and then leaves entries, within the transaction of their append. One that waits already is left as it
/// is.
pub(in crate::sqlite) fn change_outbox(
    connection: &Connection,
    done: &[Uuid],
    entries: &[&OutboxEntry],
    now: Timestamp,
) -> rusqlite::Result<()> {
    for id in done {
        connection.prepare_cached(TAKE_OUT)?.execute([id.as_bytes()])?;
    }
    for OutboxEntry { id, queue, body, due_at } in entries {
        let due_at = due_at.map(Timestamp::as_micros);
        let parameters = params![id.as_bytes(), queue, body.as_str(), due_at, now.as_micros()];
        connection.prepare_cached(INSERT_OUTBOX)?.execute(parameters)?;
    }
    Ok(())
}

pub(super) fn read(connection: &Connection, request: &ReadOutbox) -> rusqlite::Result<Vec<Waiting>> {
    let after = i64::try_from(request.after).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(READ_OUTBOX)?;
    statement.query_map(params![request.queue, after, request.limit], waiting)?.collect()
}

pub(super) fn read_due(connection: &Connection, request: &ReadDue) -> rusqlite::Result<DuePage> {
    let now = request.now.as_micros();
    let mut due = connection.prepare_cached(READ_DUE)?;
    let entries = due.query_map(params![request.queue, now, request.limit], waiting)?;
    let entries = entries.collect::<Result<_, _>>()?;
    let mut next = connection.prepare_cached(NEXT_DUE)?;
    let next = next.query_row(params![request.queue, now], |row| row.get(0)).optional()?;
    Ok(DuePage { entries, next_due: next.map(Timestamp::from_micros) })
}

pub(super) fn list_queues(connection: &Connection, request: &ListQueues) -> rusqlite::Result<Vec<QueueInfo>> {
    let info = |row: &Row<'_>| {
        Ok(QueueInfo {
            queue: row.get(0)?,
            waiting: row.get::<_, i64>(1)?.unsigned_abs(),
            first_due_at: Timestamp::from_micros(row.get(2)?),
        })
    };
    let mut statement = connection.prepare_cached(LIST_QUEUES)?;
    statement.query_map(params![request.after, request.limit], info)?.collect()
}

pub(super) fn find(connection: &Connection, request: FindWork) -> rusqlite::Result<Option<Waiting>> {
    let mut statement = connection.prepare_cached(FIND_WORK)?;
    statement.query_row([request.id.as_bytes()], waiting).optional()
}

/// How many there were.
pub(super) fn clear(writer: &mut Writer, request: &ClearOutbox) -> Result<u64, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let mut cleared = 0;
    for number in request.numbers.iter().filter_map(|number| i64::try_from(*number).ok()) {
        cleared += transaction.prepare_cached(DELETE_OUTBOX)?.execute([number])?;
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(count(cleared))
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        entry: OutboxEntry {
            id: Uuid::from_bytes(row.get(1)?),
            queue: row.get(2)?,
            body: Json::from_store(row.get::<_, String>(3)?),
            due_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_micros),
        },
        recorded_at: Timestamp::from_micros(row.get(5)?),
    })
}
