//! Conversations of any size are read at the cost of what is found, page by page.

use tokio_postgres::Client;
use umbel_core::{
    Position,
    document::Direction,
    store::{ReadAll, Selector},
};
use umbel_testkit::postgres::TestSchema;
use uuid::Uuid;

use super::support::{adapter, client, schema};
use crate::{Log, postgres::Postgres};

/// The log: a part in which nothing belongs to the conversation, one of which all does, and one with every tenth.
const FOREIGN: u64 = 6_000;
const DENSE: u64 = 24_000;
const SPARSE: u64 = 30_000;

fn conversation() -> Vec<u64> {
    let sparse = (FOREIGN + DENSE + 1..=FOREIGN + DENSE + SPARSE).filter(|position| position % 10 == 0);
    (FOREIGN + 1..=FOREIGN + DENSE).chain(sparse).collect()
}

async fn fill(client: &Client, schema: &TestSchema) {
    let sql = "
        INSERT INTO {schema}.kinds VALUES (1, 'a', 'test.happened', 1);
        INSERT INTO {schema}.streams (stream_id, name, created_at) VALUES (1, 'a-1', now());
        INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id,
            correlation_id, data)
        SELECT n, 1, n, now(), 1, gen_random_uuid(), CASE
                WHEN n > {foreign} AND (n <= {dense} OR n % 10 = 0) THEN '00000000-0000-0000-0000-000000000007'
                ELSE gen_random_uuid()
            END, '{}'
        FROM generate_series(1, {end}) n;
        UPDATE {schema}.log SET position = {end}, last_stream = 1;
        SELECT brin_summarize_new_values('{schema}.events_by_conversation');
        ANALYZE {schema}.events";
    let (foreign, dense, end) = (FOREIGN, FOREIGN + DENSE, FOREIGN + DENSE + SPARSE);
    let sql = sql.replace("{schema}", schema.name()).replace("{foreign}", &foreign.to_string());
    let sql = sql.replace("{dense}", &dense.to_string()).replace("{end}", &end.to_string());
    client.batch_execute(&sql).await.unwrap();
}

async fn read(adapter: &Postgres, direction: Direction, limit: u32) -> Vec<u64> {
    let selector = Selector { correlation_id: Some(Uuid::from_u128(7)), ..Selector::all() };
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let request = ReadAll { from, direction, limit, selector: selector.clone() };
        let page = adapter.read_all(request).await.unwrap();
        assert!(page.events.len() <= limit.try_into().unwrap());
        seen.extend(page.events.iter().map(|event| event.position.get()));
        let (at, end) = (page.scanned_to.get(), page.head.get());
        from = match direction {
            Direction::Forward if at < end => Some(Position::new(at + 1)),
            Direction::Backward if at > 1 => Some(Position::new(at - 1)),
            _ => return seen,
        };
    }
}

/// Rows of events that ended connections to the database have looked at.
async fn rows_looked_at(client: &Client, schema: &TestSchema) -> i64 {
    let ended = "SELECT count(*) = 0 FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'";
    while !client.query_one(ended, &[&schema.name()]).await.unwrap().get::<_, bool>(0) {}
    let sql = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
        WHERE schemaname = $1 AND relname = 'events'";
    client.query_one(sql, &[&schema.name()]).await.unwrap().get(0)
}

/// RD-05: the pages of a conversation with more events than one statement gathers hold all of them, either way, and each
/// looks at about as many as it holds, not at all that there are.
#[tokio::test]
async fn a_large_conversation_is_read_page_by_page() {
    let schema = schema();
    drop(adapter(&schema).await);
    // Whose connection stays, with a last statement that names no schema.
    let observer = client(schema.url()).await;
    let filling = client(schema.url()).await;
    fill(&filling, &schema).await;
    drop(filling);
    for (direction, limit) in [(Direction::Forward, 100), (Direction::Backward, 300)] {
        let before = rows_looked_at(&observer, &schema).await;
        let adapter = adapter(&schema).await;
        let mut seen = read(&adapter, direction, limit).await;
        drop(adapter);
        if direction == Direction::Backward {
            seen.reverse();
        }
        let expected = conversation();
        assert_eq!(seen.len(), expected.len(), "{direction:?}");
        assert_eq!(seen, expected, "{direction:?}");
        let looked_at = rows_looked_at(&observer, &schema).await - before;
        let most = i64::try_from(20 * (FOREIGN + DENSE + SPARSE)).unwrap();
        assert!(looked_at < most, "{direction:?}: {looked_at} rows for {}", seen.len());
    }
}
