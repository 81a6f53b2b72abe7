//! Tenants in one process: they share connections, and nothing else.

mod news;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Builder,
    sync::{oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_postgres::{Client, NoTls};
use umbel_bus::{Bus, BusSettings};
use umbel_core::{
    ExpectedVersion, Json, Position, StreamName, Timestamp,
    document::{Direction, DocumentKey, DocumentWrite},
    store::{
        Append, LinkEvents, OpenProjection, Phase, ReadAll, SaveProjection, SaveProjectionError, Selector,
        SwitchProjection,
    },
};
use umbel_supervision::{Group, Policy, Roster, Supervisor};
use umbel_testkit::{
    conformance::Events,
    postgres::{TestPostgres, TestSchema},
};

use super::*;

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it does not end")
}

/// Tenants on the tests' server, told from everybody else's by the name of their application.
struct Place {
    tenants: Tenants,
    schemas: Vec<TestSchema>,
    application: String,
    observer: Client,
}

impl Place {
    async fn with(count: usize, max_connections: usize) -> Self {
        let server = TestPostgres::get().unwrap();
        let schemas: Vec<_> = (0..count).map(|_| server.fresh_schema()).collect();
        let application = format!("app_{}", schemas[0].name());
        let separator = if server.url().contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}application_name={application}", server.url());
        let tenants = Tenants::at(&StoreSettings { url, max_connections, ..StoreSettings::default() });
        for schema in &schemas {
            tenants.create(schema.name()).await.unwrap();
        }
        let (observer, connection) = tokio_postgres::connect(server.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { tenants, schemas, application, observer }
    }

    async fn open(&self, number: usize) -> Arc<dyn Adapter> {
        self.tenants.open(self.schemas[number].name()).await.unwrap()
    }

    /// The server's processes that serve these tenants.
    async fn backends(&self) -> i64 {
        self.backends_of(&self.application).await
    }

    async fn backends_of(&self, application: &str) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        self.observer.query_one(sql, &[&application]).await.unwrap().get(0)
    }

    /// Those that listen call themselves so.
    async fn until_listeners(&self, count: i64) {
        let application = format!("{} listener", self.application);
        soon(async { while self.backends_of(&application).await != count {} }).await;
    }

    async fn until_backends(&self, enough: impl Fn(i64) -> bool) {
        soon(async { while !enough(self.backends().await) {} }).await;
    }

    async fn until_one_waits_for_a_lock(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE application_name = $1 AND wait_event_type = 'Lock'";
        let waiting =
            async || self.observer.query_one(sql, &[&self.application]).await.unwrap().get::<_, i64>(0);
        soon(async { while waiting().await == 0 {} }).await;
    }
}

/// Links the first event of an append, which takes a connection of its own.
fn link(append: &Append) -> LinkEvents {
    let events = vec![append.streams[0].events[0].id];
    LinkEvents { stream: StreamName::of("linked", "s").unwrap(), expected: ExpectedVersion::Any, events }
}

fn whole() -> ReadAll {
    ReadAll { from: None, direction: Direction::Forward, limit: 1000, selector: Selector::all() }
}

fn save(projection: &str, from: u64) -> SaveProjection {
    SaveProjection {
        projection: projection.into(),
        expected: Position::new(from),
        position: Position::new(from + 1),
        clear: Vec::new(),
        writes: Vec::new(),
    }
}

async fn append(store: &dyn Adapter, append: Append) {
    store.append(vec![append], Timestamp::from_micros(1)).await.pop().unwrap().unwrap();
}

/// Writes to a store without a pause until told to stop; how often it did.
async fn write(store: Arc<dyn Adapter>, stop: Arc<AtomicBool>, rounds: watch::Sender<u64>) -> u64 {
    let events = Events::default();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        append(&*store, events.append("s", ExpectedVersion::Any, 1)).await;
        store.save_projection(save("test.one/1", round)).await.unwrap();
        round += 1;
        rounds.send_replace(round);
    }
    round
}

async fn read(store: Arc<dyn Adapter>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        store.read_all(whole()).await.unwrap();
        store.load_checkpoint("test.one/1".into()).await.unwrap();
    }
}

