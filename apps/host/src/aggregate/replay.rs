//! The state of an aggregate as it is or as it was, folded from the log: no live instance is asked, made or touched.

use umbel_bus::Store;
use umbel_core::{
    Aggregate, Gap, StreamName, StreamNameError, Version,
    store::{SnapshotError, State, StoreError},
};

use crate::{
    aggregate::{fold::Fold, naming::stream_of},
    deciding::Trouble,
};

/// Why a state cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The id names no aggregate.
    #[error(transparent)]
    Identity(#[from] StreamNameError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its stream does not show all events that led to it.
    #[error(transparent)]
    Incomplete(#[from] Gap),
    /// Its stream was deleted.
    #[error("stream {0} was deleted")]
    Gone(StreamName),
    /// Its stream holds something this program cannot read, or the domain's code panicked.
    #[error("{reason}")]
    Failed {
        /// What was met.
        reason: String,
    },
}

/// The state of an aggregate as of a version, or as it is now, and the version of its last event. A version that its stream has
/// not come to yet gives the present state; an aggregate that nothing happened to is in its first state, at version 0. Where
/// the aggregate declares [snapshots](Aggregate::snapshots), folding begins with that of its stream.
///
/// # Errors
/// See [`StateError`].
pub async fn state_at<A: Aggregate>(
    store: &Store,
    id: &str,
    version: Option<Version>,
) -> Result<(A, Version), StateError> {
    let mut fold = Fold::new(stream_of::<A>(store, &StreamName::of(A::CATEGORY, id)?).await?);
    fold.begin_with_snapshot(store, version).await;
    folded(fold, store, version).await
}

/// The same, beginning with the snapshot of its stream if there is one that is not beyond the version. One of another state or shape
/// is left aside.
///
/// # Errors
/// See [`StateError`].
pub async fn state_at_from_snapshot<A: Aggregate + State>(
    store: &Store,
    id: &str,
    version: Option<Version>,
) -> Result<(A, Version), StateError> {
    let stream = stream_of::<A>(store, &StreamName::of(A::CATEGORY, id)?).await?;
    let snapshot = store.load_snapshot(stream.clone()).await?;
    let usable = snapshot.filter(|snapshot| version.is_none_or(|version| snapshot.version <= version));
    let fold = match usable.map(|snapshot| Ok((snapshot.decode::<A>()?, snapshot.version))) {
        Some(Ok((state, version))) => Fold { stream, state, version, last: None },
        Some(Err::<_, SnapshotError>(error)) => {
            tracing::warn!(%error, "folding the stream from its start instead");
            Fold::new(stream)
        }
        None => Fold::new(stream),
    };
    folded(fold, store, version).await
}

async fn folded<A: Aggregate>(
    mut fold: Fold<A>,
    store: &Store,
    version: Option<Version>,
) -> Result<(A, Version), StateError> {
    match fold.catch_up(store, version).await {
        Ok(_) => Ok((fold.state, fold.version)),
        Err(Trouble::Store(error)) => Err(error.into()),
        Err(Trouble::Gap(gap)) => Err(gap.into()),
        Err(Trouble::Gone(stream)) => Err(StateError::Gone(stream)),
        Err(Trouble::Failed(reason)) => Err(StateError::Failed { reason }),
    }
}
