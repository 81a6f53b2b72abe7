//! The store as a branch of the supervision tree: one database, a writer, a reader, and who removes what has expired.

use std::{fs::File, sync::Arc, time::Duration};

use actix::Actor;
use anyhow::Context as _;
use tokio::sync::OnceCell;
use umbel_bus::{Bus, RouteSet};
use umbel_core::store::Append;
use umbel_supervision::{Group, Incurable, Policy, Worker, WorkerContext};

use crate::{
    adapter::Adapter,
    memory::Memory,
    postgres::{Postgres, PostgresOptions},
    processes,
    reader::Reader,
    settings::{StoreSettings, StoreUrl},
    sqlite::{self, Sqlite},
    sweeper::sweep,
    vault::Vault,
    went_back::WentBack,
    writer::Writer,
};

/// The database, opened by whoever comes first and kept over restarts of the actors: they hold no data, it does.
type Shared = Arc<OnceCell<Opened>>;

struct Opened {
    /// The one in front of the database, which learns of every subject that this process forgets.
    vault: Arc<Vault>,
    went_back: Arc<WentBack>,
    /// That an umbrella runs over it, where others are to learn of that.
    _mark: Option<File>,
}

impl Opened {
    fn new(vault: Arc<Vault>, mark: Option<File>) -> Self {
        Self { vault, went_back: Arc::default(), _mark: mark }
    }

    fn handles(&self) -> (Arc<Vault>, Arc<WentBack>) {
        (Arc::clone(&self.vault), Arc::clone(&self.went_back))
    }
}

/// Opens the database that the settings name, and migrates it if need be. On PostgreSQL, stores of one URL that are opened
/// with the same settings share their connections for reading, whichever of them ends first.
///
/// # Errors
/// When the address is wrong, the database cannot be reached, or what it holds is damaged or newer than this
/// program.
pub async fn open(settings: &StoreSettings) -> anyhow::Result<Arc<dyn Adapter>> {
    Ok(match settings.url.parse()? {
        StoreUrl::Memory => Arc::new(Memory::new().with_page_max_bytes(settings.page_max_bytes)),
        StoreUrl::Sqlite(path) => {
            let opened = tokio::task::spawn_blocking(move || Sqlite::open(&path)).await?;
            Arc::new(with_bounds(opened?, settings))
        }
        StoreUrl::Postgres(url) => {
            let options = postgres_options(settings);
            Arc::new(Postgres::connect_sharing(&url, &settings.schema, &options, true).await?)
        }
    })
}

/// Opens the database that the settings name for looking at it: creates nothing, migrates nothing. A role that is not let in on PostgreSQL,
/// also later, is no outage but an error.
///
/// # Errors
/// When there is nothing at the address, or what is there is older or newer than this program; otherwise as [`open`].
pub async fn open_existing(settings: &StoreSettings) -> anyhow::Result<Arc<dyn Adapter>> {
    Ok(match settings.url.parse()? {
        StoreUrl::Memory => {
            anyhow::bail!("memory: holds nothing outside its own process; there is nothing to look at")
        }
        StoreUrl::Sqlite(path) => {
            let opened = tokio::task::spawn_blocking(move || Sqlite::open_existing(&path)).await?;
            Arc::new(with_bounds(opened?, settings))
        }
        StoreUrl::Postgres(url) => {
            let options = PostgresOptions { must_be_let_in: true, ..postgres_options(settings) };
            Arc::new(Postgres::connect_sharing(&url, &settings.schema, &options, false).await?)
        }
    })
}

fn with_bounds(sqlite: Sqlite, settings: &StoreSettings) -> Sqlite {
    sqlite.with_page_max_bytes(settings.page_max_bytes).with_removal_step_max(settings.removal_step_max)
}

pub(crate) fn postgres_options(settings: &StoreSettings) -> PostgresOptions {
    let &StoreSettings {
        pooler,
        listen,
        max_connections,
        max_statements,
        writer_idle_ms,
        page_max_bytes,
        removal_step_max,
        ..
    } = settings;
    PostgresOptions {
        pooler,
        listen,
        max_connections,
        max_statements,
        page_max_bytes,
        removal_step_max,
        idle_limit: Duration::from_millis(writer_idle_ms),
        ..PostgresOptions::default()
    }
}

/// The store as a branch of the supervision tree.
#[must_use]
pub fn group(settings: &StoreSettings, bus: &Bus, policy: Policy) -> Group {
    bus.announce_sharing(matches!(settings.url.parse(), Ok(StoreUrl::Postgres(_))));
    over(&Shared::default(), settings, bus, policy)
}

/// The same over a database that is open already. Several umbrellas in one process may share it, as several
/// processes share one server.
#[must_use]
pub fn group_over(adapter: Arc<dyn Adapter>, settings: &StoreSettings, bus: &Bus, policy: Policy) -> Group {
    bus.announce_sharing(true);
    over(&already(adapter), settings, bus, policy)
}

