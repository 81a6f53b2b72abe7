//! Requests about generations of projections, and the documents that they write.

use umbel_core::{
    Json, Position,
    store::{
        ClaimLive, Generation, ListProjections, LoadDocuments, OpenProjection, OpenTables, QueryTables,
        RemoveRetired, SaveProjectionError, SaveTables, StoreError, SwitchError, SwitchProjection,
        TablesError,
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

    /// The same for a projection that has tables: the generation that is made has them, too.
    ///
    /// # Errors
    /// See [`TablesError`].
    pub async fn open_tables(&self, request: OpenTables) -> Result<Vec<Generation>, TablesError> {
        self.write(request).await
    }

    /// Documents, rows of tables and checkpoint in one transaction.
    ///
    /// # Errors
    /// See [`SaveProjectionError`].
    pub async fn save_tables(&self, request: SaveTables) -> Result<(), SaveProjectionError> {
        self.write(request).await
    }

    /// Rows of the tables that serve, as JSON objects.
    ///
    /// # Errors
    /// See [`TablesError`].
    pub async fn query_tables(&self, request: QueryTables) -> Result<Vec<Json>, TablesError> {
        self.read(request).await
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
