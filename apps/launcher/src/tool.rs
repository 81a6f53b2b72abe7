//! The store as the tools reach it: through the bus and the store's own actors, over a database that must be there. So
//! it is checked and bounded as for every app, and works beside a running umbrella.

use std::{io, thread, time::Duration};

use anyhow::anyhow;
use tokio::{sync::oneshot, time::Instant};
use umbel_bus::{Bus, Store, SubscriptionView, edge};
use umbel_core::{
    EventId, Metadata,
    store::{Act, LinkError, ListSubscriptions, Perform, PerformError, Performed, ReadError, StoreError},
    subscription::SubscriptionName,
};
use umbel_host::{ExitStatus, Failed, Foundation, OrExit, RunError};
use umbel_persistence::StoreSettings;
use umbel_settings::LoadOptions;

/// Events, or whatever is listed, per page: enough to keep the database busy, few enough to print without a pause.
pub(crate) const PAGE: u32 = 1000;

/// How long a tool waits for one answer. Verifying and removing look at all of the store.
const PATIENCE: Duration = Duration::from_secs(3600);

/// How often an act whose outcome is unknown is asked for again; its id makes sure that it is done once.
const TRIES: usize = 5;

/// Why a tool ends before its work is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Whoever reads our output has seen enough, which is no failure.
    Seen,
    /// It cannot go on.
    Failed(Failed),
}

impl Stop {
    /// The same, with what was being done.
    pub(crate) fn while_at(self, what: impl FnOnce() -> String) -> Self {
        match self {
            Self::Seen => Self::Seen,
            Self::Failed(Failed { status, error }) => {
                Self::Failed(Failed { status, error: error.context(what()) })
            }
        }
    }
}

/// What the work of a tool leads to.
pub(crate) type Done<T = ()> = Result<T, Stop>;

/// A store at work.
#[derive(Debug)]
pub(crate) struct Tool {
    bus: Bus,
    pub(crate) settings: StoreSettings,
}

/// The store's settings.
pub(crate) fn store_settings(options: &LoadOptions) -> Result<(Foundation, StoreSettings), Failed> {
    let foundation = Foundation::lay(options).or_exit(ExitStatus::Settings)?;
    let settings = foundation.settings.section("store").or_exit(ExitStatus::Settings)?;
    Ok((foundation, settings))
}

/// Does something with the store that the settings name, which must be there and up to date.
pub(crate) fn with_store(options: &LoadOptions, work: impl AsyncFnOnce(&Tool) -> Done) -> Result<(), Failed> {
    let (foundation, settings) = store_settings(options)?;
    let tool = Tool { bus: foundation.bus.clone(), settings: settings.clone() };
    let (tell_up, up) = oneshot::channel();
    let (stop, told_to_stop) = oneshot::channel();
    // On a thread of its own: a tool may wait for its terminal, and the store's actors must not.
    let serving = thread::spawn(move || serve(&foundation, &settings, tell_up, told_to_stop));
    let outcome = block_on(async {
        let gone = |_| Err(anyhow!("the store did not start")).or_exit(ExitStatus::StartFailed);
        up.await.unwrap_or_else(gone)?;
        done(work(&tool).await)
    });
    drop(stop);
    // A panic was reported when it happened.
    drop(serving.join());
    outcome
}

/// Does something that needs no store, such as making one.
pub(crate) fn without_store(work: impl AsyncFnOnce() -> Done) -> Result<(), Failed> {
    block_on(async { done(work().await) })
}

fn block_on(work: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_exit(ExitStatus::Failure)?.block_on(work)
}

/// Runs bus and store as the umbrella does, until told to stop.
fn serve(
    foundation: &Foundation,
    settings: &StoreSettings,
    tell_up: oneshot::Sender<Result<(), Failed>>,
    told_to_stop: oneshot::Receiver<()>,
) {
    actix::System::new().block_on(async {
        let adapter = match umbel_persistence::open_existing(settings).await {
            Ok(adapter) => adapter,
            // Nobody listens only if the tool has ended.
            Err(error) => return drop(tell_up.send(Err(error).or_exit(ExitStatus::StartFailed))),
        };
        let (bus, policy) = (&foundation.bus, foundation.policy());
        let store = umbel_persistence::quiet_group_over(adapter, settings, bus, policy);
        let supervisor = foundation.umbrella("tool").with(store).start();
        let tree = supervisor.tree();
        let started = tokio::select! {
            outcome = supervisor.finished() => RunError::check(outcome).map_err(Failed::from),
            up = tree.wait_until_up(Duration::MAX) => up.or_exit(ExitStatus::StartFailed),
        };
        drop(tell_up.send(started));
        // An error says that the sender is gone, which is the sign.
        drop(told_to_stop.await);
        if let Err(error) = RunError::check(supervisor.shut_down().await) {
            tracing::warn!(%error, "the store did not stop in order");
        }
    });
}

