//! Read models: documents, and how far projections have come.

mod documents;
mod progress;
mod write;

use futures_util::future::BoxFuture;
use umbel_core::{
    Json, Position,
    document::{DocumentKey, DocumentQuery},
    store::{DocumentPage, SaveProjection, SaveProjectionError, StoreError},
};

#[cfg(test)]
pub(super) use self::documents::Statements;
pub(super) use self::write::write_documents;
use super::Sqlite;
use crate::adapter::ReadModels;

impl ReadModels for Sqlite {
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(self.read(move |connection| documents::get_documents(connection, &keys)))
    }

    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>> {
        Box::pin(self.read(move |connection| documents::query_documents(connection, &query)))
    }

    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(self.read(move |connection| progress::checkpoint(connection, &projection)))
    }

    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(async move { self.write(move |writer| progress::save_projection(writer, &request)).await? })
    }
}
