//! What the planner asks of the file, read inside the transaction that will write.

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::{
    CommandId, EventId, Json, Position, StreamName, Timestamp, Version,
    store::{
        Append, Appended, ClaimName,
        plan::{EventPlace, StreamState, View},
    },
};

use super::sql::{FIND_CLAIM, FIND_COMMAND, FIND_EVENT, FIND_STREAM};

/// Whether the places of the group's event ids are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// No: they are taken as new.
    Unread,
    /// Yes.
    Read,
    /// Yes, and the group was tried before with an unknown outcome.
    Resolving,
}

/// A row of `streams`.
#[derive(Debug)]
pub(super) struct StreamRow {
    pub(super) key: i64,
    pub(super) version: Version,
    pub(super) created_at: Timestamp,
    pub(super) deleted_at: Option<Timestamp>,
}

pub(super) fn view(connection: &Connection, group: &[Append], ids: Ids) -> rusqlite::Result<View> {
    let mut view = View { resolving: ids == Ids::Resolving, ..View::default() };
    for append in group {
        for stream in &append.streams {
            add_stream(connection, &mut view, &stream.stream)?;
            if ids == Ids::Unread {
                continue;
            }
            for event in &stream.events {
                let place = find_event(connection, event.id)?;
                view.events.extend(place.map(|place| (event.id, place)));
            }
        }
        for claim in append.claims.take.iter().chain(&append.claims.release) {
            let owner = find_claim(connection, claim)?;
            view.claims.extend(owner.map(|owner| (claim.clone(), owner)));
        }
        if let Some(command) = &append.command {
            let before = find_command(connection, command.id)?;
            view.commands.extend(before.map(|before| (command.id, before)));
        }
    }
    Ok(view)
}

pub(super) fn find_stream(connection: &Connection, name: &StreamName) -> rusqlite::Result<Option<StreamRow>> {
    let mut statement = connection.prepare_cached(FIND_STREAM)?;
    let row = statement.query_row([name.as_str()], |row| {
        Ok(StreamRow {
            key: row.get(0)?,
            version: Version::from_i64(row.get(1)?),
            created_at: Timestamp::from_micros(row.get(2)?),
            deleted_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros),
        })
    });
    row.optional()
}

pub(super) fn find_command(connection: &Connection, id: CommandId) -> rusqlite::Result<Option<Appended>> {
    let mut statement = connection.prepare_cached(FIND_COMMAND)?;
    let row = statement.query_row([id.0.as_bytes()], |row| {
        Ok(Appended {
            last_position: row.get::<_, Option<i64>>(1)?.map(Position::from_i64),
            versions: Vec::new(),
            repeated: Some(Json::from_store(row.get::<_, String>(0)?)),
        })
    });
    row.optional()
}

fn add_stream(connection: &Connection, view: &mut View, name: &StreamName) -> rusqlite::Result<()> {
    if view.streams.contains_key(name) {
        return Ok(());
    }
    if let Some(row) = find_stream(connection, name)? {
        let StreamRow { key, version, deleted_at, .. } = row;
        let state = StreamState { key: Some(key), version, deleted: deleted_at.is_some() };
        view.streams.insert(name.clone(), state);
    }
    Ok(())
}

fn find_event(connection: &Connection, id: EventId) -> rusqlite::Result<Option<EventPlace>> {
    let mut statement = connection.prepare_cached(FIND_EVENT)?;
    let row = statement.query_row([id.0.as_bytes()], |row| {
        Ok(EventPlace {
            stream: StreamName::from_store(row.get::<_, String>(0)?),
            version: Version::from_i64(row.get(1)?),
            position: Position::from_i64(row.get(2)?),
        })
    });
    row.optional()
}

fn find_claim(connection: &Connection, claim: &ClaimName) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(FIND_CLAIM)?;
    statement.query_row(params![claim.scope, claim.value], |row| row.get(0)).optional()
}
