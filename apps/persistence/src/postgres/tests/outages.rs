//! Connections that die, servers that restart: outcomes become known, and service comes back by itself.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::sync::watch;
use umbel_core::{
    CommandId, EventId, ExpectedVersion, Json, Position, Timestamp, Version,
    store::{
        Append, AppendError, ClaimName, Claims, CommandRecord, LinkError, PerformError, Removal,
        SaveProjection, SaveProjectionError, SaveTables, StoreError,
    },
};
use umbel_testkit::postgres::{CuttingProxy, Server};
use uuid::Uuid;

use super::{
    support::{adapter, append, assert_gapless, client, exact, schema, to, whole_log},
    upkeep::{NOW, delete, link, one_more},
};
use crate::{
    Log, ReadModels, Upkeep,
    postgres::{Postgres, PostgresOptions},
};

/// What a writer under load was told.
#[derive(Default)]
struct Told {
    acknowledged: Vec<EventId>,
    refused: Vec<EventId>,
    unknown: Vec<EventId>,
}

/// Tells nobody of its appends: where the next answer of the server is cut off, it shall be that to an append.
fn silent() -> PostgresOptions {
    PostgresOptions { listen: false, ..PostgresOptions::default() }
}

/// Appends to a stream of its own, version by version, until told to stop; counts what was acknowledged.
async fn load(adapter: Arc<Postgres>, stop: Arc<AtomicBool>, count: watch::Sender<usize>) -> Told {
    let mut told = Told::default();
    let mut version = 0;
    while !stop.load(Ordering::Relaxed) {
        let group =
            vec![to("exact", exact(version)), to("any", ExpectedVersion::Any), to("exact", exact(77_777))];
        let ids: Vec<_> = group.iter().map(|append| append.streams[0].events[0].id).collect();
        let outcomes = adapter.append(group, Timestamp::from_micros(1)).await;
        if let Ok(stored) = &outcomes[0] {
            version = stored.versions[0].get();
        }
        for (id, outcome) in ids.into_iter().zip(outcomes) {
            match outcome {
                Ok(_) => told.acknowledged.push(id),
                Err(AppendError::Store(StoreError::OutcomeUnknown { .. })) => told.unknown.push(id),
                Err(_) => told.refused.push(id),
            }
        }
        count.send_replace(told.acknowledged.len());
        tokio::task::yield_now().await;
    }
    told
}

async fn more_than(count: &mut watch::Receiver<usize>, more: usize) {
    let from = *count.borrow();
    count.wait_for(|count| *count > from + more).await.unwrap();
}

async fn assert_kept_word(adapter: &Postgres, told: &Told) {
    let log = whole_log(adapter).await;
    assert_gapless(&log);
    let mut ids: Vec<_> = log.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an event is there twice");
    let stored = |id: &EventId| ids.binary_search(id).is_ok();
    assert!(told.acknowledged.iter().all(stored), "an acknowledged append is missing");
    assert!(!told.refused.iter().any(stored), "a refused append is there");
    let unknown = told.unknown.iter().filter(|id| stored(id)).count();
    assert_eq!(ids.len(), told.acknowledged.len() + unknown);
}

/// UX-02, OP-06: whenever the writer's connection is cut, each append gets its true outcome and is stored once.
#[tokio::test]
async fn a_cut_connection_loses_and_doubles_nothing() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, mut count) = watch::channel(0);
    let load = tokio::spawn(load(Arc::clone(&adapter), Arc::clone(&stop), sender));
    let client = client(schema.url()).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%append%'";
    for _ in 0..25 {
        more_than(&mut count, 3).await;
        client.execute(cut, &[&schema.name()]).await.unwrap();
    }
    more_than(&mut count, 3).await;
    stop.store(true, Ordering::Relaxed);
    let told = load.await.unwrap();
    assert!(told.unknown.is_empty(), "a server that is there settles everything");
    assert_kept_word(&adapter, &told).await;
}

/// UX-02: the connection dies after the commit and before the answer. The caller gets the original result, and the
/// log holds one copy; also of an append whose expected version alone would not tell it from a second one.
#[tokio::test]
async fn an_answer_lost_on_its_way_is_found_again() {
    let schema = schema();
    let proxy = CuttingProxy::start(schema.url()).unwrap();
    let adapter = Postgres::connect(proxy.url(), schema.name(), silent()).await.unwrap();
    append(&adapter, to("any", ExpectedVersion::Any)).await.unwrap();
    append(&adapter, to("exact", exact(0))).await.unwrap();
    for (name, expected) in [("any", ExpectedVersion::Any), ("exact", exact(1))] {
        proxy.cut();
        let stored = append(&adapter, to(name, expected)).await.unwrap();
        assert!(!proxy.is_about_to_cut(), "the answer was not cut off");
        assert_eq!(stored.versions[0].get(), 2);
    }
    let events = whole_log(&adapter).await;
    assert_eq!(events.len(), 4);
    assert_gapless(&events);
}

