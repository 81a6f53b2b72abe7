//! Umbrellas for tests, and a store that does as it is told.

mod rigged;

use std::{future::Future, sync::Arc, time::Duration};

use umbel_bus::{Bus, BusSettings};
use umbel_core::{
    EventId, ExpectedVersion, Metadata, NewEvent, Position, RecordedEvent, StreamName,
    document::Direction,
    store::{Append, ListProjections, Phase, ReadError, ReadStream},
};
use umbel_host::{App, HostSettings};
use umbel_persistence::StoreSettings;
use umbel_supervision::{Backoff, Group, Intensity, Outcome, Policy, State, Supervisor, TreeNode, Worker};

pub(crate) use self::rigged::Rigged;
use crate::bank::{self, Balance, Deposited, GetBalance};

/// What hangs is given up after this: far above what a test needs on a machine that is busy with others.
const HANGS: Duration = Duration::from_secs(120);
/// A deadline that no call reaches unless something is wrong.
pub(crate) const AMPLE: Duration = Duration::from_secs(30);
/// A deadline that passes while a test waits for it.
pub(crate) const SHORT: Duration = Duration::from_millis(50);
/// A deadline that passes while a test waits for what is never seen, and in which everything else is done, also on a busy machine.
pub(crate) const LATE: Duration = Duration::from_millis(500);

/// One umbrella.
pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) supervisor: Supervisor,
}

/// Runs a test on an actix system of its own, whose threads end with it.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let system = actix::System::new();
    system.block_on(async {
        tokio::time::timeout(HANGS, test).await.expect("the test hangs");
        actix::System::current().stop();
    });
    system.run().unwrap();
}

pub(crate) fn policy() -> Policy {
    let backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(5) };
    let intensity = Intensity { max_restarts: 1000, within: AMPLE };
    Policy { backoff, intensity, ..Policy::default() }
}

/// One that bears a single restart.
pub(crate) fn strict() -> Policy {
    Policy { intensity: Intensity { max_restarts: 1, within: AMPLE }, ..policy() }
}

