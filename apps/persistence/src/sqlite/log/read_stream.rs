//! Pages of one stream.

use rusqlite::{Connection, params};
use umbel_core::{
    Position, RecordedEvent, Version,
    document::Direction,
    store::{ReadError, ReadStream, StreamPage},
};

use super::{
    rows,
    state::{self, StreamRow, live_stream},
};
use crate::{
    page::Room,
    sqlite::sql::{
        READ_STREAM_BACKWARD, READ_STREAM_FORWARD, STREAM_PLACES_BACKWARD, STREAM_PLACES_FORWARD, Table,
    },
};

/// Versions between these, both included.
struct Versions {
    low: Version,
    high: Version,
}

pub(super) fn read_stream(
    connection: &mut Connection,
    request: &ReadStream,
    room: Room,
) -> rusqlite::Result<Result<StreamPage, ReadError>> {
    let snapshot = connection.transaction()?;
    let stream = match live_stream(&snapshot, &request.stream)? {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    let first = stream.first_version;
    let versions = match request.direction {
        Direction::Forward => Versions { low: request.from.unwrap_or(first).max(first), high: Version::MAX },
        Direction::Backward => Versions { low: first, high: request.from.unwrap_or(Version::MAX) },
    };
    let archived_to = state::log(&snapshot)?.archived_to;
    let events = if stream.plain {
        own_events(&snapshot, request, &stream, &versions, archived_to, room)?
    } else {
        own_and_linked(&snapshot, request, &stream, &versions, archived_to, room)?
    };
    Ok(Ok(StreamPage { events, version: stream.version }))
}

/// What is in the archive comes before what is not, in a stream as in the log.
fn own_events(
    connection: &Connection,
    request: &ReadStream,
    stream: &StreamRow,
    versions: &Versions,
    archived_to: Position,
    mut room: Room,
) -> rusqlite::Result<Vec<RecordedEvent>> {
    let (sql, tables) = match request.direction {
        Direction::Forward => (READ_STREAM_FORWARD, [Table::Archive, Table::Log]),
        Direction::Backward => (READ_STREAM_BACKWARD, [Table::Log, Table::Archive]),
    };
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let mut events = Vec::new();
    for table in tables {
        if table == Table::Archive && archived_to == Position::START || events.len() >= limit {
            continue;
        }
        let missing = i64::try_from(limit - events.len()).unwrap_or(i64::MAX);
        let parameters = params![stream.key, versions.low.to_i64(), versions.high.to_i64(), missing];
        events.extend(rows::events(connection, &table.of(sql), parameters, &mut room)?);
        if room.is_full() {
            break;
        }
    }
    Ok(events)
}

/// Versions first, then the events that they lead to.
fn own_and_linked(
    connection: &Connection,
    request: &ReadStream,
    stream: &StreamRow,
    versions: &Versions,
    archived_to: Position,
    mut room: Room,
) -> rusqlite::Result<Vec<RecordedEvent>> {
    let sql = match request.direction {
        Direction::Forward => STREAM_PLACES_FORWARD,
        Direction::Backward => STREAM_PLACES_BACKWARD,
    };
    let parameters = params![stream.key, versions.low.to_i64(), versions.high.to_i64(), request.limit];
    let places = connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| Ok((Version::from_i64(row.get(0)?), Position::from_i64(row.get(1)?))))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut events = Vec::with_capacity(places.len());
    for (version, position) in places {
        let table = if position > archived_to { Table::Log } else { Table::Archive };
        for mut event in rows::at(connection, table, &[position], &mut room)? {
            event.linked_at = (event.stream != request.stream).then_some(version);
            events.push(event);
        }
        if room.is_full() {
            break;
        }
    }
    Ok(events)
}
