//! What the planner asks of the file, read inside the transaction that will write.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::{
    CommandId, EventId, Json, Position, StreamName, Version,
    store::{
        Append, Appended, ClaimName,
        plan::{EventPlace, View},
    },
};

use super::{known::KnownStreams, state::find_stream, tags};
use crate::sqlite::read_models::see_joined;
use crate::sqlite::sql::{FIND_CLAIM, FIND_COMMAND, FIND_EVENT, IS_ARCHIVED, Table};

/// Whether the places of the group's event ids are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) enum Ids {
    /// No: they are taken as new.
    Unread,
    /// Yes.
    Read,
    /// Yes, and the group was tried before with an unknown outcome.
    Resolving,
}

pub(super) fn view(
    connection: &Connection,
    known: &KnownStreams,
    head: Position,
    group: &[Append],
    ids: Ids,
) -> rusqlite::Result<View> {
    let mut view = View { resolving: ids == Ids::Resolving, head, ..View::default() };
    for append in group {
        for stream in &append.streams {
            add_stream(connection, known, &mut view, &stream.stream)?;
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
        for condition in &append.conditions {
            let met = tags::first_met(connection, condition)?;
            view.failed.extend(met.map(|position| (condition.clone(), position)));
        }
        for command in append.records() {
            let before = find_command(connection, command.id)?;
            view.commands.extend(before.map(|before| (command.id, before)));
        }
    }
    see_joined(connection, &mut view, group)?;
    Ok(view)
}

/// Whether an event of the group is in the archive, whose ids the log's own unique index does not know.
pub(super) fn is_archived(connection: &Connection, group: &[Append]) -> rusqlite::Result<bool> {
    let events = group.iter().flat_map(|append| &append.streams).flat_map(|stream| &stream.events);
    let mut ids = String::from("[");
    for (number, event) in events.enumerate() {
        let comma = if number == 0 { "" } else { "," };
        write!(ids, "{comma}\"{}\"", event.id.0.simple()).expect("writing to a string cannot fail");
    }
    connection.prepare_cached(IS_ARCHIVED)?.query_row([ids + "]"], |row| row.get(0))
}

pub(in crate::sqlite) fn find_command(
    connection: &Connection,
    id: CommandId,
) -> rusqlite::Result<Option<Appended>> {
    let mut statement = connection.prepare_cached(FIND_COMMAND)?;
    let row = statement.query_row([id.0.as_bytes()], |row| {
        let last_position = row.get::<_, Option<i64>>(1)?.map(Position::from_i64);
        Ok(Appended::repeated(last_position, Json::from_store(row.get::<_, String>(0)?)))
    });
    row.optional()
}

/// Where an event is, in the log or its archive.
pub(in crate::sqlite) fn find_event(
    connection: &Connection,
    id: EventId,
) -> rusqlite::Result<Option<EventPlace>> {
    for table in [Table::Log, Table::Archive] {
        let mut statement = connection.prepare_cached(&table.of(FIND_EVENT))?;
        let row = statement.query_row([id.0.as_bytes()], |row| {
            Ok(EventPlace {
                stream: StreamName::from_store(row.get::<_, String>(0)?),
                version: Version::from_i64(row.get(1)?),
                position: Position::from_i64(row.get(2)?),
            })
        });
        if let Some(place) = row.optional()? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn add_stream(
    connection: &Connection,
    known: &KnownStreams,
    view: &mut View,
    name: &StreamName,
) -> rusqlite::Result<()> {
    if view.streams.contains_key(name) {
        return Ok(());
    }
    let state = match known.get(name) {
        Some(state) => Some(state.clone()),
        None => find_stream(connection, name)?.map(|row| row.state()),
    };
    view.streams.extend(state.map(|state| (name.clone(), state)));
    Ok(())
}

fn find_claim(connection: &Connection, claim: &ClaimName) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(FIND_CLAIM)?;
    statement.query_row(params![claim.scope, claim.value], |row| row.get(0)).optional()
}
