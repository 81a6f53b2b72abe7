//! What a running worker knows of its supervisor: its name, how to say that it is up, when to stop.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::watch;

use crate::tasks::Tasks;

/// Handed to one incarnation of a worker. Clones belong to the same incarnation.
#[derive(Clone)]
pub struct WorkerContext {
    path: Arc<str>,
    ready: watch::Sender<bool>,
    stopping: Stopping,
    tasks: Arc<Tasks>,
}

/// Resolves once the worker has been told to stop, and stays resolved. Clone it to wait in several places.
#[derive(Clone)]
pub struct Stopping(Shared<BoxFuture<'static, ()>>);

impl WorkerContext {
    pub(crate) fn new(
        path: Arc<str>,
        ready: watch::Sender<bool>,
        stop: watch::Receiver<bool>,
        tasks: Arc<Tasks>,
    ) -> Self {
        Self { path, ready, stopping: Stopping::new(stop), tasks }
    }

    /// Says that the worker is up. The next child starts only after this; calling it again changes nothing.
    pub fn ready(&self) {
        self.ready.send_replace(true);
    }

    /// Resolves when the worker shall stop: then it cleans up and returns `Ok(())`, within its group's `stop_within`.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Runs a task beside the worker's future, on the same thread, as a part of the worker: when it panics or returns an
    /// error, the worker fails with that cause, whatever its future is doing; when the worker ends, however it does, the
    /// task is dropped at its next pause, before the worker counts as ended. A task that returns `Ok` is done.
    ///
    /// `name` tells tasks apart in the cause. A task that must end in order is awaited by the worker's future instead.
    ///
    /// This is for tasks that the worker is not whole without. One that is spawned with `actix::spawn` belongs to nobody:
    /// should it panic, that is logged and counted at the node whose thread it is ([`crate::TreeNode::panics`]), and
    /// nothing else happens.
    ///
    /// # Panics
    /// On a thread other than the worker's own.
    pub fn spawn(&self, name: &str, task: impl Future<Output = anyhow::Result<()>> + 'static) {
        self.tasks.spawn(name, task);
    }

    /// The worker's place in the tree, such as `umbel/accounts/queries`.
    pub fn name(&self) -> &str {
        &self.path
    }
}

impl Stopping {
    pub(crate) fn new(mut stop: watch::Receiver<bool>) -> Self {
        let ordered = async move {
            // An error means that the supervisor is gone: nobody is left to work for.
            drop(stop.wait_for(|ordered| *ordered).await);
        };
        Self(ordered.boxed().shared())
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_unpin(context)
    }
}
