//! The tasks that a worker runs beside its future and that belong to it: each fails the worker when it fails, and none
//! outlives its incarnation.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::panics;

/// The tasks of one incarnation.
pub(crate) struct Tasks {
    /// Takes the first failure; those after it change nothing.
    failed: mpsc::Sender<String>,
    /// `None` once the incarnation has ended.
    running: Mutex<Option<Vec<JoinHandle<()>>>>,
}

/// Ends the tasks when it is dropped.
pub(crate) struct Owner(pub(crate) Arc<Tasks>);

impl Tasks {
    /// Without any task yet, and what resolves when one has failed: with the cause.
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<String>) {
        let (failed, failure) = mpsc::channel(1);
        (Arc::new(Self { failed, running: Mutex::new(Some(Vec::new())) }), failure)
    }

    pub(crate) fn spawn(&self, name: &str, task: impl Future<Output = anyhow::Result<()>> + 'static) {
        let (failed, name) = (self.failed.clone(), name.to_owned());
        let mut running = self.running();
        // Too late: there is nobody left to fail.
        let Some(running) = running.as_mut() else { return };
        running.retain(|task| !task.is_finished());
        running.push(actix::spawn(async move {
            let cause = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("its task {name} failed: {error:#}"),
                Err(payload) => format!("its task {name} panicked: {}", panics::describe(&*payload)),
            };
            // Full: another one was first.
            drop(failed.try_send(cause));
        }));
    }

    /// Ends all of them and waits until they are gone, with what they held.
    pub(crate) async fn end(&self) {
        for task in self.abort() {
            // How it ended was told by itself, or does not matter any more.
            drop(task.await);
        }
    }

    fn abort(&self) -> Vec<JoinHandle<()>> {
        let tasks = self.running().take().unwrap_or_default();
        tasks.iter().for_each(JoinHandle::abort);
        tasks
    }

    fn running(&self) -> MutexGuard<'_, Option<Vec<JoinHandle<()>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.abort());
    }
}
