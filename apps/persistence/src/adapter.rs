//! The port between the store actor and a database.
//!
//! An adapter does IO and nothing else: what a group of appends leads to is decided by
//! [`umbel_core::store::plan`], who waits for whom by the store actor. All adapters pass the same conformance
//! suite.
//!
//! The port has five sides; each adapter keeps them in files of the same names.

mod extras;
mod log;
mod read_models;
mod subscriptions;
mod upkeep;

pub use extras::Extras;
pub use log::{Exchanged, Log, News};
pub use read_models::ReadModels;
pub use subscriptions::Subscriptions;
pub use upkeep::{Looked, Stride, SubjectKey, Upkeep};

/// A database that keeps everything.
///
/// Requests come checked (sizes, page limits, permissions). Futures may be dropped by a caller that has waited long
/// enough; what they began then still ends whole or not at all.
pub trait Adapter: Log + ReadModels + Upkeep + Extras + Subscriptions {}

impl<T: Log + ReadModels + Upkeep + Extras + Subscriptions> Adapter for T {}

/// Takes the place of a method while an adapter is being built.
pub(crate) fn missing<T: Send + 'static>()
-> futures_util::future::BoxFuture<'static, Result<T, umbel_core::store::StoreError>> {
    Box::pin(futures_util::future::ready(Err(umbel_core::store::StoreError::Failed {
        reason: "not built yet".into(),
    })))
}
