//! Requests to the store, as verbs. The store is one more owner on the bus.

mod pages;
mod projections;
mod subscriptions;
mod views;

use tokio::time::Instant;
use umbel_core::{
    CommandId, EventId, Json, Position, RecordedEvent, Request, StreamName, Version,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, Claim, ClearOutbox, DeleteSnapshot, DocumentPage, DuePage,
        FindCommand, FindEvent, FindWork, Finding, GetDocuments, GetStatus, GetStreamInfo, KeepNotices,
        KeptNotice, LinkError, LinkEvents, ListClaims, ListNotices, ListQueues, ListSnapshots, ListStreams,
        LoadCheckpoint, LoadSnapshot, Perform, PerformError, Performed, QueryDocuments, QueueInfo, ReadAll,
        ReadDue, ReadError, ReadOutbox, ReadStream, SaveProjection, SaveProjectionError, SaveSnapshot,
        Snapshot, StoreError, StoreStatus, StreamInfo, StreamList, StreamPage, SweepNotices, VerifyStore,
        Waiting,
    },
};
use uuid::Uuid;

pub use self::views::{Replay, SubscriptionView};
use crate::{clock::Clock, envelope::SendError, handle::Bus};

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

    /// The clock of the bus that it is asked on.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.bus.clock()
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

    /// Reads a page of the log. Going forward from what this process has just appended itself, while somebody follows the log, it is
    /// answered from memory: then the page ends, and its head is, where the log does by what this process knows, as if it had
    /// been read a moment ago.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_all(&self, request: ReadAll) -> Result<AllPage, StoreError> {
        if let Some(page) = self.recent(&request) {
            // Whoever reads page after page from memory lets others have their turns.
            tokio::task::consume_budget().await;
            return Ok(page);
        }
        self.read_all_stored(request).await
    }

    /// The same from the store itself: for whoever must not get what another process has removed for good a moment ago.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_all_stored(&self, request: ReadAll) -> Result<AllPage, StoreError> {
        self.read(request).await
    }

    /// What [`Self::read_all`] would answer from memory, at once; `None` when it would ask the store.
    #[must_use]
    pub fn recent(&self, request: &ReadAll) -> Option<AllPage> {
        self.bus.tail_page(request)
    }

    /// An event by its id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find_event(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.read(FindEvent { id }).await
    }

    /// A page of the list of streams.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_streams(&self, request: ListStreams) -> Result<StreamList, StoreError> {
        self.read(request).await
    }

    /// A page of the list of claims.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_claims(&self, request: ListClaims) -> Result<Vec<Claim>, StoreError> {
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

    /// Links events to a stream; the answer is its version after it.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn link(&self, request: LinkEvents) -> Result<Version, LinkError> {
        self.write(request).await
    }

    /// Does an act of upkeep.
    ///
    /// # Errors
    /// See [`PerformError`].
    pub async fn perform(&self, request: Perform) -> Result<Performed, PerformError> {
        self.write(request).await
    }

    /// Looks at all of the store and tells what is not as it must be.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn verify(&self) -> Result<Vec<Finding>, StoreError> {
        self.read(VerifyStore).await
    }

    /// The snapshot of a stream.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn load_snapshot(&self, stream: StreamName) -> Result<Option<Snapshot>, StoreError> {
        self.read(LoadSnapshot { stream }).await
    }

    /// Keeps a snapshot unless there is a newer one; whether it was kept.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        self.write(SaveSnapshot(snapshot)).await
    }

    /// Removes the snapshot of a stream; whether there was one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete_snapshot(&self, stream: StreamName) -> Result<bool, StoreError> {
        self.write(DeleteSnapshot { stream }).await
    }

    /// A page of the list of snapshots.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_snapshots(&self, request: ListSnapshots) -> Result<Vec<Snapshot>, StoreError> {
        self.read(request).await
    }

    /// Entries of the outbox that wait.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_outbox(&self, request: ReadOutbox) -> Result<Vec<Waiting>, StoreError> {
        self.read(request).await
    }

    /// Entries of the outbox that are due.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_due(&self, request: ReadDue) -> Result<DuePage, StoreError> {
        self.read(request).await
    }

    /// The queues of the outbox in which something waits.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_queues(&self, request: ListQueues) -> Result<Vec<QueueInfo>, StoreError> {
        self.read(request).await
    }

    /// The entry of the outbox with this id, if one waits.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find_work(&self, id: Uuid) -> Result<Option<Waiting>, StoreError> {
        self.read(FindWork { id }).await
    }

    /// Takes entries that are done out of the outbox; how many there were.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn clear_outbox(&self, numbers: Vec<u64>) -> Result<u64, StoreError> {
        self.write(ClearOutbox { numbers }).await
    }

    /// Keeps notices, each once; how many are new.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep_notices(&self, notices: Vec<KeptNotice>) -> Result<u64, StoreError> {
        self.write(KeepNotices { notices }).await
    }

    /// A page of the kept notices.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_notices(&self, request: ListNotices) -> Result<Vec<KeptNotice>, StoreError> {
        self.read(request).await
    }

    /// Removes kept notices whose time has come; how many.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn sweep_notices(&self, request: SweepNotices) -> Result<u64, StoreError> {
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
