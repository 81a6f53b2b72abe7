//! Linking events to a stream.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};
use umbel_core::{
    EventId, Position, Timestamp, Version,
    store::{LinkError, LinkEvents},
};

use super::removal;
use crate::sqlite::{
    error::Fault,
    log::{StreamRow, find_event, find_stream},
    sql::{FIND_LINK, INSERT_LINK, INSERT_STREAM, UNPLAIN_STREAM},
    writer::Writer,
};

/// What the file holds of the events that are to be linked.
#[derive(Default)]
struct Found {
    positions: HashMap<EventId, Position>,
    in_target: HashSet<EventId>,
}

pub(super) fn link(
    writer: &mut Writer,
    request: &LinkEvents,
    now: Timestamp,
) -> Result<Result<Version, LinkError>, Fault> {
    let (transaction, _kinds) = writer.begin_upkeep()?;
    let target = find_stream(&transaction, &request.stream)?;
    let found = Found::of(&transaction, request, target.as_ref())?;
    let checked = request.check(
        target.as_ref().map(StreamRow::state).as_ref(),
        |id| found.positions.contains_key(&id),
        |id| found.in_target.contains(&id),
    );
    if let Err(refusal) = checked {
        return Ok(Err(refusal));
    }
    let (key, mut version) = match target {
        Some(target) => (target.key, target.version),
        None => {
            let stream = params![request.stream.as_str(), 0, now.as_micros()];
            (transaction.prepare_cached(INSERT_STREAM)?.insert(stream)?, Version::START)
        }
    };
    for position in request.events.iter().filter_map(|id| found.positions.get(id)) {
        version = version.next();
        transaction.prepare_cached(INSERT_LINK)?.execute(params![
            key,
            version.to_i64(),
            position.to_i64()
        ])?;
    }
    transaction.prepare_cached(UNPLAIN_STREAM)?.execute(params![key, version.to_i64()])?;
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(Ok(version))
}

impl Found {
    fn of(
        connection: &Connection,
        request: &LinkEvents,
        target: Option<&StreamRow>,
    ) -> rusqlite::Result<Self> {
        let mut found = Self::default();
        for id in &request.events {
            let Some(place) = find_event(connection, *id)? else { continue };
            if removal::is_going(connection, &place.stream, place.version)? {
                continue;
            }
            found.positions.insert(*id, place.position);
            let is_in_target = match target {
                _ if place.stream == request.stream => true,
                None => false,
                Some(target) => connection
                    .prepare_cached(FIND_LINK)?
                    .query_row(params![place.position.to_i64(), target.key], |row| row.get(0))?,
            };
            if is_in_target {
                found.in_target.insert(*id);
            }
        }
        Ok(found)
    }
}
