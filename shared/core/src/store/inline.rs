//! What an append does to inline projections.

use crate::{document::DocumentWrite, json::Json, store::Append};

/// What the events of an append do to the documents of a projection whose generation is [joined](super::Generation::joined) to appends.
///
/// An append with events of a joined generation that says nothing of it is stored, and ends that: from there on the generation follows the
/// log, until it has caught up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineChanges {
    /// The generation's checkpoint.
    pub checkpoint: String,
    /// The documents. `None`: the writer believes that it is not joined, and refuses to end that if it is.
    pub changes: Option<Vec<DocumentChange>>,
}

/// A document that is written if it is as it was read: what it becomes depends on that and on the events alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentChange {
    /// What was there.
    pub before: Option<Json>,
    /// What there shall be.
    pub write: DocumentWrite,
}

impl Append {
    /// The documents of inline projections that it changes.
    pub fn document_changes(&self) -> impl Iterator<Item = &DocumentChange> {
        self.inline.iter().filter_map(|one| one.changes.as_ref()).flatten()
    }

    /// All documents that it writes.
    pub(super) fn writes(&self) -> impl Iterator<Item = &DocumentWrite> {
        self.documents.iter().chain(self.document_changes().map(|change| &change.write))
    }
}
