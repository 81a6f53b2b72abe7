//! The log: appending and reading.

use std::{path::Path, sync::Arc};

use futures_util::{
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use umbel_core::{
    Position, Timestamp,
    event::RecordedEvent,
    id::{CommandId, EventId},
    store::{
        AllPage, Append, AppendError, Appended, Claim, ListClaims, ListStreams, Parts, ReadAll, ReadError,
        ReadStream, StoreError, StoreStatus, StreamInfo, StreamList, StreamPage,
    },
    stream::StreamName,
    subscription::Change,
};

use super::missing;

/// What processes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The log goes at least this far.
    Head(Position),
    /// Subscriptions have changed.
    Changed(Change),
}

/// What has become of the file that a store is in and that this process has open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exchanged {
    /// There is none of its name any more.
    #[error("the file {} is gone", .0.display())]
    Gone(Arc<Path>),
    /// Another one has its name.
    #[error("the file {} was replaced by another one", .0.display())]
    Another(Arc<Path>),
    /// Somebody has emptied it.
    #[error("the file {} was emptied", .0.display())]
    Emptied(Arc<Path>),
}

/// Keeps the log.
pub trait Log: Send + Sync + 'static {
    /// Stores a group of appends in one transaction; one outcome for each, in order. `now` is recorded as the
    /// events' time. Called for one group at a time, and polled to its end.
    ///
    /// When the connection goes away in between, the adapter reconnects and settles the outcome by trying again
    /// with the same ids before it answers; only when that does not succeed within its time limit it answers
    /// [`StoreError::OutcomeUnknown`] (or [`StoreError::Unavailable`] if nothing can have been stored).
    fn append(&self, group: Vec<Append>, now: Timestamp)
    -> BoxFuture<'_, Vec<Result<Appended, AppendError>>>;

    /// A page of one stream.
    fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>>;

    /// A page of the log.
    fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>>;

    /// The same for whoever works on its events as they come: see [`ReadInParts`](umbel_core::store::ReadInParts).
    fn read_stream_in_parts(
        &self,
        request: ReadStream,
        parts: Parts,
    ) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        let _ = parts;
        self.read_stream(request)
    }

    /// The same for the log.
    fn read_all_in_parts(
        &self,
        request: ReadAll,
        parts: Parts,
    ) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        let _ = parts;
        self.read_all(request)
    }

    /// An event by its id.
    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<RecordedEvent>, StoreError>> {
        let _ = id;
        missing()
    }

    /// What there is to know of one stream, or of the log of all streams.
    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>>;

    /// A page of the list of streams.
    fn list_streams(&self, request: ListStreams) -> BoxFuture<'_, Result<StreamList, StoreError>> {
        let _ = request;
        missing()
    }

    /// A page of the list of claims.
    fn list_claims(&self, request: ListClaims) -> BoxFuture<'_, Result<Vec<Claim>, StoreError>> {
        let _ = request;
        missing()
    }

    /// The first result of a command, if it was recorded.
    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>>;

    /// Which adapter, where, and how far the log goes.
    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>>;

    /// How many connections to the database this process has made; `None` where none can be lost. While it stays, it is the same
    /// database that answers.
    fn connections(&self) -> Option<u64> {
        None
    }

    /// Whether the store's file is not the one any more that this process has open, as it goes on without a word then. `None` where
    /// there is no file, or nobody knows.
    fn exchanged(&self) -> BoxFuture<'_, Option<Exchanged>> {
        Box::pin(future::ready(None))
    }

    /// What goes on beside requests, for as long as it is polled, on the thread that answers reads: other processes are told what this
    /// one appends, where the database can, and connections that nobody uses are closed. Nothing is lost without: who follows the log also
    /// looks by itself.
    fn attend(&self) -> BoxFuture<'_, ()> {
        Box::pin(future::ready(()))
    }

    /// What the database tells by itself when some process has appended, or has changed how subscriptions stand; without an end, and
    /// mended by itself. Hints: one may be missed, or be one that is known. Costs nothing before it is first asked for one. Silent
    /// where the database tells nothing, or no other process can change anything.
    fn news(&self) -> BoxStream<'static, News> {
        Box::pin(stream::pending())
    }
}