/// OP-05: three tenants that are read and written at once take the pool's connections, however many of them there are, and
/// one each to write; one that stops takes nothing from the others.
#[tokio::test]
async fn tenants_share_one_pool() {
    const POOL: usize = 2;
    let place = Place::with(3, POOL).await;
    let mut stores = Vec::new();
    for number in 0..3 {
        stores.push(place.open(number).await);
    }
    place.until_backends(|count| count == 0).await;

    let stops: Vec<_> = stores.iter().map(|_| Arc::new(AtomicBool::new(false))).collect();
    let (mut writers, mut readers, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
    for (store, stop) in stores.iter().zip(&stops) {
        let (sender, round) = watch::channel(0);
        writers.push(tokio::spawn(write(Arc::clone(store), Arc::clone(stop), sender)));
        rounds.push(round);
        for _ in 0..3 {
            readers.push(tokio::spawn(read(Arc::clone(store), Arc::clone(stop))));
        }
    }
    let mut most = 0;
    let more = async |rounds: &mut watch::Receiver<u64>| {
        let from = *rounds.borrow();
        soon(rounds.wait_for(|round| *round > from + 30)).await.unwrap();
    };
    for round in &mut rounds {
        let (mut more, mut done) = (std::pin::pin!(more(round)), false);
        while !done {
            most = most.max(place.backends().await);
            done = tokio::select! { biased; () = &mut more => true, () = std::future::ready(()) => false };
        }
    }
    assert_eq!(most, i64::try_from(POOL + 3).unwrap());

    // One stops in the middle of it.
    stops[0].store(true, Ordering::Relaxed);
    let mut kept = vec![writers.remove(0).await.unwrap()];
    for reader in readers.drain(..3) {
        reader.await.unwrap();
    }
    stores.remove(0);
    place.until_backends(|count| count == most - 1).await;
    for round in &mut rounds[1..] {
        more(round).await;
    }
    for stop in &stops {
        stop.store(true, Ordering::Relaxed);
    }
    for task in writers {
        kept.push(task.await.unwrap());
    }
    for task in readers {
        task.await.unwrap();
    }
    stores.insert(0, place.open(0).await);
    for (store, kept) in stores.iter().zip(kept) {
        assert_eq!(store.status().await.unwrap().head.get(), kept, "each holds what was written to it alone");
        assert_eq!(store.load_checkpoint("test.one/1".into()).await.unwrap().get(), kept);
    }
}

/// OP-05: given tenants that are idle, then their connections for writing are closed, those of acts too, while another one writes, and
/// opened again when they are needed.
#[tokio::test]
async fn an_idle_tenant_gives_up_its_connections_for_writing() {
    const POOL: usize = 1;
    let mut place = Place::with(3, POOL).await;
    place.tenants = Tenants::at(&StoreSettings { writer_idle_ms: 30, ..place.tenants.settings.clone() });
    let (mut stores, mut attending) = (Vec::new(), JoinSet::new());
    for number in 0..3 {
        let store = place.open(number).await;
        let attended = Arc::clone(&store);
        attending.spawn(async move { attended.attend().await });
        stores.push(store);
    }
    let (busy, idle) = stores.split_first().unwrap();
    let events = Events::default();
    for _ in 0..3 {
        for store in idle {
            let one = events.append("s", ExpectedVersion::Any, 1);
            let request = link(&one);
            append(&**store, one).await;
            store.link(request, Timestamp::from_micros(1)).await.unwrap();
        }
        // The pool's, perhaps, and the one that writes.
        let most = i64::try_from(POOL + 1).unwrap();
        soon(async {
            while place.backends().await > most {
                append(&**busy, events.append("s", ExpectedVersion::Any, 1)).await;
            }
        })
        .await;
    }
    place.until_backends(|count| count <= i64::try_from(POOL).unwrap()).await;
}

/// OP-05, OP-16: tenants at work in one process take the pool's connections, one to hear of others, and two each at most: to write and for
/// links; one that is stopped gives back all of its own, and the others keep theirs.
#[test]
fn a_tenant_that_is_stopped_gives_back_its_connections() {
    actix::System::new().block_on(soon(async {
        const POOL: i64 = 1;
        let (place, events) = (Place::with(3, 1).await, Events::default());
        let policy = Policy::default();
        let roster = Roster::new("tenants", policy.clone());
        let supervisor = Supervisor::start(Group::new("test", policy.clone()).child(roster.clone()));
        let (mut buses, mut followers) = (Vec::new(), Vec::new());
        for schema in &place.schemas {
            let bus = Bus::new(BusSettings::default());
            let settings = place.tenants.settings(schema.name()).unwrap();
            let tenant = Group::new(schema.name(), policy.clone()).child(umbel_bus::worker(&bus));
            roster.add(tenant.child(crate::group(&settings, &bus, policy.clone()))).unwrap();
            roster.tree(schema.name()).await.unwrap().wait_until_up(SOON).await.unwrap();
            followers.push(bus.head());
            let one = events.append("s", ExpectedVersion::Any, 1);
            let request = link(&one);
            bus.store().append(one).await.unwrap();
            bus.store().link(request).await.unwrap();
            buses.push(bus);
        }
        place.until_listeners(1).await;
        assert!((6..=6 + POOL).contains(&place.backends().await));

        roster.remove(place.schemas[0].name()).await.unwrap();
        place.until_backends(|count| (4..=4 + POOL).contains(&count)).await;
        for bus in &buses[1..] {
            bus.store().append(events.append("t", ExpectedVersion::Any, 1)).await.unwrap();
        }
        place.until_listeners(1).await;
        supervisor.shut_down().await;
        place.until_listeners(0).await;
    }));
}

/// OP-05: the runtime that a store works on, and that opened a connection of the pool, ends while another store is waiting
/// for an answer: it gets it. Whether the connection was opened before the pool was shared, or after.
#[tokio::test]
async fn a_store_that_ends_takes_no_connection_along() {
    for alone_at_first in [true, false] {
        let place = Place::with(2, 1).await;
        let early = if alone_at_first { None } else { Some(place.open(1).await) };

        let (tenants, name) = (place.tenants.clone(), place.schemas[0].name().to_owned());
        let (ready, is_ready) = oneshot::channel();
        let (end, is_to_end) = oneshot::channel::<()>();
        let going = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let store = tenants.open(&name).await.unwrap();
                store.status().await.unwrap();
                ready.send(()).unwrap();
                // Drives what it opened until then.
                is_to_end.await.unwrap();
            });
        });
        soon(is_ready).await.unwrap();

        let staying = if let Some(store) = early { store } else { place.open(1).await };
        let lock = format!("BEGIN; LOCK TABLE {}.checkpoints", place.schemas[1].name());
        let (holder, connection) =
            tokio_postgres::connect(TestPostgres::get().unwrap().url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        holder.batch_execute(&lock).await.unwrap();
        let saver = Arc::clone(&staying);
        let saving = tokio::spawn(async move { saver.save_projection(save("test.one/1", 0)).await });
        place.until_one_waits_for_a_lock().await;
        end.send(()).unwrap();
        tokio::task::spawn_blocking(move || going.join().unwrap()).await.unwrap();
        holder.batch_execute("COMMIT").await.unwrap();
        assert_eq!(soon(saving).await.unwrap(), Ok(()), "alone at first: {alone_at_first}");
        assert_eq!(staying.load_checkpoint("test.one/1".into()).await.unwrap().get(), 1);
    }
}

