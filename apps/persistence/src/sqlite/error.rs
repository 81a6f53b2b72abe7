//! SQLite's errors as the store's: what can the caller do?

use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};
use umbel_core::store::StoreError;

/// What a job met.
#[derive(Debug)]
pub(super) enum Fault {
    /// Before anything was committed: nothing was stored.
    Before(Error),
    /// The commit itself failed, and nobody knows whether it is in the file.
    Commit(Error),
}

impl Fault {
    /// What a commit has met. Without room for its last page, which says that the others hold, nothing of it is in the file.
    pub(super) fn of_commit(error: Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            Self::Before(error)
        } else {
            Self::Commit(error)
        }
    }
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
        // Whatever may be missing is asked for as such.
        Error::QueryReturnedNoRows => {
            return StoreError::Corrupt {
                reason: format!(
                    "{path} lacks a row that must be there, such as the one of its table log; `umbel store verify` \
                     tells what is wrong; restore a backup"
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
            StoreError::Unavailable { reason: format!("no space is left for {path}; make room: {error}") }
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

    /// A commit without room has stored nothing; of any other that failed that is not known.
    #[test]
    fn a_commit_without_room_is_none() {
        let met = |code| Fault::of_commit(Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(met(ffi::SQLITE_FULL), Fault::Before(_)));
        assert!(matches!(met(ffi::SQLITE_IOERR_FSYNC), Fault::Commit(_)));
    }

    /// Every failure says what the caller can do: try again, look at the file, or make room.
    #[test]
    fn errors_are_sorted_by_what_can_be_done() {
        let error = |code| {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            store_error(&error, Path::new("dir/umbel.db"))
        };
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_FULL] {
            assert!(error(code).is_transient(), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(matches!(error(code), StoreError::Corrupt { .. }), "{code}");
        }
        for code in [ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN, ffi::SQLITE_IOERR] {
            let StoreError::Failed { reason } = error(code) else { panic!("{code}") };
            assert!(reason.contains("dir/umbel.db"), "{reason}");
        }
    }
}
