//! The floors on PostgreSQL: the least that writing and reading events costs there.

mod scan;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::future::{BoxFuture, try_join_all};
use tokio::sync::Semaphore;
use tokio_postgres::{Client, Error, Statement};
use umbel_core::{Json, store::StoreError};

pub(crate) use self::scan::Scanner;
use crate::{
    floor::{Former, Insert, Row, Write},
    postgres::{
        PostgresOptions,
        sql::Schema,
        target::{Driving, Target},
        types::{JsonIn, PgTimestamp},
    },
};

/// Connections of the pool for single rows.
const POOL: usize = 16;
/// All rows are of one kind, as numbers are all alike to a table without an index on them.
const KIND: i32 = 1;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A connection with its one statement. Dropping it closes it.
struct Inserter {
    client: Client,
    _driving: Driving,
    statement: Statement,
    target: Arc<Target>,
}

/// One row per commit, over a pool.
pub(crate) struct SingleRow {
    idle: Mutex<Vec<Inserter>>,
    /// As many as are idle.
    places: Semaphore,
    next_position: AtomicI64,
}

/// Creates both tables and connects.
pub(crate) async fn open(
    url: &str,
    schema: &str,
    group_max: usize,
) -> Result<(Former, SingleRow), StoreError> {
    let (schema, target) = target(url, schema)?;
    let create = schema.render(include_str!("floor/create.sql"));
    run(&target, &create).await?;
    let many = schema.render(include_str!("floor/insert_many.sql"));
    let one = schema.render(include_str!("floor/insert_one.sql"));
    let for_many = Arc::clone(&target);
    let open_many = async move || Inserter::open(&for_many, &many).await;
    let group_commit = Former::start(open_many, group_max).await?;
    let idle = try_join_all((0..POOL).map(|_| Inserter::open(&target, &one))).await?;
    let single_row =
        SingleRow { idle: Mutex::new(idle), places: Semaphore::new(POOL), next_position: AtomicI64::new(1) };
    Ok((group_commit, single_row))
}

/// Makes a schema that says whose it is.
pub(crate) async fn create_schema(url: &str, schema: &str, owner: &str) -> Result<(), StoreError> {
    let (schema, target) = target(url, schema)?;
    // COMMENT takes no parameters.
    let create =
        schema.render(include_str!("floor/create_schema.sql")).replace("{owner}", &owner.replace('\'', "''"));
    run(&target, &create).await
}

/// The schemas whose names begin with this, with whose they say they are.
pub(crate) async fn schemas(url: &str, prefix: &str) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let (_, target) = target(url, "umbel")?;
    let (client, driving) = target.open().await?;
    let rows = client.query(include_str!("floor/schemas.sql"), &[&prefix]).await;
    drop(driving);
    let rows = rows.map_err(|error| target.explain(&error))?;
    Ok(rows.iter().map(|row| (row.get("name"), row.get("owner"))).collect())
}

/// Drops a schema with everything in it.
pub(crate) async fn drop_schema(url: &str, schema: &str) -> Result<(), StoreError> {
    let (schema, target) = target(url, schema)?;
    let drop = "SET client_min_messages = warning; DROP SCHEMA IF EXISTS {schema} CASCADE";
    run(&target, &schema.render(drop)).await
}

fn target(url: &str, schema: &str) -> Result<(Schema, Arc<Target>), StoreError> {
    let schema = Schema::new(schema).map_err(|reason| StoreError::Failed { reason })?;
    let options = PostgresOptions { connect_timeout: CONNECT_WITHIN, ..PostgresOptions::default() };
    let target = Target::new(url, &schema, &options)?;
    Ok((schema, Arc::new(target)))
}

async fn run(target: &Target, statements: &str) -> Result<(), StoreError> {
    let (client, driving) = target.open().await?;
    let outcome = client.batch_execute(statements).await;
    drop(driving);
    outcome.map_err(|error| target.explain(&error))
}

impl Inserter {
    async fn open(target: &Arc<Target>, statement: &str) -> Result<Self, StoreError> {
        let (client, driving) = target.open().await?;
        let statement = client.prepare(statement).await.map_err(|error| target.explain(&error))?;
        Ok(Self { client, _driving: driving, statement, target: Arc::clone(target) })
    }

    async fn insert_many(&self, first_position: i64, rows: &[Row]) -> Result<u64, Error> {
        let metadata: Vec<_> = rows.iter().map(custom).collect();
        let events = || rows.iter().map(|row| &row.event);
        let positions: Vec<_> = (first_position..).take(rows.len()).collect();
        let streams: Vec<_> = rows.iter().map(|row| row.stream_id).collect();
        let versions: Vec<_> = rows.iter().map(|row| row.version).collect();
        let ids: Vec<_> = events().map(|event| event.id.0).collect();
        let correlations: Vec<_> = events().map(|event| event.metadata.correlation_id).collect();
        let causations: Vec<_> = events().map(|event| event.metadata.causation_id).collect();
        let data: Vec<_> =
            events().map(|event| JsonIn(event.data.as_json().map_or("null", Json::as_str))).collect();
        let metadata: Vec<_> =
            metadata.iter().map(|json| json.as_ref().map(|json| JsonIn(json.as_str()))).collect();
        self.client
            .execute(
                &self.statement,
                &[
                    &now(),
                    &KIND,
                    &positions,
                    &streams,
                    &versions,
                    &ids,
                    &correlations,
                    &causations,
                    &data,
                    &metadata,
                ],
            )
            .await
    }

    async fn insert_one(&self, position: i64, row: &Row) -> Result<u64, Error> {
        let (event, metadata) = (&row.event, custom(row));
        self.client
            .execute(
                &self.statement,
                &[
                    &now(),
                    &KIND,
                    &position,
                    &row.stream_id,
                    &row.version,
                    &event.id.0,
                    &event.metadata.correlation_id,
                    &event.metadata.causation_id,
                    &JsonIn(event.data.as_json().map_or("null", Json::as_str)),
                    &metadata.as_ref().map(|json| JsonIn(json.as_str())),
                ],
            )
            .await
    }
}

impl Insert for Inserter {
    fn insert(&mut self, first_position: i64, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let written = self.insert_many(first_position, &rows).await;
            written.map(drop).map_err(|error| self.target.explain(&error))
        })
    }
}

impl SingleRow {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Inserter>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for SingleRow {
    fn write(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            for row in rows {
                let _place = self.places.acquire().await.expect("the semaphore is never closed");
                let inserter = self.idle().pop().expect("there are as many idle connections as places");
                let position = self.next_position.fetch_add(1, Ordering::Relaxed);
                let written = inserter.insert_one(position, &row).await;
                let outcome = written.map_err(|error| inserter.target.explain(&error));
                self.idle().push(inserter);
                outcome?;
            }
            Ok(())
        })
    }
}

fn now() -> PgTimestamp {
    PgTimestamp(umbel_bus::edge::now())
}

fn custom(row: &Row) -> Option<Json> {
    // Metadata is made of JSON values, which always have a text.
    row.event.metadata.custom_json().ok().flatten()
}
