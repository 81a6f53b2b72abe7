//! Files of older programs: brought up to date, they are as if they had been made today, and hold what they held.

use super::*;
use crate::conformance::upgrade::{Part, check};

/// What was put into a file that knows so many migrations.
const HELD: [(usize, &[Part], &str); 5] = [
    (
        1,
        &[Part::ClaimsAndCommands, Part::LinksAndKeys, Part::Removal],
        r#"
        BEGIN;
        INSERT INTO streams (stream_id, name, version, plain, created_at)
        VALUES (1, 'order-1', 2, 1, 5), (2, 'note', 1, 1, 5), (3, 'list', 2, 0, 5);
        INSERT INTO streams (stream_id, name, version, first_version, plain, created_at, deleted_at)
        VALUES (4, 'going', 1, 2, 0, 5, 6);
        INSERT INTO kinds VALUES (1, 'order', 'test.happened', 1), (2, 'note', 'test.happened', 1);
        INSERT INTO upkeep VALUES (1, 2);
        INSERT INTO archived_events (position, stream_id, version, event_id, kind_id, recorded_at, data)
        VALUES (1, 1, 1, x'00000000000000000000000000000001', 1, 1000000, '{"number":1}');
        DELETE FROM upkeep;
        INSERT INTO events (position, stream_id, version, event_id, kind_id, recorded_at, tags, data)
        VALUES (2, 1, 2, x'00000000000000000000000000000002', 1, 1000000, '["course:1"]', '{"number":2}'),
            (3, 2, 1, x'00000000000000000000000000000003', 2, 1000000, NULL, '{"number":3}');
        INSERT INTO event_tags VALUES ('course:1', 2, 1);
        UPDATE log SET head = 3, archived_to = 1;
        INSERT INTO claims VALUES ('test.name', 'ada', 'order-1');
        INSERT INTO commands (command_id, reply, last_position, recorded_at) VALUES (x'00000000000000000000000000000009', '"done"', 2, 5);
        INSERT INTO links VALUES (3, 1, 2), (3, 2, 1), (4, 1, 3);
        INSERT INTO removals (stream_id, act_id, request, next_version, before_version)
        VALUES (4, x'0000000000000000000000000000000b', '{"id":"00000000-0000-0000-0000-00000000000b","act":{"act":"delete_stream",
            "stream":"going","expected":"any","removal":"hard"},"metadata":{}}', 1, 2);
        INSERT INTO subject_keys VALUES ('ada', unhex(replace(printf('%32s', ''), ' ', '07')), 5, NULL);
        COMMIT;
        "#,
    ),
    (
        2,
        &[Part::ReadModels, Part::Generations],
        r#"
        INSERT INTO documents VALUES ('test.items', 'k', '{"seen":2}');
        INSERT INTO document_index VALUES ('test.items', 'group', x'01', 'k');
        INSERT INTO document_shapes VALUES ('test.items', '["group"]');
        INSERT INTO checkpoints (projection, position) VALUES ('test.items/1', 2);
        INSERT INTO checkpoints (projection, position, name, version, run, phase, live_after, suffix, collections)
        VALUES ('test.things/1', 2, 'test.things', 1, 1, 'serving', 1, '~1', '["test.things"]'),
            ('test.things/2', 1, 'test.things', 2, 1, 'building', 2, '~2', '["test.things"]');
        INSERT INTO served VALUES ('test.things', '~1', 'test.things', '[]');
        INSERT INTO documents VALUES ('test.things~1', 'k', '{"of":1}'), ('test.things~2', 'k', '{"of":2}');
        INSERT INTO document_shapes VALUES ('test.things~1', '[]'), ('test.things~2', '[]');
        "#,
    ),
    (
        3,
        &[Part::Outbox, Part::SnapshotsAndNotices],
        r#"
        INSERT INTO outbox (id, queue, body, recorded_at)
        VALUES (x'00000000000000000000000000000007', 'work', '1', 5);
        INSERT INTO snapshots VALUES ('order-1', 2, 'test.state', 1, 5, '{"seen":2}');
        INSERT INTO notices VALUES (x'00000000000000000000000000000008', 'test.topic',
            x'00000000000000000000000000000006', 'test', 4, 5, 4102444800000000, '1');
        "#,
    ),
    (
        4,
        &[Part::Subscriptions],
        r"
        INSERT INTO subscriptions (name, kept_as, source, start_after, paused, resets, created_at, incarnation, box)
        VALUES ('mails', 'post', 'log', 1, 1, 1, 5, 3, 1);
        INSERT INTO subscription_partitions (subscription, partition, epoch, owner, expires_at, checkpoint, handled, letters)
        VALUES ('mails', 0, 4, x'00000000000000000000000000000007', 4102444800000000, 3, 3, 2),
            ('mails', 1, 3, NULL, NULL, 3, 3, 0), ('mails', 2, 3, NULL, NULL, 3, 3, 0), ('mails', 3, 3, NULL, NULL, 3, 3, 0);
        INSERT INTO subscription_members VALUES ('mails', x'00000000000000000000000000000007', 4102444800000000);
        INSERT INTO past_epochs VALUES ('gone', 9, 'gone');
        INSERT INTO lost_boxes VALUES (2);
        INSERT INTO letters (box, place, partition, key, key_text, event_id, position, event_name, error, attempts,
            first_failed_at, last_failed_at, parked_at, replay, head, edited)
        VALUES (1, 1, 0, -8407663412929810848, 'k', x'00000000000000000000000000000001', 1, 'test.happened', 'no', 3, 5, 5, 5, 0, 1, '2'),
            (1, 2, 0, -8407663412929810848, 'k', x'00000000000000000000000000000002', 2, 'test.happened', NULL, NULL, NULL, NULL, 5, 0, 0, NULL),
            (2, 1, 0, -8407663412929810848, 'k', x'00000000000000000000000000000001', 1, 'test.happened', NULL, NULL, NULL, NULL, 5, 0, 1, NULL);
        ",
    ),
    (5, &[], "UPDATE subscriptions SET resets_told = 1 WHERE name = 'mails'"),
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

