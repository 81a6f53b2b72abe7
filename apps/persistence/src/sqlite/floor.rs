//! The floors on SQLite: the least that writing and reading events costs there.

mod scan;

use std::path::Path;

use futures_util::future::BoxFuture;
use rusqlite::{Connection, TransactionBehavior, params};
use umbel_core::store::StoreError;

pub(crate) use self::scan::Scanner;
use super::{error::store_error, schema, worker::Workers};
use crate::floor::{Former, Insert, Row};

const CREATE: &str = include_str!("floor/create.sql");
const INSERT: &str = include_str!("floor/insert.sql");
/// Whatever the events are: the floor looks nothing up.
const ONE_KIND: i64 = 1;

/// A thread with a connection set up as the store's own.
struct Inserter {
    writer: Workers,
}

/// Creates the table in a file of its own beside the store's: two writers of one file would wait for each other.
pub(crate) async fn group_commit(store: &Path, group_max: usize) -> Result<Former, StoreError> {
    let file = store.with_file_name("floor.db");
    // The same journal and the same durability as the store has; its tables stay empty.
    let connection = schema::open_writer(&file)?;
    connection.execute_batch(CREATE).map_err(|error| store_error(&error, &file))?;
    let writer = start("sqlite-floor", connection)?;
    Former::start(async || Ok(Inserter { writer }), group_max).await
}

fn insert(connection: &mut Connection, first_position: i64, rows: &[Row]) -> rusqlite::Result<()> {
    let now = umbel_bus::edge::now().as_micros();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut statement = transaction.prepare_cached(INSERT)?;
    for (position, Row { stream_id, version, event }) in (first_position..).zip(rows) {
        // Metadata is made of JSON values, which always have a text.
        let metadata = event.metadata.custom_json().ok().flatten();
        statement.execute(params![
            position,
            stream_id,
            version,
            event.id.0.as_bytes(),
            ONE_KIND,
            now,
            event.metadata.correlation_id.as_ref().map(|id| id.as_bytes()),
            event.metadata.causation_id.as_ref().map(|id| id.as_bytes()),
            event.subject.as_ref().map(umbel_core::Subject::as_str),
            metadata.as_ref().map(|json| json.as_str()),
            event.data.as_json().ok().map(umbel_core::Json::as_str),
            event.data.as_binary().ok(),
        ])?;
    }
    drop(statement);
    transaction.commit()
}

impl Insert for Inserter {
    fn insert(&mut self, first_position: i64, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(run(&self.writer, move |connection| insert(connection, first_position, &rows)))
    }
}

/// A thread of that name that owns the connection.
fn start(name: &str, connection: Connection) -> Result<Workers, StoreError> {
    let no_thread = |error| StoreError::Failed { reason: format!("no thread could be started: {error}") };
    Workers::start(name, vec![connection], 1).map_err(no_thread)
}

async fn run<T: Send + 'static>(
    thread: &Workers,
    job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = thread.run(job).await;
    let gone = |_| StoreError::Unavailable { reason: "the floor's thread is gone".into() };
    done.map_err(gone)?.map_err(|error| StoreError::Failed { reason: format!("the floor: {error}") })
}
