//! Read models: documents, and how far projections have come.

use futures_util::future::BoxFuture;
use umbel_core::{
    Json, Position,
    document::{DocumentKey, DocumentQuery},
    store::{DocumentPage, SaveProjection, SaveProjectionError, StoreError},
};

/// Keeps documents and checkpoints.
pub trait ReadModels: Send + Sync + 'static {
    /// Documents by key, one answer for each, in order.
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>>;

    /// A page of the documents that match.
    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>>;

    /// Where a projection stands.
    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>>;

    /// Documents and checkpoint in one transaction, if the checkpoint stands where expected.
    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>>;
}
