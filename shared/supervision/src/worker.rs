//! One incarnation of a worker: starts the future on its thread and brings back how it ended.
//!
//! The future returned here lives on the supervisor's thread. Dropping it abandons the incarnation: the worker's future is
//! dropped at its next pause, and its exit reaches nobody.

use std::future::{Future, pending};
use std::sync::Arc;

use actix::ArbiterHandle;
use anyhow::anyhow;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinError;

use crate::context::WorkerContext;
use crate::exit::{Exit, Failure};
use crate::panics;
use crate::policy::Heartbeat;
use crate::spec::Worker;
use crate::tasks::{Owner, Tasks};
use crate::thread::Thread;
use crate::tree::Node;

/// The two signals between a child and its group.
pub(crate) struct Signals {
    /// The child is up.
    pub(crate) ready: watch::Sender<bool>,
    /// The child shall stop.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Runs the worker on its group's thread.
pub(crate) fn on_thread(
    worker: &Worker,
    path: Arc<str>,
    signals: Signals,
    thread: &ArbiterHandle,
) -> impl Future<Output = Exit> + 'static {
    let (report, exit) = oneshot::channel();
    let (tasks, failure) = Tasks::new();
    let context = WorkerContext::new(Arc::clone(&path), signals.ready, signals.stop, Arc::clone(&tasks));
    let factory = Arc::clone(&worker.factory);
    // When the thread has ended the report is dropped with the closure, which is how we learn it.
    thread.spawn_fn(move || {
        actix::spawn(incarnate(factory, context, Owner(tasks), failure, report));
    });
    async move {
        match exit.await {
            Ok(Ok(())) => Exit::Done,
            Ok(Err(error)) => Exit::Failed(Failure::by(&path, &error)),
            Err(_) => Exit::failed(&path, "its thread has ended"),
        }
    }
}

/// Runs the worker on a thread of its own, which ends with it. The heartbeat begins when the worker is ready: until then it may
/// block its thread, and its group's `start_within` bounds that.
pub(crate) async fn on_own_thread(
    worker: Worker,
    node: Arc<Node>,
    signals: Signals,
    heartbeat: Option<Heartbeat>,
) -> Exit {
    let path = Arc::clone(&node.path);
    let thread = match Thread::start(node) {
        Ok(thread) => thread,
        Err(error) => return Exit::failed(&path, format!("cannot start a thread: {error}")),
    };
    let mut ready = signals.ready.subscribe();
    let pulse = async {
        match ready.wait_for(|ready| *ready).await {
            Ok(_) => thread.pulse(heartbeat).await,
            // It ended before it was ready: its exit tells how.
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        exit = on_thread(&worker, Arc::clone(&path), signals, &thread.handle()) => exit,
        cause = pulse => Exit::lost(&path, cause),
    }
}

/// On the worker's thread: makes and runs the future in a task of its own, so that its panic is caught, and reports its
/// end - unless the incarnation is abandoned first, which shows as a closed report. The end of one of the worker's own
/// tasks in a failure is the worker's.
async fn incarnate(
    factory: crate::spec::Factory,
    context: WorkerContext,
    tasks: Owner,
    mut failure: mpsc::Receiver<String>,
    mut report: oneshot::Sender<anyhow::Result<()>>,
) {
    if report.is_closed() {
        return;
    }
    let mut task = actix::spawn(async move { factory(context).await });
    let result = tokio::select! {
        biased;
        Some(cause) = failure.recv() => {
            task.abort();
            // So that what it holds is free for the next incarnation.
            drop(task.await);
            Err(anyhow!(cause))
        }
        ended = &mut task => told(ended),
        () = report.closed() => return task.abort(),
    };
    tasks.0.end().await;
    // Abandoned in this very moment: nobody wants to know.
    drop(report.send(result));
}

fn told(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.unwrap_or_else(|error| {
        Err(match error.try_into_panic() {
            Ok(payload) => anyhow!("panicked: {}", panics::describe(&*payload)),
            Err(error) => error.into(),
        })
    })
}
