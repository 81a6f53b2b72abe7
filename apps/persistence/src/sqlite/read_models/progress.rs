//! How far projections have come, and what they write on their way.

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::{
    Position,
    store::{SaveProjection, SaveProjectionError},
};

use super::write::write_documents;
use crate::sqlite::{
    error::Fault,
    sql::{CLEAR_DOCUMENT_INDEX, CLEAR_DOCUMENTS, FIND_CHECKPOINT, MOVE_CHECKPOINT},
    writer::Writer,
};

/// Documents and checkpoint, if the checkpoint stands where expected.
pub(super) fn save_projection(
    writer: &mut Writer,
    request: &SaveProjection,
) -> Result<Result<(), SaveProjectionError>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let actual = checkpoint(&transaction, &request.projection)?;
    if actual != request.expected {
        return Ok(Err(SaveProjectionError::CheckpointMoved { actual }));
    }
    for collection in &request.clear {
        transaction.prepare_cached(CLEAR_DOCUMENT_INDEX)?.execute([collection])?;
        transaction.prepare_cached(CLEAR_DOCUMENTS)?.execute([collection])?;
    }
    write_documents(&transaction, &request.writes)?;
    transaction
        .prepare_cached(MOVE_CHECKPOINT)?
        .execute(params![request.projection, request.position.to_i64()])?;
    transaction.commit().map_err(Fault::Commit)?;
    Ok(Ok(()))
}

/// Where a projection stands.
pub(super) fn checkpoint(connection: &Connection, projection: &str) -> rusqlite::Result<Position> {
    let mut statement = connection.prepare_cached(FIND_CHECKPOINT)?;
    let position = statement.query_row([projection], |row| row.get(0)).optional()?;
    Ok(position.map_or(Position::START, Position::from_i64))
}
