//! Tenants of one process: several umbrellas beside each other, each with a bus, a store and apps of its own.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};
use umbel_bus::Bus;
use umbel_settings::Settings;
use umbel_supervision::{Child, Outcome, Roster, State, TreeNode};

use crate::{
    app::DeclaredTwice,
    umbrella::{Foundation, Umbrella, needed_and_not_up},
};

/// The tenants of a process, as a part of its umbrella. Each is an umbrella itself: started and stopped while the process runs, and
/// started again on its own account, however often it fails, while the others go on. They share the process and its settings, and
/// nothing that goes over a bus. Clones are the same tenants.
///
/// ```no_run
/// use std::time::Duration;
/// use umbel_host::{App, Foundation, Tenancy};
/// use umbel_persistence::Tenants;
///
/// # async fn example(foundation: Foundation, shop: App) -> anyhow::Result<()> {
/// let stores = Tenants::at(&foundation.settings.section("store")?);
/// let tenancy = Tenancy::new("tenants", &foundation, move |foundation, umbrella| {
///     let store = stores.settings(umbrella.name())?;
///     let store = umbel_persistence::group(&store, &foundation.bus, foundation.policy());
///     Ok(umbrella.with(store).with_app(&shop))
/// });
/// let supervisor = foundation.umbrella("umbel").with(&tenancy).start();
/// tenancy.start("acme")?;
/// let bus = tenancy.wait_until_up("acme", Duration::from_secs(10)).await?;
/// tenancy.stop("acme").await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tenancy {
    settings: Settings,
    compose: Arc<Compose>,
    roster: Roster,
    /// Of those that were started and not stopped.
    buses: Arc<Mutex<BTreeMap<String, Bus>>>,
}

type Compose = dyn Fn(&Foundation, Umbrella) -> anyhow::Result<Umbrella> + Send + Sync;

/// Why a tenant does not run.
#[derive(Debug, thiserror::Error)]
pub enum TenancyError {
    /// It was started before, and not stopped.
    #[error("the tenant {name} was started already")]
    Started {
        /// Which.
        name: String,
    },
    /// What it is made of could not be made. Nothing was started.
    #[error("the tenant {name} cannot be put together")]
    NotComposed {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: anyhow::Error,
    },
    /// Its apps contradict each other. Nothing was started.
    #[error(transparent)]
    DeclaredTwice(#[from] DeclaredTwice),
    /// It was not started, or is stopped.
    #[error("the tenant {name} is not started")]
    NotStarted {
        /// Which.
        name: String,
    },
    /// It is not up yet. It goes on trying.
    #[error("the tenant {name} is not up: {reason}")]
    NotUp {
        /// Which.
        name: String,
        /// What there is of it instead.
        reason: String,
    },
}

impl Tenancy {
    /// Tenants that `compose` puts together: it is given what each stands on, with a bus of its own, and an umbrella of its name that
    /// holds the bus already. The name is that of their place in the tree.
    #[must_use]
    pub fn new(
        name: &str,
        foundation: &Foundation,
        compose: impl Fn(&Foundation, Umbrella) -> anyhow::Result<Umbrella> + Send + Sync + 'static,
    ) -> Self {
        Self {
            settings: foundation.settings.clone(),
            compose: Arc::new(compose),
            roster: Roster::new(name, foundation.policy()),
            buses: Arc::default(),
        }
    }

    /// Starts one, at once or with the process; after one of its name that is still stopping. Gives its bus, on which something
    /// answers as soon as it is up: see [`Tenancy::wait_until_up`].
    ///
    /// # Errors
    /// When it was started already, or cannot be put together. That its store cannot be opened is not told here: it is tried again and
    /// again.
    pub fn start(&self, name: &str) -> Result<Bus, TenancyError> {
        let not_composed = |source| TenancyError::NotComposed { name: name.to_owned(), source };
        let foundation = Foundation::from_settings(self.settings.clone()).map_err(not_composed)?;
        let umbrella = (self.compose)(&foundation, foundation.umbrella(name)).map_err(not_composed)?;
        let mut buses = self.buses();
        if buses.contains_key(name) {
            return Err(TenancyError::Started { name: name.to_owned() });
        }
        umbrella.join(&self.roster)?;
        buses.insert(name.to_owned(), foundation.bus.clone());
        Ok(foundation.bus)
    }

    /// The bus of one that was started, whether it is up or not.
    #[must_use]
    pub fn bus(&self, name: &str) -> Option<Bus> {
        self.buses().get(name).cloned()
    }

    /// Those that were started and not stopped, by name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.buses().keys().cloned().collect()
    }

    /// Waits until all of one is up that others of it need, which handlers of events are not, and gives its bus.
    ///
    /// # Errors
    /// When it is not started, or not up within this time: it goes on trying.
    pub async fn wait_until_up(&self, name: &str, within: Duration) -> Result<Bus, TenancyError> {
        let not_started = || TenancyError::NotStarted { name: name.to_owned() };
        let not_up = |reason: String| TenancyError::NotUp { name: name.to_owned(), reason };
        let (bus, begun) = (self.bus(name).ok_or_else(not_started)?, Instant::now());
        let placed = timeout(within, self.roster.tree(name)).await;
        let placed = placed.map_err(|_elapsed| not_up("the process has not come to it".to_owned()))?;
        let tree = placed.ok_or_else(not_started)?;
        let is_up = |tree: &TreeNode| tree.state == State::Up && needed_and_not_up(tree).is_empty();
        let up = tree.wait_until(|tree| is_up(tree) || tree.has_ended());
        match timeout(within.saturating_sub(begun.elapsed()), up).await {
            Ok(up) if !up.has_ended() => Ok(bus),
            Ok(_) => Err(not_started()),
            Err(_elapsed) => Err(not_up(format!("not within {within:?}\n{}", tree.snapshot()))),
        }
    }

    /// Stops one in order, at once; the future resolves when it is gone, with how it went, and need not be awaited for that. `None` if
    /// it was not started. Who still holds its bus is answered by nobody any more.
    pub fn stop(&self, name: &str) -> impl Future<Output = Option<Outcome>> + Send + 'static + use<> {
        if let Some(bus) = self.buses().remove(name) {
            bus.end();
        }
        self.roster.remove(name)
    }

    /// Each change under the lock is whole, so a panic elsewhere cannot have left half of one.
    fn buses(&self) -> MutexGuard<'_, BTreeMap<String, Bus>> {
        self.buses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&Tenancy> for Child {
    fn from(tenancy: &Tenancy) -> Self {
        tenancy.roster.clone().into()
    }
}

impl fmt::Debug for Tenancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenancy").field("names", &self.names()).finish_non_exhaustive()
    }
}