impl Tool {
    /// The store, for the next request.
    pub(crate) fn store(&self) -> Store {
        self.bus.store().by(Instant::now() + PATIENCE)
    }

    /// How a subscription stands, which must be there.
    pub(crate) async fn subscription(&self, name: &SubscriptionName) -> Done<SubscriptionView> {
        let request = ListSubscriptions { name: Some(name.clone()), after: None, limit: 1 };
        let found = self.store().view_subscriptions(request).await?.into_iter().next();
        found.ok_or_else(|| PerformError::SubscriptionNotFound(name.clone()).into())
    }

    /// Does an act of upkeep, in the name of the user of the operating system.
    pub(crate) async fn perform(&self, act: Act, reason: Option<&str>) -> Done<Performed> {
        let metadata = Metadata::correlated(edge::fresh_id()).with("by", user());
        let metadata = reason.into_iter().fold(metadata, |metadata, reason| metadata.with("reason", reason));
        let request = Perform { id: EventId(edge::fresh_id()), act, metadata };
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.store().perform(request.clone()).await {
                Err(PerformError::Store(StoreError::OutcomeUnknown { .. })) if tries > 0 => {}
                outcome => return Ok(outcome?),
            }
        }
    }
}

/// Who runs this process, for the audit.
fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").map_or("unknown".into(), |own| format!("uid {}", own.uid()))
    })
}

fn done(outcome: Done) -> Result<(), Failed> {
    match outcome {
        Ok(()) | Err(Stop::Seen) => Ok(()),
        Err(Stop::Failed(failed)) => Err(failed),
    }
}

/// A failure with a message of its own: what was asked for cannot be done.
pub(crate) fn failed(message: impl Into<String>) -> Stop {
    Stop::Failed(Failed { status: ExitStatus::Failure, error: anyhow!(message.into()) })
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// Of standard output: errors of files are told with the file's name. What cannot be written because of what it is, is the
/// store's fault.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Seen,
            io::ErrorKind::InvalidData => {
                Self::Failed(Failed { status: ExitStatus::StartFailed, error: error.into() })
            }
            _ => failed(format!("cannot write: {error}")),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Unavailable { .. } | StoreError::Corrupt { .. } => ExitStatus::StartFailed,
            _ => ExitStatus::Failure,
        };
        Self::Failed(Failed { status, error: error.into() })
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::StreamNotFound(_) => failed(format!("{error}; {}", where_streams_are())),
            ReadError::StreamDeleted(_) => failed(error.to_string()),
        }
    }
}

impl From<PerformError> for Stop {
    fn from(error: PerformError) -> Self {
        match error {
            PerformError::Store(error) => error.into(),
            PerformError::StreamNotFound(_) => failed(format!("{error}; {}", where_streams_are())),
            PerformError::StreamDeleted(_) => {
                failed(format!("{error} before; only --hard is left to do to it"))
            }
            PerformError::WrongExpectedVersion { .. } => {
                failed(format!("{error}; look at it again with `umbel streams show`"))
            }
            PerformError::SubscriptionNotFound(_) => {
                failed(format!("{error}; `umbel subscriptions list` shows which there are"))
            }
            PerformError::StartBeyondEnd { .. } => failed(format!("{error}, with --current")),
            PerformError::ProjectionNotFound(_) => {
                failed(format!("{error}; `umbel projections list` shows which there are"))
            }
            PerformError::LetterNotFound { .. } => {
                failed(format!("{error}; `umbel dead-letters list` shows which there are"))
            }
            error => failed(error.to_string()),
        }
    }
}

impl From<LinkError> for Stop {
    fn from(error: LinkError) -> Self {
        failed(error.to_string())
    }
}

const fn where_streams_are() -> &'static str {
    "`umbel streams list` shows the streams there are"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        assert!(done(Err(io::Error::from(io::ErrorKind::BrokenPipe).into())).is_ok());
        let full = done(Err(io::Error::from(io::ErrorKind::StorageFull).into()));
        assert_eq!(full.unwrap_err().status, ExitStatus::Failure);
        let damaged = done(Err(io::Error::from(io::ErrorKind::InvalidData).into()));
        assert_eq!(damaged.unwrap_err().status, ExitStatus::StartFailed);
    }
}
