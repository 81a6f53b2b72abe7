//! Acts that take something away from the log or move it. The act and its record are one transaction, but for removals for good, which may
//! take several; the record is written as any append is.

use rusqlite::{Transaction, params};
use umbel_core::{
    ExpectedVersion, NewEvent, Position, StreamName, Timestamp,
    store::{
        Act, ActRecord, Append, Perform, PerformError, Performed, Step, StoreError, Turn, plan::StreamState,
    },
};

use super::removal;
use crate::sqlite::{
    error::Fault,
    log::{Ids, Kinds, KnownStreams, LogRow, StreamRow, append_within, find_stream, log, read_event},
    sql::{
        BEGIN_UPKEEP, COPY_TO_ARCHIVE, END_UPKEEP, FORGET_SUBJECT, MOVE_ARCHIVE, REMOVE_ARCHIVED,
        SOFT_DELETE_STREAM, TRUNCATE_STREAM,
    },
    subscriptions,
    writer::Writer,
};

/// How much an act took away or moved.
#[derive(Default)]
struct Done {
    events: u64,
    links: u64,
}

/// Does an act, or a step of it. What is removed for good does not stay readable in the file either.
pub(super) fn perform(
    writer: &mut Writer,
    request: &Perform,
    room: u32,
    now: Timestamp,
) -> Result<Result<Step, PerformError>, Fault> {
    let wipes = request.act.is_hard()
        || matches!(request.act, Act::ForgetSubject { .. } | Act::DiscardLetters { .. });
    if wipes {
        writer.overwrite_deleted(true)?;
    }
    let outcome = match try_perform(writer, request, room, now) {
        // Whether it was done is read from the file. When that fails too, it stays unknown.
        Err(Fault::Commit(error)) => {
            try_perform(writer, request, room, now).map_err(|_again| Fault::Commit(error))
        }
        settled => settled,
    };
    if wipes {
        writer.overwrite_deleted(false)?;
    }
    if wipes
        && matches!(outcome, Ok(Ok(Step::Done(_))))
        && let Err(error) = writer.wipe()
    {
        // It is done all the same.
        tracing::warn!(%error, "what was removed may stay readable in the write-ahead log for a while");
    }
    outcome
}

fn try_perform(
    writer: &mut Writer,
    request: &Perform,
    room: u32,
    now: Timestamp,
) -> Result<Result<Step, PerformError>, Fault> {
    let (transaction, kinds) = writer.begin_upkeep()?;
    if let Some(event) = read_event(&transaction, request.id)? {
        return Ok(request.done_before(&event).map(Step::Done));
    }
    let stream = request.act.stream().map(|stream| find_stream(&transaction, stream)).transpose()?.flatten();
    let (state, log) = (stream.as_ref().map(StreamRow::state), log(&transaction)?);
    let removing = removal::find(&transaction, stream.map(|stream| stream.key), request)?;
    let turn = match request.turn(state.as_ref(), log.head, removing) {
        Ok(Turn::After(other)) => return Ok(Ok(Step::After(other))),
        Ok(turn) => turn,
        Err(refusal) => return Ok(Err(refusal)),
    };
    transaction.prepare_cached(BEGIN_UPKEEP)?.execute([])?;
    let done = match (subscriptions::act(&transaction, &request.act)?, state) {
        (Some(Ok(events)), _) => Some(Done { events: count(events), links: 0 }),
        (Some(Err(missing)), _) => return Ok(Err(missing)),
        (None, Some(state)) if request.act.is_hard() => {
            remove(&transaction, turn, request, &state, room, now)?
        }
        (None, state) => Some(act(&transaction, &request.act, state.and_then(|state| state.key), now)?),
    };
    transaction.prepare_cached(END_UPKEEP)?.execute([])?;
    let Some(done) = done else {
        transaction.commit().map_err(Fault::of_commit)?;
        return Ok(Ok(Step::More));
    };
    let performed = match record(&transaction, kinds, log, request, &done, now)? {
        Ok(performed) => performed,
        Err(error) => return Ok(Err(error.into())),
    };
    transaction.commit().map_err(Fault::of_commit)?;
    kinds.committed();
    Ok(Ok(Step::Done(performed)))
}

/// Takes the first or the next step of a removal; how much went in all of them, once it is through.
fn remove(
    transaction: &Transaction<'_>,
    turn: Turn,
    request: &Perform,
    state: &StreamState,
    room: u32,
    now: Timestamp,
) -> rusqlite::Result<Option<Done>> {
    let mut removing = match turn {
        Turn::GoOn(removing) => *removing,
        _ => removal::begin(transaction, request, state, now)?,
    };
    if !removing.is_through() {
        removal::step(transaction, state.key, &mut removing, room)?;
    }
    if !removing.is_through() {
        return Ok(None);
    }
    removal::end(transaction, state.key, &removing)?;
    Ok(Some(Done { events: removing.events, links: removing.links }))
}

/// Appends the record.
fn record(
    transaction: &Transaction<'_>,
    kinds: &mut Kinds,
    log: LogRow,
    request: &Perform,
    done: &Done,
    now: Timestamp,
) -> rusqlite::Result<Result<Performed, StoreError>> {
    let Perform { id, act, metadata } = request;
    let &Done { events, links } = done;
    let failed = |reason: String| Ok(Err(StoreError::Failed { reason }));
    let event = match (ActRecord { act: act.clone(), events, links }).encode() {
        Ok(event) => NewEvent::new(*id, event, metadata.clone()),
        Err(error) => return failed(error.to_string()),
    };
    let append = Append::to_stream(StreamName::audit(), ExpectedVersion::Any, vec![event]);
    let written =
        append_within(transaction, kinds, &KnownStreams::default(), log, &[append], now, Ids::Unread)?;
    match written.outcomes.into_iter().next() {
        Some(Ok(appended)) => {
            let position = appended.last_position.unwrap_or(log.head);
            Ok(Ok(Performed { position, events, links }))
        }
        Some(Err(error)) => failed(error.to_string()),
        None => failed("the record of the act was not planned".into()),
    }
}

/// Does an act that is one step.
fn act(
    transaction: &Transaction<'_>,
    act: &Act,
    stream: Option<i64>,
    now: Timestamp,
) -> rusqlite::Result<Done> {
    match act {
        Act::DeleteStream { .. } => {
            transaction.prepare_cached(SOFT_DELETE_STREAM)?.execute(params![stream, now.as_micros()])?;
        }
        Act::TruncateStream { before, .. } => {
            transaction.prepare_cached(TRUNCATE_STREAM)?.execute(params![stream, before.to_i64()])?;
        }
        Act::Archive { through } => return archive(transaction, *through),
        Act::ForgetSubject { subject } => {
            let parameters = params![subject.as_str(), now.as_micros()];
            transaction.prepare_cached(FORGET_SUBJECT)?.execute(parameters)?;
        }
        _ => {}
    }
    Ok(Done::default())
}

fn archive(transaction: &Transaction<'_>, through: Position) -> rusqlite::Result<Done> {
    let through = [through.to_i64()];
    let events = transaction.prepare_cached(COPY_TO_ARCHIVE)?.execute(through)?;
    transaction.prepare_cached(REMOVE_ARCHIVED)?.execute(through)?;
    transaction.prepare_cached(MOVE_ARCHIVE)?.execute(through)?;
    Ok(Done { events: count(events), links: 0 })
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
