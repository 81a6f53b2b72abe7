//! Generations that are joined to appends: what these ask of them, and what becomes of them.

use rusqlite::{Connection, Transaction, params};
use umbel_core::{
    Json, Position,
    store::{
        Append, DocumentChange, Generation,
        plan::{Joined, Moved, View},
    },
};

use super::{documents::find, generations::names};
use crate::sqlite::sql::{FIND_BEHIND, LIST_JOINED, MOVE_JOINED, Table};

/// Tells the planner which are joined, and how the documents are that a group changes.
pub(in crate::sqlite) fn see_joined(
    connection: &Connection,
    view: &mut View,
    group: &[Append],
) -> rusqlite::Result<()> {
    let joined = |row: &rusqlite::Row<'_>| {
        let events = names(&row.get::<_, String>(2)?, 2)?;
        Ok(Joined { checkpoint: row.get(0)?, suffix: row.get(1)?, events })
    };
    view.joined = connection.prepare_cached(LIST_JOINED)?.query_map([], joined)?.collect::<Result<_, _>>()?;
    for one in group.iter().flat_map(|append| &append.inline) {
        let Some(joined) = view.joined.iter().find(|joined| joined.checkpoint == one.checkpoint) else {
            continue;
        };
        for DocumentChange { write, .. } in one.changes.iter().flatten() {
            let collection = format!("{}{}", write.collection, joined.suffix);
            let there: Option<Json> = find(connection, &collection, &write.key)?;
            view.documents.insert((collection, write.key.clone()), there);
        }
    }
    Ok(())
}

/// Writes what a group that begins behind `head` has made of them.
pub(in crate::sqlite) fn move_joined(
    transaction: &Transaction<'_>,
    moved: &[Moved],
    head: Position,
) -> rusqlite::Result<()> {
    for Moved { checkpoint, offset, joined } in moved {
        let position = head.plus(*offset).to_i64();
        transaction.prepare_cached(MOVE_JOINED)?.execute(params![checkpoint, position, joined])?;
    }
    Ok(())
}

/// Whether appends must not project the events of a generation yet: there are some that it has not come to.
pub(super) fn has_behind(connection: &Connection, generation: &Generation) -> rusqlite::Result<bool> {
    let names = serde_json::Value::from(generation.inline.clone()).to_string();
    let position = generation.position.to_i64();
    for table in Table::ALL {
        let mut statement = connection.prepare_cached(&table.of(FIND_BEHIND))?;
        if statement.query_row(params![position, names], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}
