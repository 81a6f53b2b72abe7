//! Read models: documents, and how far projections have come.

mod documents;
mod generations;
mod joined;
mod progress;
mod write;

use futures_util::future::BoxFuture;
use umbel_core::{
    Json, Position,
    document::{DocumentKey, DocumentQuery},
    store::{
        ClaimLive, DocumentPage, Generation, ListProjections, LoadDocuments, OpenProjection, RemoveRetired,
        SaveProjection, SaveProjectionError, StoreError, SwitchError, SwitchProjection,
    },
};

#[cfg(test)]
pub(super) use self::documents::{Statements, Walk};
pub(super) use self::{
    generations::{drop_projection, rebuild},
    joined::{move_joined, see_joined},
    write::write_documents,
};
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

    fn load_documents(&self, request: LoadDocuments) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(self.read(move |connection| documents::load_documents(connection, &request)))
    }

    fn open_projection(&self, request: OpenProjection) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        Box::pin(async move {
            // It is asked for again and again, and hardly ever has anything to do, so the writer is left alone.
            let listed = ListProjections { projection: Some(request.projection.clone()) };
            let kept = self.list_projections(listed).await?;
            if request.missing(&kept, Position::START).is_none() {
                return Ok(kept);
            }
            self.write(move |writer| generations::open(writer, &request)).await
        })
    }

    fn list_projections(
        &self,
        request: ListProjections,
    ) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        Box::pin(self.read(move |connection| generations::list(connection, &request)))
    }

    fn switch_projection(&self, request: SwitchProjection) -> BoxFuture<'_, Result<(), SwitchError>> {
        Box::pin(async move { self.write(move |writer| generations::switch(writer, &request)).await? })
    }

    fn remove_retired(&self, request: RemoveRetired) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.write(move |writer| generations::remove_retired(writer, &request)))
    }

    fn claim_live(&self, request: ClaimLive) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(self.write(move |writer| progress::claim(writer, &request)))
    }
}