pub(crate) fn settings() -> HostSettings {
    // On a busy machine a follower may need long, and tests ask for what an answer has waited for.
    let inline_patience_ms = 10_000;
    HostSettings {
        projection_poll_ms: 10,
        projection_look_ms: 20,
        inline_patience_ms,
        ..HostSettings::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(&Arc::new(Rigged::default())).await
    }

    pub(crate) async fn over(store: &Arc<Rigged>) -> Self {
        Self::with(store, &[bank::app()], settings()).await
    }

    pub(crate) async fn with(store: &Arc<Rigged>, apps: &[App], host: HostSettings) -> Self {
        Self::on(Bus::new(BusSettings::default()), store, apps, host).await
    }

    /// One that carries messages to and from others on its store.
    pub(crate) async fn linked(store: &Arc<Rigged>, apps: &[App], host: HostSettings) -> Self {
        let bus = Bus::new(BusSettings::default());
        bus.announce_sharing(true);
        let link = serde_json::json!({
            "address": "127.0.0.1:0", "advertise": "", "secret": "", "connect_timeout_ms": 10_000, "retry_ms": 1,
            "idle_ms": 60_000, "ping_ms": 5000, "requests_max": 100, "frame_max_bytes": 1 << 20, "in_flight_max_bytes": 1 << 24, "connections_max": 10, "drain_ms": 5000,
            "tls_certificate": "", "tls_key": "", "tls_authority": "",
        });
        let link = umbel_link::worker(serde_json::from_value(link).unwrap(), &bus).unwrap();
        Self::put_together(bus, store, apps, host, (policy(), link)).await
    }

    pub(crate) async fn on(bus: Bus, store: &Arc<Rigged>, apps: &[App], host: HostSettings) -> Self {
        Self::under(policy(), bus, store, apps, host).await
    }

    /// One whose parts are supervised by this policy.
    pub(crate) async fn under(
        policy: Policy,
        bus: Bus,
        store: &Arc<Rigged>,
        apps: &[App],
        host: HostSettings,
    ) -> Self {
        Self::put_together(bus, store, apps, host, (policy, None)).await
    }

    async fn put_together(
        bus: Bus,
        store: &Arc<Rigged>,
        apps: &[App],
        host: HostSettings,
        (policy, link): (Policy, Option<Worker>),
    ) -> Self {
        let store_settings = StoreSettings {
            poll_interval_ms: 10,
            // Among several each is believed five times as long: on a busy machine none shall be taken for gone.
            processes_interval_ms: if link.is_some() { 400 } else { 50 },
            allow_hard_removal: true,
            ..StoreSettings::default()
        };
        let store =
            umbel_persistence::group_over(Arc::clone(store) as _, &store_settings, &bus, policy.clone());
        let root = Group::new("test", policy.clone()).child(umbel_bus::worker(&bus)).child(store);
        let root = apps.iter().fold(root, |root, app| root.child(app.group(&bus, &host, policy.clone())));
        let root = link.into_iter().fold(root, Group::child);
        let supervisor = Supervisor::start(root);
        // Handlers are not waited for by their group: a test begins when each of them has joined, or has failed.
        supervisor.tree().wait_until(|tree| tree.state == State::Up && has_begun(tree)).await;
        Self { bus, supervisor }
    }

    pub(crate) async fn stop(self) {
        assert_eq!(self.supervisor.shut_down().await, Outcome::Stopped);
    }

    /// The balance as the read model has it.
    pub(crate) async fn balance(&self, account: &str) -> Option<Balance> {
        self.bus.ask(GetBalance { account: account.into() }).await.unwrap()
    }

    /// All events of an account.
    pub(crate) async fn history(&self, account: &str) -> Vec<RecordedEvent> {
        let stream = StreamName::of("account", account).unwrap();
        let request = ReadStream { stream, from: None, direction: Direction::Forward, limit: 4096 };
        match self.bus.store().read_stream(request).await {
            Ok(page) => page.events,
            Err(ReadError::StreamNotFound(_)) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until the projection has passed this position.
    pub(crate) async fn passed(&self, projection: &str, position: Position) {
        loop {
            let found = self.bus.progress().into_iter().find(|progress| progress.name == projection);
            if let Some(mut progress) = found
                && progress.stand.position.wait_for(|reached| *reached >= position).await.is_ok()
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until readers get what the generation of this checkpoint has.
    pub(crate) async fn serves(&self, projection: &str, checkpoint: &str) {
        while self.phase(projection, checkpoint).await != Some(Phase::Serving) {
            pause().await;
        }
    }

    /// What the generation of a checkpoint is there for.
    pub(crate) async fn phase(&self, projection: &str, checkpoint: &str) -> Option<Phase> {
        let listed = ListProjections { projection: Some(projection.into()) };
        let kept = self.bus.store().list_projections(listed).await.unwrap();
        kept.iter().find(|one| one.checkpoint() == checkpoint).map(|one| one.phase)
    }

    pub(crate) async fn head(&self) -> Position {
        self.bus.store().status().await.unwrap().head
    }

    /// Appends a deposit behind the aggregate's back.
    pub(crate) async fn deposit_behind_its_back(&self, account: &str, amount: i64) -> Position {
        self.bus.store().append(foreign_deposit(account, amount)).await.unwrap().last_position.unwrap()
    }
}

/// Whether everything in the tree has been up or has failed to.
fn has_begun(tree: &TreeNode) -> bool {
    (tree.state != State::Starting || tree.restarts > 0) && tree.children.iter().all(has_begun)
}

/// Between two looks at what nobody tells of.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// A deposit that somebody else appends, whatever the version.
pub(crate) fn foreign_deposit(account: &str, amount: i64) -> Append {
    let event =
        NewEvent::of(EventId(umbel_bus::edge::fresh_id()), &Deposited { amount }, Metadata::default())
            .unwrap();
    Append::to_stream(StreamName::of("account", account).unwrap(), ExpectedVersion::Any, vec![event])
}
