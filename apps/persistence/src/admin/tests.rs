//! Stores made, looked at and removed, beside those that are in use, and beside what is not ours.

use std::{fs, time::Duration};

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::{sync::oneshot, time::timeout};
use umbel_core::{
    EventId, Json, Subject,
    store::{
        Append, ClaimName, Claims, KeepNotices, KeptNotice, Listener, OutboxEntry, Process, ReadOutbox,
        SaveProjection, Snapshot, State, TellProcess,
    },
    subscription::NodeId,
};
use umbel_testkit::{
    conformance::{Events, Item, command, exact, items, position, stream, version},
    postgres::{TestPostgres, TestSchema},
};

use uuid::Uuid;

use super::*;
use crate::{Adapter, SubjectKey, Tenants, open_existing};

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

/// OP-01: a store over which a process runs stays, until that has taken its word back.
#[tokio::test]
async fn a_store_in_use_is_not_removed() {
    let Room { settings, _guard } = postgres();
    let store = open(&settings).await.unwrap();
    let word = |listeners: Vec<_>| {
        let process = Process { listeners, ..Process::silent(NodeId(Uuid::from_u128(1))) };
        TellProcess { process, lease_ms: 60_000 }
    };
    let listener = Listener { name: "shelf.books".into(), events: vec!["book.placed".into()] };
    store.tell_process(word(vec![listener]), umbel_bus::edge::now()).await.unwrap();
    let refusal = drop_store(&settings).await.unwrap_err().to_string();
    assert!(refusal.contains("in use by other processes (1)"), "{refusal}");
    assert_eq!(store.status().await.unwrap().head.get(), 0);
    store.tell_process(word(Vec::new()), umbel_bus::edge::now()).await.unwrap();
    assert!(drop_store(&settings).await.unwrap());
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
        ("sqlite:/srv/a.db", "/srv/a.db"),
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
        let found =
            [&one, &two].map(|name| crate::Tenant { name: name.clone(), pending: Some(0), error: None });
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

/// OP-22: with SQLite, a file that cannot be read may be a tenant, and why it cannot be used is told; a database of another program is none.
#[tokio::test]
async fn a_file_that_cannot_be_read_may_be_a_tenant() {
    let Room { settings, _guard } = sqlite();
    let tenants = Tenants::at(&settings);
    tenants.create("hurt").await.unwrap();
    let file = |name: &str| match durable(&tenants.settings(name).unwrap()).unwrap() {
        Place::Sqlite(path) => path,
        Place::Postgres(url) => panic!("{url}"),
    };
    // Who made it may not have closed it yet, and would write what is missing from it.
    let log = file("hurt").with_extension("db-wal");
    while log.exists() {
        tokio::task::yield_now().await;
    }
    let mut bytes = fs::read(file("hurt")).unwrap();
    bytes[..100].fill(0);
    fs::write(file("hurt"), bytes).unwrap();
    let foreign = rusqlite::Connection::open(file("foreign")).unwrap();
    foreign.execute_batch("CREATE TABLE diary (day TEXT)").unwrap();
    let listed = tenants.list().await.unwrap();
    let [hurt] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&*hurt.name, hurt.pending), ("hurt", None));
    assert!(hurt.error.as_ref().unwrap().contains("not a healthy SQLite database"), "{hurt:?}");
}

/// OP-04: the configured store is no tenant, whatever is asked of it by that name, and stays as it is.
#[tokio::test]
async fn the_configured_store_is_no_tenant() {
    for Room { settings, _guard } in [sqlite(), postgres()] {
        let tenants = Tenants::at(&settings);
        let name = if settings.url.starts_with("postgres") { &*settings.schema } else { "umbel" };
        init(&settings).await.unwrap();
        assert!(tenants.list().await.unwrap().iter().all(|tenant| tenant.name != name));
        for refused in [
            tenants.create(name).await.map(drop),
            tenants.migrate(name).await.map(drop),
            tenants.open(name).await.map(drop),
            tenants.drop(name).await.map(drop),
        ] {
            assert!(refused.unwrap_err().to_string().contains("is the configured store"));
        }
        works(&*open_existing(&settings).await.unwrap()).await;
    }
}

