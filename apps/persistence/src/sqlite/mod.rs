//! The embedded store: one SQLite file, nothing to install.
//!
//! One thread writes, a few read (the file is in write-ahead mode, so they do not wait for each other), each with
//! a connection of its own. What is acknowledged is on the disk. Positions are given inside the transaction that
//! writes, so they are gapless also when a second process writes to the file.

mod documents;
mod error;
pub(crate) mod floor;
mod read;
mod schema;
mod sql;
mod view;
mod worker;
mod write;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use umbel_core::{
    CommandId, Json, Position, StreamName, Timestamp,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, DocumentPage, ReadAll, ReadError, ReadStream, SaveProjection,
        SaveProjectionError, StoreError, StoreStatus, StreamInfo, StreamPage,
    },
};

use self::{
    error::{Fault, store_error},
    worker::{Lost, Workers},
};
use crate::Adapter;

/// Threads that read. Two, so that one long page does not hold up everything else; a page is work for the
/// processor, so many more would only take it from others.
const READERS: usize = 2;
/// Requests that wait for a thread; more callers than that wait for room, until their own deadlines.
const QUEUE: usize = 64;

/// A store in one file.
#[derive(Debug)]
pub struct Sqlite {
    path: Arc<Path>,
    writer: Workers,
    readers: Workers,
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

    /// Opens the file as it is, to look at it: creates nothing and migrates nothing, and takes no writes. Blocks for a
    /// moment.
    ///
    /// # Errors
    /// [`StoreError::Failed`] also when there is no file, or its schema is not up to date; otherwise as
    /// [`Sqlite::open`].
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, schema::open_existing(path)?)
    }

    fn over(path: &Path, writer: Connection) -> Result<Self, StoreError> {
        let readers = (0..READERS).map(|_| schema::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        let no_thread = |error| StoreError::Failed { reason: format!("no thread could be started: {error}") };
        Ok(Self {
            path: PathBuf::from(path).into(),
            writer: Workers::start("sqlite-writer", vec![writer], QUEUE).map_err(no_thread)?,
            readers: Workers::start("sqlite-reader", readers, QUEUE).map_err(no_thread)?,
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
        job: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
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

impl Adapter for Sqlite {
    fn append(
        &self,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            let count = group.len();
            match self.write(move |connection| write::append(connection, &group, now)).await {
                Ok(outcomes) => outcomes,
                Err(error) => vec![Err(error.into()); count],
            }
        })
    }

    fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        Box::pin(async move { self.read(move |connection| read::read_stream(connection, &request)).await? })
    }

    fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        Box::pin(self.read(move |connection| read::read_all(connection, &request)))
    }

    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>> {
        Box::pin(async move { self.read(move |connection| read::stream_info(connection, &stream)).await? })
    }

    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>> {
        Box::pin(self.read(move |connection| view::find_command(connection, id)))
    }

    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(self.read(move |connection| documents::get_documents(connection, &keys)))
    }

    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>> {
        Box::pin(self.read(move |connection| documents::query_documents(connection, &query)))
    }

    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(self.read(move |connection| write::checkpoint(connection, &projection)))
    }

    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(
            async move { self.write(move |connection| write::save_projection(connection, &request)).await? },
        )
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        Box::pin(async move {
            let head = self.read(|connection| write::head(connection)).await?;
            Ok(StoreStatus { adapter: "sqlite", location: self.path.display().to_string(), head })
        })
    }
}
