//! Generations of projections: which there are, and which serves.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, types::Type};
use umbel_core::{
    Position,
    store::{
        Generation, ListProjections, OpenProjection, PerformError, Phase, RemoveRetired, SwitchError,
        SwitchProjection, plan::Moved, rebuilt,
    },
};

use super::joined::{has_behind, move_joined};
use crate::sqlite::{
    error::Fault,
    log::log,
    sql::{
        BEGIN_GENERATION, CLEAR_SERVED, DELETE_DOCUMENT, DELETE_DOCUMENT_INDEX, FIND_GENERATION, FIND_SUFFIX,
        LIST_ALL_GENERATIONS, LIST_DOCUMENT_KEYS, LIST_GENERATIONS, MARK_GENERATION, PUT_SERVED, RETIRE_ALL,
        RETIRE_BEFORE, RETIRE_BUILDING,
    },
    writer::Writer,
};

/// Documents that one transaction removes at most: others write in between.
const REMOVED_MAX: usize = 1000;

/// What the generation of a checkpoint appends to its collections' names.
pub(super) fn suffix(connection: &Connection, checkpoint: &str) -> rusqlite::Result<String> {
    let mut statement = connection.prepare_cached(FIND_SUFFIX)?;
    Ok(statement.query_row([checkpoint], |row| row.get(0)).optional()?.unwrap_or_default())
}

/// A checkpoint. One that is no generation's has no name, and serves.
pub(super) fn generation(connection: &Connection, checkpoint: &str) -> rusqlite::Result<Option<Generation>> {
    connection.prepare_cached(FIND_GENERATION)?.query_row([checkpoint], read).optional()
}

pub(super) fn list(connection: &Connection, request: &ListProjections) -> rusqlite::Result<Vec<Generation>> {
    match &request.projection {
        Some(name) => of(connection, name),
        None => connection.prepare_cached(LIST_ALL_GENERATIONS)?.query_map([], read)?.collect(),
    }
}

fn of(connection: &Connection, name: &str) -> rusqlite::Result<Vec<Generation>> {
    connection.prepare_cached(LIST_GENERATIONS)?.query_map([name], read)?.collect()
}

pub(super) fn open(writer: &mut Writer, request: &OpenProjection) -> Result<Vec<Generation>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let kept = of(&transaction, &request.projection)?;
    let Some(missing) = request.missing(&kept, log(&transaction)?.head) else { return Ok(kept) };
    begin(&transaction, &missing)?;
    let kept = of(&transaction, &request.projection)?;
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(kept)
}

/// Begins to build a projection anew, within the transaction that records it.
pub(in crate::sqlite) fn rebuild(
    connection: &Connection,
    projection: &str,
) -> rusqlite::Result<Result<usize, PerformError>> {
    let kept = of(connection, projection)?;
    let Some(again) = rebuilt(&kept, log(connection)?.head) else {
        return Ok(Err(PerformError::ProjectionNotFound(projection.to_owned())));
    };
    connection.prepare_cached(RETIRE_BUILDING)?.execute(params![projection, again.version])?;
    begin(connection, &again)?;
    Ok(Ok(0))
}

/// Ends a projection, within the transaction that records it; what it has left is removed step by step.
pub(in crate::sqlite) fn drop_projection(
    connection: &Connection,
    projection: &str,
) -> rusqlite::Result<Result<usize, PerformError>> {
    if of(connection, projection)?.iter().all(|one| one.phase == Phase::Removed) {
        return Ok(Err(PerformError::ProjectionNotFound(projection.to_owned())));
    }
    connection.prepare_cached(RETIRE_ALL)?.execute([projection])?;
    connection.prepare_cached(CLEAR_SERVED)?.execute([projection])?;
    Ok(Ok(0))
}

pub(super) fn switch(
    writer: &mut Writer,
    request: &SwitchProjection,
) -> Result<Result<(), SwitchError>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let Some(generation) = generation(&transaction, &request.checkpoint)? else {
        return Ok(Err(SwitchError::Retired));
    };
    let kept = of(&transaction, &generation.projection)?;
    let serving = kept.iter().find(|one| one.phase == Phase::Serving);
    let serving = serving.map_or(Position::START, |serving| serving.position);
    let actual = generation.position;
    match generation.phase {
        Phase::Serving if generation.joined || generation.inline.is_empty() => return Ok(Ok(())),
        Phase::Retired | Phase::Removed => return Ok(Err(SwitchError::Retired)),
        Phase::Serving | Phase::Building if actual != request.expected => {
            return Ok(Err(SwitchError::CheckpointMoved { actual }));
        }
        Phase::Building if actual < serving => return Ok(Err(SwitchError::Behind { serving })),
        Phase::Serving | Phase::Building => {}
    }
    let joins = !generation.inline.is_empty() && !has_behind(&transaction, &generation)?;
    if generation.phase == Phase::Serving && !joins {
        return Ok(Err(SwitchError::Behind { serving: log(&transaction)?.head }));
    }
    if generation.phase == Phase::Building {
        let Generation { projection, version, run, .. } = &generation;
        transaction.prepare_cached(RETIRE_BEFORE)?.execute(params![projection, version, run])?;
        mark(&transaction, &request.checkpoint, Phase::Serving)?;
        serve(&transaction, &generation)?;
    }
    if joins {
        let checkpoint = request.checkpoint.clone();
        move_joined(&transaction, &[Moved { checkpoint, offset: 0, joined: true }], actual)?;
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(Ok(()))
}