/// OP-06: a node that freezes, or is cut off, in the middle of a transaction holds up other writers only until the
/// server ends it, and settles what it was about once it goes on. So it is with a group that was planned under the log's
/// lock, as the first of a writer is, and with one that was not.
#[tokio::test]
async fn a_stalled_writer_does_not_keep_the_log() {
    let schema = schema();
    let other = adapter(&schema).await;
    let options = PostgresOptions { stall_limit: Duration::from_millis(500), ..silent() };
    let proxy = CuttingProxy::start(schema.url()).unwrap();
    let stalling = Postgres::connect(proxy.url(), schema.name(), options).await.unwrap();
    let command = |number: u64| {
        let record = CommandRecord {
            id: CommandId(Uuid::from_u128(number.into())),
            reply: Json::encode("done").unwrap(),
        };
        Append { command: Some(record), ..to("a", ExpectedVersion::Any) }
    };
    for round in 1..=2 {
        proxy.stall();
        let others = async {
            while proxy.is_about_to_stall() {
                tokio::task::yield_now().await;
            }
            append(&other, to("b", ExpectedVersion::Any)).await
        };
        let (stalled, others) = tokio::join!(append(&stalling, command(round)), others);
        assert_eq!(others.unwrap().versions[0].get(), round);
        assert!(stalled.is_ok(), "{stalled:?}");
        // The next one of this writer is planned on what it remembers.
        append(&stalling, to("a", ExpectedVersion::Any)).await.unwrap();
    }
    let events = whole_log(&other).await;
    assert_eq!(events.len(), 6);
    assert_gapless(&events);
}

/// UX-01, UX-02: one append of a group that the database refuses fails alone, also when the group's connection was lost
/// before: by what PostgreSQL cannot hold, and by a unique value that no plan knows of.
#[tokio::test]
async fn a_refused_append_fails_alone_also_after_a_lost_answer() {
    let schema = schema();
    let proxy = CuttingProxy::start(schema.url()).unwrap();
    let adapter = Postgres::connect(proxy.url(), schema.name(), silent()).await.unwrap();
    let guard = "CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'taken' USING ERRCODE = 'unique_violation'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON {schema}.events FOR EACH ROW
            WHEN (NEW.data::text = '\"taken\"') EXECUTE FUNCTION {schema}.refuse()";
    let client = client(schema.url()).await;
    append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
    client.batch_execute(&guard.replace("{schema}", schema.name())).await.unwrap();
    let unholdable = || {
        let take = vec![ClaimName::new("test", "nul\0")];
        let claims = Claims { owner: "b".into(), take, release: Vec::new(), from: None };
        Append { claims, ..to("b", ExpectedVersion::Any) }
    };
    for (refused, says, is_cut) in [
        (unholdable(), "22021", false),
        (unholdable(), "22021", true),
        (to("taken", ExpectedVersion::Any), "23505", false),
        (to("taken", ExpectedVersion::Any), "23505", true),
    ] {
        // The connection is open when it is cut.
        append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
        if is_cut {
            proxy.cut();
        }
        let group = vec![to("a", ExpectedVersion::Any), refused, to("c", ExpectedVersion::Any)];
        let outcomes = adapter.append(group, Timestamp::from_micros(1)).await;
        assert!(!proxy.is_about_to_cut());
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{says} {is_cut}: {outcomes:?}");
        let error = outcomes[1].as_ref().unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        let is_unknown = matches!(error, AppendError::Store(StoreError::OutcomeUnknown { .. }));
        assert_eq!(is_unknown, is_cut, "{error}");
    }
    let events = whole_log(&adapter).await;
    assert_eq!(events.len(), 13);
    assert_gapless(&events);
}

