//! The embedded store: one SQLite file, nothing to install.
//!
//! One thread writes, a few read (the file is in write-ahead mode, so they do not wait for each other), each with
//! a connection of its own. What is acknowledged is on the disk. Positions are given inside the transaction that
//! writes, so they are gapless also when a second process writes to the file.

pub(crate) mod admin;
mod error;
mod extras;
pub(crate) mod floor;
mod log;
mod mark;
mod opened;
mod read_models;
mod schema;
mod sql;
mod subscriptions;
mod upkeep;
mod worker;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use self::mark::mark;
use rusqlite::Connection;
use umbel_core::store::StoreError;

use self::{
    error::{Fault, store_error},
    opened::OpenedFile,
    worker::{Lost, Workers},
    writer::Writer,
};
use crate::{page::PAGE_MAX_BYTES, processes::Told, steps::REMOVAL_STEP_MAX};

/// Threads that read. Two, so that one long page does not hold up everything else; a page is work for the
/// processor, so many more would only take it from others.
const READERS: usize = 2;
/// Requests that wait for a thread; more callers than that wait for room, until their own deadlines.
const QUEUE: usize = 64;

/// A store in one file.
#[derive(Debug)]
pub struct Sqlite {
    path: Arc<Path>,
    opened: OpenedFile,
    writer: Workers<Writer>,
    readers: Workers,
    page_max_bytes: usize,
    removal_step_max: u32,
    /// Not in the file, as one process has that to itself.
    told: Told,
}

impl Sqlite {
    /// Opens the file, creating it and its directories, and brings its schema up to date. Blocks for a moment.
    ///
    /// Dropping the store waits for what is running and closes the file.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file is damaged or no database, or went through other migrations;
    /// [`StoreError::Failed`] when it cannot be opened or written, belongs to another program or to a newer
    /// version of this one. In all these cases the file is left as it is.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, schema::open_writer(path)?)
    }

    /// Opens the file as it is: creates nothing and migrates nothing. Blocks for a moment.
    ///
    /// # Errors
    /// [`StoreError::Failed`] also when there is no file, or its schema is not up to date; otherwise as
    /// [`Sqlite::open`].
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, schema::open_existing(path)?)
    }

    /// With pages of so many bytes of data and metadata at most, or of one event.
    #[must_use]
    pub fn with_page_max_bytes(self, page_max_bytes: usize) -> Self {
        Self { page_max_bytes, ..self }
    }

    /// With removals for good that take so many places of a stream in one transaction at most.
    #[must_use]
    pub fn with_removal_step_max(self, removal_step_max: u32) -> Self {
        Self { removal_step_max, ..self }
    }

    fn over(path: &Path, writer: Connection) -> Result<Self, StoreError> {
        let readers = (0..READERS).map(|_| schema::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        let path: Arc<Path> = PathBuf::from(path).into();
        let no_thread = |error| StoreError::Failed { reason: format!("no thread could be started: {error}") };
        Ok(Self {
            opened: OpenedFile::at(Arc::clone(&path)),
            path,
            writer: Workers::start("sqlite-writer", vec![Writer::new(writer)], QUEUE).map_err(no_thread)?,
            readers: Workers::start("sqlite-reader", readers, QUEUE).map_err(no_thread)?,
            page_max_bytes: PAGE_MAX_BYTES,
            removal_step_max: REMOVAL_STEP_MAX,
            told: Told::default(),
        })
    }

    /// Runs a read and names what went wrong.
    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let answer = self.readers.run(job).await.map_err(|lost| {
            let reason = match lost {
                Lost::NotBegun => "the store is closed",
                Lost::Halfway => "the request panicked; see the log",
            };
            StoreError::Unavailable { reason: reason.into() }
        })?;
        answer.map_err(|error| store_error(&error, &self.path))
    }

    /// Runs a write and names what went wrong.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Writer) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.writer.run(job).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Fault::Before(error))) => Err(store_error(&error, &self.path)),
            Ok(Err(Fault::Commit(error))) => {
                let reason = format!("the commit to {} failed: {error}", self.path.display());
                Err(StoreError::OutcomeUnknown { reason })
            }
            Err(Lost::NotBegun) => Err(StoreError::Unavailable { reason: "the store is closed".into() }),
            Err(Lost::Halfway) => {
                Err(StoreError::OutcomeUnknown { reason: "the write panicked; see the log".into() })
            }
        }
    }
}
