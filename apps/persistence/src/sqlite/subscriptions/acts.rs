//! Acts about subscriptions, dead letters and projections, within the transaction that records them.

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::{
    Json, StreamName,
    store::{Act, Letter, LetterFilter, PerformError},
    subscription::SubscriptionName,
    version::Place,
};

use super::{
    leases::{end_of, start_after},
    letters,
    meant::Meant,
};
use crate::sqlite::{
    read_models,
    sql::{
        CANCEL_RETRY, DELETE_PARTITIONS, DELETE_SUBSCRIPTION, EDIT_LETTER, FIND_SUBSCRIPTION, FORGET_HANDLED,
        KEEP_EPOCH, LETTERS_OF, LIST_FOLLOWERS, LOSE_BOX, MOVE_START, PAUSE_SUBSCRIPTION, REMOVE_MEMBERS,
        RENAME_PARTITIONS, RENAME_SUBSCRIPTION, RESET_PARTITIONS, RETRY_LETTERS,
    },
};

/// Does an act, if it is one of these: about how many dead letters it was, or what is missing or wrong.
pub(in crate::sqlite) fn act(
    connection: &Connection,
    act: &Act,
) -> rusqlite::Result<Option<Result<usize, PerformError>>> {
    if let Some(missing) = missing(connection, act)? {
        return Ok(Some(Err(missing)));
    }
    let letters = match act {
        Act::PauseSubscription { subscription } => pause(connection, subscription, true)?,
        Act::ResumeSubscription { subscription } => pause(connection, subscription, false)?,
        Act::ResetSubscription { subscription, start } => {
            let followed = stream(connection, subscription)?.flatten();
            if let Err(beyond) = act.check_start(followed.as_ref(), end_of(connection, followed.as_ref())?) {
                return Ok(Some(Err(beyond)));
            }
            let start = start_after(connection, *start, followed.as_ref())?;
            reset(connection, subscription.as_str(), start)?
        }
        Act::RenameSubscription { subscription, to } => {
            rename(connection, subscription.as_str(), to.as_str())?
        }
        Act::DeleteSubscription { subscription } => delete(connection, subscription.as_str())?,
        Act::RetryLetters { filter, limit } => retry(connection, filter, *limit)?,
        Act::CancelRetries { filter, limit } => cancel(connection, filter, *limit)?,
        Act::DiscardLetters { filter, limit } => discard(connection, filter, *limit)?,
        Act::EditLetter { subscription, place, data } => {
            let row = params![subscription.as_str(), place.to_i64(), data.as_ref().map(Json::as_str)];
            connection.prepare_cached(EDIT_LETTER)?.execute(row)?
        }
        Act::RebuildProjection { projection } => {
            return read_models::rebuild(connection, projection).map(Some);
        }
        Act::DropProjection { projection } => {
            return read_models::drop_projection(connection, projection).map(Some);
        }
        Act::DeleteStream { .. }
        | Act::TruncateStream { .. }
        | Act::Archive { .. }
        | Act::ForgetSubject { .. }
        | Act::SweepNotices { .. } => return Ok(None),
    };
    Ok(Some(Ok(letters)))
}

/// What the act names and is not there.
fn missing(connection: &Connection, act: &Act) -> rusqlite::Result<Option<PerformError>> {
    Ok(match act.missing(false) {
        Some(PerformError::SubscriptionExists(to)) => match act.missing(true) {
            Some(PerformError::SubscriptionNotFound(name)) if stream(connection, &name)?.is_none() => {
                Some(PerformError::SubscriptionNotFound(name))
            }
            _ => stream(connection, &to)?.map(|_| PerformError::SubscriptionExists(to)),
        },
        Some(PerformError::SubscriptionNotFound(name)) if stream(connection, &name)?.is_none() => {
            Some(PerformError::SubscriptionNotFound(name))
        }
        Some(PerformError::LetterNotFound { subscription, place }) => {
            if stream(connection, &subscription)?.is_none() {
                return Ok(Some(PerformError::SubscriptionNotFound(subscription)));
            }
            let letter = letters::find(connection, &subscription, place)?;
            letter.is_none().then_some(PerformError::LetterNotFound { subscription, place })
        }
        _ => None,
    })
}

/// The stream that a subscription follows, `Some(None)` for the log; `None` when it is not there.
fn stream(connection: &Connection, name: &SubscriptionName) -> rusqlite::Result<Option<Option<StreamName>>> {
    let mut statement = connection.prepare_cached(FIND_SUBSCRIPTION)?;
    let stream = statement.query_row([name.as_str()], |row| row.get::<_, Option<String>>(0)).optional()?;
    Ok(stream.map(|stream| stream.map(StreamName::from_store)))
}