/// OP-06: the server is killed under load and comes back, and so does the store, by itself; what was acknowledged
/// is there once, what was refused is not, and positions have no gaps.
#[tokio::test]
async fn a_killed_server_loses_and_doubles_nothing() {
    let server = Arc::new(Server::start().unwrap());
    let adapter = Postgres::connect(server.url(), "outage", PostgresOptions::default()).await.unwrap();
    let adapter = Arc::new(adapter);
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, mut count) = watch::channel(0);
    let load = tokio::spawn(load(Arc::clone(&adapter), Arc::clone(&stop), sender));
    for _ in 0..2 {
        more_than(&mut count, 20).await;
        let restarted = Arc::clone(&server);
        let restart = move || restarted.kill9().and_then(|()| restarted.start_again());
        tokio::task::spawn_blocking(restart).await.unwrap().unwrap();
    }
    more_than(&mut count, 20).await;
    stop.store(true, Ordering::Relaxed);
    let told = load.await.unwrap();
    assert!(told.unknown.is_empty(), "the server came back within the limit");
    assert_kept_word(&adapter, &told).await;
}

/// OP-06, AP-10: without a server every request gets a typed error, and with it again every request is served.
#[tokio::test]
async fn an_outage_is_a_typed_error_and_ends_by_itself() {
    let server = Server::start().unwrap();
    let options = PostgresOptions { outage_limit: Duration::from_millis(100), ..PostgresOptions::default() };
    let adapter = Postgres::connect(server.url(), "outage", options).await.unwrap();
    let id = one_more(&adapter, "a").await;
    link(&adapter, "list", vec![id]).await.unwrap();
    server.stop().unwrap();
    // The first may have been on its way when the connection went; the second certainly was not.
    append(&adapter, to("a", exact(1))).await.unwrap_err();
    let error = append(&adapter, to("a", exact(1))).await.unwrap_err();
    assert!(matches!(&error, AppendError::Store(StoreError::Unavailable { .. })), "{error}");
    let error = adapter.status().await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { reason } if reason.contains("127.0.0.1")), "{error}");
    let error = link(&adapter, "b", vec![id]).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::Append(AppendError::Store(StoreError::Unavailable { .. }))),
        "{error:?}"
    );
    for removal in [Removal::Soft, Removal::Hard] {
        let error = adapter.perform(delete("a", removal), NOW).await.unwrap_err();
        assert!(matches!(&error, PerformError::Store(StoreError::Unavailable { .. })), "{error:?}");
    }
    server.start_again().unwrap();
    append(&adapter, to("a", exact(1))).await.unwrap();
    assert_eq!(adapter.status().await.unwrap().head.get(), 2);
    assert_eq!(link(&adapter, "b", vec![id]).await, Ok(Version::new(1)));
    assert_eq!(adapter.perform(delete("a", Removal::Soft), NOW).await.unwrap().position.get(), 3);
}

/// UX-02: a group under the lock of another writer that never lets go is given up with a typed error, and nothing
/// of it is stored.
#[tokio::test]
async fn a_group_does_not_wait_for_ever() {
    let schema = schema();
    let options = PostgresOptions {
        group_timeout: Duration::from_millis(100),
        outage_limit: Duration::from_millis(100),
        ..PostgresOptions::default()
    };
    let adapter = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    // It is in a hurry, which a busy machine may be too slow for at first.
    while append(&adapter, to("first", ExpectedVersion::Any)).await.is_err() {}
    let client = client(schema.url()).await;
    let lock = format!("BEGIN; SELECT FROM {}.log FOR UPDATE", schema.name());
    client.batch_execute(&lock).await.unwrap();
    let error = append(&adapter, to("a", exact(0))).await.unwrap_err();
    assert!(matches!(&error, AppendError::Store(StoreError::OutcomeUnknown { .. })), "{error}");
    client.batch_execute("ROLLBACK").await.unwrap();
}

/// OP-06: a role that may not log in any more is an outage that says what to do; once it is let in again, the store serves.
#[tokio::test]
async fn a_role_that_is_not_let_in_is_an_outage() {
    let server = Server::start().unwrap();
    let options = PostgresOptions { outage_limit: Duration::from_millis(100), ..PostgresOptions::default() };
    let adapter = Postgres::connect(server.url(), "shut", options).await.unwrap();
    one_more(&adapter, "a").await;
    let operator = client(&server.superuser_url()).await;
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'umbel'";
    operator.batch_execute("ALTER ROLE umbel NOLOGIN").await.unwrap();
    operator.batch_execute(end_all).await.unwrap();
    // The first may have been on its way when the connection went; the second certainly was not.
    append(&adapter, to("a", exact(1))).await.unwrap_err();
    let error = append(&adapter, to("a", exact(1))).await.unwrap_err();
    assert!(matches!(&error, AppendError::Store(StoreError::Unavailable { .. })), "{error}");
    let error = adapter.status().await.unwrap_err();
    let says = "let the role log in";
    assert!(matches!(&error, StoreError::Unavailable { reason } if reason.contains(says)), "{error}");
    operator.batch_execute("ALTER ROLE umbel LOGIN").await.unwrap();
    while append(&adapter, to("a", exact(1))).await.is_err() {}
    assert_eq!(adapter.status().await.unwrap().head.get(), 2);
}

