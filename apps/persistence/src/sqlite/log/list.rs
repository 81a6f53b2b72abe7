//! The lists of streams and of claims.

use rusqlite::{Connection, Row, ToSql, params};
use umbel_core::{
    StreamName, Timestamp, Version,
    document::Direction,
    store::{Claim, ClaimName, ListClaims, ListStreams, StreamInfo, StreamList, StreamSort},
};

use crate::sqlite::sql::{
    COUNT_STREAMS, LIST_CLAIMS, LIST_CLAIMS_OF_SCOPE, LIST_STREAMS_BACKWARD, LIST_STREAMS_BY_VERSION,
    LIST_STREAMS_CREATED_BACKWARD, LIST_STREAMS_CREATED_FORWARD, LIST_STREAMS_DELETED_BACKWARD,
    LIST_STREAMS_DELETED_FORWARD, LIST_STREAMS_FORWARD,
};

pub(super) fn list_streams(
    connection: &mut Connection,
    request: &ListStreams,
) -> rusqlite::Result<StreamList> {
    let snapshot = connection.transaction()?;
    let search = request.search.as_deref().unwrap_or_default();
    let offset = i64::try_from(request.offset).unwrap_or(i64::MAX / 2);
    let behind = request.behind.as_ref().map(|place| place.stream.as_str());
    let at = request.behind.as_ref().map(|place| place.at.map_or(i64::MAX, Timestamp::as_micros));
    let forward = request.direction == Direction::Forward;
    let sql = match request.sort {
        StreamSort::Version if behind.is_some() => {
            return Ok(StreamList { streams: Vec::new(), total: None });
        }
        StreamSort::Version => LIST_STREAMS_BY_VERSION,
        StreamSort::Name if forward => LIST_STREAMS_FORWARD,
        StreamSort::Name => LIST_STREAMS_BACKWARD,
        StreamSort::CreatedAt if forward => LIST_STREAMS_CREATED_FORWARD,
        StreamSort::CreatedAt => LIST_STREAMS_CREATED_BACKWARD,
        StreamSort::DeletedAt if forward => LIST_STREAMS_DELETED_FORWARD,
        StreamSort::DeletedAt => LIST_STREAMS_DELETED_BACKWARD,
    };
    let way = if forward { 1 } else { -1 };
    let category = request.category.as_deref();
    let (first, end) = names(category, behind, request.direction);
    let fixed: [&dyn ToSql; 4] = [&search, &request.limit, &offset, &category];
    let more: &[&dyn ToSql] = match request.sort {
        StreamSort::Name => &[&first, &end],
        StreamSort::Version => &[&way],
        StreamSort::CreatedAt | StreamSort::DeletedAt => &[&behind, &at],
    };
    let parameters = [&fixed, more].concat();
    let streams: rusqlite::Result<Vec<_>> =
        snapshot.prepare_cached(sql)?.query_map(parameters.as_slice(), info)?.collect();
    let total = match behind {
        None => {
            let all = names(category, None, request.direction);
            let matching = params![search, category, all.0, all.1];
            Some(snapshot.prepare_cached(COUNT_STREAMS)?.query_row(matching, |row| row.get::<_, i64>(0))?)
        }
        Some(_) => None,
    };
    Ok(StreamList { streams: streams?, total: total.map(i64::unsigned_abs) })
}

pub(super) fn list_claims(connection: &Connection, request: &ListClaims) -> rusqlite::Result<Vec<Claim>> {
    let ListClaims { scope, after, limit } = request;
    let (after_scope, after_value) = after.as_ref().map(|after| (&after.scope, &after.value)).unzip();
    match scope {
        None => {
            let mut statement = connection.prepare_cached(LIST_CLAIMS)?;
            statement.query_map(params![after_scope, after_value, limit], claim)?.collect()
        }
        Some(scope) => {
            let mut statement = connection.prepare_cached(LIST_CLAIMS_OF_SCOPE)?;
            statement.query_map(params![scope, after_value, limit], claim)?.collect()
        }
    }
}

fn claim(row: &Row<'_>) -> rusqlite::Result<Claim> {
    let name = ClaimName { scope: row.get(0)?, value: row.get(1)? };
    Ok(Claim { name, owner: row.get(2)? })
}

/// From which name on, and before which, the index by name has what is of the category and behind a place: also what lies between the
/// category and its `-`.
fn names(category: Option<&str>, behind: Option<&str>, direction: Direction) -> (String, Option<String>) {
    let first = category.unwrap_or_default().to_owned();
    let end = category.map(|category| format!("{category}."));
    match (direction, behind) {
        (_, None) => (first, end),
        (Direction::Forward, Some(behind)) => (first.max(format!("{behind}\0")), end),
        (Direction::Backward, Some(behind)) => {
            let end = end.filter(|end| end.as_str() < behind);
            (first, Some(end.unwrap_or_else(|| behind.to_owned())))
        }
    }
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
