//! How a statement gets to the server: prepared on its connection, or without a name.
//!
//! A prepared statement is parsed once and belongs to its session. A pooler in transaction mode gives every transaction
//! another session, so behind one each statement goes alone: text, types, values and execution in one message. The same
//! goes, with a pooler or without, for what is asked too rarely to be worth preparing.

use futures_util::TryStreamExt;
use tokio_postgres::{
    Client, Error, Row, RowStream, Statement,
    types::{ToSql, Type},
};

use super::{target::Target, typed::Param};

/// A statement as one connection has it.
#[derive(Debug)]
pub(super) enum Ready {
    Prepared(Statement),
    /// Sent as it is, each time.
    Unnamed(String),
}

impl Ready {
    pub(super) async fn new(client: &Client, target: &Target, sql: &str) -> Result<Self, Error> {
        if target.is_pooled() {
            Ok(Self::Unnamed(sql.to_owned()))
        } else {
            client.prepare(sql).await.map(Self::Prepared)
        }
    }

    /// All rows. Sent at the first poll, as everything here.
    pub(super) async fn ask(&self, client: &Client, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Prepared(statement) => {
                client.query_raw(statement, params.iter().map(plain)).await?.try_collect().await
            }
            Self::Unnamed(sql) => ask(client, sql, params).await,
        }
    }

    /// The one row.
    pub(super) async fn ask_one(&self, client: &Client, params: &[Param<'_>]) -> Result<Row, Error> {
        match self {
            Self::Prepared(statement) => {
                client.query_one(statement, &params.iter().map(plain).collect::<Vec<_>>()).await
            }
            Self::Unnamed(sql) => ask_one(client, sql, params).await,
        }
    }
}

/// All rows of a statement without a name.
pub(super) async fn ask(client: &Client, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
    stream(client, sql, params).await?.try_collect().await
}

/// The one row of a statement without a name.
pub(super) async fn ask_one(client: &Client, sql: &str, params: &[Param<'_>]) -> Result<Row, Error> {
    client.query_typed_one(sql, &params.iter().map(with_type).collect::<Vec<_>>()).await
}

/// The rows of a statement without a name, as they arrive.
pub(super) async fn stream(client: &Client, sql: &str, params: &[Param<'_>]) -> Result<RowStream, Error> {
    client.query_typed_raw(sql, params.iter().map(with_type)).await
}

/// A parameter of a statement that knows its types.
pub(super) fn plain<'a>(param: &Param<'a>) -> &'a (dyn ToSql + Sync) {
    *param
}

fn with_type<'a>(param: &Param<'a>) -> (&'a (dyn ToSql + Sync), Type) {
    (*param, param.sql_type())
}
