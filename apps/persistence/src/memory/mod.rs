//! The store in memory: for tests and examples. Honours every contract; forgets all when dropped.
//!
//! One lock around one state, no IO: what a group leads to is decided by the shared planner, as everywhere.

mod documents;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use umbel_core::{
    CommandId, Json, Position, StreamName, Timestamp,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, DocumentPage, ReadAll, ReadError, ReadStream, SaveProjection,
        SaveProjectionError, StoreError, StoreStatus, StreamInfo, StreamPage,
    },
};

use self::state::State;
use crate::Adapter;

/// A store that lives as long as this value.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic while the lock was held can only come from exhausted memory; the state is changed after all
    /// decisions, so it is taken as it is.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Adapter for Memory {
    fn append(
        &self,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move { self.state().append(&group, now) })
    }

    fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        Box::pin(async move { self.state().read_stream(&request) })
    }

    fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        Box::pin(async move { Ok(self.state().read_all(&request)) })
    }

    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>> {
        Box::pin(async move { self.state().stream_info(&stream) })
    }

    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>> {
        Box::pin(async move { Ok(self.state().find_command(id)) })
    }

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

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        Box::pin(async move {
            let head = self.state().head();
            Ok(StoreStatus { adapter: "memory", location: "this process".into(), head })
        })
    }
}
