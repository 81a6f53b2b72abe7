//! Whether the file itself is sound, by SQLite's own check: every page of each table and of its indexes, and that each index leads to all rows.
//! The other rules read by these indexes, and would not see what is behind them, nor what they have no need to read.

use rusqlite::Connection;

use super::damage;
use crate::sqlite::sql::{VERIFY_INTEGRITY, VERIFY_TABLES};

/// Messages of one table that are told.
const MESSAGES: usize = 3;

/// What is wrong with tables, one finding for each. Each table is a read of its own.
pub(super) fn look(connection: &Connection, room: usize, broken: &mut Vec<String>) -> rusqlite::Result<()> {
    for table in tables(connection)? {
        if broken.len() >= room {
            break;
        }
        let messages = match check(connection, &table) {
            Ok(messages) => messages,
            Err(error) => vec![damage(error)?],
        };
        broken.extend(told(&table, &messages));
    }
    Ok(())
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare(VERIFY_TABLES)?.query_map([], |row| row.get(0))?.collect()
}

/// What SQLite says of a table: one message more than are told at most.
fn check(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let (mut statement, mut messages) = (connection.prepare_cached(VERIFY_INTEGRITY)?, Vec::new());
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()?.filter(|_| messages.len() <= MESSAGES) {
        let said = String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?).into_owned();
        // The first line of several says which database it is.
        let lines = said.lines().filter(|line| !line.starts_with("***") && *line != "ok");
        messages.extend(lines.map(str::to_owned));
    }
    Ok(messages)
}

fn told(table: &str, messages: &[String]) -> Option<String> {
    let more = if messages.len() > MESSAGES { "; and more" } else { "" };
    let said = messages.iter().take(MESSAGES).map(String::as_str).collect::<Vec<_>>().join("; ");
    (!messages.is_empty()).then(|| format!("table {table} is damaged: {said}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_of_many_messages_are_told() {
        let messages = |count: usize| (0..count).map(|number| format!("m{number}")).collect::<Vec<_>>();
        assert_eq!(told("t", &messages(0)), None);
        assert_eq!(told("t", &messages(3)).as_deref(), Some("table t is damaged: m0; m1; m2"));
        assert_eq!(told("t", &messages(4)).as_deref(), Some("table t is damaged: m0; m1; m2; and more"));
    }
}