/// The same for a tool: it answers, and does nothing of its own accord.
#[must_use]
pub fn quiet_group_over(
    adapter: Arc<dyn Adapter>,
    settings: &StoreSettings,
    bus: &Bus,
    policy: Policy,
) -> Group {
    answering(&already(adapter), settings, bus, policy)
}

fn already(adapter: Arc<dyn Adapter>) -> Shared {
    Arc::new(OnceCell::new_with(Some(Opened::new(vault(adapter), None))))
}

fn over(shared: &Shared, settings: &StoreSettings, bus: &Bus, policy: Policy) -> Group {
    let answering = answering(shared, settings, bus, policy);
    answering.child(sweeper(settings, shared)).child(teller(settings, bus, shared))
}

fn answering(shared: &Shared, settings: &StoreSettings, bus: &Bus, policy: Policy) -> Group {
    Group::new("store", policy).child(writer(settings, bus, shared)).child(reader(settings, bus, shared))
}

fn vault(adapter: Arc<dyn Adapter>) -> Arc<Vault> {
    Arc::new(Vault::new(adapter))
}

/// # Errors
/// When it cannot be opened, or its log has gone back since it was.
async fn opened<'a>(shared: &'a Shared, settings: &StoreSettings) -> anyhow::Result<&'a Opened> {
    let open = async || {
        let vault = vault(open(settings).await?);
        let mark = match settings.url.parse()? {
            StoreUrl::Sqlite(path) => tokio::task::spawn_blocking(move || sqlite::mark(&path)).await?,
            StoreUrl::Memory | StoreUrl::Postgres(_) => None,
        };
        anyhow::Ok(Opened::new(vault, mark))
    };
    let opened = shared.get_or_try_init(open).await?;
    opened.went_back.so_far().context(Incurable)?;
    Ok(opened)
}

fn writer(settings: &StoreSettings, bus: &Bus, shared: &Shared) -> Worker {
    let (settings, bus, shared) = (settings.clone(), bus.clone(), Arc::clone(shared));
    Worker::new("writer", move |context: WorkerContext| {
        let (settings, bus, shared) = (settings.clone(), bus.clone(), Arc::clone(&shared));
        async move {
            let (vault, went_back) = opened(&shared, &settings).await?.handles();
            let registrar = bus.clone();
            let start = move |tether| {
                Writer::create(|actor| {
                    actor.set_mailbox_capacity(settings.queue_capacity);
                    Writer::new(vault, went_back, bus, settings, tether)
                })
            };
            let register = async move |address: actix::Addr<Writer>| {
                let routes = RouteSet::new("store/writer").answers::<Append>(address.clone().recipient());
                #[cfg(feature = "faults")]
                let routes = routes.panics_at(address.clone().recipient());
                drop(address);
                anyhow::Ok(registrar.register(routes).await?)
            };
            context.run_actor_once_up(start, register).await
        }
    })
}

fn reader(settings: &StoreSettings, bus: &Bus, shared: &Shared) -> Worker {
    let (settings, bus, shared) = (settings.clone(), bus.clone(), Arc::clone(shared));
    // On a thread of its own: decoding a long catch-up must not delay appends.
    Worker::new("reader", move |context: WorkerContext| {
        let (settings, bus, shared) = (settings.clone(), bus.clone(), Arc::clone(&shared));
        async move {
            let (vault, went_back) = opened(&shared, &settings).await?.handles();
            let known = bus.known_head();
            let head = vault.adapter().status().await?.head;
            went_back.check(known, head).context(Incurable)?;
            bus.announce_head(head);
            let registrar = bus.clone();
            let start = move |tether| {
                Reader::create(|actor| {
                    actor.set_mailbox_capacity(bus.settings().mailbox_capacity);
                    Reader::new(vault, bus, settings, went_back, tether)
                })
            };
            let register = async move |address: actix::Addr<Reader>| {
                anyhow::Ok(registrar.register(Reader::routes(&address)).await?)
            };
            context.run_actor_once_up(start, register).await
        }
    })
    .own_thread()
}

fn sweeper(settings: &StoreSettings, shared: &Shared) -> Worker {
    let (settings, shared) = (settings.clone(), Arc::clone(shared));
    Worker::new("sweeper", move |context: WorkerContext| {
        let (settings, shared) = (settings.clone(), Arc::clone(&shared));
        async move {
            let (vault, _) = opened(&shared, &settings).await?.handles();
            context.ready();
            sweep(&vault, &settings, context.stopping()).await;
            Ok(())
        }
    })
}

fn teller(settings: &StoreSettings, bus: &Bus, shared: &Shared) -> Worker {
    let (settings, bus, shared) = (settings.clone(), bus.clone(), Arc::clone(shared));
    Worker::new("processes", move |context: WorkerContext| {
        let (settings, bus, shared) = (settings.clone(), bus.clone(), Arc::clone(&shared));
        async move {
            let (vault, _) = opened(&shared, &settings).await?.handles();
            context.ready();
            processes::tell(&**vault.adapter(), &settings, &bus, context.stopping()).await;
            Ok(())
        }
    })
}
