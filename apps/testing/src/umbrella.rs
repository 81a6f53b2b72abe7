//! An umbrella for one test.

use std::{fmt::Display, future::Future, panic::Location, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use umbel_bus::{Bus, BusSettings, Clock, Store, edge};
use umbel_core::{Command, CommandId, Query};
use umbel_host::{App, DispatchError, DispatchOptions, Dispatched, HostSettings};
use umbel_persistence::{Adapter, StoreSettings, memory::Memory};
use umbel_supervision::{Backoff, Group, Intensity, Outcome, Policy, Supervisor};

use crate::{intercepted::Intercepted, switches::Faults};

/// How long a test waits for something to happen, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Polls and pauses in tests.
const SHORT_MS: u64 = 5;

/// Apps at work over a store in memory.
pub struct TestUmbrella {
    pub(crate) bus: Bus,
    pub(crate) supervisor: Supervisor,
    pub(crate) patience: Duration,
    pub(crate) faults: Faults,
    pub(crate) made_of: TestUmbrellaBuilder,
}

/// An umbrella in the making.
#[derive(Clone)]
#[must_use]
pub struct TestUmbrellaBuilder {
    apps: Vec<App>,
    store: Arc<dyn Adapter>,
    bus: BusSettings,
    host: HostSettings,
    patience: Duration,
    /// The same after a restart: time does not go back.
    clock: Clock,
}

impl TestUmbrellaBuilder {
    pub(crate) fn apps(&self) -> &[App] {
        &self.apps
    }

    /// Adds an app. They start in this order.
    pub fn app(mut self, app: App) -> Self {
        self.apps.push(app);
        self
    }

    /// Runs over this store instead of one in memory of its own: one that was opened by `umbel_persistence::open`, or that other
    /// umbrellas of the test use as well, as nodes of one cluster.
    pub fn over(mut self, store: Arc<dyn Adapter>) -> Self {
        self.store = store;
        self
    }

    /// Changes settings of the bus.
    pub fn bus(mut self, change: impl FnOnce(&mut BusSettings)) -> Self {
        change(&mut self.bus);
        self
    }

    /// Changes settings of the hosts.
    pub fn host(mut self, change: impl FnOnce(&mut HostSettings)) -> Self {
        change(&mut self.host);
        self
    }

    /// How long to wait for something to happen.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts it; everything is up then.
    ///
    /// # Panics
    /// Outside [`run`](crate::run), and when the apps contradict each other or something does not come up.
    #[track_caller]
    pub fn start(self) -> impl Future<Output = TestUmbrella> {
        // Each its own: what fails for one node of a cluster does not for another.
        self.start_with(Faults::default(), Location::caller())
    }

    async fn start_with(self, faults: Faults, at: &Location<'_>) -> TestUmbrella {
        if let Err(error) = App::check(&self.apps) {
            failed(at, &error);
        }
        let bus = Bus::with_clock(self.bus.clone(), self.clock.clone());
        let policy = policy();
        let settings = StoreSettings { poll_interval_ms: SHORT_MS, ..StoreSettings::default() };
        let store = Arc::new(Intercepted::new(Arc::clone(&self.store), faults.clone()));
        let store = umbel_persistence::group_over(store, &settings, &bus, policy.clone());
        let root = Group::new("test", policy.clone()).child(umbel_bus::worker(&bus)).child(store);
        let add = |root: Group, app: &App| root.child(app.group(&bus, &self.host, policy.clone()));
        let supervisor = Supervisor::start(self.apps.iter().fold(root, add));
        if let Err(error) = supervisor.tree().wait_until_up(self.patience).await {
            failed(at, &format!("{error}\n{}", supervisor.tree().snapshot()));
        }
        TestUmbrella { bus, supervisor, patience: self.patience, faults, made_of: self }
    }
}

impl TestUmbrella {
    /// One without apps yet, over a store in memory.
    pub fn builder() -> TestUmbrellaBuilder {
        let mut host = HostSettings { projection_poll_ms: SHORT_MS, ..HostSettings::default() };
        (host.store_retry_min_ms, host.store_retry_max_ms) = (1, SHORT_MS);
        // Longer than dispatching takes here. Should it not be once, what is dispatched twice is done once.
        (host.process_poll_ms, host.process_patience_ms) = (SHORT_MS, 20 * SHORT_MS);
        let subscriptions = &mut host.subscriptions;
        (subscriptions.poll_ms, subscriptions.checkpoint_within_ms) = (SHORT_MS, SHORT_MS);
        (subscriptions.retry_min_ms, subscriptions.retry_max_ms) = (1, SHORT_MS);
        (host.schedule.poll_ms, host.schedule.retry_min_ms, host.schedule.retry_max_ms) =
            (SHORT_MS, 1, SHORT_MS);
        TestUmbrellaBuilder {
            apps: Vec::new(),
            store: Arc::new(Memory::new()),
            bus: BusSettings::default(),
            host,
            patience: PATIENCE,
            clock: Clock::turnable(),
        }
    }

    /// One with this app, started.
    ///
    /// # Panics
    /// See [`TestUmbrellaBuilder::start`].
    #[track_caller]
    pub fn of(app: App) -> impl Future<Output = Self> {
        Self::builder().app(app).start()
    }

    /// The bus, for all that has no short form here.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Store {
        self.bus.store()
    }

    /// Waits this long for something to happen.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Dispatches a command that is accepted, and waits until its effect is visible in all projections and strong handlers.
    ///
    /// # Panics
    /// When it is not accepted, or not visible in time.
    #[track_caller]
    pub fn dispatch<C: Command>(&self, command: C) -> impl Future<Output = Dispatched<C::Reply>> {
        let at = Location::caller();
        let options = DispatchOptions::default().strong().deadline(self.patience);
        async move {
            match self.bus.dispatch_with(command, options).await {
                Ok(done) => done,
                Err(error) => not_accepted::<C>(at, &error),
            }
        }
    }

    /// Dispatches a command as a client does that does not give up: under one id, again and again until it is accepted, though the store
    /// refuses it or an answer is lost. Its effect is there once then, and visible.
    ///
    /// # Panics
    /// When the domain rejects it, or it is not accepted within the patience.
    #[track_caller]
    pub fn insist<C: Command + Clone>(&self, command: C) -> impl Future<Output = Dispatched<C::Reply>> {
        let (at, deadline) = (Location::caller(), Instant::now() + self.patience);
        let options = DispatchOptions::default().strong().deadline(self.patience);
        let options = options.command_id(CommandId(edge::fresh_id()));
        async move {
            loop {
                let error = match self.bus.dispatch_with(command.clone(), options.clone()).await {
                    Ok(done) => return done,
                    Err(error) => error,
                };
                let again = matches!(
                    error,
                    DispatchError::Timeout { .. }
                        | DispatchError::Unavailable { .. }
                        | DispatchError::Conflict { .. }
                );
                if !again || Instant::now() > deadline {
                    not_accepted::<C>(at, &error);
                }
                sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Dispatches a command that the domain rejects.
    ///
    /// # Panics
    /// When it is accepted, or fails otherwise.
    #[track_caller]
    pub fn rejected<C: Command>(&self, command: C) -> impl Future<Output = C::Rejection> {
        let at = Location::caller();
        let options = DispatchOptions::default().deadline(self.patience);
        async move {
            match self.bus.dispatch_with(command, options).await {
                Err(DispatchError::Rejected(rejection)) => rejection,
                Err(error) => failed(at, &format!("{} is not rejected, it fails: {error}", C::NAME)),
                Ok(_) => failed(at, &format!("{} is accepted, though it shall be rejected", C::NAME)),
            }
        }
    }

    /// Asks a query.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn ask<Q: Query>(&self, query: Q) -> impl Future<Output = Q::Answer> {
        let at = Location::caller();
        async move {
            match self.bus.ask_within(query, self.patience).await {
                Ok(answer) => answer,
                Err(error) => failed(at, &format!("{} is not answered: {error}", Q::NAME)),
            }
        }
    }

    /// Stops it in order and starts another one of the same apps on the same store: as after a deployment. What lived only in memory is
    /// gone.
    ///
    /// # Panics
    /// When it does not stop, or start.
    #[track_caller]
    pub fn restart(self) -> impl Future<Output = Self> {
        let (made_of, faults) = (self.made_of.clone(), self.faults.clone());
        let (stop, start) = (self.stop(), made_of.start_with(faults, Location::caller()));
        async move {
            stop.await;
            start.await
        }
    }

    /// Stops it in order: what is in flight is finished.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn stop(self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            match self.supervisor.shut_down().await {
                Outcome::Stopped => {}
                outcome => failed(at, &format!("the umbrella did not stop in order: {outcome:?}")),
            }
        }
    }
}

/// Fails the test, with the line of the test that asked for what did not happen.
pub(crate) fn failed(at: &Location<'_>, what: &dyn Display) -> ! {
    panic!("{at}: {what}")
}

fn not_accepted<C: Command>(at: &Location<'_>, error: &DispatchError<C::Rejection>) -> ! {
    let why = match error {
        DispatchError::Rejected(rejection) => {
            serde_json::to_string(rejection).unwrap_or_else(|error| error.to_string())
        }
        error => error.to_string(),
    };
    failed(at, &format!("{} is not accepted: {why}", C::NAME))
}

fn policy() -> Policy {
    let backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(SHORT_MS) };
    let intensity = Intensity { max_restarts: 1000, within: Duration::from_secs(30) };
    Policy { backoff, intensity, ..Policy::default() }
}

impl std::fmt::Debug for TestUmbrella {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestUmbrella")
            .field("tree", &self.supervisor.tree().snapshot())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TestUmbrellaBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestUmbrellaBuilder").field("apps", &self.apps).finish_non_exhaustive()
    }
}
