//! Read models: documents and checkpoints.

use futures_util::future::BoxFuture;
use umbel_core::{
    Json, Position,
    document::{DocumentKey, DocumentQuery},
    store::{
        ClaimLive, DocumentPage, Generation, ListProjections, LoadDocuments, OpenProjection, RemoveRetired,
        SaveProjection, SaveProjectionError, StoreError, SwitchError, SwitchProjection,
    },
};

use super::{Memory, state::State};
use crate::adapter::ReadModels;

impl ReadModels for Memory {
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let get = |key: &DocumentKey| state.documents.get(&state.serving(key.collection), &key.key);
            Ok(keys.iter().map(get).collect())
        })
    }

    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let serving = state.served.get(&query.collection);
            let unserved = serving.and_then(|generation| query.unserved(&generation.indexes));
            Ok(DocumentPage { unserved, ..state.documents.query(&state.serving(&query.collection), &query) })
        })
    }

    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(async move { Ok(self.state().checkpoint(&projection)) })
    }

    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(async move { self.state().save_projection(request) })
    }

    fn load_documents(&self, request: LoadDocuments) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let suffix = state.suffix(&request.checkpoint);
            let get =
                |key: &DocumentKey| state.documents.get(&format!("{}{suffix}", key.collection), &key.key);
            Ok(request.keys.iter().map(get).collect())
        })
    }

    fn open_projection(&self, request: OpenProjection) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        Box::pin(async move { Ok(self.state().open_projection(&request)) })
    }

    fn list_projections(
        &self,
        request: ListProjections,
    ) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        Box::pin(async move { Ok(self.state().generations(request.projection.as_deref())) })
    }

    fn switch_projection(&self, request: SwitchProjection) -> BoxFuture<'_, Result<(), SwitchError>> {
        Box::pin(async move { self.state().switch_projection(&request) })
    }

    fn remove_retired(&self, request: RemoveRetired) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            self.state().remove_retired(&request.projection);
            Ok(false)
        })
    }

    fn claim_live(&self, request: ClaimLive) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(async move {
            let ClaimLive { projection, through } = request;
            let mut state = self.state();
            let claimed = state.checkpoints.entry(projection).or_default();
            Ok(std::mem::replace(claimed, through.max(*claimed)))
        })
    }
}

impl State {
    fn save_projection(&mut self, request: SaveProjection) -> Result<(), SaveProjectionError> {
        if self.generations.get(&request.projection).is_some_and(|generation| !generation.is_current()) {
            return Err(SaveProjectionError::Retired);
        }
        let actual = self.checkpoint(&request.projection);
        if actual != request.expected {
            return Err(SaveProjectionError::CheckpointMoved { actual });
        }
        let suffix = self.suffix(&request.projection);
        self.checkpoints.insert(request.projection, request.position);
        for collection in &request.clear {
            self.documents.clear(&format!("{collection}{suffix}"));
        }
        for write in &request.writes {
            self.documents.write(write, &suffix);
        }
        Ok(())
    }
}
