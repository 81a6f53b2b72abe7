//! Requests to the store, as verbs. The store is one more owner on the bus.

use tokio::time::Instant;
use umbel_core::{
    CommandId, Json, Position, Request, StreamName,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, DocumentPage, FindCommand, GetDocuments, GetStatus,
        GetStreamInfo, LoadCheckpoint, QueryDocuments, ReadAll, ReadError, ReadStream, SaveProjection,
        SaveProjectionError, StoreError, StoreStatus, StreamInfo, StreamPage,
    },
};

use crate::{envelope::SendError, handle::Bus};

/// A handle to the store, whichever it is. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    bus: Bus,
    deadline: Option<Instant>,
}

impl Store {
    pub(crate) const fn new(bus: Bus) -> Self {
        Self { bus, deadline: None }
    }

    /// The same store, with everything asked through this handle answered by the given moment instead of
    /// within the default deadline.
    #[must_use]
    pub fn by(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Stores one atom.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.write(append).await
    }

    /// Reads a page of one stream.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_stream(&self, request: ReadStream) -> Result<StreamPage, ReadError> {
        self.read(request).await
    }

    /// Reads a page of the log.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_all(&self, request: ReadAll) -> Result<AllPage, StoreError> {
        self.read(request).await
    }

    /// What there is to know of a stream.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn stream_info(&self, stream: StreamName) -> Result<StreamInfo, ReadError> {
        self.read(GetStreamInfo { stream }).await
    }

    /// The first result of a command, if its id was recorded.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find_command(&self, id: CommandId) -> Result<Option<Appended>, StoreError> {
        self.read(FindCommand { id }).await
    }

    /// Documents by key, one answer for each, in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get_documents(&self, keys: Vec<DocumentKey>) -> Result<Vec<Option<Json>>, StoreError> {
        self.read(GetDocuments { keys }).await
    }

    /// A page of the documents that match.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn query_documents(&self, query: DocumentQuery) -> Result<DocumentPage, StoreError> {
        self.read(QueryDocuments(query)).await
    }

    /// How far a projection has come.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn load_checkpoint(&self, projection: &str) -> Result<Position, StoreError> {
        self.read(LoadCheckpoint { projection: projection.to_owned() }).await
    }

    /// Documents and checkpoint in one transaction.
    ///
    /// # Errors
    /// See [`SaveProjectionError`].
    pub async fn save_projection(&self, request: SaveProjection) -> Result<(), SaveProjectionError> {
        self.write(request).await
    }

    /// Which store, where, and how far its log goes.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.read(GetStatus).await
    }

    /// A request that changes nothing: without an answer nothing was done, and it may be asked again.
    async fn read<R: Request>(&self, request: R) -> Result<R::Answer, R::Error>
    where
        R::Error: From<StoreError>,
    {
        self.request(request, |reason| StoreError::Unavailable { reason }).await
    }

    /// A request that may have been carried out although there was no answer.
    async fn write<R: Request>(&self, request: R) -> Result<R::Answer, R::Error>
    where
        R::Error: From<StoreError>,
    {
        self.request(request, |reason| StoreError::OutcomeUnknown { reason }).await
    }

    /// Sends a request; `unanswered` is what it means that its owner opened it and did not answer.
    async fn request<R: Request>(
        &self,
        request: R,
        unanswered: fn(String) -> StoreError,
    ) -> Result<R::Answer, R::Error>
    where
        R::Error: From<StoreError>,
    {
        let deadline = self.deadline.unwrap_or_else(|| self.bus.default_deadline());
        self.bus.send(request, deadline).await.map_err(|error| match error {
            SendError::Refused(error) => error,
            error @ (SendError::NoOwner { .. } | SendError::Unavailable { .. }) => {
                StoreError::Unavailable { reason: error.to_string() }.into()
            }
            error @ (SendError::Timeout { .. } | SendError::Crashed { .. }) => {
                unanswered(error.to_string()).into()
            }
        })
    }
}
