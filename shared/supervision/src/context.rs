//! What a running worker knows of its supervisor: its name, how to say that it is up, when to stop.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::watch;

/// Handed to one incarnation of a worker. Clones belong to the same incarnation.
#[derive(Clone)]
pub struct WorkerContext {
    path: Arc<str>,
    ready: watch::Sender<bool>,
    stopping: Stopping,
}

/// Resolves once the worker has been told to stop, and stays resolved. Clone it to wait in several places.
#[derive(Clone)]
pub struct Stopping(Shared<BoxFuture<'static, ()>>);

impl WorkerContext {
    pub(crate) fn new(path: Arc<str>, ready: watch::Sender<bool>, stop: watch::Receiver<bool>) -> Self {
        Self { path, ready, stopping: Stopping::new(stop) }
    }

    /// Says that the worker is up. The next child starts only after this; calling it again changes nothing.
    pub fn ready(&self) {
        self.ready.send_replace(true);
    }

    /// Resolves when the worker shall stop: then it cleans up and returns `Ok(())`, within its group's `stop_within`.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
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
