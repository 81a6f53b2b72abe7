//! Tables that somebody else holds locked: who waits for them holds up nobody else, and not for ever.

use std::{future::Future, pin::pin, time::Duration};

use futures_util::{FutureExt as _, future};
use tokio::time::timeout;
use tokio_postgres::Client;
use umbel_core::{
    ExpectedVersion, Position, Timestamp,
    document::DocumentKey,
    store::{Append, AppendError, ClaimName, Claims, SaveProjection, StoreError},
};
use umbel_testkit::postgres::TestSchema;

use super::support::{adapter, all_from, append, client, exact, schema, to};
use crate::{
    Log, ReadModels,
    postgres::{Postgres, PostgresOptions, admin},
};

/// Far longer than anything here takes, far shorter than whoever waits for a lock would.
const SOON: Duration = Duration::from_secs(10);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it waits for the lock")
}

/// Statements on this schema that wait for a lock.
async fn waiting(client: &Client, schema: &TestSchema) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'";
    client.query_one(sql, &[&schema.name()]).await.unwrap().get(0)
}

async fn until_waiting(client: &Client, schema: &TestSchema, count: i64) {
    soon(async { while waiting(client, schema).await != count {} }).await;
}

/// Waits until a statement that names this table of the schema waits for a lock.
pub(super) async fn until_waiting_for(client: &Client, schema: &TestSchema, table: &str) {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%')";
    let name = format!("\"{}\".{table}", schema.name());
    soon(async { while !client.query_one(sql, &[&name]).await.unwrap().get::<_, bool>(0) {} }).await;
}

/// Begins the request and drops it once it waits for a lock in the database.
async fn abandon(request: impl Future, client: &Client, schema: &TestSchema) {
    let mut request = pin!(request);
    tokio::select! {
        _ = &mut request => panic!("the request did not wait"),
        () = until_waiting(client, schema, 1) => {}
    }
}

pub(super) async fn lock(schema: &TestSchema, table: &str) -> Client {
    let holder = client(schema.url()).await;
    let lock = format!("BEGIN; LOCK TABLE {}.{table} IN ACCESS EXCLUSIVE MODE", schema.name());
    holder.batch_execute(&lock).await.unwrap();
    holder
}

fn key() -> Vec<DocumentKey> {
    vec![DocumentKey { collection: "test.items", key: "k".into() }]
}

fn save() -> SaveProjection {
    SaveProjection {
        projection: "test.one/1".into(),
        expected: Position::START,
        position: Position::new(7),
        clear: Vec::new(),
        writes: Vec::new(),
    }
}

/// AP-10: reads that wait for a locked table and are given up leave no connection busy: more of them than there are
/// connections, and everything else is still answered. The server is told to stop them, too.
#[tokio::test]
async fn abandoned_reads_do_not_starve_others() {
    let schema = schema();
    let (adapter, observer) = (adapter(&schema).await, client(schema.url()).await);
    append(&adapter, to("a", exact(0))).await.unwrap();
    let holder = lock(&schema, "documents").await;
    for _ in 0..5 {
        abandon(adapter.get_documents(key()), &observer, &schema).await;
        until_waiting(&observer, &schema, 0).await;
    }
    assert_eq!(soon(adapter.status()).await.unwrap().head.get(), 1);
    assert_eq!(soon(adapter.read_all(all_from(1, 10))).await.unwrap().events.len(), 1);
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(soon(adapter.get_documents(key())).await, Ok(vec![None]));
}

/// A write that nobody waits for any more is not cancelled: one that takes longer than its callers wait comes to
/// its end all the same, and the connection is not another request's meanwhile.
#[tokio::test]
async fn an_abandoned_save_ends_by_itself() {
    let schema = schema();
    let (adapter, observer) = (adapter(&schema).await, client(schema.url()).await);
    let holder = lock(&schema, "document_index").await;
    abandon(adapter.save_projection(save()), &observer, &schema).await;
    assert!(soon(adapter.status()).await.is_ok());
    holder.batch_execute("ROLLBACK").await.unwrap();
    soon(async { while adapter.load_checkpoint("test.one/1".into()).await != Ok(Position::new(7)) {} }).await;
}

/// No statement of the pool runs for ever, even if its caller would wait that long.
#[tokio::test]
async fn a_read_ends_at_the_statement_timeout() {
    let schema = schema();
    let options =
        PostgresOptions { statement_timeout: Duration::from_millis(500), ..PostgresOptions::default() };
    let adapter = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    let holder = lock(&schema, "documents").await;
    let error = soon(adapter.get_documents(key())).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { reason } if reason.contains("57014")), "{error}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(soon(adapter.get_documents(key())).await, Ok(vec![None]));
}

