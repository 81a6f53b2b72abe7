//! Schemas of older programs: brought up to date, they are as if they had been made today, and hold what they held.

use tokio_postgres::Client;

use super::support::{client, schema};
use crate::{
    conformance::upgrade::{Part, check},
    postgres::{Postgres, PostgresOptions, migrate, sql::Schema},
};

/// What was put into a schema that knows so many migrations: by raw SQL, or by the functions that it has.
const HELD: [(usize, Option<Part>, &str); 10] = [
    (
        1,
        None,
        r#"
        INSERT INTO {schema}.streams (stream_id, name, created_at) VALUES (1, 'order-1', now()), (2, 'note', now());
        INSERT INTO {schema}.kinds VALUES (1, 'order', 'test.happened', 1), (2, 'note', 'test.happened', 1);
        INSERT INTO {schema}.archive (position, stream_id, version, recorded_at, kind_id, event_id, data)
        VALUES (1, 1, 1, to_timestamp(1), 1, '00000000-0000-0000-0000-000000000001', '{"number":1}');
        INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id, tags, data)
        VALUES (2, 1, 2, to_timestamp(1), 1, '00000000-0000-0000-0000-000000000002', '{course:1}', '{"number":2}'),
            (3, 2, 1, to_timestamp(1), 2, '00000000-0000-0000-0000-000000000003', NULL, '{"number":3}');
        INSERT INTO {schema}.event_tags VALUES (2, 1, 'course:1');
        -- What the functions for it, which come later, would write.
        INSERT INTO {schema}.streams (stream_id, name, created_at, plain, kept_version) VALUES (3, 'early', now(), false, 1);
        INSERT INTO {schema}.links VALUES (3, 1, 2);
        UPDATE {schema}.log SET position = 3, last_stream = 3, archived_to = 1;
        "#,
    ),
    (
        2,
        Some(Part::ClaimsAndCommands),
        r#"
        SELECT {schema}.write_claims('{test.name}', '{ada}', '{null}', '{order-1}');
        INSERT INTO {schema}.commands VALUES ('00000000-0000-0000-0000-000000000009', '"done"', 2, now());
        "#,
    ),
    (
        2,
        Some(Part::Outbox),
        r#"
        SELECT {schema}.write_outbox('{}', '{00000000-0000-0000-0000-000000000007}', '{work}', '{"1"}', '{null}', now());
        "#,
    ),
    (
        3,
        Some(Part::ReadModels),
        r#"
        SELECT {schema}.save_projection('test.items/1', 0, 2, '{}', '{test.items}', '{k}',
            array['{"seen":2}'::json], '{test.items}', '{k}', '{group}', '{"\\x01"}');
        "#,
    ),
    (
        3,
        Some(Part::Generations),
        r#"
        INSERT INTO {schema}.checkpoints (projection, position, name, version, run, phase, live_after, suffix, collections)
        VALUES ('test.things/1', 2, 'test.things', 1, 1, 'serving', 1, '~1', '{test.things}'),
            ('test.things/2', 1, 'test.things', 2, 1, 'building', 2, '~2', '{test.things}');
        INSERT INTO {schema}.served VALUES ('test.things', '~1', 'test.things', '{}');
        INSERT INTO {schema}.documents VALUES ('test.things~1', 'k', '{"of":1}'), ('test.things~2', 'k', '{"of":2}');
        INSERT INTO {schema}.document_shapes VALUES ('test.things~1', '{}'), ('test.things~2', '{}');
        "#,
    ),
    (
        4,
        Some(Part::LinksAndKeys),
        r"
        SELECT {schema}.add_links(NULL, 'list', 0, '{2,1}', now());
        INSERT INTO {schema}.subject_keys VALUES ('ada', decode(repeat('07', 32), 'hex'), now());
        ",
    ),
    (
        4,
        Some(Part::Removal),
        r#"
        SELECT {schema}.add_links(NULL, 'going', 0, '{3}', now());
        SELECT {schema}.begin_removal(stream_id, 1, 2, true, '00000000-0000-0000-0000-00000000000b',
            '{"id":"00000000-0000-0000-0000-00000000000b","act":{"act":"delete_stream","stream":"going","expected":"any","removal":"hard"},
            "metadata":{}}', now())
        FROM {schema}.streams WHERE name = 'going';
        "#,
    ),
    (
        5,
        Some(Part::SnapshotsAndNotices),
        r#"
        INSERT INTO {schema}.snapshots VALUES ('order-1', 2, 'test.state', 1, to_timestamp(0.000005), '{"seen":2}');
        INSERT INTO {schema}.notices VALUES ('00000000-0000-0000-0000-000000000008', 'test.topic',
            '00000000-0000-0000-0000-000000000006', 'test', to_timestamp(0.000004), to_timestamp(0.000005), '2100-01-01Z', '1');
        "#,
    ),
    (
        6,
        Some(Part::Subscriptions),
        r"
        INSERT INTO {schema}.subscriptions (name, kept_as, source, start_after, paused, resets, created_at, incarnation)
        VALUES ('mails', 'post', 'log', 1, true, 1, to_timestamp(0.000005), 3);
        INSERT INTO {schema}.subscription_partitions (subscription, partition, epoch, owner, expires_at, checkpoint, handled, letters)
        VALUES ('mails', 0, 4, '00000000-0000-0000-0000-000000000007', '2100-01-01Z', 3, 3, 2),
            ('mails', 1, 3, NULL, NULL, 3, 3, 0), ('mails', 2, 3, NULL, NULL, 3, 3, 0), ('mails', 3, 3, NULL, NULL, 3, 3, 0);
        INSERT INTO {schema}.subscription_members VALUES ('mails', '00000000-0000-0000-0000-000000000007', '2100-01-01Z');
        INSERT INTO {schema}.past_epochs VALUES ('gone', 9, 'gone');
        INSERT INTO {schema}.lost_boxes VALUES (nextval('{schema}.boxes'));
        INSERT INTO {schema}.letters (box, place, partition, key, key_text, event_id, position, event_name, error, attempts,
            first_failed_at, last_failed_at, parked_at, replay, head, edited)
        SELECT box, place, 0, -8407663412929810848, 'k', ('00000000-0000-0000-0000-00000000000' || place)::uuid, place, 'test.happened',
            error, CASE WHEN error IS NOT NULL THEN 3 END, CASE WHEN error IS NOT NULL THEN to_timestamp(0.000005) END,
            CASE WHEN error IS NOT NULL THEN to_timestamp(0.000005) END, to_timestamp(0.000005), false, place = 1, edited
        FROM (VALUES (1, 1, 'no', '2'::json), (1, 2, NULL, NULL), (2, 1, NULL, NULL)) AS one (box, place, error, edited);
        ",
    ),
    (8, None, "UPDATE {schema}.subscriptions SET resets_told = 1 WHERE name = 'mails';"),
];

