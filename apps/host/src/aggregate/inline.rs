//! Documents that are written in the transaction which stores an aggregate's events.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use umbel_bus::Store;
use umbel_core::{
    Aggregate, Changes, Happening, Metadata, StreamName, Timestamp, Version,
    document::{DocumentKey, DocumentWrite},
};

use crate::deciding::Trouble;

/// What these events, which come after `version`, do to the aggregate's documents.
pub(super) fn changes<A: Aggregate>(
    (stream, version): (&StreamName, Version),
    events: &[A::Event],
    at: Timestamp,
    metadata: &Metadata,
) -> Result<Changes, Trouble> {
    let changes = catch_unwind(AssertUnwindSafe(|| {
        let mut changes = Changes::default();
        let mut version = version;
        for event in events {
            version = version.next();
            A::inline(event, &Happening { stream, version, at, metadata }, &mut changes);
        }
        changes
    }));
    let mut changes = changes.map_err(|_| panicked(stream))?;
    if let Some(statement) = changes.take_statements().first() {
        return Err(Trouble::Failed(format!(
            "{stream} may write documents only, not {:?}: tables are a projection's",
            statement.text(),
        )));
    }
    let keys = changes.keys();
    if let Some(key) = keys.iter().find(|key| !is_declared::<A>(key)) {
        return Err(Trouble::Failed(format!(
            "{stream} may not write to {0}, which {1} does not declare: name {0} in its Aggregate::collections",
            key.collection,
            A::CATEGORY,
        )));
    }
    if let Some(key) = keys.iter().find(|key| !belongs(key, stream)) {
        return Err(Trouble::Failed(format!(
            "{stream} may not write document {:?} of {}: its key must be {2:?} or begin with {2:?} and /",
            key.key,
            key.collection,
            stream.id(),
        )));
    }
    Ok(changes)
}

/// What these changes make of the documents. They are read here and written under the lock of the stream: whoever changes them in
/// between has moved its version.
pub(super) async fn writes(
    store: &Store,
    stream: &StreamName,
    changes: Changes,
) -> Result<Vec<DocumentWrite>, Trouble> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let keys = changes.keys_to_load();
    let bodies = match keys.is_empty() {
        true => Vec::new(),
        false => store.get_documents(keys.clone()).await.map_err(Trouble::Store)?,
    };
    let loaded: BTreeMap<_, _> =
        keys.into_iter().zip(bodies).filter_map(|(key, body)| Some((key, body?))).collect();
    let applied = catch_unwind(AssertUnwindSafe(|| changes.apply(loaded))).map_err(|_| panicked(stream))?;
    applied.map_err(|error| Trouble::Failed(format!("a document of {stream} cannot be changed: {error}")))
}

/// Whether the umbrella could see to it that nobody else writes to the document's collection.
fn is_declared<A: Aggregate>(key: &DocumentKey) -> bool {
    A::collections().iter().any(|collection| collection.name == key.collection)
}

/// Whether a document is one that only this aggregate writes.
fn belongs(key: &DocumentKey, stream: &StreamName) -> bool {
    key.key.strip_prefix(stream.id()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn panicked(stream: &StreamName) -> Trouble {
    Trouble::Failed(format!("changing the documents of {stream} panicked"))
}
