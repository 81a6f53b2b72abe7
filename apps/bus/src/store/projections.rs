//! Requests about generations of projections, and the documents that they write.

use umbel_core::{
    Json, Position,
    store::{
        ClaimLive, Generation, ListProjections, LoadDocuments, OpenProjection, RemoveRetired, StoreError,
        SwitchError, SwitchProjection,
    },
};

use super::Store;

impl Store {
    /// Documents as a generation has them, one answer for each key, in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn load_documents(&self, request: LoadDocuments) -> Result<Vec<Option<Json>>, StoreError> {
        self.read(request).await
    }

    /// Makes the generation that a version of a projection needs, unless it is there; all there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_projection(&self, request: OpenProjection) -> Result<Vec<Generation>, StoreError> {
        self.write(request).await
    }

    /// The generations of one projection, or of all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_projections(&self, request: ListProjections) -> Result<Vec<Generation>, StoreError> {
        self.read(request).await
    }

    /// Lets a generation serve readers.
    ///
    /// # Errors
    /// See [`SwitchError`].
    pub async fn switch_projection(&self, request: SwitchProjection) -> Result<(), SwitchError> {
        self.write(request).await
    }

    /// Removes some of what retired generations have left; whether there is more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remove_retired(&self, request: RemoveRetired) -> Result<bool, StoreError> {
        self.write(request).await
    }

    /// Claims events for the hook of a projection; up to where they were claimed before.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn claim_live(&self, request: ClaimLive) -> Result<Position, StoreError> {
        self.write(request).await
    }
}
