//! What the scenarios share.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use tokio_postgres::{Client, NoTls};
use umbel_core::{
    EventId, ExpectedVersion, Metadata, NewEvent, Payload, Position, RecordedEvent, StreamName, Timestamp,
    Version,
    document::Direction,
    store::{Append, AppendError, Appended, ReadAll, Selector},
};
use umbel_testkit::postgres::{TestPostgres, TestSchema};
use uuid::Uuid;

use crate::{
    Log,
    postgres::{Postgres, PostgresOptions},
};

pub(super) fn schema() -> TestSchema {
    TestPostgres::get().unwrap().fresh_schema()
}

pub(super) async fn adapter(schema: &TestSchema) -> Arc<Postgres> {
    let options = PostgresOptions { max_connections: 2, ..PostgresOptions::default() };
    Arc::new(Postgres::connect(schema.url(), schema.name(), options).await.unwrap())
}

/// A connection beside the adapter's, for what no adapter does.
pub(super) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Which transaction wrote the one row of a table, or locked it last.
pub(super) async fn written_by(client: &Client, table: &str) -> String {
    let sql = format!("SELECT xmin::text || '/' || xmax::text FROM {table}");
    client.query_one(&sql, &[]).await.unwrap().get(0)
}

pub(super) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(super) fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

/// An event with an id that no other has, in this process or another.
pub(super) fn event(text: &str) -> NewEvent {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    NewEvent {
        id: EventId(Uuid::from_u64_pair(u64::from(std::process::id()), number.unsigned_abs())),
        event_type: "test.happened/1".parse().unwrap(),
        data: Payload::json(text).unwrap(),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
    }
}

pub(super) fn to(name: &str, expected: ExpectedVersion) -> Append {
    Append::to_stream(stream(name), expected, vec![event(name)])
}

pub(super) async fn append(adapter: &Postgres, append: Append) -> Result<Appended, AppendError> {
    adapter.append(vec![append], Timestamp::from_micros(1)).await.pop().unwrap()
}

pub(super) fn all_from(position: u64, limit: u32) -> ReadAll {
    ReadAll {
        from: Some(Position::new(position)),
        direction: Direction::Forward,
        limit,
        selector: Selector::all(),
    }
}

/// The whole log, page by page.
pub(super) async fn whole_log(adapter: &Postgres) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    loop {
        let next = u64::try_from(events.len()).unwrap() + 1;
        let page = adapter.read_all(all_from(next, 1000)).await.unwrap();
        if page.events.is_empty() {
            return events;
        }
        events.extend(page.events);
    }
}

/// Positions from 1 and versions of every stream from 1, none missing, none twice.
pub(super) fn assert_gapless(events: &[RecordedEvent]) {
    let mut versions = std::collections::HashMap::<_, u64>::new();
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position.get(), position);
        let version = versions.entry(event.stream.clone()).or_default();
        *version += 1;
        assert_eq!(event.version.get(), *version, "{event:?}");
    }
}
