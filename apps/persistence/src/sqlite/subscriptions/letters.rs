//! Dead letters.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use umbel_core::{
    EventId, Json, Position, Timestamp,
    store::{
        Failure, Lease, Letter, LetterFilter, LettersSettled, ListLetters, NewLetter, ParkLetters,
        ReadParkedKeys, SettleLetters, TakeLetters,
    },
    subscription::{Key, SettledLetter, Settling, SubscriptionName},
    version::Place,
};
use uuid::Uuid;

use super::{leases::subscription_name, meant::Meant, to_i64};
use crate::sqlite::{
    error::Fault,
    sql::{
        COUNT_LETTERS, DELETE_LETTER, FAIL_LETTER, FIND_LETTER, FORGET_BOX, HAS_LEASE, HAS_LETTERS,
        INSERT_LETTER, LOST_BOX, MARK_FIRST, PARKED_KEYS, SWEEP_LETTERS, TAKE_LETTERS, UNMARK_FIRST,
    },
    writer::Writer,
};

pub(super) fn park(writer: &mut Writer, request: &ParkLetters, now: Timestamp) -> Result<Vec<u32>, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let name = &request.subscription;
    let mut refused = BTreeSet::new();
    for letter in &request.letters {
        let Lease { partition, epoch } = letter.lease;
        if !has_lease(&transaction, name, partition, epoch)? {
            refused.insert(partition);
        } else if insert(&transaction, name, letter, now)? {
            transaction.prepare_cached(COUNT_LETTERS)?.execute(params![name.as_str(), partition, 1])?;
            mark_first(&transaction, name, partition, letter.key)?;
        }
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(refused.into_iter().collect())
}

/// Whether it is new.
fn insert(
    connection: &Connection,
    subscription: &SubscriptionName,
    letter: &NewLetter,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let NewLetter { lease, place, key, key_text, event_id, position, event_name, failure } = letter;
    let failure = failure.as_ref();
    let inserted = connection.prepare_cached(INSERT_LETTER)?.execute(params![
        subscription.as_str(),
        place.to_i64(),
        lease.partition,
        key.to_i64(),
        key_text,
        event_id.0.as_bytes(),
        position.to_i64(),
        event_name.as_ref(),
        now.as_micros(),
        failure.map(|failure| &failure.error),
        failure.map(|failure| failure.attempts),
        failure.map(|failure| failure.first_at.as_micros()),
        failure.map(|failure| failure.last_at.as_micros()),
    ])?;
    Ok(inserted > 0)
}

pub(super) fn settle(writer: &mut Writer, request: &SettleLetters) -> Result<LettersSettled, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let name = &request.subscription;
    let (mut refused, mut touched) = (BTreeSet::new(), BTreeSet::new());
    for SettledLetter { partition, epoch, place, key, settling } in &request.settled {
        if !has_lease(&transaction, name, *partition, *epoch)? {
            refused.insert(*partition);
            continue;
        }
        touched.insert((*partition, *key));
        match settling {
            Settling::Done => drop(remove(&transaction, name, *partition, *key, *place)?),
            Settling::Failed(failure) => {
                transaction.prepare_cached(FAIL_LETTER)?.execute(params![
                    name.as_str(),
                    place.to_i64(),
                    partition,
                    failure.error,
                    failure.attempts,
                    failure.first_at.as_micros(),
                    failure.last_at.as_micros(),
                ])?;
            }
        }
    }
    let mut free = Vec::new();
    for (partition, key) in touched {
        let of_key = params![name.as_str(), partition, key.to_i64()];
        if !transaction.prepare_cached(HAS_LETTERS)?.query_row(of_key, |row| row.get::<_, bool>(0))? {
            free.push((partition, key));
        }
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(LettersSettled { free, refused: refused.into_iter().collect() })
}

fn has_lease(
    connection: &Connection,
    subscription: &SubscriptionName,
    partition: u32,
    epoch: u64,
) -> rusqlite::Result<bool> {
    let lease = params![subscription.as_str(), partition, to_i64(epoch)];
    connection.prepare_cached(HAS_LEASE)?.query_row(lease, |row| row.get(0))
}

