//! Read models: documents, and how far projections have come.

use futures_util::future::{BoxFuture, ready};
use umbel_core::{
    Json, Position,
    document::{DocumentKey, DocumentQuery},
    store::{
        ClaimLive, DocumentPage, Generation, ListProjections, LoadDocuments, OpenProjection, OpenTables,
        QueryTables, RemoveRetired, SaveProjection, SaveProjectionError, SaveTables, StoreError, SwitchError,
        SwitchProjection, TablesError,
    },
};

/// Keeps documents and checkpoints.
pub trait ReadModels: Send + Sync + 'static {
    /// Documents by key, one answer for each, in order; those that serve.
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>>;

    /// A page of the documents that match; of those that serve.
    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>>;

    /// Where a projection stands.
    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>>;

    /// Documents and checkpoint in one transaction, if the checkpoint stands where expected.
    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>>;

    /// See [`LoadDocuments`].
    fn load_documents(&self, request: LoadDocuments) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>>;

    /// See [`OpenProjection`].
    fn open_projection(&self, request: OpenProjection) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>>;

    /// See [`OpenTables`]. Stores that keep no tables say so.
    fn open_tables(&self, request: OpenTables) -> BoxFuture<'_, Result<Vec<Generation>, TablesError>> {
        Box::pin(ready(Err(TablesError::Unsupported { projection: request.opening.projection })))
    }

    /// See [`SaveTables`].
    fn save_tables(&self, request: SaveTables) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        let unsupported = TablesError::Unsupported { projection: request.save.projection };
        Box::pin(ready(Err(SaveProjectionError::Tables(unsupported))))
    }

    /// See [`QueryTables`].
    fn query_tables(&self, request: QueryTables) -> BoxFuture<'_, Result<Vec<Json>, TablesError>> {
        Box::pin(ready(Err(TablesError::Unsupported { projection: request.projection })))
    }

    /// See [`ListProjections`].
    fn list_projections(
        &self,
        request: ListProjections,
    ) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>>;

    /// See [`SwitchProjection`].
    fn switch_projection(&self, request: SwitchProjection) -> BoxFuture<'_, Result<(), SwitchError>>;

    /// See [`RemoveRetired`].
    fn remove_retired(&self, request: RemoveRetired) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// See [`ClaimLive`].
    fn claim_live(&self, request: ClaimLive) -> BoxFuture<'_, Result<Position, StoreError>>;
}
