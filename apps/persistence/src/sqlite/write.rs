//! The writer's side: a group of appends, a projection's progress. Each is one immediate transaction, and all it
//! relies on is read inside: another process may write to the same file.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use umbel_core::{
    Position, Timestamp,
    document::DocumentWrite,
    store::{
        Append, AppendError, Appended, SaveProjection, SaveProjectionError,
        plan::{ClaimChange, Plan, PlannedEvent, StreamChange, plan},
    },
};

use super::{
    error::{Fault, is_unique_violation},
    sql::{
        CLEAR_DOCUMENT_INDEX, CLEAR_DOCUMENTS, DELETE_DOCUMENT, DELETE_DOCUMENT_INDEX, FIND_CHECKPOINT, HEAD,
        INSERT_COMMAND, INSERT_DOCUMENT_INDEX, INSERT_EVENT, INSERT_STREAM, MOVE_CHECKPOINT, MOVE_HEAD,
        MOVE_STREAM, PUT_DOCUMENT, RELEASE_CLAIM, TAKE_CLAIM,
    },
    view::{Ids, view},
};

type Outcomes = Vec<Result<Appended, AppendError>>;

/// Stores a group.
///
/// The event ids of a group are nearly always new, so they are not looked up at first: the unique index refuses
/// a known one, and only then, or when an append was refused that may be one stored before, the group is
/// planned with them.
pub(super) fn append(
    connection: &mut Connection,
    group: &[Append],
    now: Timestamp,
) -> Result<Outcomes, Fault> {
    match try_append(connection, group, now, Ids::Unread) {
        Err(Fault::Before(error)) if is_unique_violation(&error) => {
            try_append(connection, group, now, Ids::Read)
        }
        // Whether the group is in the file is read from the file. When that fails too, it stays unknown.
        Err(Fault::Commit(error)) => {
            try_append(connection, group, now, Ids::Resolving).map_err(|_again| Fault::Commit(error))
        }
        settled => settled,
    }
}

/// Documents and checkpoint, if the checkpoint stands where expected.
pub(super) fn save_projection(
    connection: &mut Connection,
    request: &SaveProjection,
) -> Result<Result<(), SaveProjectionError>, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
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

/// The log's last position.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Position> {
    connection.prepare_cached(HEAD)?.query_row([], |row| row.get(0)).map(Position::from_i64)
}

pub(super) fn try_append(
    connection: &mut Connection,
    group: &[Append],
    now: Timestamp,
    ids: Ids,
) -> Result<Outcomes, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut planned = plan(view(&transaction, group, ids)?, group);
    if ids == Ids::Unread && planned.outcomes.iter().any(Result::is_err) {
        planned = plan(view(&transaction, group, Ids::Read)?, group);
    }
    let head = head(&transaction)?;
    if !planned.is_empty() {
        write(&transaction, &planned, head, now)?;
        transaction.commit().map_err(Fault::Commit)?;
    }
    Ok(planned.outcomes.into_iter().map(|outcome| outcome.map(|planned| planned.at(head))).collect())
}

fn write(
    transaction: &Transaction<'_>,
    plan: &Plan<'_>,
    head: Position,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if !plan.events.is_empty() {
        let keys = write_streams(transaction, plan, now)?;
        write_events(transaction, &plan.events, &keys, head, now)?;
        let head = head.plus(plan.event_count());
        transaction.prepare_cached(MOVE_HEAD)?.execute([head.to_i64()])?;
    }
    write_claims(transaction, &plan.claims)?;
    write_documents(transaction, plan.documents.iter().copied())?;
    for (command, last_offset) in &plan.commands {
        let last_position = last_offset.map(|offset| head.plus(offset).to_i64());
        let (id, reply) = (command.id.0.as_bytes(), command.reply.as_str());
        transaction.prepare_cached(INSERT_COMMAND)?.execute(params![
            id,
            reply,
            last_position,
            now.as_micros()
        ])?;
    }
    Ok(())
}

/// Gives the streams' keys, in their order.
fn write_streams(
    transaction: &Transaction<'_>,
    plan: &Plan<'_>,
    now: Timestamp,
) -> rusqlite::Result<Vec<i64>> {
    let mut insert = transaction.prepare_cached(INSERT_STREAM)?;
    let mut update = transaction.prepare_cached(MOVE_STREAM)?;
    // A new stream is as old as its first event. From the last to the first, so that the first one stays.
    let mut first_events = vec![now; plan.streams.len()];
    for event in plan.events.iter().rev() {
        if let Some(first) = first_events.get_mut(event.stream) {
            *first = event.recorded_at.unwrap_or(now);
        }
    }
    let write = |(stream, created_at): (&StreamChange, Timestamp)| match stream.key {
        Some(key) => update.execute(params![key, stream.to.to_i64()]).map(|_one| key),
        None => insert.insert(params![stream.stream.as_str(), stream.to.to_i64(), created_at.as_micros()]),
    };
    plan.streams.iter().zip(first_events).map(write).collect()
}

fn write_events(
    transaction: &Transaction<'_>,
    events: &[PlannedEvent<'_>],
    streams: &[i64],
    head: Position,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(INSERT_EVENT)?;
    let mut position = head;
    for planned in events {
        position = position.next();
        let stream = streams.get(planned.stream).expect("the planner's events point at its streams");
        write_event(&mut insert, planned, position, *stream, now)?;
    }
    Ok(())
}

fn write_event(
    insert: &mut CachedStatement<'_>,
    planned: &PlannedEvent<'_>,
    position: Position,
    stream: i64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (event, metadata) = (planned.event, &planned.event.metadata);
    let custom =
        metadata.custom_json().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    insert.execute(params![
        position.to_i64(),
        stream,
        planned.version.to_i64(),
        event.id.0.as_bytes(),
        event.event_type.name,
        event.event_type.schema,
        planned.recorded_at.unwrap_or(now).as_micros(),
        metadata.correlation_id.as_ref().map(|id| id.as_bytes()),
        metadata.causation_id.as_ref().map(|id| id.as_bytes()),
        event.data.as_str(),
        custom.as_ref().map(|custom| custom.as_str()),
    ])?;
    Ok(())
}

fn write_claims(transaction: &Transaction<'_>, claims: &[ClaimChange]) -> rusqlite::Result<()> {
    for ClaimChange { claim, after, .. } in claims {
        match after {
            Some(owner) => {
                let mut take = transaction.prepare_cached(TAKE_CLAIM)?;
                take.execute(params![claim.scope, claim.value, owner])?;
            }
            None => {
                let mut release = transaction.prepare_cached(RELEASE_CLAIM)?;
                release.execute(params![claim.scope, claim.value])?;
            }
        }
    }
    Ok(())
}

fn write_documents<'a>(
    transaction: &Transaction<'_>,
    writes: impl IntoIterator<Item = &'a DocumentWrite>,
) -> rusqlite::Result<()> {
    for DocumentWrite { collection, key, body, entries } in writes {
        transaction.prepare_cached(DELETE_DOCUMENT_INDEX)?.execute(params![collection, key])?;
        let Some(body) = body else {
            transaction.prepare_cached(DELETE_DOCUMENT)?.execute(params![collection, key])?;
            continue;
        };
        transaction.prepare_cached(PUT_DOCUMENT)?.execute(params![collection, key, body.as_str()])?;
        let mut insert = transaction.prepare_cached(INSERT_DOCUMENT_INDEX)?;
        for entry in entries {
            insert.execute(params![collection, entry.index, entry.key.as_bytes(), key])?;
        }
    }
    Ok(())
}
