//! What the events of a page lead to: pure, and safe from what panics in a rule.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use umbel_core::{
    Json, Position, Projection, RecordedEvent,
    document::{Changes, DocumentKey, DocumentWrite},
    store::{StoreError, TablesError},
};

/// Why a round failed. Nothing was saved; the same round is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("event at position {position}: {reason}")]
    Event { position: Position, reason: String },
    #[error("a document cannot be changed: {0}")]
    Document(String),
    #[error(transparent)]
    Tables(TablesError),
    /// Trying again does not help: there is another plan.
    #[error("its generation was retired")]
    Retired,
}

impl Trouble {
    /// Whether it lies in the changes of an event, and not in the store.
    pub(super) const fn is_of_changes(&self) -> bool {
        match self {
            Self::Document(_) => true,
            Self::Tables(error) => error.is_of_statement(),
            Self::Store(_) | Self::Event { .. } | Self::Retired => false,
        }
    }
}

/// The changes that events make. When one of them cannot be projected, those before it count, with the position up to which they go
/// and what is wrong.
pub(super) fn changes<P: Projection>(events: &[RecordedEvent]) -> (Changes, Option<(Position, Trouble)>) {
    let mut changes = Changes::default();
    for recorded in events {
        match project::<P>(recorded) {
            Ok(more) => changes.extend(more),
            Err(reason) => {
                let position = recorded.position;
                let before = Position::new(position.get().saturating_sub(1));
                return (changes, Some((before, Trouble::Event { position, reason })));
            }
        }
    }
    (changes, None)
}

/// The documents to write, by those there are.
pub(super) fn apply(
    changes: Changes,
    loaded: BTreeMap<DocumentKey, Json>,
) -> Result<Vec<DocumentWrite>, Trouble> {
    match catch_unwind(AssertUnwindSafe(|| changes.apply(loaded))) {
        Ok(writes) => writes.map_err(|error| Trouble::Document(error.to_string())),
        Err(_) => Err(Trouble::Document("the change panicked".to_owned())),
    }
}

/// The changes that one event makes. A panic of the rule is as lasting as any other reason: restarting cures neither.
fn project<P: Projection>(recorded: &RecordedEvent) -> Result<Changes, String> {
    let mut changes = Changes::default();
    for event in recorded.decode::<P::Event>().map_err(|error| error.to_string())? {
        catch_unwind(AssertUnwindSafe(|| P::project(event, recorded, &mut changes)))
            .map_err(|_| "the projection's rule panicked".to_owned())?;
    }
    Ok(changes)
}
