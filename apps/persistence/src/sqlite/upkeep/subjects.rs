//! The keys that subjects' personal data is encrypted with.

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::{Subject, Timestamp};

use crate::{
    adapter::SubjectKey,
    sqlite::{
        error::Fault,
        sql::{CREATE_SUBJECT_KEY, FIND_SUBJECT_KEY},
        writer::Writer,
    },
};

pub(super) fn find_keys(
    connection: &mut Connection,
    subjects: &[Subject],
) -> rusqlite::Result<Vec<Option<SubjectKey>>> {
    let snapshot = connection.transaction()?;
    subjects.iter().map(|subject| find(&snapshot, subject)).collect()
}

/// Stores the keys of subjects that have none, and gives those that are there afterwards.
pub(super) fn create_keys(
    writer: &mut Writer,
    keys: &[(Subject, [u8; 32])],
    now: Timestamp,
) -> Result<Vec<SubjectKey>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let mut created = Vec::with_capacity(keys.len());
    for (subject, key) in keys {
        let parameters = params![subject.as_str(), key, now.as_micros()];
        transaction.prepare_cached(CREATE_SUBJECT_KEY)?.execute(parameters)?;
        created.extend(find(&transaction, subject)?);
    }
    transaction.commit().map_err(Fault::Commit)?;
    Ok(created)
}

fn find(connection: &Connection, subject: &Subject) -> rusqlite::Result<Option<SubjectKey>> {
    let mut statement = connection.prepare_cached(FIND_SUBJECT_KEY)?;
    let key = statement.query_row([subject.as_str()], |row| row.get::<_, Option<[u8; 32]>>(0)).optional()?;
    Ok(key.map(|key| key.map_or(SubjectKey::Forgotten, SubjectKey::Known)))
}
