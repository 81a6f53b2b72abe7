//! What there is to know of the log and of one stream, as a transaction sees it.

use rusqlite::{Connection, OptionalExtension, Row};
use umbel_core::{
    Position, StreamName, Timestamp, Version,
    store::{ReadError, StreamInfo, plan::StreamState},
};

use crate::sqlite::sql::{FIND_STREAM, HEAD, LOG_INFO};

/// How far the log goes, and its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct LogRow {
    pub(in crate::sqlite) head: Position,
    pub(in crate::sqlite) archived_to: Position,
}

/// A row of `streams`.
#[derive(Debug)]
pub(in crate::sqlite) struct StreamRow {
    pub(in crate::sqlite) key: i64,
    pub(in crate::sqlite) version: Version,
    pub(in crate::sqlite) first_version: Version,
    /// Whether it never held links.
    pub(in crate::sqlite) plain: bool,
    created_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

/// Where the log stands.
pub(in crate::sqlite) fn log(connection: &Connection) -> rusqlite::Result<LogRow> {
    connection.prepare_cached(HEAD)?.query_row([], |row| {
        Ok(LogRow { head: Position::from_i64(row.get(0)?), archived_to: Position::from_i64(row.get(1)?) })
    })
}

/// A stream's row.
pub(in crate::sqlite) fn find_stream(
    connection: &Connection,
    name: &StreamName,
) -> rusqlite::Result<Option<StreamRow>> {
    connection.prepare_cached(FIND_STREAM)?.query_row([name.as_str()], StreamRow::read).optional()
}

/// A stream that can be read.
pub(super) fn live_stream(
    connection: &Connection,
    name: &StreamName,
) -> rusqlite::Result<Result<StreamRow, ReadError>> {
    Ok(match find_stream(connection, name)? {
        Some(StreamRow { deleted_at: Some(_), .. }) => Err(ReadError::StreamDeleted(name.clone())),
        Some(row) if row.version > Version::START => Ok(row),
        _ => Err(ReadError::StreamNotFound(name.clone())),
    })
}

/// What there is to know of a stream, or of the whole log.
pub(super) fn stream_info(
    connection: &Connection,
    name: &StreamName,
) -> rusqlite::Result<Result<StreamInfo, ReadError>> {
    if *name == StreamName::all() {
        return connection.prepare_cached(LOG_INFO)?.query_row([], |row| {
            let (version, created_at) = (Version::from_i64(row.get(0)?), Timestamp::from_micros(row.get(1)?));
            let (stream, first_version) = (name.clone(), Version::START.next());
            Ok(Ok(StreamInfo { stream, version, first_version, created_at, deleted_at: None }))
        });
    }
    let row = find_stream(connection, name)?.filter(|row| row.version > Version::START);
    let info = row.map(|row| StreamInfo {
        stream: name.clone(),
        version: row.version,
        first_version: row.first_version,
        created_at: row.created_at,
        deleted_at: row.deleted_at,
    });
    Ok(info.ok_or_else(|| ReadError::StreamNotFound(name.clone())))
}

impl StreamRow {
    /// What decisions are made on.
    pub(in crate::sqlite) fn state(&self) -> StreamState {
        StreamState { key: Some(self.key), version: self.version, deleted: self.deleted_at.is_some() }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            version: Version::from_i64(row.get(1)?),
            first_version: Version::from_i64(row.get(2)?),
            plain: row.get(3)?,
            created_at: Timestamp::from_micros(row.get(4)?),
            deleted_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros),
        })
    }
}
