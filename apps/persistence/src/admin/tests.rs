//! Stores made, looked at and removed, beside those that are in use, and beside what is not ours.

use std::fs;

use tempfile::TempDir;
use umbel_testkit::postgres::{TestPostgres, TestSchema};

use super::*;
use crate::{Tenants, open_existing};

/// A place for a store, with what must live as long.
struct Room {
    settings: StoreSettings,
    _guard: (Option<TempDir>, Option<TestSchema>),
}

fn sqlite() -> Room {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("umbel.db").display());
    Room { settings: StoreSettings { url, ..StoreSettings::default() }, _guard: (Some(directory), None) }
}

fn postgres() -> Room {
    let schema = TestPostgres::get().unwrap().fresh_schema();
    let (url, name) = (schema.url().to_owned(), schema.name().to_owned());
    let settings = StoreSettings { url, schema: name, ..StoreSettings::default() };
    Room { settings, _guard: (None, Some(schema)) }
}

async fn applied(settings: &StoreSettings) -> Vec<bool> {
    migrations(settings).await.unwrap().iter().map(|migration| migration.applied).collect()
}

async fn client(settings: &StoreSettings) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&settings.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// OP-01: making, migrating and removing may each be done again, and looking makes nothing.
#[tokio::test]
async fn a_store_is_made_and_removed_and_both_again() {
    for Room { settings, _guard } in [sqlite(), postgres()] {
        assert!(applied(&settings).await.iter().all(|applied| !applied), "looking makes nothing");
        assert_eq!(size(&settings).await.unwrap(), 0);
        assert!(open_existing(&settings).await.is_err());
        assert!(migrate(&settings).await.unwrap_err().to_string().contains("umbel store init"));
        assert!(!drop_store(&settings).await.unwrap(), "there is nothing to remove");

        assert_eq!(init(&settings).await.unwrap().len(), applied(&settings).await.len());
        assert_eq!(init(&settings).await.unwrap(), []);
        assert_eq!(migrate(&settings).await.unwrap(), []);
        assert!(applied(&settings).await.iter().all(|applied| *applied));
        assert!(size(&settings).await.unwrap() > 0);
        drop(open_existing(&settings).await.unwrap());

        assert!(drop_store(&settings).await.unwrap());
        assert!(!drop_store(&settings).await.unwrap());
        assert!(applied(&settings).await.iter().all(|applied| !applied));
    }
}

/// OP-03: of two that make the same store at once, both find it ready.
#[tokio::test]
async fn two_may_make_a_store_at_once() {
    for Room { settings, _guard } in [sqlite(), postgres()] {
        let both = [settings.clone(), settings.clone()]
            .map(|settings| tokio::spawn(async move { init(&settings).await }));
        for one in both {
            one.await.unwrap().unwrap();
        }
        assert!(applied(&settings).await.iter().all(|applied| *applied));
    }
}

#[tokio::test]
async fn a_file_in_use_is_not_removed() {
    let Room { settings, _guard } = sqlite();
    let store = open(&settings).await.unwrap();
    assert!(drop_store(&settings).await.unwrap_err().to_string().contains("in use"));
    assert_eq!(store.status().await.unwrap().head.get(), 0);
    drop(store);
    let Place::Sqlite(path) = durable(&settings).unwrap() else { unreachable!() };
    assert!(drop_store(&settings).await.unwrap());
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "what was beside it is gone, too");
}

/// In a file: a table, whatever it is called, a view and a trigger that somebody else made.
#[tokio::test]
async fn what_is_not_ours_stays_in_its_file() {
    let Room { settings, _guard } = sqlite();
    let Place::Sqlite(path) = durable(&settings).unwrap() else { unreachable!() };
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE schema_migrations (number, name, checksum); CREATE TABLE log (line)")
        .unwrap();
    other.execute_batch("CREATE TABLE orders (id)").unwrap();
    drop(other);
    assert!(drop_store(&settings).await.unwrap_err().to_string().contains("not Umbel's"));
    assert!(path.exists());

    let Room { settings, _guard } = sqlite();
    let Place::Sqlite(path) = durable(&settings).unwrap() else { unreachable!() };
    init(&settings).await.unwrap();
    for (make, what, remove) in [
        // A word of a comment in the migrations.
        ("CREATE TABLE people (id)", "people", "DROP TABLE people"),
        ("CREATE TABLE position (id)", "position", "DROP TABLE position"),
        ("CREATE VIEW latest AS SELECT 1", "latest", "DROP VIEW latest"),
        ("CREATE TRIGGER audit AFTER DELETE ON claims BEGIN SELECT 1; END", "audit", "DROP TRIGGER audit"),
        (
            "INSERT INTO schema_migrations VALUES (99, 'future', 'x', 0)",
            "99 future",
            "DELETE FROM schema_migrations WHERE number = 99",
        ),
    ] {
        rusqlite::Connection::open(&path).unwrap().execute_batch(make).unwrap();
        let refusal = drop_store(&settings).await.unwrap_err().to_string();
        assert!(refusal.contains(what) && refusal.contains("left untouched"), "{refusal}");
        rusqlite::Connection::open(&path).unwrap().execute_batch(remove).unwrap();
    }
    assert!(drop_store(&settings).await.unwrap());
}

