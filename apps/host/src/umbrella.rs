//! The umbrella: bus, store, apps and whatever else, as one supervision tree in one process.

use std::{
    fmt,
    future::{pending, ready},
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout},
};
use umbel_bus::{AskError, Bus, BusSettings, GetTree, Middleware};
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::{
    Child, Group, Kind, Outcome, Policy, Restart, Roster, State, Supervisor, Tree, TreeNode, Worker,
    install_panic_hook,
};
use umbel_telemetry::{TelemetryError, TelemetrySettings};

use crate::{
    app::{App, DeclaredTwice},
    control::{self, ControlSettings, Place},
    exit::{ExitStatus, Failed},
    handler::query_worker,
    settings::HostSettings,
    subscription::Registry,
    tenancy::TenancyError,
};

/// Stopping in order takes at most so many times `supervision.stop_within_ms`: parts stop one after the other, but
/// more than a few that hang have one cause, and whoever waits for the process has a limit of their own.
const STOP_LIMIT_FACTOR: u32 = 3;

/// A signal that follows another one this closely is the same wish: tools that stop a process group, and `timeout`,
/// send it to the group and to the process.
const SAME_SIGNAL_WITHIN: Duration = Duration::from_secs(1);

/// What every umbrella stands on: settings, a bus, and the policies from the settings.
#[derive(Debug)]
pub struct Foundation {
    /// The settings, for the sections of the parts.
    pub settings: Settings,
    /// The bus that all parts share.
    pub bus: Bus,
    host: HostSettings,
    policy: Policy,
    /// Where its umbrellas answer tools, and how.
    control: Option<(Place, ControlSettings)>,
}

/// A supervision tree in the making.
pub struct Umbrella {
    bus: Bus,
    host: HostSettings,
    policy: Policy,
    root: Group,
    view: TreeView,
    /// What was added by [`Umbrella::with_app`].
    apps: Vec<App>,
}

/// The tree of an umbrella, for parts of it that report on the whole: they are made before it is started. Clones
/// see the same tree.
#[derive(Clone, Default)]
pub struct TreeView(Arc<OnceLock<Seen>>);

/// What a view looks at.
enum Seen {
    /// The tree of a process.
    Whole(Tree),
    /// A tenant's part of it.
    Tenant(Roster, String),
}