/// Readers of its collections get its documents, whoever else has had them.
fn serve(connection: &Connection, generation: &Generation) -> rusqlite::Result<()> {
    let Generation { projection, suffix, collections, indexes, .. } = generation;
    let indexes = serde_json::Value::from(indexes.clone()).to_string();
    connection.prepare_cached(CLEAR_SERVED)?.execute([projection])?;
    for collection in collections {
        connection.prepare_cached(PUT_SERVED)?.execute(params![collection, suffix, projection, indexes])?;
    }
    Ok(())
}

/// Removes some documents of retired generations; whether there are more.
pub(super) fn remove_retired(writer: &mut Writer, request: &RemoveRetired) -> Result<bool, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let mut left = REMOVED_MAX;
    for one in of(&transaction, &request.projection)?.iter().filter(|one| one.phase == Phase::Retired) {
        for collection in &one.collections {
            left -= remove(&transaction, &format!("{collection}{}", one.suffix), left)?.min(left);
        }
        if left > 0 {
            mark(&transaction, &one.checkpoint(), Phase::Removed)?;
        }
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(left == 0)
}

/// Removes so many documents of a collection at most; how many.
fn remove(transaction: &Transaction<'_>, collection: &str, most: usize) -> rusqlite::Result<usize> {
    let mut statement = transaction.prepare_cached(LIST_DOCUMENT_KEYS)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let keys = statement.query_map(params![collection, most], |row| row.get::<_, String>(0))?;
    let keys = keys.collect::<rusqlite::Result<Vec<_>>>()?;
    for key in &keys {
        transaction.prepare_cached(DELETE_DOCUMENT_INDEX)?.execute(params![collection, key])?;
        transaction.prepare_cached(DELETE_DOCUMENT)?.execute(params![collection, key])?;
    }
    Ok(keys.len())
}

fn begin(connection: &Connection, generation: &Generation) -> rusqlite::Result<()> {
    let all = list(connection, &ListProjections { projection: None })?;
    let generation = &generation.clone().apart_from(&all);
    if generation.phase == Phase::Serving {
        serve(connection, generation)?;
    }
    let Generation {
        projection, version, run, phase, live_after, suffix, collections, indexes, inline, ..
    } = generation;
    let collections = serde_json::Value::from(collections.clone()).to_string();
    let indexes = serde_json::Value::from(indexes.clone()).to_string();
    let inline = serde_json::Value::from(inline.clone()).to_string();
    let row = params![
        generation.checkpoint(),
        projection,
        version,
        run,
        text(*phase),
        live_after.to_i64(),
        suffix,
        collections,
        indexes,
        inline
    ];
    connection.prepare_cached(BEGIN_GENERATION)?.execute(row).map(|_rows| ())
}

fn mark(connection: &Connection, checkpoint: &str, phase: Phase) -> rusqlite::Result<()> {
    connection.prepare_cached(MARK_GENERATION)?.execute([checkpoint, text(phase)]).map(|_rows| ())
}

const fn text(phase: Phase) -> &'static str {
    match phase {
        Phase::Serving => "serving",
        Phase::Building => "building",
        Phase::Retired => "retired",
        Phase::Removed => "removed",
    }
}

/// A list of names, which a column holds as JSON.
pub(super) fn names(list: &str, column: usize) -> rusqlite::Result<Vec<String>> {
    serde_json::from_str(list)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Generation> {
    let phase: String = row.get(3)?;
    let phases = [Phase::Serving, Phase::Building, Phase::Retired, Phase::Removed];
    let unknown =
        || rusqlite::Error::FromSqlConversionFailure(3, Type::Text, format!("{phase:?} is no phase").into());
    let phase = phases.into_iter().find(|one| text(*one) == phase).ok_or_else(unknown)?;
    let list = |column| names(&row.get::<_, String>(column)?, column);
    let (collections, indexes) = (list(7)?, list(8)?);
    Ok(Generation {
        projection: row.get::<_, Option<String>>(0)?.unwrap_or_default(),
        version: row.get(1)?,
        run: row.get(2)?,
        phase,
        position: Position::from_i64(row.get(4)?),
        live_after: Position::from_i64(row.get(5)?),
        suffix: row.get(6)?,
        collections,
        indexes,
        tables_in: None,
        inline: list(9)?,
        joined: row.get(10)?,
    })
}