/// PJ-04: one projection in two tenants has its checkpoint and its documents in the schema of each, and what is built anew in one, or taken
/// into service, changes nothing in the other.
#[tokio::test]
async fn a_projection_stands_in_each_tenant_for_itself() {
    let place = Place::with(2, 2).await;
    let (one, other) = (place.open(0).await, place.open(1).await);
    let open = |version| OpenProjection {
        projection: "test.list".into(),
        version,
        collections: vec!["test.items".into()],
        indexes: Vec::new(),
        inline: Vec::new(),
    };
    let write = |checkpoint: &str, body: &str| {
        let body = Some(Json::parse(format!("{{\"by\":\"{body}\"}}")).unwrap());
        let (collection, key) = ("test.items".to_owned(), "k".to_owned());
        SaveProjection {
            writes: vec![DocumentWrite { collection, key, body, entries: Vec::new() }],
            ..save(checkpoint, 0)
        }
    };
    let events = Events::default();
    for store in [&one, &other] {
        append(&**store, events.append("s", ExpectedVersion::Any, 3)).await;
        store.open_projection(open(1)).await.unwrap();
        store.save_projection(write("test.list/1", "first")).await.unwrap();
    }
    one.open_projection(open(2)).await.unwrap();
    one.save_projection(write("test.list/2", "second")).await.unwrap();
    let (checkpoint, expected) = ("test.list/2".to_owned(), Position::new(1));
    one.switch_projection(SwitchProjection { checkpoint, expected }).await.unwrap();

    let read = async |store: &Arc<dyn Adapter>| {
        let keys = vec![DocumentKey { collection: "test.items", key: "k".into() }];
        store.get_documents(keys).await.unwrap().remove(0).unwrap().as_str().to_owned()
    };
    assert_eq!(read(&one).await, r#"{"by":"second"}"#);
    assert_eq!(read(&other).await, r#"{"by":"first"}"#);
    let retired = one.save_projection(save("test.list/1", 1)).await;
    assert_eq!(retired, Err(SaveProjectionError::Retired));
    assert_eq!(other.save_projection(save("test.list/1", 1)).await, Ok(()));
    let kept = other.open_projection(open(1)).await.unwrap();
    assert_eq!((kept.len(), kept[0].phase, kept[0].position), (1, Phase::Serving, Position::new(2)));
    for (number, expected) in
        [(0, "1 test.list/1 retired, 1 test.list/2 serving"), (1, "2 test.list/1 serving")]
    {
        let sql = format!(
            "SELECT string_agg(format('%s %s %s', position, projection, phase), ', ' ORDER BY version) FROM {}.checkpoints",
            place.schemas[number].name()
        );
        assert_eq!(place.observer.query_one(&sql, &[]).await.unwrap().get::<_, String>(0), expected);
    }
}