/// Everything in a schema as the catalog describes it, and how it came to be.
async fn structure(client: &Client, schema: &str) -> Vec<String> {
    let everything = "
        WITH relations AS (
            SELECT c.oid, c.relname, c.relkind, c.reloptions FROM pg_class c
            WHERE c.relnamespace = to_regnamespace($1)
        )
        SELECT format('relation %s: %s %s', relname, relkind, reloptions) FROM relations
        UNION ALL
        SELECT format('column %s.%s: %s %s, not null %s, collated %s, default %s', relname, attname, attnum,
            format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation, pg_get_expr(adbin, adrelid))
        FROM relations JOIN pg_attribute ON attrelid = oid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0
        UNION ALL
        SELECT format('view %s: %s', relname, pg_get_viewdef(oid)) FROM relations WHERE relkind = 'v'
        UNION ALL
        SELECT format('index %s: %s', relname, pg_get_indexdef(oid)) FROM relations WHERE relkind = 'i'
        UNION ALL
        SELECT format('constraint %s: %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE connamespace = to_regnamespace($1)
        UNION ALL
        SELECT format('trigger %s.%s: %s', relname, tgname, pg_get_triggerdef(t.oid))
        FROM relations r JOIN pg_trigger t ON tgrelid = r.oid
        UNION ALL
        SELECT format('function %s: %s', proname, pg_get_functiondef(oid)) FROM pg_proc
        WHERE pronamespace = to_regnamespace($1)";
    let rows = client.query(everything, &[&schema]).await.unwrap();
    let migrations = format!("SELECT concat_ws(' ', number, name, checksum) FROM {schema}.schema_migrations");
    let applied = client.query(&migrations, &[]).await.unwrap();
    let parts = rows.iter().chain(&applied).map(|row| row.get::<_, String>(0).replace(schema, "{schema}"));
    let mut parts: Vec<_> = parts.collect();
    parts.sort_unstable();
    parts
}

/// What stays empty in so short a log; and what processes tell of themselves, which is believed for moments.
const EMPTY: [&str; 3] = ["spans", "span_kinds", "processes"];

/// Every table with its columns, but for what migrations leave.
async fn tables(client: &Client, schema: &str) -> Vec<(String, String)> {
    let columns = "
        SELECT c.relname::text, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' AND c.relname <> 'schema_migrations'
        GROUP BY c.relname ORDER BY c.relname";
    let rows = client.query(columns, &[&schema]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// What is in these columns of each table, row by row.
async fn rows(client: &Client, schema: &str, tables: &[(String, String)]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (table, columns) in tables {
        let text = format!("SELECT ROW({columns})::text FROM {schema}.{table} ORDER BY 1");
        let rows = client.query(&text, &[]).await.unwrap();
        all.push(rows.iter().map(|row| row.get(0)).collect());
    }
    all
}

/// OP-02: given a schema that went through the first migrations only, when the program opens it, its structure is that
/// of a fresh one, everything it held is there in every table and can be read, and what followed it goes on where it stood.
#[tokio::test]
async fn an_old_schema_becomes_a_new_one_with_all_it_held() {
    let fresh = schema();
    let connect = |name: String, url: String| async move {
        Postgres::connect(&url, &name, PostgresOptions::default()).await.unwrap()
    };
    connect(fresh.name().into(), fresh.url().into()).await;
    let client = client(fresh.url()).await;
    let expected = structure(&client, fresh.name()).await;
    for migrations in 1..=migrate::MIGRATIONS.len() {
        let old = schema();
        let rendered = Schema::new(old.name()).unwrap();
        migrate::make_old(&client, &rendered, migrations).await;
        let held: Vec<_> = HELD.iter().filter(|(since, ..)| *since <= migrations).collect();
        for (_, _, sql) in &held {
            client.batch_execute(&rendered.render(sql)).await.unwrap();
        }
        let is_old = migrations < migrate::MIGRATIONS.len();
        assert_eq!(structure(&client, old.name()).await != expected, is_old, "{migrations} migrations");

        let tables = tables(&client, old.name()).await;
        let before = rows(&client, old.name(), &tables).await;
        for ((table, _), rows) in tables.iter().zip(&before) {
            assert_eq!(
                rows.is_empty(),
                EMPTY.contains(&table.as_str()),
                "of what {table} holds nothing is known"
            );
        }

        let store = connect(old.name().into(), old.url().into()).await;
        assert_eq!(structure(&client, old.name()).await, expected, "after {migrations} migrations");
        assert_eq!(rows(&client, old.name(), &tables).await, before, "after {migrations} migrations");
        check(&store, &held.iter().filter_map(|(_, part, _)| *part).collect::<Vec<_>>()).await;
    }
}
