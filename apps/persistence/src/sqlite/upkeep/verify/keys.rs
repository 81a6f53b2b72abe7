//! Whether the keys of subjects open what was sealed with them: one value of each subject in each step.

use std::collections::HashSet;

use rusqlite::{Connection, Row};
use umbel_core::{EventId, Json, Payload};
use uuid::Uuid;

use crate::vault::tried;

/// What keys do not open of the events behind one position up to another, at most so much, and nothing of subjects who were told of. One
/// is looked at after the other: events may be large.
pub(super) fn look(
    connection: &Connection,
    sql: &str,
    (after, upto): (i64, i64),
    room: usize,
    told: &mut HashSet<String>,
) -> rusqlite::Result<Vec<String>> {
    let (mut statement, mut broken) = (connection.prepare_cached(sql)?, Vec::new());
    let mut rows = statement.query([after, upto])?;
    while broken.len() < room
        && let Some(row) = rows.next()?
    {
        let subject: String = row.get(1)?;
        let wrong = if told.contains(&subject) { None } else { of_event(row, &subject)? };
        if let Some(wrong) = wrong {
            broken.push(wrong);
            told.insert(subject);
        }
    }
    Ok(broken)
}

fn of_event(row: &Row<'_>, subject: &str) -> rusqlite::Result<Option<String>> {
    // An id of another length is found by another rule.
    let Ok(id) = Uuid::from_slice(row.get_ref(2)?.as_blob()?) else { return Ok(None) };
    let data = match row.get_ref(3)?.as_bytes_or_null()? {
        Some(text) => Json::from_store(String::from_utf8_lossy(text)).into(),
        None => Payload::Binary(row.get::<_, Vec<u8>>(4)?.into()),
    };
    let position: i64 = row.get(0)?;
    let wrong = tried(EventId(id), &data, row.get_ref(5)?.as_blob()?);
    Ok(wrong.map(|wrong| format!("position {position} holds personal data of {subject}, {wrong}")))
}
