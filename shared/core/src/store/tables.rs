//! Tables of a projection's own: one set for each generation, written in the transaction that moves its checkpoint.

use crate::{
    json::Json,
    message::Request,
    store::{Generation, OpenProjection, SaveProjection, SaveProjectionError, StoreError},
    tables::{InvalidSql, ROWS_MAX, Sql},
};

/// Does what [`OpenProjection`] does, with tables: a generation that is made has them, empty, from the same transaction on.
#[derive(Clone, Debug)]
pub struct OpenTables {
    /// The projection.
    pub opening: OpenProjection,
    /// The statements that create its tables, see [`creation`](crate::tables::creation).
    pub tables: Vec<String>,
}

/// Does what [`SaveProjection`] does, and applies statements to the tables of the generation in the same transaction, in their
/// order: all of it happens, or nothing.
#[derive(Clone, Debug)]
pub struct SaveTables {
    /// The documents and the checkpoint.
    pub save: SaveProjection,
    /// The statements.
    pub statements: Vec<Sql>,
}

/// Reads rows from the tables of the generation that serves; each is a JSON object by the names of the query's columns. At most
/// [`ROWS_MAX`].
#[derive(Clone, Debug)]
pub struct QueryTables {
    /// The projection's name.
    pub projection: String,
    /// The query.
    pub query: Sql,
}

/// What can be wrong with tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// The store keeps documents only.
    #[error(
        "{projection} keeps tables of its own and needs PostgreSQL; set store.url to one, or let it keep documents"
    )]
    Unsupported {
        /// The projection's name.
        projection: String,
    },
    /// The generation was made with other tables, or without any.
    #[error("{checkpoint} was built with other tables than are declared now; raise the projection's VERSION")]
    Changed {
        /// The generation's checkpoint.
        checkpoint: String,
    },
    /// No generation with tables serves.
    #[error("no tables of {projection} serve; does an app that runs here declare it, with these tables?")]
    NotServing {
        /// The projection's name.
        projection: String,
    },
    /// SQL that is not even sent.
    #[error("{projection}: {error}")]
    Invalid {
        /// The projection's name, or that of its generation's checkpoint.
        projection: String,
        /// What is wrong.
        error: InvalidSql,
    },
    /// The database refused a statement, for a reason that lies in it or in its values; nothing was done.
    #[error("{projection}: the statement {statement:?} failed: {reason}")]
    Statement {
        /// The projection's name, or that of its generation's checkpoint.
        projection: String,
        /// The statement, without its values.
        statement: String,
        /// The database's own words.
        reason: String,
    },
    /// The query has more rows than one answer may have.
    #[error("{projection}: the query {query:?} has more than {ROWS_MAX} rows; give it a LIMIT")]
    TooMany {
        /// The projection's name.
        projection: String,
        /// The query.
        query: String,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TablesError {
    /// Whether it lies in a statement or its values: then other events' statements may well succeed.
    #[must_use]
    pub const fn is_of_statement(&self) -> bool {
        matches!(self, Self::Statement { .. } | Self::Invalid { .. })
    }
}

impl Request for OpenTables {
    const NAME: &'static str = "store.open_tables";
    type Answer = Vec<Generation>;
    type Error = TablesError;
}

impl Request for SaveTables {
    const NAME: &'static str = "store.save_tables";
    type Answer = ();
    type Error = SaveProjectionError;
}

impl Request for QueryTables {
    const NAME: &'static str = "store.query_tables";
    type Answer = Vec<Json>;
    type Error = TablesError;
}
