//! The readers' side of the log. Each answer comes from one snapshot of the file.

use std::sync::Arc;

use rusqlite::{Connection, Row, ToSql, types::Type};
use umbel_core::{
    EventId, EventType, Json, Metadata, Position, RecordedEvent, StreamName, Timestamp, Version,
    document::Direction,
    store::{AllPage, ReadAll, ReadError, ReadStream, StreamInfo, StreamPage},
};
use uuid::Uuid;

use super::{
    sql::{
        READ_ALL_BACKWARD, READ_ALL_FORWARD, READ_ALL_NAMED_BACKWARD, READ_ALL_NAMED_FORWARD,
        READ_STREAM_BACKWARD, READ_STREAM_FORWARD,
    },
    view::{StreamRow, find_stream},
    write::head,
};

/// How many positions one filtered page looks at, at most. Event names have no index, so without a bound a page
/// of rare events would read the whole log and time out, time and again; so it comes back early, perhaps empty,
/// with how far it looked.
const SCAN_MAX: u64 = 20_000;
/// The column of the application's own metadata.
const METADATA: usize = 10;

pub(super) fn read_stream(
    connection: &mut Connection,
    request: &ReadStream,
) -> rusqlite::Result<Result<StreamPage, ReadError>> {
    let snapshot = connection.transaction()?;
    let stream = match live_stream(&snapshot, &request.stream)? {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    let (sql, from, to) = match request.direction {
        Direction::Forward => (READ_STREAM_FORWARD, request.from.unwrap_or_default(), Version::MAX),
        Direction::Backward => (READ_STREAM_BACKWARD, Version::START, request.from.unwrap_or(Version::MAX)),
    };
    let events = events(&snapshot, sql, &[&stream.key, &from.to_i64(), &to.to_i64(), &request.limit])?;
    Ok(Ok(StreamPage { events, version: stream.version }))
}

pub(super) fn read_all(connection: &mut Connection, request: &ReadAll) -> rusqlite::Result<AllPage> {
    let snapshot = connection.transaction()?;
    let head = head(&snapshot)?;
    let names = request.selector.names.as_ref().map(name_list).transpose()?;
    match request.direction {
        Direction::Forward => read_forward(&snapshot, request, names.as_deref(), head),
        Direction::Backward => read_backward(&snapshot, request, names.as_deref(), head),
    }
}

pub(super) fn stream_info(
    connection: &Connection,
    name: &StreamName,
) -> rusqlite::Result<Result<StreamInfo, ReadError>> {
    let row = find_stream(connection, name)?;
    let info = |row: StreamRow| StreamInfo {
        stream: name.clone(),
        version: row.version,
        first_version: Version::new(1),
        created_at: row.created_at,
        deleted_at: row.deleted_at,
    };
    Ok(row.map(info).ok_or_else(|| ReadError::StreamNotFound(name.clone())))
}

fn live_stream(connection: &Connection, name: &StreamName) -> rusqlite::Result<Result<StreamRow, ReadError>> {
    Ok(match find_stream(connection, name)? {
        None => Err(ReadError::StreamNotFound(name.clone())),
        Some(StreamRow { deleted_at: Some(_), .. }) => Err(ReadError::StreamDeleted(name.clone())),
        Some(row) => Ok(row),
    })
}

fn read_forward(
    connection: &Connection,
    request: &ReadAll,
    names: Option<&str>,
    head: Position,
) -> rusqlite::Result<AllPage> {
    let from = request.from.unwrap_or_default().max(Position::START.next());
    let before = Position::new(from.get() - 1);
    let to = if names.is_some() { head.min(before.plus(SCAN_MAX)) } else { head };
    let (low, high, limit) = (from.to_i64(), to.to_i64(), request.limit);
    let events = match &names {
        None => events(connection, READ_ALL_FORWARD, &[&low, &high, &limit])?,
        Some(names) => events(connection, READ_ALL_NAMED_FORWARD, &[&low, &high, &limit, names])?,
    };
    // A full page may have left matching events behind its last one.
    let is_full = usize::try_from(limit).is_ok_and(|limit| events.len() >= limit);
    let last = events.last().map_or(before, |event| event.position);
    let scanned_to = if is_full { last } else { to.max(before) };
    Ok(AllPage { events, scanned_to, head })
}

fn read_backward(
    connection: &Connection,
    request: &ReadAll,
    names: Option<&str>,
    head: Position,
) -> rusqlite::Result<AllPage> {
    let to = request.from.map_or(head, |from| from.min(head));
    let span = if names.is_some() { SCAN_MAX } else { u64::MAX };
    let from = Position::new(to.get().saturating_sub(span)).next();
    let (low, high, limit) = (from.to_i64(), to.to_i64(), request.limit);
    let events = match &names {
        None => events(connection, READ_ALL_BACKWARD, &[&low, &high, &limit])?,
        Some(names) => events(connection, READ_ALL_NAMED_BACKWARD, &[&low, &high, &limit, names])?,
    };
    let is_full = usize::try_from(limit).is_ok_and(|limit| events.len() >= limit);
    let last = events.last().map_or(to.next(), |event| event.position);
    let scanned_to = if is_full { last } else { from.min(to) };
    Ok(AllPage { events, scanned_to, head })
}

fn name_list(names: &Arc<[String]>) -> rusqlite::Result<String> {
    serde_json::to_string(names).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn events(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
) -> rusqlite::Result<Vec<RecordedEvent>> {
    connection.prepare_cached(sql)?.query_map(parameters, event)?.collect()
}

/// An event from a row; the read statements all select the same columns.
fn event(row: &Row<'_>) -> rusqlite::Result<RecordedEvent> {
    let id = |column| row.get::<_, Option<[u8; 16]>>(column).map(|bytes| bytes.map(Uuid::from_bytes));
    let text = |column| row.get_ref(column)?.as_str().map_err(|error| not_text(column, error));
    let custom = row.get_ref(METADATA)?.as_str_or_null().map_err(|error| not_text(METADATA, error))?;
    let custom = custom.map(serde_json::from_str).transpose().map_err(|error| not_text(METADATA, error))?;
    Ok(RecordedEvent {
        position: Position::from_i64(row.get(0)?),
        stream: StreamName::from_store(text(1)?),
        version: Version::from_i64(row.get(2)?),
        id: EventId(Uuid::from_bytes(row.get(3)?)),
        event_type: EventType { name: text(4)?.to_owned().into(), schema: row.get(5)? },
        recorded_at: Timestamp::from_micros(row.get(6)?),
        data: Json::from_store(text(9)?).into(),
        subject: None,
        linked_at: None,
        metadata: Metadata {
            correlation_id: id(7)?,
            causation_id: id(8)?,
            custom: custom.unwrap_or_default(),
        },
    })
}

fn not_text(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
