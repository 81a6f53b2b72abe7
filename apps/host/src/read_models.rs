//! Read models as typed documents.

use serde::de::DeserializeOwned;
use tokio::time::Instant;
use umbel_bus::{AskError, Store};
use umbel_core::{
    Aggregate, Document, Json, Projection, Sql, Version,
    document::{DocumentKey, DocumentQuery},
    store::{QueryTables, TablesError},
};

use crate::aggregate::{StateError, state_at};

/// Reads documents. Handed to every query and command handler; cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadModels {
    store: Store,
}

/// A page of documents and how many match in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<D> {
    /// Key and document, in the order asked for.
    pub documents: Vec<(String, D)>,
    /// How many match, whatever the page.
    pub total: u64,
}

impl ReadModels {
    pub(crate) fn new(store: Store, deadline: Instant) -> Self {
        Self { store: store.by(deadline) }
    }

    /// One document, if there is one under this key.
    ///
    /// # Errors
    /// When the store does not answer, or the document does not have the shape of `D`.
    pub async fn get<D: Document>(&self, key: impl Into<String>) -> Result<Option<D>, AskError> {
        Ok(self.get_many([key]).await?.pop().flatten())
    }

    /// Several documents, one answer for each key, in order.
    ///
    /// # Errors
    /// See [`Self::get`].
    pub async fn get_many<D: Document>(
        &self,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<Option<D>>, AskError> {
        let keys = keys_of::<D>(keys);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        decode_each(self.store.get_documents(keys).await?)
    }

    /// Documents of three collections, each as [`Self::get_many`] answers them: one question to the store, of one state of it. For what a page
    /// needs of several kinds, asked often.
    ///
    /// # Errors
    /// See [`Self::get`].
    pub async fn get_three<A: Document, B: Document, C: Document>(
        &self,
        first: impl IntoIterator<Item = impl Into<String>>,
        second: impl IntoIterator<Item = impl Into<String>>,
        third: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(Vec<Option<A>>, Vec<Option<B>>, Vec<Option<C>>), AskError> {
        let mut keys = keys_of::<A>(first);
        let of_first = keys.len();
        keys.extend(keys_of::<B>(second));
        let of_second = keys.len() - of_first;
        keys.extend(keys_of::<C>(third));
        if keys.is_empty() {
            return Ok((Vec::new(), Vec::new(), Vec::new()));
        }
        let mut bodies = self.store.get_documents(keys).await?.into_iter();
        let first = decode_each(bodies.by_ref().take(of_first))?;
        let second = decode_each(bodies.by_ref().take(of_second))?;
        Ok((first, second, decode_each(bodies)?))
    }

    /// The state of an aggregate of this app as it is, and its version, whether or not it is in memory anywhere: folded from its
    /// snapshot, if it has one, and the events since. No actor is made for it. For rare questions; what is asked often is a projection's.
    ///
    /// # Errors
    /// When the store does not answer, the id names no aggregate, or its stream cannot be read.
    pub async fn state<A: Aggregate>(&self, id: &str) -> Result<(A, Version), AskError> {
        state_at(&self.store, id, None).await.map_err(|error| match error {
            StateError::Store(error) => error.into(),
            error @ (StateError::Identity(_)
            | StateError::Incomplete(_)
            | StateError::Gone(_)
            | StateError::Failed { .. }) => AskError::Failed { reason: error.to_string() },
        })
    }

    /// The rows that a query finds in the tables of `P`, as its generation that serves has them. A row is decoded by the names of its columns,
    /// as JSON: moments are text in UTC, a `bytea` is text in hexadecimal, a `numeric` a number.
    ///
    /// # Errors
    /// When the store does not answer or keeps no tables, no generation of `P` with tables serves, the query is wrong or has more than
    /// [`ROWS_MAX`](umbel_core::tables::ROWS_MAX) rows, or a row does not have the shape of `R`.
    pub async fn rows<P: Projection, R: DeserializeOwned>(&self, query: Sql) -> Result<Vec<R>, AskError> {
        let failed = |reason: String| AskError::Failed { reason };
        let request = QueryTables { projection: P::NAME.to_owned(), query };
        let rows = self.store.query_tables(request).await.map_err(|error| match error {
            TablesError::Store(error) => error.into(),
            other => failed(other.to_string()),
        })?;
        let row = |row: Json| {
            row.decode().map_err(|error| failed(format!("a row of {} cannot be read: {error}", P::NAME)))
        };
        rows.into_iter().map(row).collect()
    }

    /// The documents that match.
    ///
    /// # Errors
    /// See [`Self::get`]; also when the query uses an index that `D` does not declare. While a version of the projection that has a new index
    /// is being built, a query by it is [`AskError::Unavailable`].
    pub async fn query<D: Document>(&self, query: DocumentQuery) -> Result<Found<D>, AskError> {
        query.check::<D>().map_err(|error| AskError::Failed { reason: error.to_string() })?;
        let page = self.store.query_documents(query).await?;
        if let Some(index) = page.unserved {
            return Err(AskError::unavailable(format!(
                "what serves of {} was built without the index {index:?}; the version that has it is being built, as `umbel projections \
                 list` shows: ask again once it serves, or, if none is built, raise the VERSION of its projection",
                D::COLLECTION,
            )));
        }
        let documents = page.documents.into_iter().map(|(key, body)| Ok((key, decode(&body)?)));
        Ok(Found { documents: documents.collect::<Result<_, AskError>>()?, total: page.total })
    }
}

fn keys_of<D: Document>(keys: impl IntoIterator<Item = impl Into<String>>) -> Vec<DocumentKey> {
    keys.into_iter().map(|key| DocumentKey { collection: D::COLLECTION, key: key.into() }).collect()
}

fn decode_each<D: Document>(
    bodies: impl IntoIterator<Item = Option<Json>>,
) -> Result<Vec<Option<D>>, AskError> {
    bodies.into_iter().map(|body| body.map(|body| decode(&body)).transpose()).collect()
}

fn decode<D: Document>(body: &Json) -> Result<D, AskError> {
    body.decode().map_err(|error| AskError::Failed {
        reason: format!("a document of {} cannot be read: {error}", D::COLLECTION),
    })
}