/// Why an umbrella ended that was not told to, or did not end in order.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its apps contradict each other; nothing was started.
    #[error(transparent)]
    DeclaredTwice(#[from] DeclaredTwice),
    /// A part did not come up the first time.
    #[error("{path} could not start: {cause}")]
    FailedToStart {
        /// Which part.
        path: String,
        /// Why.
        cause: String,
    },
    /// A part failed more often than its intensity allows, or with what no restart helps.
    #[error("{path} failed, giving up: {cause}")]
    Escalated {
        /// Which part.
        path: String,
        /// Why, the last time.
        cause: String,
    },
    /// It was told to stop, and parts of it did not.
    #[error("not stopped within {limit:?}: {}", parts.join(", "))]
    NotStopped {
        /// How long it was given.
        limit: Duration,
        /// What was still there.
        parts: Vec<String>,
    },
    /// It was told to stop, and did, but for parts that had not within their time and were left behind.
    #[error("did not stop in time and were abandoned: {}", parts.join(", "))]
    Abandoned {
        /// Which.
        parts: Vec<String>,
    },
    /// It was told twice to stop.
    #[error("ended at once by a second signal, before everything had stopped in order")]
    Interrupted,
    /// The process cannot be told to stop.
    #[error("cannot listen for signals")]
    NoSignals(#[source] io::Error),
}

/// The signals that tell a process to stop: SIGTERM, and SIGINT as from Ctrl-C.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Foundation {
    /// Loads the settings, sets up logging and makes the bus.
    ///
    /// # Errors
    /// When a setting is wrong; the message names it and where it comes from.
    pub fn lay(options: &LoadOptions) -> anyhow::Result<Self> {
        let settings = Settings::load(options)?;
        umbel_telemetry::init(&settings.section::<TelemetrySettings>("telemetry")?)
            .map_err(|wrong @ TelemetryError::Level { .. }| settings.invalid("telemetry.level", wrong))?;
        install_panic_hook();
        Self::from_settings(settings)
    }

    /// Makes the bus from settings loaded already; logging stays as it is.
    ///
    /// # Errors
    /// When a setting of the bus, the hosts or the supervision is wrong.
    pub fn from_settings(settings: Settings) -> anyhow::Result<Self> {
        let bus = Bus::new(settings.section::<BusSettings>("bus")?);
        let host = HostSettings {
            subscriptions: settings.section("subscriptions")?,
            schedule: settings.section("schedule")?,
            ..settings.section("host")?
        };
        bus.common::<Registry>().configure(&host.subscriptions);
        Ok(Self { bus, host, policy: settings.section("supervision")?, control: None, settings })
    }

    /// The same, and its umbrellas answer tools such as `umbel tree` on `control.socket`, if the settings name one: for the whole of a
    /// process. What runs beside another umbrella in its process would find the socket taken.
    ///
    /// # Errors
    /// When a setting of the socket is wrong.
    pub fn answering_tools(mut self) -> anyhow::Result<Self> {
        let settings: ControlSettings = self.settings.section("control")?;
        self.control = Place::parse(&settings.socket)?.map(|place| (place, settings));
        Ok(self)
    }

    /// What every group of the tree is promised.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// What carries messages to and from other processes on the same store, if the settings say so: a part for behind the apps.
    ///
    /// # Errors
    /// When a setting of the link is wrong.
    pub fn link(&self) -> anyhow::Result<Option<Worker>> {
        umbel_link::worker(self.settings.section("link")?, &self.bus)
    }

    /// An umbrella with this name that holds the bus, which answers [`GetTree`], what answers tools, if anything shall, and nothing else
    /// yet.
    #[must_use]
    pub fn umbrella(&self, name: &str) -> Umbrella {
        let (bus, host, policy) = (self.bus.clone(), self.host.clone(), self.policy.clone());
        let view = TreeView::default();
        let root = Group::new(name, policy.clone()).child(umbel_bus::worker(&bus)).child(tree_worker(
            name,
            bus.clone(),
            &host,
            view.clone(),
        ));
        // Early, so that it answers while others start or stop, however long that takes.
        let control = self.control.clone().map(|(place, settings)| {
            control::worker(place, settings, bus.clone(), self.settings.environment().name.clone())
        });
        let root = control.into_iter().fold(root, Group::child);
        Umbrella { bus, host, policy, root, view, apps: Vec::new() }
    }
}

