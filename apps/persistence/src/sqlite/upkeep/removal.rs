//! Removals for good: a step each time, as [`umbel_core::store::Removing`] says. Where one has come to is kept in the table `removals`.

use rusqlite::{Connection, Row, Transaction, params, types::Type};
use umbel_core::{
    StreamName, Timestamp, Version,
    store::{Perform, Removing, plan::StreamState},
};

use crate::sqlite::{
    log::unlist,
    sql::{
        BEGIN_REMOVAL, COUNT_LOST_LINKS, COUNT_REMOVED, DELETE_SNAPSHOT, DELETE_STREAM, END_REMOVAL,
        FIND_FIRST_PLACE, FIND_REMOVALS, IS_BEING_REMOVED, LIST_REMOVALS, MOVE_REMOVAL, REMOVE_EVENTS,
        REMOVE_LINKS, REMOVE_LINKS_TO, REMOVE_TAGS, SOFT_DELETE_STREAM, TRUNCATE_STREAM, Table,
    },
    subscriptions,
};

/// What the removals that are under way were asked for.
pub(super) fn list(connection: &mut Connection) -> rusqlite::Result<Vec<Perform>> {
    connection.prepare_cached(LIST_REMOVALS)?.query_map([], request)?.collect()
}

/// What is being removed of a stream, or under the id of an act.
pub(super) fn find(
    connection: &Connection,
    stream: Option<i64>,
    request: &Perform,
) -> rusqlite::Result<Vec<Removing>> {
    let mut statement = connection.prepare_cached(FIND_REMOVALS)?;
    statement.query_map(params![stream, request.id.0.as_bytes()], removing)?.collect()
}

/// Whether what stands at a version of a stream is being removed.
pub(super) fn is_going(connection: &Connection, stream: &StreamName, at: Version) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(IS_BEING_REMOVED)?;
    statement.query_row(params![stream.as_str(), at.to_i64()], |row| row.get(0))
}

/// Marks the stream, which was found so.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    request: &Perform,
    state: &StreamState,
    now: Timestamp,
) -> rusqlite::Result<Removing> {
    let mut removing = Removing::begin(request.clone(), state);
    let mut first = transaction.prepare_cached(FIND_FIRST_PLACE)?;
    let first: Option<i64> = first.query_row([state.key], |row| row.get(0))?;
    removing.took(first.map_or(removing.before, Version::from_i64).min(removing.before), 0, 0);
    if request.act.ends_stream() {
        transaction.prepare_cached(SOFT_DELETE_STREAM)?.execute(params![state.key, now.as_micros()])?;
    }
    let shown = params![state.key, removing.before.to_i64()];
    transaction.prepare_cached(TRUNCATE_STREAM)?.execute(shown)?;
    let text = serde_json::to_string(request)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    transaction.prepare_cached(BEGIN_REMOVAL)?.execute(params![
        state.key,
        request.id.0.as_bytes(),
        text,
        removing.next.to_i64(),
        removing.before.to_i64(),
    ])?;
    Ok(removing)
}

/// Takes the next step of what is not through: the stream's own events with all links to them, and its links. Where as many links to
/// them go as there is room for, there may be more: then these are all that goes. Streams that lose links keep their versions and count
/// what they lost.
pub(super) fn step(
    transaction: &Transaction<'_>,
    stream: Option<i64>,
    removing: &mut Removing,
    room: u32,
) -> rusqlite::Result<()> {
    let versions = removing.step(room);
    let range = params![stream, versions.start.to_i64(), versions.end.to_i64()];
    let (mut left, mut links_to) = (i64::from(room.max(1)), 0);
    for table in Table::ALL {
        let first = params![stream, versions.start.to_i64(), versions.end.to_i64(), left];
        transaction.prepare_cached(&table.of(COUNT_LOST_LINKS))?.execute(first)?;
        let lost = transaction.prepare_cached(&table.of(REMOVE_LINKS_TO))?.execute(first)?;
        links_to += lost;
        left = left.saturating_sub(number(lost));
    }
    let (mut events, mut own_links, mut next) = (0, 0, versions.start);
    if left > 0 {
        next = versions.end;
        own_links = transaction.prepare_cached(REMOVE_LINKS)?.execute(range)?;
        for table in Table::ALL {
            transaction.prepare_cached(&table.of(REMOVE_TAGS))?.execute(range)?;
            // What is below the range is gone.
            unlist(transaction, table, stream, versions.end)?;
            events += transaction.prepare_cached(&table.of(REMOVE_EVENTS))?.execute(range)?;
        }
    }
    let own = params![stream, next.to_i64(), number(events + own_links)];
    transaction.prepare_cached(COUNT_REMOVED)?.execute(own)?;
    removing.took(next, count(number(events)), count(number(links_to + own_links)));
    transaction.prepare_cached(MOVE_REMOVAL)?.execute(params![
        stream,
        removing.next.to_i64(),
        i64::try_from(removing.events).unwrap_or(i64::MAX),
        i64::try_from(removing.links).unwrap_or(i64::MAX),
    ])?;
    Ok(())
}

/// Ends one that is through; of a whole stream nothing is left but its row, which goes now.
pub(super) fn end(
    transaction: &Transaction<'_>,
    stream: Option<i64>,
    removing: &Removing,
) -> rusqlite::Result<()> {
    transaction.prepare_cached(END_REMOVAL)?.execute([stream])?;
    let act = &removing.request.act;
    if let Some(name) = act.stream().filter(|_| act.ends_stream()) {
        transaction.prepare_cached(DELETE_STREAM)?.execute([stream])?;
        transaction.prepare_cached(DELETE_SNAPSHOT)?.execute([name.as_str()])?;
        subscriptions::reset_followers(transaction, name)?;
    }
    Ok(())
}

fn removing(row: &Row<'_>) -> rusqlite::Result<Removing> {
    let version = |column| row.get(column).map(Version::from_i64);
    let taken = |column| row.get(column).map(count);
    let (next, before) = (version(1)?, version(2)?);
    Ok(Removing { request: request(row)?, next, before, events: taken(3)?, links: taken(4)? })
}

fn request(row: &Row<'_>) -> rusqlite::Result<Perform> {
    let unreadable =
        |error: serde_json::Error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into());
    serde_json::from_str(&row.get::<_, String>(0)?).map_err(unreadable)
}

fn number(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// From a database's number, which no healthy store holds negative.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
