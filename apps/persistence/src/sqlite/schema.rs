//! Opening a file: checks first, then connections set up for durability, then migrations.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::yield_now,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};
use umbel_core::store::StoreError;

use super::{
    error::store_error,
    sql::{APPLIED_MIGRATIONS, CREATE_MIGRATIONS, HEAD, RECORD_MIGRATION, TABLE_COUNT},
};

/// How long a connection waits for another process's write.
const BUSY_TIMEOUT_MS: u32 = 5000;
/// Prepared statements kept per connection: all fixed ones, and the document queries an application has.
const CACHED_STATEMENTS: usize = 192;

/// See [`user_version`].
pub(super) const USER_VERSION: &str = "user_version";

/// A step of the schema. Once released it never changes; what is to be different comes as another one.
pub(super) struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "log", sql: include_str!("migrations/0001_log.sql") },
    Migration { number: 2, name: "read_models", sql: include_str!("migrations/0002_read_models.sql") },
    Migration { number: 3, name: "extras", sql: include_str!("migrations/0003_extras.sql") },
    Migration { number: 4, name: "subscriptions", sql: include_str!("migrations/0004_subscriptions.sql") },
    Migration { number: 5, name: "resets_told", sql: include_str!("migrations/0005_resets_told.sql") },
    Migration { number: 6, name: "begun", sql: include_str!("migrations/0006_begun.sql") },
];

/// Opens the file for writing, creating it and its directories, and brings its schema up to date. A file that is
/// not ours, damaged, or of a newer program is left untouched.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error: &rusqlite::Error| store_error(error, path);
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_directory(parent).map_err(|error| StoreError::Failed {
            reason: format!("the directory {} cannot be made: {error}", parent.display()),
        })?;
    }
    let is_new = create_file(path);
    let mut connection = connect(path).map_err(|error| failed(&error))?;
    // Looked at before anything is set, because setting the journal mode writes to the file.
    pending(&connection, path)?;
    let mode = write_ahead(&connection).map_err(|error| failed(&error))?;
    if !mode.eq_ignore_ascii_case("wal") {
        let reason = format!(
            "{} does not allow a write-ahead log (got {mode}); is it on a network drive?",
            path.display()
        );
        return Err(StoreError::Failed { reason });
    }
    set_up(&connection).map_err(|error| failed(&error))?;
    migrate(&mut connection, path)?;
    if is_new {
        tracing::info!("made a store at {}", absolute(path).display());
    }
    connection.query_row(HEAD, [], |row| row.get::<_, i64>(0)).map_err(|error| failed(&error))?;
    Ok(connection)
}

/// Asks for a write-ahead log; the mode that the file is in then. Among several that open a new file at once, SQLite refuses the
/// change to all but one without waiting, so this waits: as a transaction does, for whoever writes, and no longer.
fn write_ahead(connection: &Connection) -> rusqlite::Result<String> {
    let deadline = Instant::now() + Duration::from_millis(BUSY_TIMEOUT_MS.into());
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        let is_busy = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        if Instant::now() > deadline || !mode.as_ref().is_err_and(is_busy) {
            return mode;
        }
        // If it cannot wait either, the deadline ends it.
        drop(connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK"));
        yield_now();
    }
}

/// An empty store that no file holds, as the migrations make it.
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    let transaction = connection.transaction()?;
    transaction.execute(CREATE_MIGRATIONS, [])?;
    for migration in MIGRATIONS {
        apply(&transaction, migration)?;
    }
    transaction.commit()?;
    Ok(connection)
}

/// Opens the file for writing, after making sure that it is there and up to date. Opening changes nothing.
pub(super) fn open_existing(path: &Path) -> Result<Connection, StoreError> {
    let failed = |reason: String| Err(StoreError::Failed { reason });
    if !path.exists() {
        return failed(format!(
            "there is no store at {} yet; `umbel store init` or running the program makes it, or correct store.url",
            absolute(path).display()
        ));
    }
    let open = || {
        let connection = connect(path)?;
        set_up(&connection)?;
        Ok(connection)
    };
    let connection = open().map_err(|error| store_error(&error, path))?;
    if pending(&connection, path)?.is_empty() {
        Ok(connection)
    } else {
        let path = path.display();
        failed(format!(
            "{path} is not up to date yet; `umbel store migrate` or running the program migrates it"
        ))
    }
}

/// Each migration there is, and whether the file went through it. Changes nothing; a file that is not there went
/// through none.
pub(super) fn migrations(path: &Path) -> Result<Vec<(i64, &'static str, bool)>, StoreError> {
    let pending = if path.exists() { pending(&open_reader(path)?, path)?.len() } else { MIGRATIONS.len() };
    let applied = MIGRATIONS.len().saturating_sub(pending);
    let tell = |(index, migration): (usize, &Migration)| (migration.number, migration.name, index < applied);
    Ok(MIGRATIONS.iter().enumerate().map(tell).collect())
}

/// Whether the migrations create a table, a view or a trigger of this name.
pub(super) fn creates(name: &str) -> bool {
    let texts = MIGRATIONS.iter().map(|migration| migration.sql).chain([CREATE_MIGRATIONS]);
    let mut statements = texts.flat_map(|sql| sql.split("CREATE").skip(1));
    statements.any(|statement| {
        let mut words = statement.split_whitespace();
        let is_kind = words.next().is_some_and(|kind| ["TABLE", "VIEW", "TRIGGER"].contains(&kind));
        is_kind && words.find(|word| !["IF", "NOT", "EXISTS"].contains(word)) == Some(name)
    })
}

