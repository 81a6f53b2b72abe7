//! Documents: read models as JSON values in named collections, found by key or by declared indexes.
//!
//! Works the same on every store, because what an index orders by is computed here ([`IndexKey`]) and not by
//! the database.

mod changes;
pub(crate) mod index;
mod query;

pub use changes::{Changes, DocumentKey, DocumentWrite};
pub use index::{INDEXED_TEXT_MAX_BYTES, IndexEntry, IndexKey};
pub use query::{Direction, DocumentQuery, Filter, Order, PAGE_MAX, Test, UnknownIndex};

use serde::{Serialize, de::DeserializeOwned};
pub use umbel_derive::Document;

/// A type kept as documents of one collection.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use umbel_core::Document;
///
/// #[derive(Serialize, Deserialize, Document)]
/// #[document(collection = "bank.accounts")]
/// struct Account {
///     #[index]
///     owner: String,
///     cents: u64,
/// }
///
/// assert_eq!((Account::COLLECTION, Account::INDEXES), ("bank.accounts", &["owner"][..]));
/// ```
///
/// An index is called as the field is in JSON; where serde is told another name, it is for the type to say which:
///
/// ```compile_fail
/// #[derive(serde::Serialize, serde::Deserialize, umbel_core::Document)]
/// #[document(collection = "bank.accounts")]
/// struct Account {
///     #[index]
///     #[serde(rename = "belongs_to")]
///     owner: String,
/// }
/// ```
pub trait Document: Serialize + DeserializeOwned + Send + 'static {
    /// Stable name, `app.things`.
    const COLLECTION: &'static str;
    /// Top-level fields (as serialised) that queries filter or order by. A list is indexed by each element.
    const INDEXES: &'static [&'static str] = &[];
}

/// A collection and its declared indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its name.
    pub name: &'static str,
    /// Top-level fields that are indexed.
    pub indexes: &'static [&'static str],
}

impl Collection {
    /// The collection of a document type.
    #[must_use]
    pub const fn of<D: Document>() -> Self {
        Self { name: D::COLLECTION, indexes: D::INDEXES }
    }
}
