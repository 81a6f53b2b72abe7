//! Subscriptions, their leases and checkpoints.

use std::{collections::BTreeSet, time::Duration};

use rusqlite::{Connection, OptionalExtension, Row, params};
use umbel_core::{
    StreamName, Timestamp, Version,
    store::{
        Checkpoint, KeepLeases, LeaseState, Leases, ListSubscriptions, NoteBegun, NoteResetsTold,
        OpenSubscription, PartitionState, SaveCheckpoints, SubscriptionState,
    },
    subscription::{Abandoned, Begun, NodeId, Start, SubscriptionName},
    version::Place,
};
use uuid::Uuid;

use super::to_i64;
use crate::sqlite::{
    error::Fault,
    log::{find_stream, log},
    sql::{
        CLAIM_LEASE, INSERT_PARTITION, INSERT_SUBSCRIPTION, KEEP_LEASE, LEAVE_LEASES, LIST_LEASES,
        LIST_SUBSCRIPTIONS, NOTE_BEGUN, NOTE_RESETS_TOLD, PUT_MEMBER, REMOVE_MEMBERS, RESETS_TOLD,
        SAVE_CHECKPOINT,
    },
    writer::Writer,
};

pub(super) fn open(
    writer: &mut Writer,
    request: &OpenSubscription,
    now: Timestamp,
) -> Result<Option<SubscriptionState>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let OpenSubscription { name, partitions, start, stream, source } = request;
    let start = start_after(&transaction, *start, stream.as_ref())?;
    let row = params![
        name.as_str(),
        source,
        stream.as_ref().map(StreamName::as_str),
        start.map(Place::to_i64),
        now.as_micros()
    ];
    if transaction.prepare_cached(INSERT_SUBSCRIPTION)?.execute(row)? > 0 {
        for partition in 0..*partitions {
            let row = params![name.as_str(), partition, start.unwrap_or_default().to_i64()];
            transaction.prepare_cached(INSERT_PARTITION)?.execute(row)?;
        }
    }
    let one = ListSubscriptions { name: Some(name.clone()), after: None, limit: 1 };
    let state = list(&transaction, &one, now)?.pop();
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(state)
}

/// The place behind which a start is now; `None` for the first event.
pub(super) fn start_after(
    connection: &Connection,
    start: Start,
    stream: Option<&StreamName>,
) -> rusqlite::Result<Option<Place>> {
    Ok(match start {
        Start::Origin => None,
        Start::After(place) => Some(place),
        Start::Current => Some(end_of(connection, stream)?),
    })
}

/// Where what a subscription follows ends: a stream, or the log.
pub(super) fn end_of(connection: &Connection, followed: Option<&StreamName>) -> rusqlite::Result<Place> {
    let Some(stream) = followed else { return Ok(log(connection)?.head.into()) };
    let row = find_stream(connection, stream)?;
    Ok(row.map_or(Version::START, |row| row.version).into())
}

pub(super) fn list(
    connection: &Connection,
    request: &ListSubscriptions,
    now: Timestamp,
) -> rusqlite::Result<Vec<SubscriptionState>> {
    let name = request.name.as_ref().map(SubscriptionName::as_str);
    // Every name is behind the empty text.
    let after = request.after.as_ref().map_or("", SubscriptionName::as_str);
    let mut statement = connection.prepare_cached(LIST_SUBSCRIPTIONS)?;
    let mut rows = statement.query(params![name, after, request.limit, now.as_micros()])?;
    let mut states: Vec<SubscriptionState> = Vec::new();
    while let Some(row) = rows.next()? {
        let name = subscription_name(row, 0)?;
        if states.last().is_none_or(|state| state.name != name) {
            states.push(state(name, row)?);
        }
        if let Some(state) = states.last_mut() {
            state.partitions.push(partition_state(row)?);
        }
    }
    Ok(states)
}

pub(super) fn keep(writer: &mut Writer, request: &KeepLeases, now: Timestamp) -> Result<Leases, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let (name, node) = (request.subscription.as_str(), request.node.0.as_bytes());
    let until = now.plus(Duration::from_millis(request.lease_ms)).as_micros();
    let leaves = request.leave.then_some(node);
    transaction.prepare_cached(REMOVE_MEMBERS)?.execute(params![name, now.as_micros(), leaves])?;
    let found = leases(&transaction, request, now)?;
    if found.gone {
        return Ok(found);
    }
    if !request.leave {
        transaction.prepare_cached(PUT_MEMBER)?.execute(params![name, node, until])?;
    }
    for (leases, until) in [(&request.release, None), (&request.hold, Some(until))] {
        for lease in leases {
            let row = params![name, lease.partition, to_i64(lease.epoch), node, until];
            transaction.prepare_cached(KEEP_LEASE)?.execute(row)?;
        }
    }
    if request.leave {
        transaction.prepare_cached(LEAVE_LEASES)?.execute(params![name, node])?;
    }
    for partition in &request.claim {
        let row = params![name, partition, node, until, now.as_micros()];
        transaction.prepare_cached(CLAIM_LEASE)?.execute(row)?;
    }
    let leases = leases(&transaction, request, now)?;
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(leases)
}

