//! An actix actor as a worker.
//!
//! actix gives no reliable sign of an actor's end: a panic in a handler kills only the actor's task, and `stopped()` runs
//! even then. The one thing that happens for certain is that the actor's fields are dropped; so one field, the
//! [`Tether`], reports from its `Drop`.
//!
//! actix calls `stopping()` and `stopped()` also while a panic of the actor unwinds, and then drops its fields: a second panic
//! in any of these aborts the process. Keep them free of what may panic.

use actix::{Actor, Addr, Context, Handler, Message};
use anyhow::{Error, anyhow};
use tokio::sync::oneshot;

use crate::context::WorkerContext;
use crate::panics;

/// Sent once to an actor that shall stop: finish what is in flight, then `ctx.stop()`.
///
/// The answer may come before or after the end; the supervisor waits for the end itself, within `stop_within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain;

impl Message for Drain {
    type Result = ();
}

/// Kept by a supervised actor as a field for as long as it lives: its drop tells the runner that the actor is gone, and
/// whether it went down in a panic. Fields are dropped in their order; as the last one it sees the others' panics, too.
#[must_use = "dropping the tether reports the actor's end; keep it in the actor"]
pub struct Tether {
    report: Option<oneshot::Sender<Ending>>,
    failure: Option<Error>,
}

enum Ending {
    Panicked(String),
    GaveUp(Error),
    Stopped,
}

impl WorkerContext {
    /// Runs an actor as this worker: `make` starts it in this arbiter and moves the [`Tether`] into it. The worker is ready
    /// once the actor has been started, and returns when the actor is gone. When stop is ordered the actor gets
    /// [`Drain`].
    ///
    /// What must be there before the worker may be called ready (a connection, say) is made before this call, in the
    /// worker's future.
    ///
    /// # Errors
    /// When the actor ends without having been told to: its panic message, the cause given to [`Tether::give_up`], or
    /// the plain statement that it stopped.
    pub async fn run_actor<A>(self, make: impl FnOnce(Tether) -> Addr<A>) -> anyhow::Result<()>
    where
        A: Actor<Context = Context<A>> + Handler<Drain>,
    {
        self.run_actor_once_up(make, async |_address| Ok(())).await
    }

    /// The same, but the worker is ready only when `up` has succeeded: what makes the actor reachable, such as
    /// registering its address.
    ///
    /// # Errors
    /// See [`Self::run_actor`]; also when `up` fails.
    pub async fn run_actor_once_up<A>(
        self,
        make: impl FnOnce(Tether) -> Addr<A>,
        up: impl AsyncFnOnce(Addr<A>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>
    where
        A: Actor<Context = Context<A>> + Handler<Drain>,
    {
        let (report, mut gone) = oneshot::channel();
        let address = make(Tether { report: Some(report), failure: None });
        // For when this future is dropped in the midst of it, by a task of the worker that fails or by a deadline: nobody would
        // wait for the actor any more, so it shall go.
        let _left_behind = Farewell(&address);
        let announced = async {
            // Lets the actor's `started()` have its turn, so that a failure there is a failure to start.
            tokio::task::yield_now().await;
            up(address.clone()).await
        };
        tokio::select! {
            biased;
            ending = &mut gone => return unordered(ending),
            announced = announced => announced?,
        }
        self.ready();
        tokio::select! {
            biased;
            ending = &mut gone => return unordered(ending),
            () = self.stopping() => {}
        }
        if address.send(Drain).await.is_err() {
            tracing::debug!(worker = self.name(), "the actor ended before it had drained");
        }
        match gone.await {
            Ok(Ending::Panicked(message)) => Err(anyhow!("panicked while stopping: {message}")),
            Ok(Ending::GaveUp(cause)) => Err(cause.context("failed while stopping")),
            Ok(Ending::Stopped) | Err(_) => Ok(()),
        }
    }
}

/// Asks an actor to end, without waiting for it; one that has ended does not mind.
struct Farewell<'a, A: Actor<Context = Context<A>> + Handler<Drain>>(&'a Addr<A>);

impl<A: Actor<Context = Context<A>> + Handler<Drain>> Drop for Farewell<'_, A> {
    fn drop(&mut self) {
        // A full mailbox: then it ends when its last address is dropped, when its successor is registered.
        drop(self.0.try_send(Drain));
    }
}

impl Tether {
    /// A tether that reports to nobody, for an actor that is run without a supervisor, in a test.
    pub fn loose() -> Self {
        Self { report: None, failure: None }
    }

    /// Notes why the actor is about to stop itself, for the supervisor's record; the actor then calls `ctx.stop()`.
    pub fn give_up(&mut self, cause: impl Into<Error>) {
        self.failure = Some(cause.into());
    }
}

impl Drop for Tether {
    fn drop(&mut self) {
        let ending = if std::thread::panicking() {
            Ending::Panicked(panics::last_on_this_thread())
        } else {
            self.failure.take().map_or(Ending::Stopped, Ending::GaveUp)
        };
        if let Some(report) = self.report.take() {
            // Nobody listens any more when the worker was abandoned.
            drop(report.send(ending));
        }
    }
}

fn unordered(ending: Result<Ending, oneshot::error::RecvError>) -> anyhow::Result<()> {
    match ending {
        Ok(Ending::Panicked(message)) => Err(anyhow!("panicked: {message}")),
        Ok(Ending::GaveUp(cause)) => Err(cause),
        Ok(Ending::Stopped) | Err(_) => Err(anyhow!("the actor stopped without being told to")),
    }
}
