//! The file as it was opened. What SQLite has open goes on without its name: it answers, and what it writes is gone when it closes.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use crate::adapter::Exchanged;

/// Which file it is, whatever it is called.
#[derive(Clone, Debug)]
pub(super) struct OpenedFile {
    path: Arc<Path>,
    /// Device and inode; `None` where the file system did not say.
    identity: Option<(u64, u64)>,
}

impl OpenedFile {
    /// The one at the path, opened just now for writing: a layered file system has made its own of it by then.
    pub(super) fn at(path: Arc<Path>) -> Self {
        let identity = fs::metadata(&path).ok().map(|file| identity(&file));
        Self { path, identity }
    }

    /// What has become of it, if it is not at its path any more. Costs one question to the file system; where that cannot tell, nothing
    /// has.
    pub(super) fn exchanged(&self) -> Option<Exchanged> {
        let path = || Arc::clone(&self.path);
        let opened = self.identity?;
        match fs::metadata(&self.path) {
            Ok(file) if identity(&file) != opened => Some(Exchanged::Another(path())),
            // What is open in write-ahead mode has its first page.
            Ok(file) if file.len() == 0 => Some(Exchanged::Emptied(path())),
            Err(error) if is_gone(&error) => Some(Exchanged::Gone(path())),
            Ok(_) | Err(_) => None,
        }
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
