//! The single things that a group waits for. Each may be dropped and awaited again without losing anything; what cannot
//! happen is waited for forever.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::exit::Exit;
use crate::thread::Thread;

/// Resolves, with the cause, when the thread is lost.
pub(super) type Pulse = LocalBoxFuture<'static, String>;

/// One incarnation of a child.
pub(super) struct Running {
    pub(super) task: JoinHandle<Exit>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) ready: watch::Receiver<bool>,
}

pub(super) async fn next_exit(group: &Arc<str>, running: &mut [Option<Running>]) -> (usize, Exit) {
    poll_fn(|context| {
        for (child, slot) in running.iter_mut().enumerate() {
            let Some(running) = slot else { continue };
            if let Poll::Ready(ended) = running.task.poll_unpin(context) {
                let exit = ended.unwrap_or_else(|error| Exit::failed(group, error.to_string()));
                return Poll::Ready((child, exit));
            }
        }
        Poll::Pending
    })
    .await
}

pub(super) async fn pulse(thread: &mut Option<(Thread, Pulse)>) -> String {
    match thread {
        Some((_, pulse)) => pulse.await,
        None => pending().await,
    }
}

pub(super) async fn becomes_ready(starting: Vec<(usize, watch::Receiver<bool>)>) -> usize {
    let each = starting.into_iter().map(|(child, mut ready)| async move {
        match ready.wait_for(|ready| *ready).await {
            Ok(_) => child,
            // It ended before it was ready: that is for its exit to tell.
            Err(_) => pending().await,
        }
    });
    let mut each: FuturesUnordered<_> = each.collect();
    match each.next().await {
        Some(child) => child,
        None => pending().await,
    }
}

pub(super) async fn passes<T>(deadline: Option<(T, Instant)>) -> T {
    match deadline {
        Some((what, moment)) => {
            sleep_until(moment).await;
            what
        }
        None => pending().await,
    }
}
