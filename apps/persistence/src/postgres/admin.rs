//! A schema from outside: which migrations it went through, how large it is, its end; and which stores a database
//! holds. Each function opens a connection of its own for the moment, and waits for nobody's lock for long.

use std::time::Duration;

use tokio_postgres::{Client, types::ToSql};
use umbel_core::store::StoreError;

use crate::postgres::{
    PostgresOptions, migrate,
    sql::Schema,
    target::{Driving, Target},
};

const STORES: &str = include_str!("admin/stores.sql");
const TABLES: &str = include_str!("admin/tables.sql");
const DROP: &str = include_str!("admin/drop.sql");
const SIZE: &str = include_str!("admin/size.sql");

/// How long removing a store waits for those who are using it: their transactions are short.
const DROP_WAIT: Duration = Duration::from_secs(10);

/// Each migration there is, and whether the schema went through it.
pub(crate) async fn migrations(
    url: &str,
    schema: &str,
) -> Result<Vec<(i64, &'static str, bool)>, StoreError> {
    let visit = Visit::begin(url, schema).await?;
    migrate::migrations(&visit.client, &visit.target, &visit.schema).await
}

/// Bytes on disk.
pub(crate) async fn size(url: &str, schema: &str) -> Result<u64, StoreError> {
    let visit = Visit::begin(url, schema).await?;
    let bytes: Vec<i64> = visit.column(SIZE, &[&schema]).await?;
    Ok(bytes.first().and_then(|bytes| u64::try_from(*bytes).ok()).unwrap_or_default())
}

/// The schemas of the database that hold a store, by name. `near` is the schema that the settings name.
pub(crate) async fn stores(url: &str, near: &str) -> Result<Vec<String>, StoreError> {
    Visit::begin(url, near).await?.column(STORES, &[&None::<&str>]).await
}

/// Removes the store; whether there was one.
///
/// # Errors
/// When the schema holds tables that are not ours, or with what the database said.
pub(crate) async fn drop_store(url: &str, schema: &str) -> Result<bool, StoreError> {
    let visit = Visit::begin(url, schema).await?;
    visit.run("BEGIN").await?;
    let dropped = drop_in_transaction(&visit).await;
    visit.run(if dropped.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    dropped
}

async fn drop_in_transaction(visit: &Visit) -> Result<bool, StoreError> {
    let Visit { client, target, schema, .. } = visit;
    migrate::lock(client, target, schema, DROP_WAIT).await?;
    let tables: Vec<String> = visit.column(TABLES, &[&schema.name()]).await?;
    let ours: Vec<String> = visit.column(STORES, &[&Some(schema.name())]).await?;
    if tables.is_empty() {
        return Ok(false);
    }
    let foreign: Vec<_> = tables.into_iter().filter(|table| !migrate::creates(table)).collect();
    if ours.is_empty() || !foreign.is_empty() {
        let what = if foreign.is_empty() { "its tables".to_owned() } else { foreign.join(", ") };
        return Err(StoreError::Failed {
            reason: format!(
                "PostgreSQL at {}: the schema holds what is not Umbel's ({what}), so it was left untouched; remove \
                 that first, or correct store.schema",
                target.place()
            ),
        });
    }
    visit.run(&schema.render(DROP)).await?;
    Ok(true)
}

/// One connection to one schema, which need not be there.
struct Visit {
    client: Client,
    target: Target,
    schema: Schema,
    _driving: Driving,
}

impl Visit {
    async fn begin(url: &str, schema: &str) -> Result<Self, StoreError> {
        let schema = Schema::new(schema).map_err(|reason| StoreError::Failed { reason })?;
        let options = PostgresOptions::default();
        let target = Target::new(url, &schema, options.connect_timeout)?.for_a_visit(&options);
        let (client, driving) = target.open().await?;
        Ok(Self { client, target, schema, _driving: driving })
    }

    async fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(|error| self.target.explain(&error))
    }

    /// The first column of the answer.
    async fn column<T>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<T>, StoreError>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let rows = self.client.query(sql, params).await.map_err(|error| self.target.explain(&error))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
