//! Questions to a collection: filters over declared indexes, an order, a page.

use serde::Serialize;
use serde_json::Value;

use crate::document::{Document, IndexKey};

/// The largest page of documents one query answers.
pub const PAGE_MAX: u32 = 1000;

/// A query over one collection. All filters must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentQuery {
    /// The collection.
    pub collection: String,
    /// Conditions, all of which must hold.
    pub filters: Vec<Filter>,
    /// By which index to sort; `None` sorts by key, ascending. Equal entries are sorted by key.
    pub order: Option<Order>,
    /// How many matches to skip.
    pub offset: u64,
    /// How many to return, at most [`PAGE_MAX`].
    pub limit: u32,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The declared index it uses.
    pub index: String,
    /// What the indexed value must satisfy; of a list, any one element.
    pub test: Test,
}

/// A test of an indexed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is one of these. Equality is a list of one.
    In(Vec<IndexKey>),
    /// It lies between these, both included; `None` is open.
    Range {
        /// Lower bound.
        from: Option<IndexKey>,
        /// Upper bound.
        to: Option<IndexKey>,
    },
}

/// Sorting of the matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The declared index to sort by; it must not be a list.
    pub index: String,
    /// Which way.
    pub direction: Direction,
}

/// Which way to go through something ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the first on.
    #[default]
    Forward,
    /// From the last back.
    Backward,
}

/// A query names an index that its collection does not declare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("collection {collection} has no index {index:?}; declared are {declared:?}")]
pub struct UnknownIndex {
    /// The collection.
    pub collection: String,
    /// What the query named.
    pub index: String,
    /// What the document type declares.
    pub declared: Vec<String>,
}

impl DocumentQuery {
    /// Everything in the collection of `D`, first page.
    #[must_use]
    pub fn of<D: Document>() -> Self {
        Self {
            collection: D::COLLECTION.to_owned(),
            filters: Vec::new(),
            order: None,
            offset: 0,
            limit: PAGE_MAX,
        }
    }

    /// Only where the field equals the value, or the list field holds it.
    #[must_use]
    pub fn equal(self, index: &str, value: impl Serialize) -> Self {
        self.one_of(index, [value])
    }

    /// Only where the field equals one of the values.
    #[must_use]
    pub fn one_of(mut self, index: &str, values: impl IntoIterator<Item = impl Serialize>) -> Self {
        let keys = values.into_iter().filter_map(|value| key(&value)).collect();
        self.filters.push(Filter { index: index.to_owned(), test: Test::In(keys) });
        self
    }

    /// Only where the field lies between the values, both included.
    #[must_use]
    pub fn between(mut self, index: &str, from: Option<impl Serialize>, to: Option<impl Serialize>) -> Self {
        let test =
            Test::Range { from: from.and_then(|value| key(&value)), to: to.and_then(|value| key(&value)) };
        self.filters.push(Filter { index: index.to_owned(), test });
        self
    }

    /// Sorted by the field.
    #[must_use]
    pub fn order_by(mut self, index: &str, direction: Direction) -> Self {
        self.order = Some(Order { index: index.to_owned(), direction });
        self
    }

    /// Skips `offset` matches and returns at most `limit`, itself at most [`PAGE_MAX`].
    #[must_use]
    pub fn page(mut self, offset: u64, limit: u32) -> Self {
        self.offset = offset;
        self.limit = limit.min(PAGE_MAX);
        self
    }

    /// The indexes it uses.
    pub fn indexes(&self) -> impl Iterator<Item = &str> {
        let filters = self.filters.iter().map(|filter| &*filter.index);
        filters.chain(self.order.as_ref().map(|order| &*order.index))
    }

    /// Checks that every index used is declared by `D`.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check<D: Document>(&self) -> Result<(), UnknownIndex> {
        match self.indexes().find(|index| !D::INDEXES.contains(index)) {
            None => Ok(()),
            Some(index) => Err(UnknownIndex {
                collection: self.collection.clone(),
                index: index.to_owned(),
                declared: D::INDEXES.iter().map(|&index| index.to_owned()).collect(),
            }),
        }
    }
}

/// The key of a scalar; a list or object has none and so never equals anything.
fn key(value: &impl Serialize) -> Option<IndexKey> {
    serde_json::to_value(value).ok().as_ref().and_then(|value: &Value| IndexKey::of(value))
}
