//! The umbrella: bus, store, apps and whatever else, as one supervision tree in one process.

use std::{fmt, process::ExitCode, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use umbel_bus::{Bus, BusSettings};
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::{Child, Group, Outcome, Policy, Supervisor, Tree, install_panic_hook};
use umbel_telemetry::TelemetrySettings;

use crate::{app::App, settings::HostSettings};

/// How a process of an umbrella ends: its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: it did what it was asked to and stopped in order.
    Success,
    /// 1: what it was asked for failed; the message says why.
    Failure,
    /// 2: wrong command line.
    Usage,
    /// 3: a setting is missing or wrong.
    Settings,
    /// 4: a part of the tree could not start: port in use, database unreachable or damaged.
    StartFailed,
    /// 5: a part of the tree failed more often than its intensity allows.
    Escalated,
}

/// What every umbrella stands on: settings, a bus, and the policies from the settings.
#[derive(Debug)]
pub struct Foundation {
    /// The settings, for the sections of the parts.
    pub settings: Settings,
    /// The bus that all parts share.
    pub bus: Bus,
    host: HostSettings,
    policy: Policy,
}

/// A supervision tree in the making.
pub struct Umbrella {
    bus: Bus,
    host: HostSettings,
    policy: Policy,
    root: Group,
}

impl Foundation {
    /// Loads the settings, sets up logging and makes the bus.
    ///
    /// # Errors
    /// When a setting is wrong; the message names it and where it comes from.
    pub fn lay(options: &LoadOptions) -> anyhow::Result<Self> {
        let settings = Settings::load(options)?;
        umbel_telemetry::init(&settings.section::<TelemetrySettings>("telemetry")?)?;
        install_panic_hook();
        Self::from_settings(settings)
    }

    /// Makes the bus from settings loaded already; logging stays as it is.
    ///
    /// # Errors
    /// When a setting of the bus, the hosts or the supervision is wrong.
    pub fn from_settings(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self {
            bus: Bus::new(settings.section::<BusSettings>("bus")?),
            host: settings.section("host")?,
            policy: settings.section("supervision")?,
            settings,
        })
    }

    /// An umbrella with this name that holds the bus and nothing else yet.
    #[must_use]
    pub fn umbrella(&self, name: &str) -> Umbrella {
        let root = Group::new(name, self.policy.clone()).child(umbel_bus::worker(&self.bus));
        Umbrella { bus: self.bus.clone(), host: self.host.clone(), policy: self.policy.clone(), root }
    }
}

impl Umbrella {
    /// Adds a part. Parts start in this order and stop in reverse.
    #[must_use]
    pub fn with(mut self, part: impl Into<Child>) -> Self {
        self.root = self.root.child(part);
        self
    }

    /// Adds a domain app.
    #[must_use]
    pub fn with_app(self, app: &App) -> Self {
        let group = app.group(&self.bus, &self.host, self.policy.clone());
        self.with(group)
    }

    /// Starts it on the current actix system.
    #[must_use]
    pub fn start(self) -> Supervisor {
        Supervisor::start(self.root)
    }

    /// Runs it until it is told to stop by SIGTERM or SIGINT, or until it cannot go on. `announce` is called once,
    /// when everything is up. A second signal ends the process at once.
    pub fn run(self, announce: impl AsyncFnOnce(&Tree)) -> ExitStatus {
        actix::System::new().block_on(async move {
            let (mut terminate, mut interrupt) =
                match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
                    (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
                    (Err(error), _) | (_, Err(error)) => {
                        tracing::error!(%error, "cannot listen for signals");
                        return ExitStatus::Failure;
                    }
                };
            let supervisor = self.start();
            let tree = supervisor.tree();
            let serve = async {
                if tree.wait_until_up(Duration::MAX).await.is_ok() {
                    announce(&tree).await;
                }
                supervisor.finished().await
            };
            let outcome = tokio::select! {
                outcome = serve => outcome,
                _ = terminate.recv() => drain(&supervisor).await,
                _ = interrupt.recv() => drain(&supervisor).await,
            };
            ExitStatus::of(&outcome)
        })
    }
}

async fn drain(supervisor: &Supervisor) -> Outcome {
    tracing::info!("stopping: finishing what is in flight");
    let outcome = supervisor.shut_down().await;
    tracing::info!("stopped");
    outcome
}

impl ExitStatus {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Stopped => Self::Success,
            Outcome::FailedToStart { path, cause } => {
                tracing::error!(part = path, "could not start: {cause}");
                Self::StartFailed
            }
            Outcome::Escalated { path, cause } => {
                tracing::error!(part = path, "failed too often, giving up: {cause}");
                Self::Escalated
            }
        }
    }

    /// The number the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Settings => 3,
            Self::StartFailed => 4,
            Self::Escalated => 5,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

impl fmt::Debug for Umbrella {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Umbrella").field("name", &self.root.name()).finish_non_exhaustive()
    }
}
