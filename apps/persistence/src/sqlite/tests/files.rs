//! Files that are not as they should be: each is a clear error, and none is touched.

use std::{fs, path::Path};

use umbel_core::store::{LinkError, PerformError, ReadError, Removal, StoreError};
use umbel_testkit::conformance::{delete, link};

use super::*;
use crate::{Upkeep, sqlite::mark};

fn refusal(path: &Path) -> StoreError {
    Sqlite::open(path).expect_err("the file must be refused")
}

fn assert_mentions(error: &StoreError, words: &[&str]) {
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn a_file_that_is_no_database_is_left_untouched() {
    let directory = directory();
    let path = directory.path().join("notes.txt");
    let text = "not a database, but long enough to be looked at ".repeat(50);
    fs::write(&path, &text).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_mentions(&error, &["notes.txt", "left untouched"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a file was left beside it");
}

/// Pages overwritten in the middle: whatever meets them says that the file is damaged, and where it is.
#[tokio::test]
async fn a_damaged_file_is_corrupt() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    append(&store, Events::default().append("s", NoStream, 2000)).await.unwrap();
    drop(store);
    // Connections that close at the same moment may leave the write-ahead log to the next one.
    raw(&path).pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[4096..end].fill(0xa5);
    fs::write(&path, &bytes).unwrap();

    let request =
        ReadAll { from: None, direction: Direction::Forward, limit: 5000, selector: Selector::all() };
    let error = match Sqlite::open(&path) {
        Err(error) => error,
        Ok(store) => store.read_all(request).await.unwrap_err(),
    };
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_mentions(&error, &["umbel.db"]);
    assert!(fs::read(&path).unwrap() == bytes, "the file was touched");
}

/// OP-02's other side: an older program does not write into a newer one's file.
#[test]
fn a_newer_schema_is_refused() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    drop(Sqlite::open(&path).unwrap());
    raw(&path).execute("INSERT INTO schema_migrations VALUES (99, 'future', 'abc', 0)", []).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    let known = format!("knows up to {}", schema::MIGRATIONS.len());
    assert_mentions(&error, &["umbel.db", "schema 99 (future)", &known, "newer program"]);
}

#[test]
fn a_changed_migration_is_refused() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    drop(Sqlite::open(&path).unwrap());
    raw(&path).execute("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1", []).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_mentions(&error, &["umbel.db", "migration 1 (log, checksum other)", "left untouched"]);
}

#[test]
fn another_programs_database_is_refused() {
    let directory = directory();
    let path = directory.path().join("other.db");
    raw(&path).execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert_mentions(&error, &["other.db", "another program", "left untouched"]);
    assert!(fs::read(&path).unwrap() == before, "the file was touched");
}

#[test]
fn a_path_that_cannot_be_written_says_so() {
    let directory = directory();
    let error = refusal(directory.path());
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    assert_mentions(&error, &["cannot be opened", "directory"]);

    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file.join("umbel.db"));
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    assert_mentions(&error, &["file", "cannot be made"]);
}

/// AP-10: given tables that vanished, each way in is an error that names the file, and no crash.
#[tokio::test]
async fn missing_tables_are_an_error() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let store = Sqlite::open(&path).unwrap();
    let first = events.append("s", NoStream, 1);
    let id = first.streams[0].events[0].id;
    append(&store, first).await.unwrap();
    raw(&path).execute_batch("PRAGMA foreign_keys = off; DROP VIEW whole_log; DROP TABLE streams").unwrap();
    let missing = |error: StoreError| assert_mentions(&error, &["umbel.db", "no such table", "streams"]);
    match append(&store, events.append("s", Any, 1)).await {
        Err(AppendError::Store(error)) => missing(error),
        other => panic!("{other:?}"),
    }
    match store.link(link("list", Any, &[id]), NOW).await {
        Err(LinkError::Append(AppendError::Store(error))) => missing(error),
        other => panic!("{other:?}"),
    }
    for removal in [Removal::Soft, Removal::Hard] {
        match store.perform(events.perform(delete("s", removal)), NOW).await {
            Err(PerformError::Store(error)) => missing(error),
            other => panic!("{other:?}"),
        }
    }
    match store.stream_info(stream("s")).await {
        Err(ReadError::Store(error)) => missing(error),
        other => panic!("{other:?}"),
    }
}

/// OP-03: who would migrate while somebody else holds the file is told so after a while, and the file stays as it is.
#[test]
fn a_migrator_does_not_wait_for_ever() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    let other = schema::make_old(&path, 1);
    other.pragma_update(None, "journal_mode", "WAL").unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = refusal(&path);
    assert!(error.is_transient(), "{error}");
    assert_mentions(&error, &["umbel.db", "another migration is in progress"]);
    other.execute_batch("ROLLBACK").unwrap();
    drop(Sqlite::open(&path).unwrap());
}

/// OP-01, OP-03: opening again, and opening a new file several times at once, migrates once.
#[test]
fn migrating_is_idempotent() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    std::thread::scope(|scope| {
        let openings: Vec<_> = (0..4).map(|_| scope.spawn(|| Sqlite::open(&path).map(drop))).collect();
        for opening in openings {
            assert_eq!(opening.join().unwrap(), Ok(()));
        }
    });
    let applied: i64 =
        raw(&path).query_row("SELECT count(*) FROM schema_migrations", [], |row| row.get(0)).unwrap();
    assert_eq!(applied, 6);
}

/// The log holds what people wrote to each other: nobody else on the machine gets to read it by default.
#[cfg(unix)]
#[tokio::test]
async fn new_files_are_for_their_user_only() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory();
    let parent = directory.path().join("new/data");
    let store = Sqlite::open(&parent.join("umbel.db")).unwrap();
    let _mark = mark(&parent.join("umbel.db")).unwrap();
    append(&store, Events::default().append("s", NoStream, 1)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory.path().join("new")), mode(&parent)), (0o700, 0o700));
    let files: Vec<_> = fs::read_dir(&parent).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 2, "the write-ahead log is missing: {files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");

    // Rights that somebody gave stay.
    let shared = directory.path().join("shared.db");
    fs::write(&shared, "").unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o640)).unwrap();
    drop(Sqlite::open(&shared).unwrap());
    drop(mark(&shared).unwrap());
    assert_eq!((mode(&shared), mode(&directory.path().join("shared.db-lock"))), (0o640, 0o640));
}

/// Looking at a store creates no file, migrates none and writes to none.
#[tokio::test]
async fn looking_at_a_file_leaves_it_as_it_is() {
    let directory = directory();
    let path = directory.path().join("umbel.db");
    assert_mentions(&Sqlite::open_existing(&path).unwrap_err(), &["no store", "umbel.db"]);
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    assert_mentions(&Sqlite::open_existing(&path).unwrap_err(), &["not up to date", "umbel.db"]);
    assert_eq!(fs::read(&path).unwrap(), b"");

    let store = Sqlite::open(&path).unwrap();
    append(&store, Events::default().append("s", NoStream, 1)).await.unwrap();
    let looking = Sqlite::open_existing(&path).unwrap();
    assert_eq!(read_log(&looking).await, read_log(&store).await);
    append(&looking, Events::default().append("t", NoStream, 1)).await.unwrap_err();
    raw(&path).execute("INSERT INTO schema_migrations VALUES (99, 'future', 'abc', 0)", []).unwrap();
    assert_mentions(&Sqlite::open_existing(&path).unwrap_err(), &["newer program"]);
}