/// What stays empty in so short a log, and but for the moment of an act.
const EMPTY: [&str; 4] = ["spans", "span_kinds", "span_conversations", "upkeep"];

/// Every table with its columns, but for what migrations leave.
fn tables(connection: &Connection) -> Vec<(String, Vec<String>)> {
    let columns = "
        SELECT t.name, json_group_array(c.name) FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
        WHERE t.type = 'table' AND t.schema = 'main' AND t.name NOT LIKE 'sqlite%' AND t.name <> 'schema_migrations'
        GROUP BY t.name";
    let mut statement = connection.prepare(columns).unwrap();
    let rows = statement.query_map([], |row| {
        let columns: String = row.get(1)?;
        Ok((row.get(0)?, serde_json::from_str(&columns).unwrap()))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// What is in these columns, row by row.
fn rows(connection: &Connection, (table, columns): &(String, Vec<String>)) -> Vec<String> {
    let columns: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
    let text = format!("SELECT json_array({}) FROM {table} ORDER BY 1", columns.join(", "));
    let mut statement = connection.prepare(&text).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// OP-02: given a file that went through the first migrations only, when the program opens it, its structure is that of
/// a fresh one, everything it held is there in every table and can be read, and what followed it goes on where it stood.
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
        let tables = tables(&connection);
        let before: Vec<_> = tables.iter().map(|table| rows(&connection, table)).collect();
        for ((table, _), rows) in tables.iter().zip(&before) {
            assert_eq!(
                rows.is_empty(),
                EMPTY.contains(&table.as_str()),
                "of what {table} holds nothing is known"
            );
        }
        drop(connection);
        assert_eq!(
            structure(&old) != expected,
            migrations < schema::MIGRATIONS.len(),
            "{migrations} migrations"
        );

        let store = Sqlite::open(&old).unwrap();
        assert_eq!(structure(&old), expected, "after {migrations} migrations");
        let upgraded = raw(&old);
        for (table, before) in tables.iter().zip(&before) {
            assert_eq!(rows(&upgraded, table), *before, "{} after {migrations} migrations", table.0);
        }
        drop(upgraded);
        check(&store, &parts).await;
    }
}
