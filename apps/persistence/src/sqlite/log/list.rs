//! The list of streams.

use rusqlite::{Connection, Row, params};
use umbel_core::{
    StreamName, Timestamp, Version,
    document::Direction,
    store::{ListStreams, StreamInfo, StreamList, StreamSort},
};

use crate::sqlite::sql::{COUNT_STREAMS, LIST_STREAMS_BACKWARD, LIST_STREAMS_FORWARD, LIST_STREAMS_SORTED};

pub(super) fn list_streams(
    connection: &mut Connection,
    request: &ListStreams,
) -> rusqlite::Result<StreamList> {
    let snapshot = connection.transaction()?;
    let search = request.search.as_deref().unwrap_or_default();
    let offset = i64::try_from(request.offset).unwrap_or(i64::MAX);
    let behind = request.behind.as_ref().map(StreamName::as_str);
    let column = match request.sort {
        StreamSort::Name => None,
        StreamSort::Version => Some(1),
        StreamSort::CreatedAt => Some(2),
        StreamSort::DeletedAt => Some(3),
    };
    let streams: rusqlite::Result<Vec<_>> = match (column, request.direction) {
        (None, direction) => {
            let sql = match direction {
                Direction::Forward => LIST_STREAMS_FORWARD,
                Direction::Backward => LIST_STREAMS_BACKWARD,
            };
            snapshot
                .prepare_cached(sql)?
                .query_map(params![search, request.limit, offset, behind], info)?
                .collect()
        }
        (Some(column), direction) => {
            let sign = if direction == Direction::Forward { 1 } else { -1 };
            let parameters = params![search, request.limit, offset, column, sign, behind];
            snapshot.prepare_cached(LIST_STREAMS_SORTED)?.query_map(parameters, info)?.collect()
        }
    };
    let total = match behind {
        None => {
            Some(snapshot.prepare_cached(COUNT_STREAMS)?.query_row([search], |row| row.get::<_, i64>(0))?)
        }
        Some(_) => None,
    };
    Ok(StreamList { streams: streams?, total: total.map(i64::unsigned_abs) })
}

fn info(row: &Row<'_>) -> rusqlite::Result<StreamInfo> {
    Ok(StreamInfo {
        stream: StreamName::from_store(row.get::<_, String>(0)?),
        version: Version::from_i64(row.get(1)?),
        first_version: Version::from_i64(row.get(2)?),
        created_at: Timestamp::from_micros(row.get(3)?),
        deleted_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_micros),
    })
}
