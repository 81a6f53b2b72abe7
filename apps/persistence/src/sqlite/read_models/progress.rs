//! How far projections have come, and what they write on their way.

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::{
    Position,
    store::{ClaimLive, SaveProjection, SaveProjectionError},
};

use super::{generations::generation, write::write_documents};
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
    let kept = generation(&transaction, &request.projection)?;
    if kept.as_ref().is_some_and(|kept| !kept.is_current()) {
        return Ok(Err(SaveProjectionError::Retired));
    }
    let (actual, suffix) = kept.map_or((Position::START, String::new()), |kept| (kept.position, kept.suffix));
    if actual != request.expected {
        return Ok(Err(SaveProjectionError::CheckpointMoved { actual }));
    }
    for collection in request.clear.iter().map(|collection| format!("{collection}{suffix}")) {
        let collection = &collection;
        transaction.prepare_cached(CLEAR_DOCUMENT_INDEX)?.execute([collection])?;
        transaction.prepare_cached(CLEAR_DOCUMENTS)?.execute([collection])?;
    }
    write_documents(&transaction, &request.writes, &suffix)?;
    transaction
        .prepare_cached(MOVE_CHECKPOINT)?
        .execute(params![request.projection, request.position.to_i64()])?;
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(Ok(()))
}

/// Claims events for a projection's hook; up to where they were claimed before.
pub(super) fn claim(writer: &mut Writer, request: &ClaimLive) -> Result<Position, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let before = checkpoint(&transaction, &request.projection)?;
    if request.through > before {
        let moved = params![request.projection, request.through.to_i64()];
        transaction.prepare_cached(MOVE_CHECKPOINT)?.execute(moved)?;
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(before)
}

/// Where a projection stands.
pub(super) fn checkpoint(connection: &Connection, projection: &str) -> rusqlite::Result<Position> {
    let mut statement = connection.prepare_cached(FIND_CHECKPOINT)?;
    let position = statement.query_row([projection], |row| row.get(0)).optional()?;
    Ok(position.map_or(Position::START, Position::from_i64))
}