fn leases(connection: &Connection, request: &KeepLeases, now: Timestamp) -> rusqlite::Result<Leases> {
    let mut leases = Leases { gone: true, ..Leases::default() };
    let mut statement = connection.prepare_cached(LIST_LEASES)?;
    let (name, incarnation) = (request.subscription.as_str(), to_i64(request.incarnation));
    let mut rows = statement.query(params![name, now.as_micros(), incarnation])?;
    while let Some(row) = rows.next()? {
        (leases.gone, leases.paused, leases.members) = (false, row.get(0)?, row.get(1)?);
        leases.resets = row.get::<_, i64>(9)?.unsigned_abs();
        leases.partitions.push(LeaseState {
            partition: row.get(2)?,
            epoch: row.get::<_, i64>(3)?.unsigned_abs(),
            owner: node(row, 4)?,
            checkpoint: Place::from_i64(row.get(5)?),
            handled: Place::from_i64(row.get(8)?),
            letters: row.get::<_, i64>(6)?.unsigned_abs(),
            due: row.get(7)?,
            abandoned: Abandoned {
                leases: row.get::<_, i64>(10)?.unsigned_abs(),
                begun: Begun::from_store(row.get::<_, Option<String>>(11)?.as_deref()),
            },
        });
    }
    Ok(leases)
}

pub(super) fn save_checkpoints(writer: &mut Writer, request: &SaveCheckpoints) -> Result<Vec<u32>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let mut refused = BTreeSet::new();
    for Checkpoint { partition, epoch, place } in &request.checkpoints {
        let row = params![request.subscription.as_str(), partition, to_i64(*epoch), place.to_i64()];
        if transaction.prepare_cached(SAVE_CHECKPOINT)?.execute(row)? == 0 {
            refused.insert(*partition);
        }
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(refused.into_iter().collect())
}

pub(super) fn note_begun(writer: &mut Writer, request: &NoteBegun) -> Result<bool, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let NoteBegun { subscription, lease, begun } = request;
    let row = params![subscription.as_str(), lease.partition, to_i64(lease.epoch), begun.to_store()];
    let noted = transaction.prepare_cached(NOTE_BEGUN)?.execute(row)? > 0;
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(noted)
}

pub(super) fn note_resets_told(writer: &mut Writer, request: &NoteResetsTold) -> Result<Option<u64>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let NoteResetsTold { subscription, incarnation, told } = request;
    let row = params![subscription.as_str(), to_i64(*incarnation), to_i64(*told)];
    transaction.prepare_cached(NOTE_RESETS_TOLD)?.execute(row)?;
    let noted = resets_told(&transaction, request)?;
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(noted)
}

/// How many are noted.
pub(super) fn resets_told(
    connection: &Connection,
    request: &NoteResetsTold,
) -> rusqlite::Result<Option<u64>> {
    let row = params![request.subscription.as_str(), to_i64(request.incarnation)];
    let noted = |row: &Row<'_>| row.get::<_, i64>(0).map(i64::unsigned_abs);
    connection.prepare_cached(RESETS_TOLD)?.query_row(row, noted).optional()
}

fn state(name: SubscriptionName, row: &Row<'_>) -> rusqlite::Result<SubscriptionState> {
    let start: Option<i64> = row.get(3)?;
    Ok(SubscriptionState {
        name,
        kept_as: row.get(14)?,
        source: row.get(1)?,
        stream: row.get::<_, Option<String>>(2)?.map(StreamName::from_store),
        start: start.map_or(Start::Origin, |place| Start::After(Place::from_i64(place))),
        paused: row.get(4)?,
        created_at: Timestamp::from_micros(row.get(5)?),
        incarnation: row.get::<_, i64>(13)?.unsigned_abs(),
        members: row.get(6)?,
        partitions: Vec::new(),
    })
}

fn partition_state(row: &Row<'_>) -> rusqlite::Result<PartitionState> {
    Ok(PartitionState {
        partition: row.get(7)?,
        epoch: row.get::<_, i64>(8)?.unsigned_abs(),
        owner: node(row, 9)?,
        checkpoint: Place::from_i64(row.get(10)?),
        handled: Place::from_i64(row.get(15)?),
        letters: row.get::<_, i64>(11)?.unsigned_abs(),
        oldest_letter_at: row.get::<_, Option<i64>>(12)?.map(Timestamp::from_micros),
    })
}

fn node(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<NodeId>> {
    let bytes: Option<[u8; 16]> = row.get(column)?;
    Ok(bytes.map(|bytes| NodeId(Uuid::from_bytes(bytes))))
}

pub(super) fn subscription_name(row: &Row<'_>, column: usize) -> rusqlite::Result<SubscriptionName> {
    SubscriptionName::new(row.get::<_, String>(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}
