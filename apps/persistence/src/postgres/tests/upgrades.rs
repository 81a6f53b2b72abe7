//! Schemas of older programs: brought up to date, they are as if they had been made today, and hold what they held.

use tokio_postgres::Client;

use super::support::{client, schema};
use crate::{
    conformance::upgrade::{Part, check},
    postgres::{Postgres, PostgresOptions, migrate, sql::Schema},
};

/// What was put into a schema that knows so many migrations: by raw SQL, or by the functions that it has.
const HELD: [(usize, Option<Part>, &str); 5] = [
    (
        1,
        None,
        r#"
        INSERT INTO {schema}.streams (stream_id, name, created_at) VALUES (1, 'order-1', now()), (2, 'note', now());
        INSERT INTO {schema}.kinds VALUES (1, 'order', 'test.happened', 1), (2, 'note', 'test.happened', 1);
        INSERT INTO {schema}.archive (position, stream_id, version, recorded_at, kind_id, event_id, data)
        VALUES (1, 1, 1, to_timestamp(1), 1, '00000000-0000-0000-0000-000000000001', '{"number":1}');
        INSERT INTO {schema}.events (position, stream_id, version, recorded_at, kind_id, event_id, data)
        VALUES (2, 1, 2, to_timestamp(1), 1, '00000000-0000-0000-0000-000000000002', '{"number":2}'),
            (3, 2, 1, to_timestamp(1), 2, '00000000-0000-0000-0000-000000000003', '{"number":3}');
        UPDATE {schema}.log SET position = 3, last_stream = 2, archived_to = 1;
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
        4,
        Some(Part::LinksAndKeys),
        r"
        SELECT {schema}.add_links(NULL, 'list', 0, '{2,1}', now());
        INSERT INTO {schema}.subject_keys VALUES ('ada', decode(repeat('07', 32), 'hex'), now());
        ",
    ),
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

/// OP-02: given a schema that went through the first migrations only, when the program opens it, its structure is that
/// of a fresh one, everything it held can be read, and projections go on where they stood.
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

        let store = connect(old.name().into(), old.url().into()).await;
        assert_eq!(structure(&client, old.name()).await, expected, "after {migrations} migrations");
        check(&store, &held.iter().filter_map(|(_, part, _)| *part).collect::<Vec<_>>()).await;
    }
}