/// OP-26: a copy that a backup has put beside a store is no tenant, also once it was looked at. It is one again when it is put in the place
/// of one, under its name too, or made one where it lies.
#[tokio::test]
async fn a_copy_is_no_tenant_where_it_was_made() {
    let Room { settings, _guard } = sqlite();
    let tenants = Tenants::at(&settings);
    let names = async || {
        let listed = tenants.list().await.unwrap();
        assert!(listed.iter().all(|tenant| tenant.pending == Some(0)), "{listed:?}");
        listed.into_iter().map(|tenant| tenant.name).collect::<Vec<_>>()
    };
    let file = |name: &str| match durable(&tenants.settings(name).unwrap()).unwrap() {
        Place::Sqlite(path) => path,
        Place::Postgres(url) => panic!("{url}"),
    };
    tenants.create("acme").await.unwrap();
    let acme = tenants.settings("acme").unwrap();
    let away = file("acme").with_file_name("away");
    fs::create_dir(&away).unwrap();
    for to in [file("kept"), file("spare"), away.join("globex.db")] {
        backup(&acme, to).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(names().await, ["acme"]);
        for refused in [tenants.migrate("kept").await.map(drop), tenants.drop("kept").await.map(drop)] {
            assert!(refused.unwrap_err().to_string().contains("is a copy"));
        }
        drop(tenants.open("kept").await.unwrap());
    }

    assert!(tenants.drop("acme").await.unwrap());
    fs::rename(file("kept"), file("acme")).unwrap();
    fs::rename(away.join("globex.db"), file("globex")).unwrap();
    assert_eq!(names().await, ["acme", "globex"]);
    assert_eq!(tenants.create("spare").await.unwrap(), [], "it is up to date");
    assert_eq!(names().await, ["acme", "globex", "spare"]);
    for name in ["acme", "globex", "spare"] {
        assert_eq!(tenants.migrate(name).await.unwrap(), []);
        works(&*tenants.open(name).await.unwrap()).await;
        assert!(tenants.drop(name).await.unwrap());
    }
}

/// What a tenant is for: it takes an event and gives it back.
async fn works(tenant: &dyn Adapter) {
    let events = Events::default();
    let version = tenant.stream_info(stream("s")).await.map_or(0, |info| info.version.get());
    let mut append = events.append("s", exact(version), 1);
    append.streams[0].events[0].id = EventId(umbel_bus::edge::fresh_id());
    let stored = tenant.append(vec![append], umbel_bus::edge::now()).await.remove(0).unwrap();
    assert_eq!(stored.last_position, Some(position(version + 1)), "nobody else's events are in between");
    assert_eq!(tenant.status().await.unwrap().head, position(version + 1));
}

/// OP-05: given tenants of one place, of which one stops, together with the thread that drove it and the connections it
/// opened, the others keep working. On PostgreSQL they read over one pool, and all together open no more connections for
/// that than it may have.
#[tokio::test]
async fn tenants_outlive_each_other_over_one_pool() {
    for Room { mut settings, _guard } in [sqlite(), postgres()] {
        let on_a_server = settings.url.starts_with("postgres");
        let name = settings.schema.clone();
        if on_a_server {
            settings.url = format!("{}?application_name={name}", settings.url);
            settings.max_connections = 2;
        }
        let tenants = Tenants::at(&settings);
        let names = ["one", "two", "three"].map(|tenant| format!("t_{name}_{tenant}"));
        for name in &names {
            tenants.create(name).await.unwrap();
        }
        let (one, first) = (names[0].clone(), tenants.clone());
        let ((told, running), (stop, stopped)) = (oneshot::channel(), oneshot::channel::<()>());
        let first = std::thread::spawn(move || {
            umbel_testkit::conformance::run(async move {
                let opened = first.open(&one).await.unwrap();
                assert!(join_all((0..9).map(|_| opened.status())).await.iter().all(Result::is_ok));
                works(&*opened).await;
                told.send(()).unwrap();
                stopped.await.unwrap();
            });
        });
        running.await.unwrap();
        let staying = [tenants.open(&names[1]).await.unwrap(), tenants.open(&names[2]).await.unwrap()];
        let reads = staying.iter().cycle().take(20).map(|tenant| tenant.status());
        assert!(join_all(reads).await.iter().all(Result::is_ok));
        if on_a_server {
            let client = client(&settings).await;
            // But this one, and the writer of the first. Each was looked at over a connection that may take a moment
            // to close.
            let count = "SELECT count(*) - 2 FROM pg_stat_activity WHERE application_name = $1";
            let few =
                async { while client.query_one(count, &[&name]).await.unwrap().get::<_, i64>(0) > 2 {} };
            timeout(Duration::from_secs(10), few).await.expect("there is more than one pool");
        }
        stop.send(()).unwrap();
        first.join().unwrap();
        for _ in 0..3 {
            join_all(staying.iter().map(|tenant| works(&**tenant))).await;
        }
        drop(staying);
        for name in &names {
            assert!(tenants.drop(name).await.unwrap());
        }
    }
}

