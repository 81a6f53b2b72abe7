//! Files of older programs: brought up to date, they are as if they had been made today, and hold what they held.

use super::*;
use crate::conformance::upgrade::{Part, check};

/// What was put into a file that knows so many migrations.
const HELD: [(usize, &[Part], &str); 3] = [
    (
        1,
        &[Part::ClaimsAndCommands, Part::LinksAndKeys],
        r#"
        BEGIN;
        INSERT INTO streams (stream_id, name, version, plain, created_at)
        VALUES (1, 'order-1', 2, 1, 5), (2, 'note', 1, 1, 5), (3, 'list', 2, 0, 5);
        INSERT INTO kinds VALUES (1, 'order', 'test.happened', 1), (2, 'note', 'test.happened', 1);
        INSERT INTO upkeep VALUES (1, 2);
        INSERT INTO archived_events (position, stream_id, version, event_id, kind_id, recorded_at, data)
        VALUES (1, 1, 1, x'00000000000000000000000000000001', 1, 1000000, '{"number":1}');
        DELETE FROM upkeep;
        INSERT INTO events (position, stream_id, version, event_id, kind_id, recorded_at, data)
        VALUES (2, 1, 2, x'00000000000000000000000000000002', 1, 1000000, '{"number":2}'),
            (3, 2, 1, x'00000000000000000000000000000003', 2, 1000000, '{"number":3}');
        UPDATE log SET head = 3, archived_to = 1;
        INSERT INTO claims VALUES ('test.name', 'ada', 'order-1');
        INSERT INTO commands (command_id, reply, last_position, recorded_at) VALUES (x'00000000000000000000000000000009', '"done"', 2, 5);
        INSERT INTO links VALUES (3, 1, 2), (3, 2, 1);
        INSERT INTO subject_keys VALUES ('ada', unhex(replace(printf('%32s', ''), ' ', '07')), 5, NULL);
        COMMIT;
        "#,
    ),
    (
        2,
        &[Part::ReadModels],
        r#"
        INSERT INTO documents VALUES ('test.items', 'k', '{"seen":2}');
        INSERT INTO document_index VALUES ('test.items', 'group', x'01', 'k');
        INSERT INTO document_shapes VALUES ('test.items', '["group"]');
        INSERT INTO checkpoints (projection, position) VALUES ('test.items/1', 2);
        "#,
    ),
    (
        3,
        &[Part::Outbox],
        "INSERT INTO outbox (id, queue, body, recorded_at)
         VALUES (x'00000000000000000000000000000007', 'work', '1', 5);",
    ),
];

/// Everything in a file as SQLite describes it, and how it came to be.
fn structure(path: &Path) -> Vec<String> {
    let everything = "
        SELECT type || ' ' || name || ' of ' || tbl_name || ': ' || coalesce(sql, '') FROM sqlite_schema
        UNION ALL
        SELECT number || ' ' || name || ' ' || checksum FROM schema_migrations
        ORDER BY 1";
    let raw = raw(path);
    let mut statement = raw.prepare(everything).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// OP-02: given a file that went through the first migrations only, when the program opens it, its structure is that of
/// a fresh one, everything it held can be read, and projections go on where they stood.
#[tokio::test]
async fn an_old_file_becomes_a_new_one_with_all_it_held() {
    let directory = directory();
    let fresh = directory.path().join("fresh.db");
    drop(Sqlite::open(&fresh).unwrap());
    let expected = structure(&fresh);
    for migrations in 1..=schema::MIGRATIONS.len() {
        let old = directory.path().join(format!("{migrations}.db"));
        let connection = schema::make_old(&old, migrations);
        let held = HELD.iter().filter(|(since, ..)| *since <= migrations);
        let mut parts = Vec::new();
        for (_, with, sql) in held {
            connection.execute_batch(sql).unwrap();
            parts.extend_from_slice(with);
        }
        drop(connection);
        assert_eq!(
            structure(&old) != expected,
            migrations < schema::MIGRATIONS.len(),
            "{migrations} migrations"
        );

        let store = Sqlite::open(&old).unwrap();
        assert_eq!(structure(&old), expected, "after {migrations} migrations");
        check(&store, &parts).await;
    }
}
