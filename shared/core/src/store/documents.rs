//! Documents and checkpoints: reading models, and writing them together with how far they have come.

use crate::{
    document::{DocumentKey, DocumentQuery, DocumentWrite},
    json::Json,
    message::Request,
    store::{StoreError, TablesError},
    version::Position,
};

/// Reads documents by key: of each collection those of the generation that serves.
#[derive(Clone, Debug)]
pub struct GetDocuments {
    /// Which; the answer has one entry for each, in this order.
    pub keys: Vec<DocumentKey>,
}

/// Runs a query over one collection, as the generation that serves has it.
#[derive(Clone, Debug)]
pub struct QueryDocuments(
    /// The query.
    pub DocumentQuery,
);

/// Asks how far a projection has come. One that never ran is at the start.
#[derive(Clone, Debug)]
pub struct LoadCheckpoint {
    /// The name of its checkpoint.
    pub projection: String,
}

/// Writes documents and moves the projection's checkpoint, in one transaction: each event's effect exactly once.
#[derive(Clone, Debug)]
pub struct SaveProjection {
    /// The name of its checkpoint, [`Generation::checkpoint`](super::Generation::checkpoint). Under one that was opened the documents are
    /// those of that generation. Another one is a checkpoint alone: its documents are under the collections' own names.
    pub projection: String,
    /// Where the checkpoint must stand; if another node moved it, nothing is written.
    pub expected: Position,
    /// Where it shall stand.
    pub position: Position,
    /// Collections to empty before the documents are written, in the same transaction: a read model that begins
    /// at the start of the log begins empty, whatever an older version of its rule has left. Of large collections a store
    /// may remove parts before, while the checkpoint stands where it must; these stay removed should the save fail.
    pub clear: Vec<String>,
    /// The documents.
    pub writes: Vec<DocumentWrite>,
}

/// A page of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentPage {
    /// Key and body, in the order asked for.
    pub documents: Vec<(String, Json)>,
    /// How many documents match, whatever the page.
    pub total: u64,
    /// An index of the query that what serves was not built with: then the rest means nothing.
    pub unserved: Option<String>,
}

/// Why a projection's progress was not saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveProjectionError {
    /// Another node was faster; go on from there.
    #[error("the checkpoint stands at {actual}, not where it was expected")]
    CheckpointMoved {
        /// Where it stands.
        actual: Position,
    },
    /// The generation's place was taken by another one; nothing was written, and nothing will be.
    #[error("this generation was retired; another one serves")]
    Retired,
    /// The projection's tables could not be changed as asked for; nothing was written.
    #[error(transparent)]
    Tables(TablesError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Request for GetDocuments {
    const NAME: &'static str = "store.get_documents";
    type Answer = Vec<Option<Json>>;
    type Error = StoreError;
}

impl Request for QueryDocuments {
    const NAME: &'static str = "store.query_documents";
    type Answer = DocumentPage;
    type Error = StoreError;
}

impl Request for LoadCheckpoint {
    const NAME: &'static str = "store.load_checkpoint";
    type Answer = Position;
    type Error = StoreError;
}

impl Request for SaveProjection {
    const NAME: &'static str = "store.save_projection";
    type Answer = ();
    type Error = SaveProjectionError;
}
