//! Migrations: once, in order, by one process at a time, and never over what they do not know.

use std::time::Duration;

use umbel_core::{
    ExpectedVersion,
    store::{Removal, StoreError},
};

use super::{
    pages::{PARTS_OF_PAGES, queries},
    support::{adapter, all_from, append, client, schema, to, whole_log},
    upkeep::{NOW, delete, link, one_more},
};
use crate::{
    Log, Upkeep,
    postgres::{
        Postgres, PostgresOptions, admin,
        reader::query_text,
        sql::{Schema, Statements},
    },
};

/// Every statement of the adapter is understood by a migrated database.
#[tokio::test]
async fn every_statement_can_be_prepared() {
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    let statements = Statements::new(&Schema::new(schema.name()).unwrap());
    for (name, file, text) in statements.all() {
        assert!(file.starts_with("-- "), "{name} has no header");
        assert!(file.contains("ndex:"), "{name} does not say which index serves it");
        let text = match name {
            // Each way to put these together is prepared below.
            _ if PARTS_OF_PAGES.contains(&name) => continue,
            "query_tables" => text.replace("{query}", "VALUES ($1::text)").replace("{most}", "10"),
            "select_conversation" => text
                .replace("{sorted}", "DESC")
                .replace("{conversation}", "correlation_id = $9 AND causation_id = $10"),
            "select_tags" => text
                .replace("{sorted}", "DESC")
                .replace("{first}", "max")
                .replace("{last}", "min")
                .replace("{before}", ">=")
                .replace("{conversation}", "correlation_id = $11 AND causation_id = $12"),
            _ => text
                .replace("{nearest}", "max")
                .replace("{farthest}", "min")
                .replace("{nearer}", "greatest")
                .replace("{events}", "events")
                .replace("{order}", "listed.created_at {sorted}, listed.name {sorted}")
                .replace("{sorted}", "DESC")
                .replace("{within}", "name >= 'a'")
                .replace("{open}", "(SELECT count(*) FROM listed) < $6")
                .replace("{behind}", "(listed.created_at, listed.name) < ($5, $4)")
                .replace("{deleted}", "(deleted_at, name) < ($5, $4)")
                .replace("{living}", "name < $4")
                .replace("{conversation}", "correlation_id = $8 AND causation_id = $9"),
        };
        if let Err(error) = client.prepare(&text).await {
            panic!("{name}: {error:?}\n{text}");
        }
    }
    for query in queries() {
        let text = query_text(&statements, &query);
        if let Err(error) = client.prepare(&text).await {
            panic!("{query:?}: {error:?}\n{text}");
        }
    }
}

/// OP-01: migrating again changes nothing, and what was there stays.
#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let schema = schema();
    let first = adapter(&schema).await;
    append(&first, to("a", ExpectedVersion::NoStream)).await.unwrap();
    let second = adapter(&schema).await;
    assert_eq!(whole_log(&second).await.len(), 1);
}

/// OP-01: a role that may only read and write can use a schema that another one migrated.
#[tokio::test]
async fn an_up_to_date_schema_needs_no_right_to_create() {
    let schema = schema();
    adapter(&schema).await;
    let name = schema.name();
    let client = client(schema.superuser_url()).await;
    let grants = format!(
        "CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA {name} TO {name};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {name};"
    );
    client.batch_execute(&grants).await.unwrap();
    let url = schema.superuser_url().replacen("postgres@", &format!("{name}@"), 1);
    let limited = Postgres::connect(&url, name, PostgresOptions::default()).await.unwrap();
    append(&limited, to("a", ExpectedVersion::Any)).await.unwrap();
    drop(limited);
    client.batch_execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
}

/// OP-03: of two migrators at once, both end with a usable schema.
#[tokio::test]
async fn migrators_at_the_same_time_wait_for_each_other() {
    let schema = schema();
    let connect = || Postgres::connect(schema.url(), schema.name(), PostgresOptions::default());
    let (one, other) = tokio::join!(connect(), connect());
    append(&one.unwrap(), to("a", ExpectedVersion::Any)).await.unwrap();
    append(&other.unwrap(), to("a", ExpectedVersion::Any)).await.unwrap();
}