/// A connection of the writer that does not get ready, here because its statements cannot be prepared, is given up
/// in time.
#[tokio::test]
async fn preparing_the_writer_is_bounded() {
    let schema = schema();
    let options =
        PostgresOptions { connect_timeout: Duration::from_millis(1500), ..PostgresOptions::default() };
    let adapter = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    let holder = lock(&schema, "streams").await;
    let error = soon(append(&adapter, to("a", exact(0)))).await.unwrap_err();
    assert!(matches!(&error, AppendError::Store(StoreError::Unavailable { .. })), "{error}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    soon(append(&adapter, to("a", exact(0)))).await.unwrap();
}

/// OP-01: starting, and looking at a store, wait for a locked table only so long, and say what is in their way.
#[tokio::test]
async fn looking_at_a_locked_schema_ends_at_its_limit() {
    let schema = schema();
    adapter(&schema).await;
    let holder = lock(&schema, "schema_migrations").await;
    let options =
        || PostgresOptions { connect_timeout: Duration::from_millis(1500), ..PostgresOptions::default() };
    let (url, name, limits) = (schema.url(), schema.name(), options());
    let all = future::join4(
        Postgres::connect(url, name, options()).map(Result::unwrap_err),
        Postgres::connect_existing(url, name, options()).map(Result::unwrap_err),
        admin::migrations(url, name, &limits).map(Result::unwrap_err),
        admin::size(url, name, &limits).map(Result::unwrap_err),
    );
    let (starting, looking, migrations, size) = soon(all).await;
    for error in [starting, looking, migrations, size] {
        let StoreError::Unavailable { reason } = &error else { panic!("{error}") };
        assert!(reason.contains("55P03") && reason.contains("pg_locks"), "{reason}");
    }
    holder.batch_execute("ROLLBACK").await.unwrap();
    adapter(&schema).await;
}

/// UX-05: a claim that was seen free or one's own is looked at again under the log's lock, also by an append that changes
/// nothing about it.
#[tokio::test]
async fn a_claim_taken_meanwhile_is_anothers() {
    let schema = schema();
    let (adapter, observer) = (adapter(&schema).await, client(schema.url()).await);
    let name = ClaimName::new("test.name", "x");
    let (before, after) =
        ("DELETE FROM {schema}.claims", "INSERT INTO {schema}.claims VALUES ('test.name', 'x', 'ada')");
    let claims = Claims { owner: "bob".into(), ..Claims::default() };
    let taking = Claims { take: vec![name.clone()], ..claims.clone() };
    append(&adapter, Append { claims: taking.clone(), ..to("a", exact(0)) }).await.unwrap();
    for (version, claims, sql) in [
        // His own until somebody else gives it back for him and it is taken again.
        (1, taking, format!("{before}; {after}")),
        // Free until it is taken.
        (1, Claims { release: vec![name.clone()], ..claims }, after.to_owned()),
    ] {
        if claims.take.is_empty() {
            observer.batch_execute(&before.replace("{schema}", schema.name())).await.unwrap();
        }
        let holder = client(schema.url()).await;
        let lock = format!("BEGIN; SELECT FROM {}.log FOR UPDATE", schema.name());
        holder.batch_execute(&lock).await.unwrap();
        let append = append(&adapter, Append { claims, ..to("a", exact(version)) });
        let meanwhile = async {
            until_waiting(&observer, &schema, 1).await;
            let sql = format!("{}; COMMIT", sql.replace("{schema}", schema.name()));
            holder.batch_execute(&sql).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(append, meanwhile);
        let error = outcome.unwrap_err();
        assert!(matches!(&error, AppendError::Claimed { owner, .. } if owner == "ada"), "{error}");
    }
}

/// Settling what became of a group ends at its limit, whatever it waits for then.
#[tokio::test]
async fn settling_ends_at_its_limit() {
    let schema = schema();
    let options = PostgresOptions {
        connect_timeout: SOON * 6,
        group_timeout: Duration::from_millis(100),
        outage_limit: Duration::from_millis(300),
        ..PostgresOptions::default()
    };
    let adapter = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    // It is in a hurry, which a busy machine may be too slow for at first.
    while append(&adapter, to("first", ExpectedVersion::Any)).await.is_err() {}
    let holder = lock(&schema, "streams").await;
    let group = vec![to("first", ExpectedVersion::Any), to("b", exact(0))];
    for outcome in soon(adapter.append(group, Timestamp::from_micros(2))).await {
        let error = outcome.unwrap_err();
        assert!(matches!(&error, AppendError::Store(StoreError::OutcomeUnknown { .. })), "{error}");
    }
    drop(holder);
}
