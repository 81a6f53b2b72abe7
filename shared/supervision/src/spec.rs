//! The declaration of a tree: names, factories, policies. Nothing runs here.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::context::WorkerContext;
use crate::policy::{Policy, Restart};
use crate::roster::Roster;

/// A child of a group.
#[derive(Clone)]
pub enum Child {
    /// A future, made anew at each start.
    Worker(Worker),
    /// A nested supervisor.
    Group(Group),
    /// A nested supervisor whose children come and go.
    Roster(Roster),
}

/// A worker: a name and a factory. Each future that the factory makes is one incarnation of the worker.
#[derive(Clone)]
pub struct Worker {
    pub(crate) name: String,
    pub(crate) restart: Restart,
    pub(crate) own_thread: bool,
    pub(crate) factory: Factory,
}

/// A nested supervisor, with a thread of its own for the workers declared in it.
#[derive(Clone)]
pub struct Group {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    pub(crate) restart: Restart,
    pub(crate) children: Vec<Child>,
}

pub(crate) type Factory =
    Arc<dyn Fn(WorkerContext) -> LocalBoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

impl Worker {
    /// A permanent worker on its group's thread.
    ///
    /// The future that `factory` makes *is* the worker. It calls [`WorkerContext::ready`] once it is up, runs until it is
    /// done or until [`WorkerContext::stopping`] resolves, then cleans up and returns `Ok(())`. It is polled on the
    /// thread it was made on and need not be `Send`. What it spawns beside itself it must end itself.
    ///
    /// It must not block its group's thread, not even while it starts: the heartbeat would take the thread, and all
    /// workers on it, for lost. Blocking work belongs in `spawn_blocking`, or see [`Worker::own_thread`].
    pub fn new<F, Fut>(name: impl Into<String>, factory: F) -> Self
    where
        F: Fn(WorkerContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + 'static,
    {
        Self {
            name: name.into(),
            restart: Restart::default(),
            own_thread: false,
            factory: Arc::new(move |context| factory(context).boxed_local()),
        }
    }

    /// When to start it again. Unless told otherwise: always.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Gives the worker an arbiter (a thread) of its own, whose heartbeat is watched once the worker is ready: for work
    /// that must not delay its siblings. Until it is ready it may block the thread, within `start_within`.
    #[must_use]
    pub fn own_thread(mut self) -> Self {
        self.own_thread = true;
        self
    }
}

impl Group {
    /// An empty, permanent group.
    pub fn new(name: impl Into<String>, policy: Policy) -> Self {
        Self { name: name.into(), policy, restart: Restart::default(), children: Vec::new() }
    }

    /// Adds a child. Children start in the order in which they are added and stop in reverse.
    #[must_use]
    pub fn child(mut self, child: impl Into<Child>) -> Self {
        self.children.push(child.into());
        self
    }

    /// When its parent starts it again after it has failed. Unless told otherwise: always.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Child {
    /// The name it was given, without its ancestors'.
    pub fn name(&self) -> &str {
        match self {
            Self::Worker(worker) => &worker.name,
            Self::Group(group) => &group.name,
            Self::Roster(roster) => &roster.name,
        }
    }

    pub(crate) fn restart_kind(&self) -> Restart {
        match self {
            Self::Worker(worker) => worker.restart,
            Self::Group(group) => group.restart,
            Self::Roster(_) => Restart::Permanent,
        }
    }
}

impl From<Worker> for Child {
    fn from(worker: Worker) -> Self {
        Self::Worker(worker)
    }
}

impl From<Group> for Child {
    fn from(group: Group) -> Self {
        Self::Group(group)
    }
}

impl From<Roster> for Child {
    fn from(roster: Roster) -> Self {
        Self::Roster(roster)
    }
}
