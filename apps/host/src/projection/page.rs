//! What the events of a page lead to: pure, and safe from what panics in a rule.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use umbel_core::{
    Json, Mode, Position, Projection, RecordedEvent,
    document::{Changes, DocumentKey, DocumentWrite},
    projection::Verdict,
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
    /// Trying again is not wanted.
    #[error("event at position {position}: {reason}; it is not tried again until this process starts anew")]
    Stopped { position: Position, reason: String },
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
            Self::Store(_) | Self::Event { .. } | Self::Stopped { .. } | Self::Retired => false,
        }
    }
}

/// An event that cannot be projected.
pub(super) struct Poison {
    pub(super) event: RecordedEvent,
    pub(super) reason: String,
}

impl Poison {
    /// The position before it.
    pub(super) fn before(&self) -> Position {
        Position::new(self.event.position.get().saturating_sub(1))
    }
}

/// What the projection says becomes of it, after so many attempts.
pub(super) fn judge<P: Projection>(Poison { event, reason }: &Poison, attempt: u32) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| P::on_error(reason, event, attempt))).unwrap_or_else(|_| {
        tracing::error!(projection = P::NAME, position = %event.position, "on_error panicked over an event");
        P::FAILING.verdict()
    })
}

/// The changes that events make. When one of them cannot be projected, those before it count.
pub(super) fn changes<P: Projection>(events: &[RecordedEvent]) -> (Changes, Option<Poison>) {
    let mut changes = Changes::default();
    for recorded in events {
        match project::<P>(recorded) {
            Ok(more) => changes.extend(more),
            Err(reason) => return (changes, Some(Poison { event: recorded.clone(), reason })),
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
pub(crate) fn project<P: Projection>(recorded: &RecordedEvent) -> Result<Changes, String> {
    let mut changes = Changes::default();
    // A rule that is inline must not make something else of an event once it knows more of it.
    let known =
        (P::MODE == Mode::Inline).then(|| RecordedEvent { position: Position::START, ..recorded.clone() });
    let recorded = known.as_ref().unwrap_or(recorded);
    for event in recorded.decode::<P::Event>().map_err(|error| error.to_string())? {
        catch_unwind(AssertUnwindSafe(|| P::project(event, recorded, &mut changes)))
            .map_err(|_| "the projection's rule panicked".to_owned())?;
    }
    Ok(changes)
}
