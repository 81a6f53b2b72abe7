//! Behind a pooler in transaction mode: beside what every store does (the conformance suite runs there, too), limits hold,
//! and sessions stay as they were.

use std::{future::Future, pin::pin, time::Duration};

use tokio::time::timeout;
use tokio_postgres::{Client, types::ToSql};
use umbel_core::{
    ExpectedVersion, Position,
    document::DocumentKey,
    store::{SaveProjection, StoreError},
};
use umbel_testkit::postgres::{Pooler, TestSchema};

use super::support::{all_from, append, client, to};
use crate::{
    Log, ReadModels,
    postgres::{Postgres, PostgresOptions},
};

const SOON: Duration = Duration::from_secs(10);

fn pooler() -> &'static Pooler {
    Pooler::get().unwrap()
}

async fn adapter(schema: &TestSchema, statement_timeout: Duration) -> Postgres {
    let options =
        PostgresOptions { pooler: true, max_connections: 2, statement_timeout, ..PostgresOptions::default() };
    Postgres::connect(schema.url(), schema.name(), options).await.unwrap()
}

/// A connection past the pooler that holds a table locked.
async fn lock(schema: &TestSchema, table: &str) -> Client {
    let holder = client(pooler().server_url()).await;
    let lock = format!("BEGIN; LOCK TABLE {}.{table} IN ACCESS EXCLUSIVE MODE", schema.name());
    holder.batch_execute(&lock).await.unwrap();
    holder
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it does not end")
}

/// No read waits for ever, and the next one finds its connection as it was.
#[tokio::test]
async fn a_read_ends_at_the_statement_timeout() {
    let schema = pooler().fresh_schema();
    let adapter = adapter(&schema, Duration::from_millis(500)).await;
    let holder = lock(&schema, "documents").await;
    let key = || vec![DocumentKey { collection: "test.items", key: "k".into() }];
    let error = soon(adapter.get_documents(key())).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { reason } if reason.contains("57014")), "{error}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(soon(adapter.get_documents(key())).await, Ok(vec![None]));
}

/// A write that nobody waits for any more comes to its end all the same.
#[tokio::test]
async fn an_abandoned_save_ends_by_itself() {
    let schema = pooler().fresh_schema();
    let adapter = adapter(&schema, SOON).await;
    let observer = client(pooler().server_url()).await;
    let holder = lock(&schema, "document_index").await;
    let save = SaveProjection {
        projection: "test.one/1".into(),
        expected: Position::START,
        position: Position::new(7),
        clear: Vec::new(),
        writes: Vec::new(),
    };
    let waits = async {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'";
        let name: &(dyn ToSql + Sync) = &schema.name();
        while observer.query_one(sql, &[name]).await.unwrap().get::<_, i64>(0) == 0 {}
    };
    {
        let mut saving = pin!(adapter.save_projection(save));
        tokio::select! {
            _ = &mut saving => panic!("the save did not wait"),
            () = soon(waits) => {}
        }
    }
    holder.batch_execute("ROLLBACK").await.unwrap();
    let saved = async { while adapter.load_checkpoint("test.one/1".into()).await != Ok(Position::new(7)) {} };
    soon(saved).await;
}

/// What others find in the sessions that they share with this store is what they would find without it.
#[tokio::test]
async fn nothing_is_left_in_a_session() {
    let schema = pooler().fresh_schema();
    // Another statement timeout than anybody else's.
    let adapter = adapter(&schema, Duration::from_millis(12_345)).await;
    for (name, version) in [("a", 0), ("a", 1), ("b", 0)] {
        append(&adapter, to(name, super::support::exact(version))).await.unwrap();
        adapter.read_all(all_from(1, 10)).await.unwrap();
        adapter.load_checkpoint("test.one/1".into()).await.unwrap();
    }
    let client = client(schema.url()).await;
    let ask = "SELECT current_setting('statement_timeout') || current_setting('enable_seqscan')
                   || (SELECT count(*) FROM pg_prepared_statements)";
    for _ in 0..8 {
        let found: String = client.query_typed(ask, &[]).await.unwrap()[0].get(0);
        assert_eq!(found, "0on0");
    }
}

/// Without the setting, both a read and an append say what to set.
#[tokio::test]
async fn without_the_setting_the_error_says_so() {
    let schema = pooler().fresh_schema();
    // A pooler of one's own: the sessions behind it do not stay as they were.
    let pooler = Pooler::start(pooler().server_url(), 2).unwrap();
    let adapter = Postgres::connect(pooler.url(), schema.name(), PostgresOptions::default()).await.unwrap();
    let error = adapter.status().await.unwrap_err();
    assert!(error.to_string().contains("set store.pooler = true"), "{error}");
    let error = append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap_err();
    assert!(error.to_string().contains("set store.pooler = true"), "{error}");
}
