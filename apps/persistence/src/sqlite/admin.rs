//! A file from outside: which migrations it went through, how large it is, its end. Blocks for a moment.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use umbel_core::store::StoreError;

use super::{error::store_error, mark::MARK, schema};

mod backup;

pub(crate) use backup::{backup, is_copy};

pub(crate) use super::schema::absolute;

const OBJECTS: &str = include_str!("admin/objects.sql");

/// How often it is looked whether a file is in use, before that is said.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What SQLite puts beside a file, and an umbrella that runs over it.
const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", MARK];

/// Each migration there is, and whether the file went through it.
pub(crate) fn migrations(path: &Path) -> Result<Vec<(i64, &'static str, bool)>, StoreError> {
    schema::migrations(path)
}

/// Bytes on disk, with what SQLite has put beside the file.
pub(crate) fn size(path: &Path) -> u64 {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    beside(path).iter().map(|path| bytes(path)).sum::<u64>() + bytes(path)
}

/// Whether the file holds a store, of whatever version of this program. One that cannot be read may hold a store.
pub(crate) fn may_be_store(path: &Path) -> bool {
    path.is_file() && objects(path).map_or(true, |objects| ours(&objects))
}

/// Removes the file and what is beside it; whether it was there.
///
/// # Errors
/// When it holds what is not ours, is in use and stays so for a second, or cannot be removed. Then it is left as it is.
pub(crate) fn drop_store(path: &Path) -> Result<bool, StoreError> {
    let failed = |why: String| {
        Err(StoreError::Failed { reason: format!("{} {why}; it was left untouched", path.display()) })
    };
    if !path.exists() {
        return Ok(false);
    }
    let objects = objects(path)?;
    if let Some(migration) = schema::newer(path)? {
        return failed(format!(
            "is a store of a newer program (it has migration {migration}); remove it with that program"
        ));
    }
    let foreign: Vec<_> = objects.iter().filter(|name| !schema::creates(name)).map(String::as_str).collect();
    if !foreign.is_empty() {
        return failed(format!("holds what is not Umbel's ({}); remove that first", foreign.join(", ")));
    }
    // An empty file is what a start that failed at once leaves behind.
    if !objects.is_empty() && !ours(&objects) {
        return failed("holds what is not Umbel's".into());
    }
    if !becomes_alone(path) {
        return failed("is in use by another process; stop that first".into());
    }
    let removed = |path: &Path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let removal = removed(path).and_then(|()| beside(path).iter().try_for_each(|path| removed(path)));
    removal.map(|()| true).map_err(|error| StoreError::Failed {
        reason: format!("{} cannot be removed: {error}", path.display()),
    })
}

/// Whether nobody else has the file open, now or in a moment: what was stopped just now may still be closing it.
#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two looks at a file that others may have open"
)]
fn becomes_alone(path: &Path) -> bool {
    let looks_again = |_| {
        thread::sleep(BETWEEN_LOOKS);
        is_alone(path)
    };
    is_alone(path) || (1..LOOKS).any(looks_again)
}

/// Whether nobody else has the file open: only the last connection to it can take it out of write-ahead mode.
fn is_alone(path: &Path) -> bool {
    let mode = schema::open_reader(path).and_then(|file| {
        let mode =
            file.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
        mode.map_err(|error| store_error(&error, path))
    });
    mode.is_ok_and(|mode| mode == "delete")
}

fn beside(path: &Path) -> [PathBuf; 4] {
    BESIDE.map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

fn objects(path: &Path) -> Result<Vec<String>, StoreError> {
    let file = schema::open_reader(path)?;
    let failed = |error| store_error(&error, path);
    let mut statement = file.prepare(OBJECTS).map_err(failed)?;
    let names = statement.query_map([], |row| row.get(0)).map_err(failed)?;
    names.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// All of it is ours, and the log is among it.
fn ours(objects: &[String]) -> bool {
    let has = |name: &str| objects.iter().any(|object| object == name);
    has("schema_migrations") && has("log") && objects.iter().all(|name| schema::creates(name))
}