impl Umbrella {
    /// Its name; of a tenant's, the tenant's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root.name()
    }

    /// Adds a part. Parts start in this order and stop in reverse.
    #[must_use]
    pub fn with(mut self, part: impl Into<Child>) -> Self {
        self.root = self.root.child(part);
        self
    }

    /// Adds a part, if there is one.
    #[must_use]
    pub fn with_any(self, part: Option<impl Into<Child>>) -> Self {
        match part {
            Some(part) => self.with(part),
            None => self,
        }
    }

    /// Adds a domain app.
    #[must_use]
    pub fn with_app(mut self, app: &App) -> Self {
        self.apps.push(app.clone());
        let group = app.group(&self.bus, &self.host, self.policy.clone());
        self.with(group)
    }

    /// Puts middleware around every dispatch of the process, within what was added before it; see [`Middleware`].
    #[must_use]
    pub fn with_middleware(self, middleware: impl Middleware) -> Self {
        self.bus.add_middleware(middleware);
        self
    }

    /// Its tree, as it will be once it is started.
    #[must_use]
    pub fn view(&self) -> TreeView {
        self.view.clone()
    }

    /// Starts it on the current actix system.
    #[must_use]
    pub fn start(self) -> Supervisor {
        let supervisor = Supervisor::start(self.root);
        // An umbrella is started once: starting takes it.
        drop(self.view.0.set(Seen::Whole(supervisor.tree())));
        supervisor
    }

    /// Starts it among these tenants.
    pub(crate) fn join(self, tenants: &Roster) -> Result<(), TenancyError> {
        App::check(&self.apps)?;
        let name = self.name().to_owned();
        tenants.add(self.root).map_err(|taken| TenancyError::Started { name: taken.name })?;
        drop(self.view.0.set(Seen::Tenant(tenants.clone(), name)));
        Ok(())
    }

    /// Runs it until it is told to stop by SIGTERM or SIGINT, or until it cannot go on. `announce` is called once,
    /// when everything is up, and goes on beside it for as long as it likes.
    ///
    /// Told to stop, it finishes what is in flight: within `supervision.stop_within_ms` for each part and three times
    /// that for the whole. A second signal, a second or more after the first, ends it at once.
    ///
    /// # Errors
    /// When it ended otherwise than in order; see [`RunError`].
    pub fn run(self, announce: impl AsyncFnOnce(&Tree)) -> Result<(), RunError> {
        App::check(&self.apps)?;
        let system = actix::System::new();
        let outcome = system.block_on(async move {
            let mut signals = StopSignals::listen().map_err(RunError::NoSignals)?;
            let limit = self.policy.stop_within.saturating_mul(STOP_LIMIT_FACTOR);
            let bus = self.bus.clone();
            let supervisor = self.start();
            let tree = supervisor.tree();
            let give_up = async {
                tree.wait_until(|tree| tree.state == State::Stopping).await;
                bus.end();
                pending::<()>().await;
            };
            let serve = async {
                let up = tree.wait_until(|tree| tree.state == State::Up || tree.has_ended()).await;
                if !up.has_ended() {
                    announce(&tree).await;
                }
                pending::<()>().await;
            };
            tokio::select! {
                outcome = supervisor.finished() => return RunError::check(outcome),
                () = signals.recv() => {}
                () = serve => {}
                () = give_up => {}
            }
            bus.end();
            stop(&supervisor, limit, &mut signals).await
        });
        if outcome.as_ref().is_err_and(RunError::leaves_threads) {
            // Dropping the system would wait for the very thread that does not stop.
            std::mem::forget(system);
        }
        outcome
    }
}

/// Stops in order, unless that takes too long or a second signal comes.
async fn stop(supervisor: &Supervisor, limit: Duration, signals: &mut StopSignals) -> Result<(), RunError> {
    tracing::info!("stopping: finishing what is in flight");
    tokio::select! {
        stopped = timeout(limit, supervisor.shut_down()) => {
            let not_stopped = |_| RunError::NotStopped { limit, parts: workers(&supervisor.tree().snapshot(), |_| true, has_not_ended) };
            RunError::check(stopped.map_err(not_stopped)?)?;
        }
        () = signals.again() => return Err(RunError::Interrupted),
    }
    tracing::info!("stopped");
    Ok(())
}

impl StopSignals {
    /// Takes these signals from now on, so that they no longer end the process by themselves.
    ///
    /// # Errors
    /// When the operating system does not allow it.
    ///
    /// # Panics
    /// Outside a tokio runtime with IO.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one that cannot be taken for a repetition of one that has come just now.
    pub async fn again(&mut self) {
        let same_until = Instant::now() + SAME_SIGNAL_WITHIN;
        loop {
            self.recv().await;
            if Instant::now() >= same_until {
                return;
            }
        }
    }

