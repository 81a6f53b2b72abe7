//! One suite for all stores: what an adapter promises, case by case, as plain async functions.
//!
//! Every case gets a fresh, empty store and panics when the store breaks a promise.
//! [`store_conformance!`](crate::store_conformance) turns them into one `#[test]` per case. The suite knows no
//! adapter: whoever has one implements [`StoreUnderTest`] for it. The ids in the cases' comments are those of
//! the project's list of behaviours.

#![allow(clippy::unwrap_used, reason = "a case is a test: a failed one panics")]

mod build;
mod cases;
mod log;
mod model;
mod oracle;
mod run;

pub mod append;
pub mod claims;
pub mod commands;
pub mod concurrency;
pub mod documents;
pub mod projections;
pub mod read;

pub use build::{Events, Item, command, exact, items, position, stream, version};
pub use log::{check_log, read_log, read_log_matching};
pub use model::random_appends_agree_with_the_planner;
pub use run::run;

use std::future::Future;

use umbel_core::{
    CommandId, Json, Position, StreamName,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, DocumentPage, ReadAll, ReadError, ReadStream, SaveProjection,
        SaveProjectionError, StoreError, StoreStatus, StreamInfo, StreamPage,
    },
};

/// A store as the suite sees it. Methods answer like the store requests of the same names.
pub trait StoreUnderTest: Send + Sync + 'static {
    /// See [`Append`]. Called by many tasks at once; the implementation groups them as the store actor would.
    fn append(&self, append: Append) -> impl Future<Output = Result<Appended, AppendError>> + Send;

    /// See [`ReadStream`].
    fn read_stream(&self, request: ReadStream) -> impl Future<Output = Result<StreamPage, ReadError>> + Send;

    /// See [`ReadAll`].
    fn read_all(&self, request: ReadAll) -> impl Future<Output = Result<AllPage, StoreError>> + Send;

    /// See [`umbel_core::store::GetStreamInfo`].
    fn stream_info(&self, stream: StreamName) -> impl Future<Output = Result<StreamInfo, ReadError>> + Send;

    /// See [`umbel_core::store::FindCommand`].
    fn find_command(
        &self,
        id: CommandId,
    ) -> impl Future<Output = Result<Option<Appended>, StoreError>> + Send;

    /// See [`umbel_core::store::GetDocuments`].
    fn get_documents(
        &self,
        keys: Vec<DocumentKey>,
    ) -> impl Future<Output = Result<Vec<Option<Json>>, StoreError>> + Send;

    /// See [`umbel_core::store::QueryDocuments`].
    fn query_documents(
        &self,
        query: DocumentQuery,
    ) -> impl Future<Output = Result<DocumentPage, StoreError>> + Send;

    /// See [`umbel_core::store::LoadCheckpoint`].
    fn load_checkpoint(
        &self,
        projection: String,
    ) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// See [`SaveProjection`].
    fn save_projection(
        &self,
        request: SaveProjection,
    ) -> impl Future<Output = Result<(), SaveProjectionError>> + Send;

    /// See [`umbel_core::store::GetStatus`].
    fn status(&self) -> impl Future<Output = Result<StoreStatus, StoreError>> + Send;
}
