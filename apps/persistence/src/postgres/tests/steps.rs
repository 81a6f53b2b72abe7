//! Removals of any number of rows: each statement takes only so many.

use umbel_core::{
    Position, Timestamp,
    store::{SaveProjection, SaveProjectionError, SweepNotices},
};
use umbel_testkit::postgres::TestSchema;

use super::support::{adapter, client, schema};
use crate::{ReadModels, adapter::Extras as _};

/// Rows of each table; two steps and a bit.
const ROWS: i64 = 25_000;

/// Fills a table by a query, and lets it refuse statements that remove more than 10,000 rows.
async fn fill(schema: &TestSchema, table: &str, rows: &str) {
    let sql = "INSERT INTO {schema}.{table} {rows};
        CREATE FUNCTION {schema}.only_so_many() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM gone) > 10000 THEN RAISE 'too many at once'; END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER only_so_many AFTER DELETE ON {schema}.{table} REFERENCING OLD TABLE AS gone
            FOR EACH STATEMENT EXECUTE FUNCTION {schema}.only_so_many();
        ANALYZE {schema}.{table}";
    let sql = sql.replace("{schema}", schema.name()).replace("{table}", table).replace("{rows}", rows);
    client(schema.url()).await.batch_execute(&sql.replace("{count}", &ROWS.to_string())).await.unwrap();
}

async fn count(schema: &TestSchema, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {}.{table}", schema.name());
    client(schema.url()).await.query_one(&sql, &[]).await.unwrap().get(0)
}

/// PG-03: however many notices have expired, a sweep removes them all, by statements of which none takes long.
#[tokio::test]
async fn a_sweep_goes_step_by_step() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let rows = "SELECT gen_random_uuid(), 't', NULL, NULL, NULL, now(), to_timestamp(n), '{}'
        FROM generate_series(1, {count} + 5) n";
    fill(&schema, "notices", rows).await;
    let now = Timestamp::from_micros(ROWS * 1_000_000);
    assert_eq!(adapter.sweep_notices(SweepNotices { now }).await, Ok(ROWS.unsigned_abs()));
    assert_eq!(count(&schema, "notices").await, 5);
    assert_eq!(adapter.sweep_notices(SweepNotices { now }).await, Ok(0));
}

/// PJ-05: however large a collection is, it is emptied, by statements of which none takes long, and only where the
/// checkpoint stands as expected.
#[tokio::test]
async fn a_collection_is_emptied_step_by_step() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    fill(&schema, "documents", "SELECT 'test.old', n::text, '{}' FROM generate_series(1, {count}) n").await;
    let entries = "INSERT INTO {schema}.document_index SELECT 'test.old', 'i', '\\x01', n::text
        FROM generate_series(1, {count}) n";
    let entries = entries.replace("{schema}", schema.name()).replace("{count}", &ROWS.to_string());
    client(schema.url()).await.batch_execute(&entries).await.unwrap();
    let save = |expected| SaveProjection {
        projection: "test.one/2".into(),
        expected: Position::new(expected),
        position: Position::new(expected),
        clear: vec!["test.old".into()],
        writes: Vec::new(),
    };
    let moved = SaveProjectionError::CheckpointMoved { actual: Position::START };
    assert_eq!(adapter.save_projection(save(7)).await, Err(moved));
    assert_eq!(count(&schema, "documents").await, ROWS);
    adapter.save_projection(save(0)).await.unwrap();
    assert_eq!((count(&schema, "documents").await, count(&schema, "document_index").await), (0, 0));
}
