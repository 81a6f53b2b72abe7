//! SQLite's errors as the store's: what can the caller do?

use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};
use umbel_core::store::StoreError;

/// What a job met.
#[derive(Debug)]
pub(super) enum Fault {
    /// Before anything was committed: nothing was stored.
    Before(Error),
    /// The commit itself failed.
    Commit(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

/// The store's error for SQLite's.
pub(super) fn store_error(error: &Error, path: &Path) -> StoreError {
    let path = path.display();
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::InvalidColumnType(..)
        | Error::IntegralValueOutOfRange(..) => {
            return StoreError::Corrupt {
                reason: format!("{path} holds a row that makes no sense: {error}"),
            };
        }
        // Where a row may be absent, it is asked for as one that may.
        Error::QueryReturnedNoRows => {
            return StoreError::Corrupt {
                reason: format!(
                    "{path} lacks a row that others lead to; `umbel store verify` lists all that is wrong"
                ),
            };
        }
        _ => {}
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt {
            reason: format!(
                "{path} is not a healthy SQLite database: {error}. It was left untouched; restore a backup, or \
                 point the store elsewhere"
            ),
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Unavailable { reason: format!("{path} is locked by another process: {error}") }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::Failed {
                reason: format!(
                    "{path} cannot be opened for writing: {error}. Check that it is a file, and the \
                             rights to it and to its directory"
                ),
            }
        }
        Some(ErrorCode::DiskFull) => {
            StoreError::Failed { reason: format!("no space is left for {path}: {error}") }
        }
        _ => StoreError::Failed { reason: format!("{path}: {error}") },
    }
}

/// Whether a row could not be inserted because its unique value is there already.
pub(super) fn is_unique_violation(error: &Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every failure says what the caller can do: try again, look at the file, or make room.
    #[test]
    fn errors_are_sorted_by_what_can_be_done() {
        let error = |code| {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            store_error(&error, Path::new("dir/umbel.db"))
        };
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_BUSY_SNAPSHOT] {
            assert!(error(code).is_transient(), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(matches!(error(code), StoreError::Corrupt { .. }), "{code}");
        }
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN, ffi::SQLITE_IOERR] {
            let StoreError::Failed { reason } = error(code) else { panic!("{code}") };
            assert!(reason.contains("dir/umbel.db"), "{reason}");
        }
    }
}
