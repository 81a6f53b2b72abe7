//! The floor of reading on PostgreSQL: a streamed query, its columns in binary, looked at and not decoded.

use std::{error::Error as StdError, pin::pin, sync::Arc};

use futures_util::{TryStreamExt, future::BoxFuture};
use tokio_postgres::{
    Client, Error, RowStream, Statement,
    types::{FromSql, ToSql, Type},
};
use umbel_core::store::StoreError;

use super::target;
use crate::{
    floor::{Rows, Scanned, Step},
    postgres::target::{Driving, Target},
};

/// A connection with its statements.
pub(crate) struct Scanner {
    client: Client,
    _driving: Driving,
    all: Statement,
    stream: Statement,
    at: Statement,
    target: Arc<Target>,
}

/// How many bytes a column has, whatever its type.
struct Size(u64);

impl Scanner {
    pub(crate) async fn open(url: &str, schema: &str) -> Result<Self, StoreError> {
        let (schema, target) = target(url, schema)?;
        let (client, driving) = target.open().await?;
        let prepare = async |text: &str| {
            client.prepare(&schema.render(text)).await.map_err(|error| target.explain(&error))
        };
        let all = prepare(include_str!("scan_all.sql")).await?;
        let stream = prepare(include_str!("scan_stream.sql")).await?;
        let at = prepare(include_str!("scan_at.sql")).await?;
        Ok(Self { all, stream, at, client, _driving: driving, target })
    }

    async fn query(&self, rows: &Rows) -> Result<Scanned, Error> {
        let query = async |statement: &Statement, parameter: Option<&(dyn ToSql + Sync)>| {
            self.client.query_raw(statement, parameter).await
        };
        let rows = match rows {
            Rows::All => query(&self.all, None).await,
            Rows::Stream(name) => query(&self.stream, Some(&name.as_str())).await,
            Rows::At(positions) => {
                let positions: Vec<_> = positions.iter().map(|position| position.to_i64()).collect();
                query(&self.at, Some(&positions)).await
            }
        };
        count(rows?).await
    }
}

async fn count(rows: RowStream) -> Result<Scanned, Error> {
    let (mut rows, mut scanned) = (pin!(rows), Scanned::default());
    while let Some(row) = rows.try_next().await? {
        let mut bytes = 0;
        for column in 0..row.len() {
            let Size(size) = row.try_get(column)?;
            bytes += size;
        }
        scanned.count(bytes);
    }
    Ok(scanned)
}

impl Step for Scanner {
    fn step(&self, rows: Rows) -> BoxFuture<'_, Result<Scanned, StoreError>> {
        Box::pin(async move { self.query(&rows).await.map_err(|error| self.target.explain(&error)) })
    }
}

impl<'a> FromSql<'a> for Size {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(u64::try_from(raw.len())?))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(0))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
