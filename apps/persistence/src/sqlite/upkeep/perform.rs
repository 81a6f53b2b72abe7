//! Acts that take something away from the log or move it. The act and its record are one transaction; the record is
//! written as any append is.

use rusqlite::{Transaction, params};
use umbel_core::{
    ExpectedVersion, NewEvent, Position, StreamName, Timestamp, Version,
    store::{Act, ActRecord, Append, Perform, PerformError, Performed, Removal, StoreError},
};

use crate::sqlite::{
    error::Fault,
    log::{Ids, Kinds, KnownStreams, LogRow, StreamRow, append_within, find_stream, log, read_event, unlist},
    sql::{
        BEGIN_UPKEEP, COPY_TO_ARCHIVE, COUNT_LOST_LINKS, DELETE_SNAPSHOT, DELETE_STREAM, END_UPKEEP,
        FORGET_SUBJECT, MOVE_ARCHIVE, REMOVE_ARCHIVED, REMOVE_EVENTS, REMOVE_LINKS, REMOVE_LINKS_TO,
        REMOVE_TAGS, SOFT_DELETE_STREAM, TRUNCATE_STREAM, Table,
    },
    subscriptions,
    writer::Writer,
};

/// How much an act took away or moved.
#[derive(Default)]
struct Done {
    events: usize,
    links: usize,
}

/// What was removed for good.
#[derive(Default)]
struct Removed {
    /// Of the stream's own.
    events: usize,
    /// That the stream held.
    own_links: usize,
    /// That other streams held to its events.
    links_to: usize,
}

impl Removed {
    /// How many of the stream's own versions that were.
    const fn own(&self) -> usize {
        self.events + self.own_links
    }
}

impl From<Removed> for Done {
    fn from(removed: Removed) -> Self {
        Self { events: removed.events, links: removed.own_links + removed.links_to }
    }
}

/// Does an act. What is removed for good does not stay readable in the file either.
pub(super) fn perform(
    writer: &mut Writer,
    request: &Perform,
    now: Timestamp,
) -> Result<Result<Performed, PerformError>, Fault> {
    let wipes = request.act.is_hard()
        || matches!(request.act, Act::ForgetSubject { .. } | Act::DiscardLetters { .. });
    if wipes {
        writer.overwrite_deleted(true)?;
    }
    let outcome = match try_perform(writer, request, now) {
        // Whether it was done is read from the file. When that fails too, it stays unknown.
        Err(Fault::Commit(error)) => try_perform(writer, request, now).map_err(|_again| Fault::Commit(error)),
        settled => settled,
    };
    if wipes {
        writer.overwrite_deleted(false)?;
    }
    if wipes
        && matches!(outcome, Ok(Ok(_)))
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
    now: Timestamp,
) -> Result<Result<Performed, PerformError>, Fault> {
    let (transaction, kinds) = writer.begin_upkeep()?;
    if let Some(event) = read_event(&transaction, request.id)? {
        return Ok(request.done_before(&event));
    }
    let stream = request.act.stream().map(|stream| find_stream(&transaction, stream)).transpose()?.flatten();
    let log = log(&transaction)?;
    if let Err(refusal) = request.act.check(stream.as_ref().map(StreamRow::state).as_ref(), log.head) {
        return Ok(Err(refusal));
    }
    transaction.prepare_cached(BEGIN_UPKEEP)?.execute([])?;
    let done = match subscriptions::act(&transaction, &request.act)? {
        Some(Ok(events)) => Done { events, links: 0 },
        Some(Err(missing)) => return Ok(Err(missing)),
        None => act(&transaction, &request.act, stream.map(|stream| stream.key), now)?,
    };
    transaction.prepare_cached(END_UPKEEP)?.execute([])?;
    let performed = match record(&transaction, kinds, log, request, &done, now)? {
        Ok(performed) => performed,
        Err(error) => return Ok(Err(error.into())),
    };
    transaction.commit().map_err(Fault::Commit)?;
    kinds.committed();
    Ok(Ok(performed))
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
    let [events, links] = [done.events, done.links].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
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

fn act(
    transaction: &Transaction<'_>,
    act: &Act,
    stream: Option<i64>,
    now: Timestamp,
) -> rusqlite::Result<Done> {
    match act {
        Act::DeleteStream { stream: name, removal, .. } => delete(transaction, name, stream, *removal, now),
        Act::TruncateStream { before, removal, .. } => truncate(transaction, stream, *before, *removal),
        Act::Archive { through } => archive(transaction, *through),
        Act::ForgetSubject { subject } => {
            let parameters = params![subject.as_str(), now.as_micros()];
            transaction.prepare_cached(FORGET_SUBJECT)?.execute(parameters)?;
            Ok(Done::default())
        }
        _ => Ok(Done::default()),
    }
}

fn delete(
    transaction: &Transaction<'_>,
    name: &StreamName,
    stream: Option<i64>,
    removal: Removal,
    now: Timestamp,
) -> rusqlite::Result<Done> {
    if removal == Removal::Soft {
        transaction.prepare_cached(SOFT_DELETE_STREAM)?.execute(params![stream, now.as_micros()])?;
        return Ok(Done::default());
    }
    let removed = remove(transaction, stream, Version::MAX)?;
    transaction.prepare_cached(DELETE_STREAM)?.execute([stream])?;
    transaction.prepare_cached(DELETE_SNAPSHOT)?.execute([name.as_str()])?;
    subscriptions::reset_followers(transaction, name)?;
    Ok(removed.into())
}

fn truncate(
    transaction: &Transaction<'_>,
    stream: Option<i64>,
    before: Version,
    removal: Removal,
) -> rusqlite::Result<Done> {
    let (kept_from, removed) = match removal {
        Removal::Soft => (Version::START, Removed::default()),
        Removal::Hard => (before, remove(transaction, stream, before)?),
    };
    let own = i64::try_from(removed.own()).unwrap_or(i64::MAX);
    let parameters = params![stream, before.to_i64(), kept_from.to_i64(), own];
    transaction.prepare_cached(TRUNCATE_STREAM)?.execute(parameters)?;
    Ok(removed.into())
}

/// Removes what a stream has below a version: its own events with all links to them, and its links. Streams that lose
/// links keep their versions and count what they lost; the stream itself is for the caller to count.
fn remove(transaction: &Transaction<'_>, stream: Option<i64>, before: Version) -> rusqlite::Result<Removed> {
    let below = params![stream, before.to_i64()];
    let own_links = transaction.prepare_cached(REMOVE_LINKS)?.execute(below)?;
    let mut removed = Removed { own_links, ..Removed::default() };
    for table in Table::ALL {
        transaction.prepare_cached(&table.of(COUNT_LOST_LINKS))?.execute(below)?;
        removed.links_to += transaction.prepare_cached(&table.of(REMOVE_LINKS_TO))?.execute(below)?;
        transaction.prepare_cached(&table.of(REMOVE_TAGS))?.execute(below)?;
        unlist(transaction, table, stream, before)?;
        removed.events += transaction.prepare_cached(&table.of(REMOVE_EVENTS))?.execute(below)?;
    }
    Ok(removed)
}

fn archive(transaction: &Transaction<'_>, through: Position) -> rusqlite::Result<Done> {
    let through = [through.to_i64()];
    let events = transaction.prepare_cached(COPY_TO_ARCHIVE)?.execute(through)?;
    transaction.prepare_cached(REMOVE_ARCHIVED)?.execute(through)?;
    transaction.prepare_cached(MOVE_ARCHIVE)?.execute(through)?;
    Ok(Done { events, links: 0 })
}