/// Removes a letter; whether it was there. The next one of its key is the first then.
pub(super) fn remove(
    connection: &Connection,
    subscription: &SubscriptionName,
    partition: u32,
    key: Key,
    place: Place,
) -> rusqlite::Result<bool> {
    let name = subscription.as_str();
    let letter = params![name, place.to_i64(), partition];
    let removed = connection.prepare_cached(DELETE_LETTER)?.execute(letter)? > 0;
    if removed {
        connection.prepare_cached(COUNT_LETTERS)?.execute(params![name, partition, -1])?;
        mark_first(connection, subscription, partition, key)?;
    }
    Ok(removed)
}

fn mark_first(
    connection: &Connection,
    subscription: &SubscriptionName,
    partition: u32,
    key: Key,
) -> rusqlite::Result<()> {
    let of_key = params![subscription.as_str(), partition, key.to_i64()];
    connection.prepare_cached(UNMARK_FIRST)?.execute(of_key)?;
    connection.prepare_cached(MARK_FIRST)?.execute(of_key)?;
    Ok(())
}

pub(super) fn parked_keys(connection: &Connection, request: &ReadParkedKeys) -> rusqlite::Result<Vec<Key>> {
    let of_partition = params![request.subscription.as_str(), request.partition];
    let mut statement = connection.prepare_cached(PARKED_KEYS)?;
    statement.query_map(of_partition, |row| row.get(0).map(Key::from_i64))?.collect()
}

pub(super) fn take(connection: &Connection, request: &TakeLetters) -> rusqlite::Result<Vec<Letter>> {
    let partitions: Vec<_> = request.partitions.iter().map(u32::to_string).collect();
    let partitions = format!("[{}]", partitions.join(","));
    let mut statement = connection.prepare_cached(TAKE_LETTERS)?;
    statement.query_map(params![request.subscription.as_str(), partitions, request.limit], letter)?.collect()
}

pub(super) fn list(connection: &mut Connection, request: &ListLetters) -> rusqlite::Result<Vec<Letter>> {
    let snapshot = connection.transaction()?;
    Meant::by(&request.filter).list_behind(&snapshot, request.after.as_ref(), request.limit)
}

pub(super) fn count(connection: &Connection, filter: &LetterFilter) -> rusqlite::Result<u64> {
    Meant::by(filter).count(connection)
}

/// Removes so many letters of boxes that are lost, and the boxes in which nothing is left; how many letters.
pub(super) fn sweep(writer: &mut Writer, limit: u32) -> Result<u64, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let mut removed = 0;
    loop {
        let room = i64::from(limit) - to_i64(removed);
        let lost =
            transaction.prepare_cached(LOST_BOX)?.query_row([], |row| row.get::<_, i64>(0)).optional()?;
        let Some(lost) = lost.filter(|_| room > 0) else { break };
        let of_one = transaction.prepare_cached(SWEEP_LETTERS)?.execute(params![lost, room])?;
        removed += u64::try_from(of_one).unwrap_or(0);
        if i64::try_from(of_one).is_ok_and(|of_one| of_one < room) {
            transaction.prepare_cached(FORGET_BOX)?.execute([lost])?;
        }
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(removed)
}

/// The partition and key of a letter, if it is there.
pub(super) fn find(
    connection: &Connection,
    subscription: &SubscriptionName,
    place: Place,
) -> rusqlite::Result<Option<(u32, Key)>> {
    let found = |row: &Row<'_>| Ok((row.get(0)?, Key::from_i64(row.get(1)?)));
    let letter = params![subscription.as_str(), place.to_i64()];
    connection.prepare_cached(FIND_LETTER)?.query_row(letter, found).optional()
}

pub(super) fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let time = |column| row.get::<_, i64>(column).map(Timestamp::from_micros);
    let error: Option<String> = row.get(8)?;
    let failure = |error| {
        Ok::<_, rusqlite::Error>(Failure {
            error,
            attempts: row.get(9)?,
            first_at: time(10)?,
            last_at: time(11)?,
        })
    };
    Ok(Letter {
        subscription: subscription_name(row, 0)?,
        partition: row.get(1)?,
        place: Place::from_i64(row.get(2)?),
        key: Key::from_i64(row.get(3)?),
        key_text: row.get(4)?,
        event_id: EventId(Uuid::from_bytes(row.get(5)?)),
        position: Position::from_i64(row.get(6)?),
        event_name: row.get::<_, String>(7)?.into(),
        failure: error.map(failure).transpose()?,
        parked_at: time(12)?,
        retry: row.get(13)?,
        replay: row.get(15)?,
        edited: row.get::<_, Option<String>>(14)?.map(Json::from_store),
    })
}
