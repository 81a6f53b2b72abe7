//! Writing a group of appends. It is one immediate transaction, and all it relies on is read inside: another process
//! may write to the same file.

use rusqlite::{CachedStatement, Transaction, params};
use umbel_core::{
    Payload, Position, StreamName, Subject, Timestamp,
    store::{
        Append, AppendError, Appended,
        plan::{ClaimChange, Plan, PlannedEvent, StreamChange, StreamState, plan},
    },
};

use super::{
    closing,
    kinds::Kinds,
    known::KnownStreams,
    state::{self, LogRow},
    tags,
    view::{Ids, is_archived, view},
};
use crate::sqlite::{
    error::{Fault, is_unique_violation},
    extras::change_outbox,
    read_models::{move_joined, write_documents},
    sql::{INSERT_COMMAND, INSERT_EVENT, INSERT_STREAM, MOVE_HEAD, MOVE_STREAM, RELEASE_CLAIM, TAKE_CLAIM},
    writer::Writer,
};

type Outcomes = Vec<Result<Appended, AppendError>>;

/// Stores a group.
///
/// The event ids of a group are nearly always new, so they are not looked up at first: the unique index refuses
/// a known one, and only then, or when an append was refused that may be one stored before, the group is
/// planned with them.
pub(in crate::sqlite) fn append(
    writer: &mut Writer,
    group: &[Append],
    now: Timestamp,
) -> Result<Outcomes, Fault> {
    match try_append(writer, group, now, Ids::Unread) {
        Err(Fault::Before(error)) if is_unique_violation(&error) => try_append(writer, group, now, Ids::Read),
        // Whether the group is in the file is read from the file. When that fails too, it stays unknown.
        Err(Fault::Commit(error)) => {
            try_append(writer, group, now, Ids::Resolving).map_err(|_again| Fault::Commit(error))
        }
        settled => settled,
    }
}

pub(in crate::sqlite) fn try_append(
    writer: &mut Writer,
    group: &[Append],
    now: Timestamp,
    ids: Ids,
) -> Result<Outcomes, Fault> {
    let (transaction, kinds, streams) = writer.begin_append()?;
    let entered = streams.enter(&transaction)?;
    let log = state::log(&transaction)?;
    let written = append_within(&transaction, kinds, streams, log, group, now, ids)?;
    if written.is_written {
        transaction.commit().map_err(Fault::of_commit)?;
        kinds.committed();
    }
    streams.committed(entered, written.streams);
    Ok(written.outcomes)
}

/// What a group led to, and whether there is something to commit.
pub(in crate::sqlite) struct Written {
    pub(in crate::sqlite) outcomes: Outcomes,
    is_written: bool,
    /// The streams that it changed, as they are now.
    streams: Vec<(StreamName, StreamState)>,
}

/// Plans a group and writes it, within a transaction that may hold more.
pub(in crate::sqlite) fn append_within(
    transaction: &Transaction<'_>,
    kinds: &mut Kinds,
    known: &KnownStreams,
    log: LogRow,
    group: &[Append],
    now: Timestamp,
    ids: Ids,
) -> rusqlite::Result<Written> {
    let LogRow { head, archived_to } = log;
    let mut ids = ids;
    // The log's unique index cannot refuse what is in the archive.
    if ids == Ids::Unread && archived_to > Position::START && is_archived(transaction, group)? {
        ids = Ids::Read;
    }
    let mut planned = plan(view(transaction, known, head, group, ids)?, group);
    if ids == Ids::Unread && planned.outcomes.iter().any(Result::is_err) {
        planned = plan(view(transaction, known, head, group, Ids::Read)?, group);
    }
    let is_written = !planned.is_empty();
    let keys = if is_written { write(transaction, kinds, &planned, head, now)? } else { Vec::new() };
    let left = |(change, key): (StreamChange, i64)| {
        (change.stream, StreamState { key: Some(key), version: change.to, deleted: false })
    };
    let streams = planned.streams.into_iter().zip(keys).map(left).collect();
    let outcomes =
        planned.outcomes.into_iter().map(|outcome| outcome.map(|planned| planned.at(head))).collect();
    Ok(Written { outcomes, is_written, streams })
}

/// Gives the keys of the streams of the plan, in their order.
fn write(
    transaction: &Transaction<'_>,
    kinds: &mut Kinds,
    plan: &Plan<'_>,
    head: Position,
    now: Timestamp,
) -> rusqlite::Result<Vec<i64>> {
    let mut keys = Vec::new();
    if !plan.events.is_empty() {
        keys = write_streams(transaction, plan, now)?;
        write_events(transaction, kinds, plan, &keys, head, now)?;
        let end = head.plus(plan.event_count());
        transaction.prepare_cached(MOVE_HEAD)?.execute([end.to_i64()])?;
        closing::close(transaction, head, end)?;
    }
    write_claims(transaction, &plan.claims)?;
    write_documents(transaction, plan.documents.iter().copied().chain(&plan.inline), "")?;
    move_joined(transaction, &plan.moved, head)?;
    change_outbox(transaction, &plan.done, &plan.outbox, now)?;
    for (command, last_offset) in &plan.commands {
        let last_position = last_offset.map(|offset| head.plus(offset).to_i64());
        let (id, reply) = (command.id.0.as_bytes(), command.reply.as_str());
        transaction.prepare_cached(INSERT_COMMAND)?.execute(params![
            id,
            reply,
            last_position,
            now.as_micros(),
            plan.for_good.contains(&command.id),
        ])?;
    }
    Ok(keys)
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
    kinds: &mut Kinds,
    plan: &Plan<'_>,
    keys: &[i64],
    head: Position,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(INSERT_EVENT)?;
    let mut position = head;
    for planned in &plan.events {
        position = position.next();
        let (change, key) = plan
            .streams
            .get(planned.stream)
            .zip(keys.get(planned.stream))
            .expect("the planner's events point at its streams");
        let category = change.stream.category().0;
        let kind = kinds.number(transaction, category, &planned.event.event_type)?;
        let tags = tags::list(&planned.event.tags)?;
        write_event(&mut insert, planned, position, (*key, kind), tags.as_deref(), now)?;
        if let Some(tags) = tags {
            tags::write(transaction, position, kind, &tags)?;
        }
    }
    Ok(())
}

fn write_event(
    insert: &mut CachedStatement<'_>,
    planned: &PlannedEvent<'_>,
    position: Position,
    (stream, kind): (i64, i64),
    tags: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (event, metadata) = (planned.event, &planned.event.metadata);
    let custom =
        metadata.custom_json().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let (json, bytes) = match &event.data {
        Payload::Json(json) => (Some(json.as_str()), None),
        Payload::Binary(bytes) => (None, Some(&**bytes)),
    };
    insert.execute(params![
        position.to_i64(),
        stream,
        planned.version.to_i64(),
        event.id.0.as_bytes(),
        kind,
        planned.recorded_at.unwrap_or(now).as_micros(),
        metadata.correlation_id.as_ref().map(|id| id.as_bytes()),
        metadata.causation_id.as_ref().map(|id| id.as_bytes()),
        event.subject.as_ref().map(Subject::as_str),
        tags,
        custom.as_ref().map(|custom| custom.as_str()),
        json,
        bytes,
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
