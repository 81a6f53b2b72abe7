//! The floor of reading on PostgreSQL: a streamed query, its columns in binary, looked at, and at most the data decoded.

use std::{error::Error as StdError, pin::pin, sync::Arc};

use futures_util::{TryStreamExt, future::BoxFuture};
use tokio_postgres::{
    Client, Error, RowStream, Statement,
    types::{FromSql, ToSql, Type},
};
use umbel_core::store::StoreError;

use super::target;
use crate::{
    floor::{Decode, Rows, Scanned, Step},
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

/// A column's bytes, whatever its type.
struct Raw<'a>(&'a [u8]);

/// The column that holds an event's data, as JSON.
const DATA: &str = "data";

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

    async fn query(&self, rows: &Rows, decode: Option<Decode>) -> Result<Scanned, Error> {
        let query = async |statement: &Statement, parameter: &(dyn ToSql + Sync)| {
            self.client.query_raw(statement, [parameter]).await
        };
        let rows = match rows {
            Rows::To(last) => query(&self.all, &last.to_i64()).await,
            Rows::Stream(name) => query(&self.stream, &name.as_str()).await,
            Rows::At(positions) => {
                let positions: Vec<_> = positions.iter().map(|position| position.to_i64()).collect();
                query(&self.at, &positions).await
            }
        };
        count(rows?, decode).await
    }
}

async fn count(rows: RowStream, decode: Option<Decode>) -> Result<Scanned, Error> {
    let (mut rows, mut scanned, mut data_at) = (pin!(rows), Scanned::default(), None);
    while let Some(row) = rows.try_next().await? {
        let named = || row.columns().iter().position(|column| column.name() == DATA);
        let data_at = *data_at.get_or_insert_with(named);
        let (mut bytes, mut data) = (0, None);
        for column in 0..row.len() {
            let Raw(raw) = row.try_get(column)?;
            bytes += u64::try_from(raw.len()).unwrap_or(u64::MAX);
            if Some(column) == data_at {
                data = Some(raw);
            }
        }
        scanned.count(bytes, data, decode);
    }
    Ok(scanned)
}

impl Step for Scanner {
    fn step(&self, rows: Rows, decode: Option<Decode>) -> BoxFuture<'_, Result<Scanned, StoreError>> {
        Box::pin(async move { self.query(&rows, decode).await.map_err(|error| self.target.explain(&error)) })
    }
}

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(&[]))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
