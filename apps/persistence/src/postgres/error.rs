//! What the database's errors mean to a caller.

use std::{error::Error as _, io};

use tokio_postgres::{Error, error::SqlState};
use umbel_core::store::StoreError;

/// What `append_group` and its like raise when what the writer believed does not hold.
const WRONG_GUESS: &str = "UM001";

/// What to do when prepared statements are not where they were made.
const POOLER: &str = "; if a pooler in transaction mode is between, set store.pooler = true";

/// What an error says about the statement that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection is of no more use; whether the statement took effect is unknown.
    Lost,
    /// What the writer believed does not hold; nothing was stored.
    WrongGuess,
    /// Nothing was stored, and the same may succeed later.
    Transient,
    /// Nothing was stored, and somebody has to change something.
    Final,
}

pub(super) fn kind(error: &Error) -> Kind {
    let Some(code) = error.code() else {
        let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        // A refused certificate comes as invalid data: no use trying again.
        let connection = io.is_some_and(|io| io.kind() != io::ErrorKind::InvalidData);
        return if error.is_closed() || connection { Kind::Lost } else { Kind::Final };
    };
    match *code {
        // The server ends this connection, or has not yet come up.
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => Kind::Lost,
        SqlState::UNIQUE_VIOLATION => Kind::WrongGuess,
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::QUERY_CANCELED
        | SqlState::READ_ONLY_SQL_TRANSACTION => Kind::Transient,
        ref other if other.code() == WRONG_GUESS => Kind::WrongGuess,
        // The server lacks something: room on its disk, memory.
        ref other if other.code().starts_with("53") => Kind::Transient,
        // Connection exceptions, and sessions ended by a time limit.
        ref other if other.code().starts_with("08") || other.code() == "57P05" || other.code() == "25P03" => {
            Kind::Lost
        }
        _ => Kind::Final,
    }
}

/// Whether the server takes no writes: it is a standby, or was the primary once.
pub(super) fn is_read_only(error: &Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// The caller's error. `place` names host, port and database; passwords are in neither.
pub(super) fn store_error(error: &Error, place: &str) -> StoreError {
    let reason = format!("PostgreSQL at {place}: {}{}", describe(error), advice(error));
    match kind(error) {
        Kind::Lost | Kind::Transient => StoreError::Unavailable { reason },
        Kind::WrongGuess | Kind::Final => StoreError::Failed { reason },
    }
}

/// The same for a connection that was not opened. A role or a database that lets nobody in is as good as a server that is away, unless the
/// role must be let in: nothing was stored, and all goes on once somebody lets it in again. So is a database that is not there, to who was
/// connected to it before; to who begins, it was never made, or is another one.
pub(super) fn connect_error(error: &Error, place: &str, must_be_let_in: bool, was_open: bool) -> StoreError {
    let is_away = match error.code() {
        Some(
            &SqlState::INVALID_PASSWORD
            | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | &SqlState::INSUFFICIENT_PRIVILEGE
            | &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        ) => true,
        Some(&SqlState::INVALID_CATALOG_NAME) => was_open,
        _ => false,
    };
    match store_error(error, place) {
        StoreError::Failed { reason } if is_away && !must_be_let_in => StoreError::Unavailable { reason },
        other => other,
    }
}

/// The error in its own words, with its SQLSTATE and its causes.
pub(super) fn describe(error: &Error) -> String {
    if let Some(database) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", database.message(), database.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn advice(error: &Error) -> &'static str {
    match error.code() {
        Some(&SqlState::INVALID_CATALOG_NAME) => "; create the database (createdb) or correct the URL",
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "; correct user and password in the URL, or pg_hba.conf, or let the role log in"
        }
        Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            "; somebody holds a table or the log locked: pg_locks and pg_stat_activity tell who"
        }
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
            "; it takes no writes: name all hosts of the database in the URL, and the one that does is found"
        }
        Some(&SqlState::DISK_FULL) => "; make room on its disk",
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "; grant the role what it lacks",
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME | &SqlState::UNDEFINED_FUNCTION) => {
            "; was the schema dropped? Starting again creates it"
        }
        Some(&SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT) => POOLER,
        // A statement of another client, under the name of ours.
        Some(&SqlState::PROTOCOL_VIOLATION)
            if error.as_db_error().is_some_and(|error| error.message().contains("prepared statement")) =>
        {
            POOLER
        }
        None if describe(error).ends_with("password missing") => {
            "; the server wants one: put it into the URL, as in postgres://USER:PASSWORD@HOST/DATABASE"
        }
        _ => "",
    }
}