/// OP-04: given two tenants, no event, claim, command, piece of work, snapshot, document, checkpoint, notice or key of
/// one is the other's, and whoever locks one's log holds up nobody in the other's.
#[tokio::test]
async fn nothing_crosses_between_tenants() {
    for Room { settings, _guard } in [sqlite(), postgres()] {
        let tenants = Tenants::at(&settings);
        let [one, other] = ["one", "other"].map(|name| format!("x_{}_{name}", std::process::id()));
        for name in [&one, &other] {
            tenants.create(name).await.unwrap();
        }
        let stores = [tenants.open(&one).await.unwrap(), tenants.open(&other).await.unwrap()];
        for (number, store) in (1..).zip(&stores) {
            // Each time as if there were no other.
            assert_eq!(store.status().await.unwrap().head, position(0));
            fill(&**store, &format!("{number}")).await;
        }
        let lock = tenants.settings(&one).unwrap();
        match durable(&lock).unwrap() {
            Place::Postgres(_) => {
                let client = client(&lock).await;
                let sql = format!("BEGIN; SELECT FROM {one}.log FOR UPDATE");
                client.batch_execute(&sql).await.unwrap();
                works(&*stores[1]).await;
            }
            Place::Sqlite(path) => {
                let raw = rusqlite::Connection::open(path).unwrap();
                raw.execute_batch("BEGIN IMMEDIATE").unwrap();
                works(&*stores[1]).await;
            }
        }
        assert_eq!(stores[0].status().await.unwrap().head, position(1));
        drop(stores);
        for name in [&one, &other] {
            tenants.drop(name).await.unwrap();
        }
    }
}

/// Puts something of everything into an empty store, always under the same names; `what` is what differs.
async fn fill(store: &dyn Adapter, what: &str) {
    let now = umbel_bus::edge::now();
    let json = Json::encode(&what).unwrap();
    let take = vec![ClaimName::new("test.name", "ada")];
    let id = Uuid::from_u128(1);
    let work = OutboxEntry { id, queue: "work".into(), body: json.clone(), due_at: None };
    let full = Append {
        claims: Claims { owner: what.into(), take, release: Vec::new(), from: None },
        command: Some(command(1, json.as_str())),
        outbox: vec![work],
        ..Events::default().append("s", exact(0), 1)
    };
    let stored = store.append(vec![full], now).await.remove(0).unwrap();
    assert_eq!((stored.last_position, stored.repeated), (Some(position(1)), None));
    let work = ReadOutbox { queue: "work".into(), after: 0, limit: 9 };
    assert_eq!(store.read_outbox(work).await.unwrap()[0].entry.body, json);

    assert_eq!(store.load_snapshot(stream("s")).await, Ok(None));
    let snapshot = Snapshot::of(stream("s"), version(1), &Kept(what.into()), now).unwrap();
    assert_eq!(store.save_snapshot(snapshot).await, Ok(true));

    let item = Item { group: what.into(), rank: None, tags: Vec::new() };
    let save = SaveProjection {
        projection: "test.items/1".into(),
        expected: position(0),
        position: position(1),
        clear: Vec::new(),
        writes: items([("k", Some(item))]),
    };
    assert_eq!(store.save_projection(save).await, Ok(()));

    let notice = KeptNotice {
        id: Uuid::from_u128(1),
        topic: "test".into(),
        transaction_id: None,
        source: None,
        initialized_at: None,
        occurred_at: now,
        expires_at: None,
        data: json,
    };
    assert_eq!(store.keep_notices(KeepNotices { notices: vec![notice] }).await, Ok(1));

    let key = [what.as_bytes()[0]; 32];
    let keys = store.create_subject_keys(vec![(Subject::new("ada").unwrap(), key)], now).await.unwrap();
    assert!(matches!(keys[..], [SubjectKey::Known(known)] if known == key), "{keys:?}");
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Kept(String);

impl State for Kept {
    const NAME: &'static str = "test.kept";
    const SCHEMA: u32 = 1;
}

#[tokio::test]
async fn memory_cannot_be_looked_after() {
    let settings = StoreSettings { url: "memory:".into(), ..StoreSettings::default() };
    assert!(init(&settings).await.unwrap_err().to_string().contains("memory:"));
    assert!(Tenants::at(&settings).list().await.is_err());
}