/// In a schema: anything that can be in one, whatever depends on ours from elsewhere, and a newer program's store.
#[tokio::test]
async fn what_is_not_ours_stays_in_its_schema() {
    let Room { settings, _guard } = postgres();
    let client = client(&settings).await;
    let schema = &settings.schema;
    let run = async |sql: &str| client.batch_execute(&sql.replace("{}", schema)).await.unwrap();
    let refusal = async || drop_store(&settings).await.unwrap_err().to_string();
    run("CREATE SCHEMA {}; CREATE TABLE {}.orders (id int)").await;
    assert!(refusal().await.contains("orders"));
    init(&settings).await.unwrap();
    assert!(refusal().await.contains("orders"), "ours is there, too");
    run("DROP TABLE {}.orders").await;
    for (make, what, remove) in [
        (
            "CREATE FUNCTION {}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function {}.mine()",
            "DROP FUNCTION {}.mine()",
        ),
        (
            "CREATE FUNCTION {}.close_spans(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function {}.close_spans",
            "DROP FUNCTION {}.close_spans(text)",
        ),
        ("CREATE TYPE {}.mood AS ENUM ('fine')", "type {}.mood", "DROP TYPE {}.mood"),
        ("CREATE DOMAIN {}.age AS int", "type {}.age", "DROP DOMAIN {}.age"),
        ("CREATE SEQUENCE {}.counter", "sequence {}.counter", "DROP SEQUENCE {}.counter"),
        (
            "CREATE MATERIALIZED VIEW {}.kept AS SELECT 1",
            "materialized view {}.kept",
            "DROP MATERIALIZED VIEW {}.kept",
        ),
        ("CREATE COLLATION {}.words (locale = 'C')", "collation {}.words", "DROP COLLATION {}.words"),
        (
            "CREATE SCHEMA {}_x; CREATE VIEW {}_x.theirs AS SELECT name FROM {}.streams",
            "view {}_x.theirs",
            "DROP SCHEMA {}_x CASCADE",
        ),
        (
            "INSERT INTO {}.schema_migrations VALUES (99, 'future', 'x')",
            "migration 99 future",
            "DELETE FROM {}.schema_migrations WHERE number = 99",
        ),
    ] {
        run(make).await;
        let told = refusal().await;
        assert!(told.contains(&what.replace("{}", schema)) && told.contains("left untouched"), "{told}");
        run(remove).await;
        drop(open_existing(&settings).await.unwrap());
    }
    assert!(drop_store(&settings).await.unwrap());
    assert!(!drop_store(&settings).await.unwrap());
}

/// A password is in no place that is told, wherever in the URL it stands.
#[test]
fn a_place_is_told_without_a_password() {
    for (url, told) in [
        ("postgres://u:s3cret@h:1/d", "h:1/d schema umbel"),
        ("postgres://u@h/d?password=s3cret", "h:5432/d schema umbel"),
        ("postgres://u:p%40s3cret@h/d", "h:5432/d schema umbel"),
        ("sqlite:a.db", "a.db"),
    ] {
        let settings = StoreSettings { url: url.to_owned(), ..StoreSettings::default() };
        assert_eq!(place(&settings).unwrap(), told, "{url}");
    }
    let settings = StoreSettings { url: "postgres://u:p@s3cret@h/d".to_owned(), ..StoreSettings::default() };
    let refusal = format!("{:#}", place(&settings).unwrap_err());
    assert!(refusal.contains("%40") && !refusal.contains("s3cret"), "{refusal}");
}

/// OP-04: tenants of one place are there one by one.
#[tokio::test]
async fn tenants_are_made_listed_and_removed() {
    for Room { settings, _guard } in [sqlite(), postgres()] {
        let tenants = Tenants::at(&settings);
        // Others test on the same server.
        let prefix = format!("t{:x}", std::process::id());
        let [one, two] = ["one", "two"].map(|name| format!("{prefix}_{name}"));
        let listed = async || {
            let names = tenants.list().await.unwrap().into_iter();
            names.filter(|tenant| tenant.name.starts_with(&prefix)).collect::<Vec<_>>()
        };
        assert_eq!(listed().await, []);
        for name in [&two, &one, &one] {
            tenants.create(name).await.unwrap();
        }
        let found = [&one, &two].map(|name| crate::Tenant { name: name.clone(), pending: Some(0) });
        assert_eq!(listed().await, found);
        assert_eq!(tenants.open(&one).await.unwrap().status().await.unwrap().head.get(), 0);
        assert!(tenants.drop(&one).await.unwrap());
        assert!(tenants.open(&one).await.is_err());
        assert_eq!(listed().await, found[1..]);
        assert!(tenants.drop(&two).await.unwrap() && !tenants.drop(&two).await.unwrap());
        for wrong in ["", "A", "../x", "pg_x"] {
            assert!(tenants.create(wrong).await.unwrap_err().to_string().contains("tenant"), "{wrong}");
        }
    }
}

#[tokio::test]
async fn memory_cannot_be_looked_after() {
    let settings = StoreSettings { url: "memory:".into(), ..StoreSettings::default() };
    assert!(init(&settings).await.unwrap_err().to_string().contains("memory:"));
    assert!(Tenants::at(&settings).list().await.is_err());
}