    /// Waits for the next one.
    pub async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl TreeView {
    /// The tree, or `None` before the start. Of a tenant's umbrella, what it is of its process's tree, and `None` after it was stopped.
    #[must_use]
    pub fn tree(&self) -> Option<Tree> {
        match self.0.get()? {
            Seen::Whole(tree) => Some(tree.clone()),
            Seen::Tenant(roster, name) => roster.tree(name).now_or_never().flatten(),
        }
    }

    /// Paths of the workers that are not up, those aside that others do without, such as tenants, and those below `except`; all of it
    /// before the start.
    #[must_use]
    pub fn not_up(&self, except: &str) -> Vec<String> {
        let Some(tree) = self.tree() else { return vec!["the supervision tree".to_owned()] };
        let mut paths = needed_and_not_up(&tree.snapshot());
        paths.retain(|path| path.split('/').nth(1) != Some(except));
        paths
    }

    /// Whether the others do without this component, such as `shop/shop.mailer`, while it is down.
    #[must_use]
    pub fn do_without(&self, component: &str) -> bool {
        let root = self.tree().map(|tree| tree.snapshot());
        root.is_some_and(|root| root.find(component).is_some_and(|one| one.restart == Restart::Independent))
    }
}

/// Answers what the tree looks like, on a thread of its own: whoever asks does so because another one may be blocked.
fn tree_worker(umbrella: &str, bus: Bus, settings: &HostSettings, view: TreeView) -> Worker {
    let answer = move |_, GetTree| {
        let tree = view.tree().map(|tree| tree.snapshot());
        ready(tree.ok_or_else(|| AskError::unavailable("the supervision tree is not started")))
    };
    query_worker(umbrella, bus, settings, answer).own_thread()
}

fn has_not_ended(worker: &TreeNode) -> bool {
    !worker.has_ended()
}

/// Paths of the workers that are not up, those aside that others do without.
pub(crate) fn needed_and_not_up(root: &TreeNode) -> Vec<String> {
    workers(root, is_needed, |worker| !worker.is_up())
}

/// Whether the others cannot do without it.
fn is_needed(node: &TreeNode) -> bool {
    node.restart != Restart::Independent
}

/// Paths of the workers that are as wanted, below what is looked into.
fn workers(
    root: &TreeNode,
    looked_into: fn(&TreeNode) -> bool,
    wanted: fn(&TreeNode) -> bool,
) -> Vec<String> {
    let (mut left, mut found) = (vec![(root.name.clone(), root)], Vec::new());
    while let Some((path, node)) = left.pop() {
        // In the declared order: the last that is put there is the next.
        let children = node.children.iter().rev().filter(|child| looked_into(child));
        left.extend(children.map(|child| (format!("{path}/{}", child.name), child)));
        if node.kind == Kind::Worker && wanted(node) {
            found.push(path);
        }
    }
    found
}

impl RunError {
    /// Whether a tree ended in order.
    ///
    /// # Errors
    /// How it ended instead.
    pub fn check(outcome: Outcome) -> Result<(), Self> {
        match outcome {
            Outcome::Stopped => Ok(()),
            Outcome::Abandoned { paths } => Err(Self::Abandoned { parts: paths }),
            Outcome::FailedToStart { path, cause } => Err(Self::FailedToStart { path, cause }),
            Outcome::Escalated { path, cause } => Err(Self::Escalated { path, cause }),
        }
    }
}

impl RunError {
    /// Whether parts of it may still be running.
    const fn leaves_threads(&self) -> bool {
        matches!(self, Self::NotStopped { .. } | Self::Abandoned { .. } | Self::Interrupted)
    }
}

impl From<RunError> for Failed {
    fn from(error: RunError) -> Self {
        let status = match error {
            RunError::FailedToStart { .. } | RunError::DeclaredTwice(_) => ExitStatus::StartFailed,
            RunError::Escalated { .. } => ExitStatus::Escalated,
            RunError::NotStopped { .. }
            | RunError::Abandoned { .. }
            | RunError::Interrupted
            | RunError::NoSignals(_) => ExitStatus::Failure,
        };
        Self { status, error: error.into() }
    }
}

impl fmt::Debug for Umbrella {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Umbrella").field("name", &self.root.name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for TreeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TreeView")
    }
}
