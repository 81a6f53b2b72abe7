//! Subjects: the keys that their personal data is encrypted with, and whose events a stream holds.

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::{StreamName, Subject, Timestamp, Version};

use crate::{
    adapter::SubjectKey,
    sqlite::{
        error::Fault,
        sql::{CREATE_SUBJECT_KEY, FIND_SUBJECT_KEY, FIND_SUBJECTS},
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

/// Whose events stand in a stream behind one version and up to another.
pub(super) fn of_stream(
    connection: &mut Connection,
    stream: &StreamName,
    behind: Version,
    through: Version,
) -> rusqlite::Result<Vec<Subject>> {
    let mut statement = connection.prepare_cached(FIND_SUBJECTS)?;
    let parameters = params![stream.as_str(), behind.to_i64(), through.to_i64()];
    let subject = |row: &rusqlite::Row<'_>| row.get::<_, String>(0).map(Subject::from_store);
    statement.query_map(parameters, subject)?.collect()
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
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(created)
}

fn find(connection: &Connection, subject: &Subject) -> rusqlite::Result<Option<SubjectKey>> {
    let mut statement = connection.prepare_cached(FIND_SUBJECT_KEY)?;
    let key = |row: &rusqlite::Row<'_>| Ok(SubjectKey::stored(row.get_ref(0)?.as_blob_or_null()?));
    statement.query_row([subject.as_str()], key).optional()
}
