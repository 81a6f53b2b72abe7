//! Which stream an aggregate has: one of its category, or one that was begun under a category that it had before.

use umbel_bus::Store;
use umbel_core::{
    Aggregate, StreamName,
    store::{ReadError, StoreError},
};

/// The stream of an aggregate, whose id is in this name: the first that is there, by its category and then by those it had before. A stream
/// keeps the name it was begun under, so whatever refers to it stays right. If none is there, it is to begin under the category of today.
pub(super) async fn stream_of<A: Aggregate>(
    store: &Store,
    name: &StreamName,
) -> Result<StreamName, StoreError> {
    if A::FORMERLY.is_empty() {
        return Ok(name.clone());
    }
    let id = name.id();
    let named = |category: &str| StreamName::of(category, id).ok();
    let names = [A::CATEGORY].into_iter().chain(A::FORMERLY.iter().copied()).filter_map(named);
    for name in names {
        match store.stream_info(name.clone()).await {
            Err(ReadError::StreamNotFound(_)) => {}
            Err(ReadError::Store(error)) => return Err(error),
            // A deleted one is used up; whoever reads it is told.
            Ok(_) | Err(ReadError::StreamDeleted(_)) => return Ok(name),
        }
    }
    Ok(named(A::CATEGORY).unwrap_or_else(|| name.clone()))
}
