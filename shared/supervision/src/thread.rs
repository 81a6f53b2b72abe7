//! A supervised thread (an actix arbiter) and its heartbeat.

use std::future::{Future, pending};
use std::io;
use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::panics;
use crate::policy::Heartbeat;
use crate::tree::Node;

/// An arbiter that is told to stop when this is dropped. It is never joined: a blocked one would take the supervisor with
/// it. If it ever wakes it ends, and everything on it is dropped.
pub(crate) struct Thread {
    arbiter: Arbiter,
}

impl Thread {
    /// Panics on it are told to the node.
    pub(crate) fn start(node: Arc<Node>) -> io::Result<Self> {
        let arbiter = Arbiter::try_new()?;
        // Kept by a task of its own, so that it lasts as long as the thread: also when that was given up and wakes again.
        arbiter.spawn(async move {
            let _owned = panics::own_this_runtime(node);
            pending::<()>().await;
        });
        Ok(Self { arbiter })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.arbiter.alive()
    }

    pub(crate) fn handle(&self) -> ArbiterHandle {
        self.arbiter.handle()
    }

    /// Resolves, with the cause, when the thread no longer answers; never without a heartbeat.
    pub(crate) fn pulse(&self, heartbeat: Option<Heartbeat>) -> impl Future<Output = String> + 'static {
        let thread = self.handle();
        async move {
            match heartbeat {
                Some(heartbeat) => watch(thread, heartbeat).await,
                None => pending().await,
            }
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}

async fn watch(thread: ArbiterHandle, heartbeat: Heartbeat) -> String {
    let Heartbeat { every, limit } = heartbeat;
    loop {
        sleep(every).await;
        let asked = Instant::now();
        let (reply, mut answer) = oneshot::channel();
        // An answer that comes too late meets a closed channel, and that is fine.
        if !thread.spawn(async move { reply.send(()).unwrap_or_default() }) {
            return "its thread has ended".to_owned();
        }
        let mut answered = timeout(limit, &mut answer).await;
        if answered.is_err() && asked.elapsed() > limit.saturating_mul(2) {
            // This side was held up itself (the process was suspended, say), so the thread had no fair chance.
            answered = timeout(limit, &mut answer).await;
        }
        match answered {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return "its thread has ended".to_owned(),
            Err(_) => {
                return format!("its thread is blocked: no answer to the heartbeat within {limit:?}");
            }
        }
    }
}
