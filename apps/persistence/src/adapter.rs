//! The port between the store actor and a database.
//!
//! An adapter does IO and nothing else: what a group of appends leads to is decided by
//! [`umbel_core::store::plan`], who waits for whom by the store actor. All adapters pass the same conformance
//! suite.

use futures_util::future::BoxFuture;
use umbel_core::{
    Json, Position, Timestamp,
    document::{DocumentKey, DocumentQuery},
    id::CommandId,
    store::{
        AllPage, Append, AppendError, Appended, DocumentPage, ReadAll, ReadError, ReadStream, SaveProjection,
        SaveProjectionError, StoreError, StoreStatus, StreamInfo, StreamPage,
    },
    stream::StreamName,
};

/// A database that keeps the log, documents and checkpoints.
///
/// Requests come checked (sizes, page limits). Futures may be dropped by a caller that has waited long enough;
/// what they began then still ends whole or not at all.
pub trait Adapter: Send + Sync + 'static {
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

    /// What there is to know of one stream.
    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>>;

    /// The first result of a command, if it was recorded.
    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>>;

    /// Documents by key, one answer for each, in order.
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>>;

    /// A page of the documents that match.
    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>>;

    /// Where a projection stands.
    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>>;

    /// Documents and checkpoint in one transaction, if the checkpoint stands where expected.
    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>>;

    /// Which adapter, where, and how far the log goes.
    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>>;
}
