//! Snapshots, one for each stream.

use rusqlite::{Connection, OptionalExtension, Row, params};
use umbel_core::{
    Json, StreamName, Timestamp, Version,
    store::{ListSnapshots, Snapshot},
};

use crate::sqlite::{
    error::Fault,
    sql::{DELETE_SNAPSHOT, LIST_SNAPSHOTS, LOAD_SNAPSHOT, SAVE_SNAPSHOT},
    writer::Writer,
};

pub(super) fn load(connection: &Connection, stream: &StreamName) -> rusqlite::Result<Option<Snapshot>> {
    connection.prepare_cached(LOAD_SNAPSHOT)?.query_row([stream.as_str()], snapshot).optional()
}

/// Whether it was kept: not when there is one of a newer version.
pub(super) fn save(writer: &mut Writer, snapshot: &Snapshot) -> Result<bool, Fault> {
    let Snapshot { stream, version, state, schema, taken_at, data } = snapshot;
    let (name, version, data) = (stream.as_str(), version.to_i64(), data.as_str());
    let row = params![name, version, state, schema, taken_at.as_micros(), data];
    Ok(writer.execute(SAVE_SNAPSHOT, row)? > 0)
}

/// Whether there was one.
pub(super) fn delete(writer: &mut Writer, stream: &StreamName) -> Result<bool, Fault> {
    Ok(writer.execute(DELETE_SNAPSHOT, [stream.as_str()])? > 0)
}

pub(super) fn list(connection: &Connection, request: &ListSnapshots) -> rusqlite::Result<Vec<Snapshot>> {
    // Every name is behind the empty text.
    let after = request.after.as_ref().map_or("", StreamName::as_str);
    let mut statement = connection.prepare_cached(LIST_SNAPSHOTS)?;
    statement.query_map(params![after, request.limit], snapshot)?.collect()
}

fn snapshot(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        stream: StreamName::from_store(row.get::<_, String>(0)?),
        version: Version::from_i64(row.get(1)?),
        state: row.get(2)?,
        schema: row.get(3)?,
        taken_at: Timestamp::from_micros(row.get(4)?),
        data: Json::from_store(row.get::<_, String>(5)?),
    })
}
