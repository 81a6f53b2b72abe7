//! Umbrellas that run over one file, as they learn of each other.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

/// What the mark is called beside the file. The store's own file is not locked: SQLite loses its locks on a file when anybody in the
/// process closes it.
pub(super) const MARK: &str = "-lock";

/// Marks the file as one that an umbrella runs over, and warns when another one does so already. The mark lasts as long as what is given,
/// and ends with the process, however that ends; tools leave none. Where files cannot be locked, nobody is warned.
pub(crate) fn mark(path: &Path) -> Option<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(MARK);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(beside).ok()?;
    // Whoever may open the store may mark it, and nobody else. What is another user's stays as it is.
    drop(fs::metadata(path).and_then(|store| file.set_permissions(store.permissions())));
    match flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => tracing::warn!(
            "another umbrella runs over {}: both keep their promises, but they write by turns, notice each other only by looking every \
             store.poll_interval_ms, carry no messages to each other, and do not wait for what the other one projects; unless this one is to go on when the \
             other dies, stop one of them, or set store.url (variable UMBEL__STORE__URL) to a PostgreSQL, which is meant for several",
            path.display()
        ),
        Err(_) => return None,
    }
    // Together with the others, so that whoever comes next learns of those that are left.
    flock(&file, FlockOperation::LockShared).ok().map(|()| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_left_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("umbel.db");
        let alone = || {
            let file = File::open(directory.path().join("umbel.db-lock")).unwrap();
            flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        };
        let first = mark(&path).unwrap();
        let second = mark(&path).unwrap();
        drop(first);
        assert!(!alone());
        drop(second);
        assert!(alone());
        assert!(mark(&directory.path().join("nowhere/umbel.db")).is_none(), "that is no reason not to start");
    }
}
