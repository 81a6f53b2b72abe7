//! Whether the file is made as the migrations make it.

use rusqlite::Connection;

use crate::{
    objects::amiss,
    sqlite::{schema, sql::VERIFY_OBJECTS},
};

/// An object of a database.
struct Object {
    /// With its kind.
    name: String,
    table: String,
    sql: String,
}

/// What is missing or another one, and triggers that are not the store's.
pub(super) fn look(connection: &Connection, room: usize, broken: &mut Vec<String>) -> rusqlite::Result<()> {
    let (wanted, found) = (objects(&schema::in_memory()?)?, objects(connection)?);
    broken.extend(amiss(pairs(&wanted), pairs(&found)));
    let is_wanted = |name: &str| wanted.iter().any(|object| object.name == name);
    let foreign = found.iter().filter(|object| {
        object.name.starts_with("trigger ")
            && !is_wanted(&object.name)
            && is_wanted(&format!("table {}", object.table))
    });
    broken.extend(foreign.map(|object| format!("{} on {} is not the store's", object.name, object.table)));
    broken.truncate(room);
    Ok(())
}

fn pairs(objects: &[Object]) -> impl Iterator<Item = (&str, &str)> {
    objects.iter().map(|object| (&*object.name, &*object.sql))
}

fn objects(connection: &Connection) -> rusqlite::Result<Vec<Object>> {
    let mut statement = connection.prepare(VERIFY_OBJECTS)?;
    let rows = statement.query_map([], |row| {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Object { name: format!("{kind} {name}"), table: row.get(2)?, sql: row.get(3)? })
    })?;
    rows.collect()
}