/// OP-06: a database that takes no connections any more, or is not there for a while, is an outage to a store that was open; once it is
/// back, the store serves. To who begins, one that is not there is an error that says what to do.
#[tokio::test]
async fn a_database_that_lets_nobody_in_is_an_outage() {
    let server = Server::start().unwrap();
    let options = PostgresOptions { outage_limit: Duration::from_millis(100), ..PostgresOptions::default() };
    let adapter = Postgres::connect(server.url(), "shut", options.clone()).await.unwrap();
    one_more(&adapter, "a").await;
    // Not on a connection to the database that it is about.
    let operator = client(&of_database(&server.superuser_url(), "postgres")).await;
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'umbel'";
    let mut stored = 1;
    for (shut, says, open) in [
        (
            "ALTER DATABASE umbel ALLOW_CONNECTIONS false",
            "not currently accepting connections",
            "ALTER DATABASE umbel ALLOW_CONNECTIONS true",
        ),
        ("ALTER DATABASE umbel RENAME TO away", "create the database", "ALTER DATABASE away RENAME TO umbel"),
    ] {
        let is_shut = async || {
            operator.batch_execute(end_all).await.unwrap();
            operator.batch_execute(shut).await.is_ok()
        };
        while !is_shut().await {}
        operator.batch_execute(end_all).await.unwrap();
        // The first may have been on its way when the connection went; the second certainly was not.
        append(&adapter, to("a", exact(stored))).await.unwrap_err();
        let error = append(&adapter, to("a", exact(stored))).await.unwrap_err();
        assert!(matches!(&error, AppendError::Store(StoreError::Unavailable { .. })), "{error}");
        let error = adapter.status().await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable { reason } if reason.contains(says)), "{error}");
        operator.batch_execute(open).await.unwrap();
        while append(&adapter, to("a", exact(stored))).await.is_err() {}
        stored += 1;
        assert_eq!(adapter.status().await.unwrap().head.get(), stored);
    }
    let nowhere = of_database(server.url(), "nowhere");
    let error = Postgres::connect(&nowhere, "shut", options).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Failed { reason } if reason.contains("create the database")),
        "{error}"
    );
}

/// The same URL for another database.
fn of_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// The URL with further hosts before its own.
fn behind(url: &str, hosts: &[String]) -> String {
    let (user, place) = url.split_once('@').unwrap();
    format!("{user}@{},{place}", hosts.join(","))
}

/// The host and port of a server.
fn host(server: &Server) -> String {
    let (_, place) = server.url().split_once('@').unwrap();
    place.split(['/', '?']).next().unwrap().to_owned()
}

/// UX-19: given several hosts, when one refuses, another hangs and a third is no longer the primary, then the log is written and read at
/// the one that takes writes.
#[tokio::test]
async fn of_several_hosts_the_one_that_takes_writes_is_found() {
    let (demoted, primary) = (Server::start().unwrap(), Server::start().unwrap());
    demote(&demoted).await;
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let refuses = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hosts = [refuses.to_string(), hangs.local_addr().unwrap().to_string(), host(&demoted)];
    let options = PostgresOptions { connect_timeout: Duration::from_secs(8), ..PostgresOptions::default() };
    let adapter = Postgres::connect(&behind(primary.url(), &hosts), "several", options).await.unwrap();
    let id = one_more(&adapter, "s").await;
    assert_eq!(whole_log(&adapter).await.iter().map(|event| event.id).collect::<Vec<_>>(), [id]);
    let there = Postgres::connect(primary.url(), "several", PostgresOptions::default()).await.unwrap();
    assert_eq!(whole_log(&there).await.len(), 1);
}

