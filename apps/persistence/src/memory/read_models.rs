//! Read models: documents and checkpoints.

use futures_util::future::BoxFuture;
use umbel_core::{
    Json, Position,
    document::{DocumentKey, DocumentQuery},
    store::{DocumentPage, SaveProjection, SaveProjectionError, StoreError},
};

use super::{Memory, state::State};
use crate::adapter::ReadModels;

impl ReadModels for Memory {
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            Ok(keys.iter().map(|key| state.documents.get(key)).collect())
        })
    }

    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>> {
        Box::pin(async move { Ok(self.state().documents.query(&query)) })
    }

    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(async move { Ok(self.state().checkpoint(&projection)) })
    }

    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(async move { self.state().save_projection(request) })
    }
}

impl State {
    fn save_projection(&mut self, request: SaveProjection) -> Result<(), SaveProjectionError> {
        let actual = self.checkpoint(&request.projection);
        if actual != request.expected {
            return Err(SaveProjectionError::CheckpointMoved { actual });
        }
        self.checkpoints.insert(request.projection, request.position);
        for collection in &request.clear {
            self.documents.clear(collection);
        }
        for write in &request.writes {
            self.documents.write(write);
        }
        Ok(())
    }
}