fn pause(connection: &Connection, name: &SubscriptionName, paused: bool) -> rusqlite::Result<usize> {
    connection.prepare_cached(PAUSE_SUBSCRIPTION)?.execute(params![name.as_str(), paused])?;
    Ok(0)
}

/// How many dead letters a subscription has.
fn letters_of(connection: &Connection, name: &str) -> rusqlite::Result<usize> {
    let letters = connection.prepare_cached(LETTERS_OF)?.query_row([name], |row| row.get::<_, i64>(0))?;
    Ok(usize::try_from(letters).unwrap_or(0))
}

/// Loses the dead letters of a subscription, however many there are; how many that is.
fn lose_letters(connection: &Connection, name: &str) -> rusqlite::Result<usize> {
    connection.prepare_cached(LOSE_BOX)?.execute([name])?;
    letters_of(connection, name)
}

/// Lets a subscription begin elsewhere; how many dead letters it had.
fn reset(connection: &Connection, name: &str, start: Option<Place>) -> rusqlite::Result<usize> {
    let lost = lose_letters(connection, name)?;
    connection.prepare_cached(MOVE_START)?.execute(params![name, start.map(Place::to_i64)])?;
    let checkpoint = start.unwrap_or_default().to_i64();
    connection.prepare_cached(RESET_PARTITIONS)?.execute(params![name, checkpoint])?;
    Ok(lost)
}

/// A stream is gone for good, and one of its name begins with version 1 again: so does whatever follows it.
pub(in crate::sqlite) fn reset_followers(
    connection: &Connection,
    stream: &StreamName,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(LIST_FOLLOWERS)?;
    let names = statement.query_map([stream.as_str()], |row| row.get::<_, String>(0))?;
    for name in names.collect::<rusqlite::Result<Vec<_>>>()? {
        reset(connection, &name, None)?;
        connection.prepare_cached(FORGET_HANDLED)?.execute([name])?;
    }
    Ok(())
}

/// How many dead letters go along. No lease of either name, past ones included, has the epoch that it has then.
fn rename(connection: &Connection, name: &str, to: &str) -> rusqlite::Result<usize> {
    connection.prepare_cached(KEEP_EPOCH)?.execute(params![name, true])?;
    connection.prepare_cached(REMOVE_MEMBERS)?.execute(params![name, i64::MAX, None::<&[u8]>])?;
    connection.prepare_cached(RENAME_SUBSCRIPTION)?.execute([name, to])?;
    connection.prepare_cached(RENAME_PARTITIONS)?.execute([name, to])?;
    letters_of(connection, to)
}

fn delete(connection: &Connection, name: &str) -> rusqlite::Result<usize> {
    connection.prepare_cached(KEEP_EPOCH)?.execute(params![name, false])?;
    let lost = lose_letters(connection, name)?;
    // All of them: no lease lasts so long.
    connection.prepare_cached(REMOVE_MEMBERS)?.execute(params![name, i64::MAX, None::<&[u8]>])?;
    connection.prepare_cached(DELETE_PARTITIONS)?.execute([name])?;
    connection.prepare_cached(DELETE_SUBSCRIPTION)?.execute([name])?;
    Ok(lost)
}

/// Letters that are meant in their order, each with those before it under the same key, the oldest first, so that whatever the limit
/// leaves out comes behind what it does not.
fn retry(connection: &Connection, filter: &LetterFilter, limit: u32) -> rusqlite::Result<usize> {
    let mut asked = 0;
    for Letter { subscription, partition, key, place, .. } in
        Meant::by(&filter.asked(false)).list(connection, limit)?
    {
        let left = limit.saturating_sub(u32::try_from(asked).unwrap_or(limit));
        let queue = params![subscription.as_str(), partition, key.to_i64(), place.to_i64(), left];
        asked += connection.prepare_cached(RETRY_LETTERS)?.execute(queue)?;
    }
    Ok(asked)
}

fn cancel(connection: &Connection, filter: &LetterFilter, limit: u32) -> rusqlite::Result<usize> {
    let mut taken_back = 0;
    for Letter { subscription, place, .. } in Meant::by(&filter.asked(true)).list(connection, limit)? {
        let letter = params![subscription.as_str(), place.to_i64()];
        taken_back += connection.prepare_cached(CANCEL_RETRY)?.execute(letter)?;
    }
    Ok(taken_back)
}

fn discard(connection: &Connection, filter: &LetterFilter, limit: u32) -> rusqlite::Result<usize> {
    let mut discarded = 0;
    for Letter { subscription, partition, key, place, .. } in Meant::by(filter).list(connection, limit)? {
        discarded += usize::from(letters::remove(connection, &subscription, partition, key, place)?);
    }
    Ok(discarded)
}