/// Makes a server take no writes any more, as one that has become a standby; who is connected stays so.
async fn demote(server: &Server) {
    let operator = client(&server.superuser_url()).await;
    operator.batch_execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    operator.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

/// OP-20: whoever is told that the server takes no writes any more is a reader, a writer or a projection with tables: whichever it is, what
/// is read and written next is at the one that does, on connections that were open before, too.
#[tokio::test]
async fn after_a_fail_over_no_connection_to_the_old_primary_is_used() {
    let options = || PostgresOptions { max_connections: 3, ..silent() };
    for by_tables in [false, true] {
        let (old, new) = (Server::start().unwrap(), Server::start().unwrap());
        let there = Postgres::connect(new.url(), "moved", options()).await.unwrap();
        one_more(&there, "only-there").await;
        let url = behind(new.url(), &[host(&old)]);
        let adapter = Postgres::connect(&url, "moved", options()).await.unwrap();
        // Each opens a connection to the old one.
        let heads = tokio::join!(adapter.status(), adapter.status(), adapter.status());
        assert!([heads.0, heads.1, heads.2].iter().all(|status| status.as_ref().unwrap().head.get() == 0));
        demote(&old).await;
        while told_to_go(&adapter, by_tables).await {}
        let heads = tokio::join!(adapter.status(), adapter.status(), adapter.status());
        assert!([heads.0, heads.1, heads.2].iter().all(|status| status.as_ref().unwrap().head.get() == 1));
    }
}

/// Whether a write of a pooled connection came to anything; if not, because the server takes none.
async fn told_to_go(adapter: &Postgres, by_tables: bool) -> bool {
    let save = SaveProjection {
        projection: "test.none/1".into(),
        expected: Position::START,
        position: Position::new(1),
        clear: Vec::new(),
        writes: Vec::new(),
    };
    let saved = if by_tables {
        adapter.save_tables(SaveTables { save, statements: Vec::new() }).await
    } else {
        adapter.save_projection(save).await
    };
    match saved {
        Err(SaveProjectionError::Store(StoreError::Unavailable { reason })) => {
            assert!(reason.contains("25006"), "{reason}");
            false
        }
        _ => true,
    }
}

/// OP-19: while a server is away, however many ask, it is asked for now and then; what is asked is answered with an error.
#[tokio::test]
async fn a_server_that_is_away_is_not_stormed() {
    let server = Server::start().unwrap();
    let options = PostgresOptions { max_connections: 2, ..silent() };
    let adapter = Postgres::connect(server.url(), "away", options).await.unwrap();
    server.stop().unwrap();
    let stand_in = tokio::net::TcpListener::bind(host(&server)).await.unwrap();
    let attempts = async {
        let begun = Instant::now();
        for _ in 0..10 {
            drop(stand_in.accept().await.unwrap());
        }
        begun.elapsed()
    };
    let asking = async || while adapter.status().await.is_err() {};
    let appending = async || while append(&adapter, to("a", ExpectedVersion::Any)).await.is_err() {};
    let took = tokio::select! {
        took = attempts => took,
        () = async { tokio::join!(asking(), asking(), asking(), asking(), appending()); } => unreachable!(),
    };
    // Three were made at once.
    assert!(took > Duration::from_secs(1), "{took:?}");
    drop(stand_in);
    server.start_again().unwrap();
    append(&adapter, to("a", ExpectedVersion::Any)).await.unwrap();
    adapter.status().await.unwrap();
}

/// OP-19: while a server is away, refusing or silent, those who find no room in the pool are told so as soon as those who have it are, in
/// the same words; nobody is told that connections are busy.
#[tokio::test]
async fn who_waits_for_a_connection_is_told_that_the_server_is_away() {
    const ASKING: usize = 40;
    let server = Server::start().unwrap();
    let connect_timeout = Duration::from_millis(500);
    let options = PostgresOptions { max_connections: 2, connect_timeout, ..silent() };
    let adapter = Postgres::connect(server.url(), "away", options).await.unwrap();
    adapter.status().await.unwrap();
    server.stop().unwrap();
    for (is_silent, says) in [(false, "refused"), (true, "no answer within 500ms")] {
        let stand_in = if is_silent { Some(TcpListener::bind(host(&server)).unwrap()) } else { None };
        // The last attempt was of another kind.
        adapter.status().await.unwrap_err();
        let begun = Instant::now();
        for told in join_all((0..ASKING).map(|_| adapter.status())).await {
            let error = told.unwrap_err();
            assert!(matches!(&error, StoreError::Unavailable { reason } if reason.contains(says)), "{error}");
        }
        // Far sooner than by two at a time.
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        drop(stand_in);
    }
    server.start_again().unwrap();
    while adapter.status().await.is_err() {}
    for served in join_all((0..ASKING).map(|_| adapter.status())).await {
        served.unwrap();
    }
}