/// OP-03: a migrator that would wait too long is told that another one is at work.
#[tokio::test]
async fn a_migrator_does_not_wait_for_ever() {
    let schema = schema();
    let client = client(schema.url()).await;
    let lock = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('umbel migration SCHEMA', 0))";
    client.batch_execute(&lock.replace("SCHEMA", schema.name())).await.unwrap();
    let options = PostgresOptions { migration_wait: Duration::from_millis(50), ..PostgresOptions::default() };
    let error = Postgres::connect(schema.url(), schema.name(), options).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("migration is in progress"), "{error}");
}

#[tokio::test]
async fn a_changed_or_newer_schema_is_refused() {
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    let migrations = format!("{}.schema_migrations", schema.name());
    let connect = || Postgres::connect(schema.url(), schema.name(), PostgresOptions::default());
    client.batch_execute(&format!("INSERT INTO {migrations} VALUES (99, 'later', '')")).await.unwrap();
    let error = connect().await.unwrap_err();
    assert!(matches!(&error, StoreError::Failed { reason } if reason.contains("newer")), "{error}");
    let change =
        format!("DELETE FROM {migrations} WHERE number = 99; UPDATE {migrations} SET checksum = 'x'");
    client.batch_execute(&change).await.unwrap();
    let error = connect().await.unwrap_err();
    assert!(matches!(&error, StoreError::Failed { reason } if reason.contains("another form")), "{error}");
}

/// A schema whose bookkeeping has a gap is refused as damaged, and nothing is done to it.
#[tokio::test]
async fn a_gap_in_the_bookkeeping_is_damage() {
    let schema = schema();
    adapter(&schema).await;
    let client = client(schema.url()).await;
    for (gone, first_missing) in [(3, "lacks migration 3 documents"), (1, "lacks migration 1 log")] {
        let sql = format!("DELETE FROM {}.schema_migrations WHERE number = {gone}", schema.name());
        client.batch_execute(&sql).await.unwrap();
        let options = PostgresOptions::default;
        let failures = [
            Postgres::connect(schema.url(), schema.name(), options()).await.unwrap_err(),
            Postgres::connect_existing(schema.url(), schema.name(), options()).await.unwrap_err(),
            admin::migrations(schema.url(), schema.name(), &PostgresOptions::default()).await.unwrap_err(),
        ];
        for error in failures {
            let StoreError::Corrupt { reason } = &error else { panic!("{error}") };
            assert!(reason.contains(first_missing), "{reason}");
        }
    }
}

/// OP-04: two schemas of one database share nothing.
#[tokio::test]
async fn schemas_do_not_cross() {
    let (one, other) = (schema(), schema());
    let (one, other) = (adapter(&one).await, adapter(&other).await);
    append(&one, to("a", ExpectedVersion::NoStream)).await.unwrap();
    let appended = append(&other, to("a", ExpectedVersion::NoStream)).await.unwrap();
    assert_eq!(appended.last_position.unwrap().get(), 1);
    append(&one, to("a", ExpectedVersion::Any)).await.unwrap();
    assert_eq!((whole_log(&one).await.len(), whole_log(&other).await.len()), (2, 1));
}

/// AP-10: what is wrong with the connection's settings is said, with what to do; the password is not.
#[tokio::test]
async fn wrong_settings_are_explained() {
    let schema = schema();
    let server = schema.url().rsplit_once('/').unwrap().0;
    let nowhere = format!("{server}/nowhere").replacen("postgres@", "postgres:s3cret@", 1);
    let cases = [
        (nowhere, schema.name().to_owned(), "createdb"),
        ("postgres://ada:s3cret@127.0.0.1:1/x".into(), schema.name().to_owned(), "127.0.0.1:1/x"),
        (schema.url().to_owned(), "Robert'); --".into(), "lower-case letters"),
        (format!("{}?sslmode=require", schema.url()), schema.name().to_owned(), "TLS"),
    ];
    for (url, name, expected) in cases {
        let error = Postgres::connect(&url, &name, PostgresOptions::default()).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("s3cret"), "{url} {name}: {error}");
    }
}