/// The migration of a newer program that the file went through, if it did.
pub(super) fn newer(path: &Path) -> Result<Option<String>, StoreError> {
    let file = open_reader(path)?;
    let failed = |error| store_error(&error, path);
    let migrations: i64 = file.query_row(TABLE_COUNT, [], |row| row.get(1)).map_err(failed)?;
    let applied = if migrations > 0 { applied(&file).map_err(failed)? } else { Vec::new() };
    let newest = MIGRATIONS.last().map_or(0, |migration| migration.number);
    let newer = applied.into_iter().rfind(|(number, ..)| *number > newest);
    Ok(newer.map(|(number, name, _)| format!("{number} {name}")))
}

/// Opens the file for reading only; [`open_writer`] has made it ready.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = connect(path)?;
        set_up(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| store_error(&error, path))
}

/// A directory, with those above it, that only this user can look into; one that exists stays as it is.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A new file that only this user can read; SQLite gives the files it puts beside it the same rights. One that exists
/// stays as it is, and what cannot be created is for SQLite to explain. Whether it was created.
fn create_file(path: &Path) -> bool {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).is_ok()
}

/// For who is told: a relative path begins in a folder that the message does not show.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        // Each connection belongs to one thread at a time.
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "busy_timeout", BUSY_TIMEOUT_MS)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // What was acknowledged is on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Refuses another program's database and a newer schema; gives what is still to be applied.
fn pending(connection: &Connection, path: &Path) -> Result<&'static [Migration], StoreError> {
    let failed = |error| store_error(&error, path);
    let (tables, migrations): (i64, i64) =
        connection.query_row(TABLE_COUNT, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    if migrations > 0 {
        check_applied(connection, path)
    } else if tables > 0 {
        let path = path.display();
        let reason = format!("{path} is a database of another program; it was left untouched");
        Err(StoreError::Failed { reason })
    } else {
        Ok(MIGRATIONS)
    }
}

/// Compares what the file went through with what this program knows; gives what is still to be applied.
fn check_applied(connection: &Connection, path: &Path) -> Result<&'static [Migration], StoreError> {
    let mut known = MIGRATIONS.iter();
    for (number, name, found) in applied(connection).map_err(|error| store_error(&error, path))? {
        let path = path.display();
        let Some(migration) = known.next() else {
            let newest = MIGRATIONS.last().map_or(0, |migration| migration.number);
            return Err(StoreError::Failed {
                reason: format!(
                    "{path} has schema {number} ({name}), this program knows up to {newest}; use the newer \
                     program. The file was left untouched"
                ),
            });
        };
        let expected = checksum(migration.sql);
        if migration.number != number || found != expected {
            let (ours, its) = (migration.number, migration.name);
            return Err(StoreError::Corrupt {
                reason: format!(
                    "{path} went through migration {number} ({name}, checksum {found}), this program has {ours} \
                     ({its}, checksum {expected}) in its place; use the program that wrote the file, or restore \
                     the migration's text. The file was left untouched"
                ),
            });
        }
    }
    Ok(known.as_slice())
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<(i64, String, String)>> {
    let mut statement = connection.prepare(APPLIED_MIGRATIONS)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// Applies what is pending, all or none; from then on the file is no copy of a store any more, but one.
///
/// Of two processes that open a new file at once the second one waits and
/// finds nothing left to do.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| store_error(&error, path);
    let busy = |error| match store_error(&error, path) {
        StoreError::Unavailable { reason } => StoreError::Unavailable {
            reason: format!(
                "{reason}; another migration is in progress, or a long write. Try again when it is over"
            ),
        },
        error => error,
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(busy)?;
    transaction.execute(CREATE_MIGRATIONS, []).map_err(failed)?;
    for migration in check_applied(&transaction, path)? {
        apply(&transaction, migration).map_err(failed)?;
        tracing::info!(number = migration.number, name = migration.name, "migrated the SQLite store");
    }
    if user_version(&transaction).map_err(failed)? != 0 {
        transaction.pragma_update(None, USER_VERSION, 0).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// The number that SQLite keeps for programs in the file itself. A store has none, a copy of one that of its [place](super::admin::is_copy).
pub(super) fn user_version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, USER_VERSION, |row| row.get(0))
}

fn apply(transaction: &Transaction<'_>, migration: &Migration) -> rusqlite::Result<()> {
    transaction.execute_batch(migration.sql)?;
    let Migration { number, name, sql } = migration;
    transaction.execute(RECORD_MIGRATION, params![number, name, checksum(sql)])?;
    Ok(())
}

/// Makes a file as the program left it that knew only the first so many migrations.
#[cfg(test)]
pub(super) fn make_old(path: &Path, migrations: usize) -> Connection {
    let mut connection = connect(path).unwrap();
    let transaction = connection.transaction().unwrap();
    transaction.execute(CREATE_MIGRATIONS, []).unwrap();
    for migration in &MIGRATIONS[..migrations] {
        apply(&transaction, migration).unwrap();
    }
    transaction.commit().unwrap();
    connection
}

/// FNV-1a with 64 bits: it shall notice an edit, not withstand an attack.
fn checksum(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_reference() {
        assert_eq!(checksum(""), "cbf29ce484222325");
        assert_eq!(checksum("foobar"), "85944171f73967e8");
    }

    #[test]
    fn migrations_are_numbered_from_one() {
        let numbers: Vec<_> = MIGRATIONS.iter().map(|migration| migration.number).collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len().try_into().unwrap()), "{numbers:?}");
    }
}