/// AP-10: a schema that vanished is an error value, on every way in, whether it was used before or not.
#[tokio::test]
async fn a_missing_schema_is_an_error() {
    let schema = schema();
    let (used, fresh) = (adapter(&schema).await, adapter(&schema).await);
    let id = one_more(&used, "a").await;
    link(&used, "list", vec![id]).await.unwrap();
    let drop = format!("DROP SCHEMA {} CASCADE", schema.name());
    client(schema.url()).await.batch_execute(&drop).await.unwrap();
    for adapter in [used, fresh] {
        let error = append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap_err();
        assert_names_what_is_missing(error);
        assert_names_what_is_missing(link(&adapter, "b", vec![id]).await.unwrap_err());
        for removal in [Removal::Soft, Removal::Hard] {
            assert_names_what_is_missing(adapter.perform(delete("a", removal), NOW).await.unwrap_err());
        }
        assert_names_what_is_missing(adapter.status().await.unwrap_err());
        assert_names_what_is_missing(adapter.read_all(all_from(1, 1)).await.unwrap_err());
    }
}

/// By PostgreSQL's own code: a table, a schema or a function.
#[track_caller]
fn assert_names_what_is_missing(error: impl std::fmt::Display + std::fmt::Debug) {
    let text = error.to_string();
    let known = ["42P01", "3F000", "42883"].iter().any(|code| text.contains(code));
    assert!(known && format!("{error:?}").contains("Failed"), "{error:?}");
}

/// AP-11: what is in the log cannot be changed or removed by plain SQL: no event, archived or not, no link, and no stream.
#[tokio::test]
async fn the_log_refuses_raw_changes() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
    let id = whole_log(&adapter).await[0].id;
    link(&adapter, "b", vec![id]).await.unwrap();
    let before = whole_log(&adapter).await;
    let client = client(schema.url()).await;
    let changes = ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET stream_id = stream_id"];
    for (table, of, changes) in [
        ("events", "events", &changes[..]),
        ("archive", "events", &changes),
        ("links", "links", &changes),
        // What else is known of a stream changes with it.
        ("streams", "streams", &changes[..2]),
    ] {
        for change in changes {
            let change = change.replace("{}", &format!("{}.{table}", schema.name()));
            let error = client.batch_execute(&change).await.unwrap_err();
            let message = error.as_db_error().unwrap().message().to_owned();
            assert!(message.contains(&format!("{of} never change")), "{change}: {message}");
        }
    }
    assert_eq!(whole_log(&adapter).await, before);
    assert_eq!(adapter.verify().await, Ok(vec![]));
}

/// Looking at a schema neither creates nor migrates it.
#[tokio::test]
async fn looking_at_a_schema_leaves_it_as_it_is() {
    let schema = schema();
    let client = client(schema.url()).await;
    let look = || Postgres::connect_existing(schema.url(), schema.name(), PostgresOptions::default());
    let error = look().await.unwrap_err().to_string();
    assert!(error.contains("no store") && error.contains(schema.name()), "{error}");
    let table = format!("{}.schema_migrations", schema.name());
    let sql = "SELECT to_regclass($1) IS NULL";
    assert!(client.query_one(sql, &[&table]).await.unwrap().get::<_, bool>(0), "it was created");

    let writing = adapter(&schema).await;
    append(&writing, to("a", ExpectedVersion::NoStream)).await.unwrap();
    assert_eq!(whole_log(&look().await.unwrap()).await.len(), 1);
    client.batch_execute(&format!("DELETE FROM {table} WHERE number >= 3")).await.unwrap();
    let error = look().await.unwrap_err().to_string();
    assert!(error.contains("migration 3 documents was not applied"), "{error}");
}
