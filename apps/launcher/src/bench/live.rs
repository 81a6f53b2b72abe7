//! Following the log live: from the call of an append to its event in the hands of a follower.

use std::time::{Duration, Instant};

use actix::Arbiter;
use anyhow::{Context, ensure};
use futures_util::future::LocalBoxFuture;
use tokio::{sync::mpsc, time::timeout};
use umbel_bus::{Bus, Store};
use umbel_core::{Position, store::Selector};

use super::{
    load::{Appends, Plan, Target},
    pages,
    rounds::{Round, Subject},
};

/// Events on the way from the follower: one append is in flight at a time.
const SEEN: usize = 1024;

/// Events per page: more than are ever new.
const PAGE: u32 = 100;

/// Enough of one round, where a follower learns of events so late that all of them would take minutes.
const ROUND_MAX: Duration = Duration::from_secs(2);

/// How long a follower may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// Appends one event after the other, each when the follower has seen the one before.
pub(super) struct Live {
    store: Store,
    appends: Appends,
    count: u64,
    seen: mpsc::Receiver<anyhow::Result<(Position, Instant)>>,
    /// The last that the follower has seen.
    position: Position,
    /// The follower has a thread of its own, as the apps have.
    thread: Arbiter,
}

impl Live {
    /// Appends to a store what is followed through a bus.
    pub(super) fn start(store: Store, follower: &Bus, plan: &Plan) -> Self {
        let (tell, seen) = mpsc::channel(SEEN);
        let (thread, bus) = (Arbiter::new(), follower.clone());
        thread.spawn(async move {
            // Nobody listens any more when telling fails.
            if let Err(error) = follow(&bus, &tell).await {
                drop(tell.send(Err(error)).await);
            }
        });
        let (appends, count) = (Appends::new(Target::Store(store.clone()), plan), plan.appends);
        Self { store, appends, count, seen, position: Position::START, thread }
    }

    async fn append(&mut self) -> anyhow::Result<Round> {
        // Passes over what others have appended meanwhile.
        let head = self.store.status().await?.head;
        while self.position < head {
            self.next().await?;
        }
        let (begin, mut latencies) = (Instant::now(), Vec::new());
        for _ in 0..self.count {
            let called = Instant::now();
            self.appends.append(1).await?;
            latencies.push(self.next().await?.duration_since(called));
            if begin.elapsed() > ROUND_MAX {
                break;
            }
        }
        Ok(Round { units: u64::try_from(latencies.len())?, took: begin.elapsed(), latencies })
    }

    /// When the next event reached the follower.
    async fn next(&mut self) -> anyhow::Result<Instant> {
        let seen = timeout(PATIENCE, self.seen.recv()).await.context("the follower hears nothing")?;
        let (position, at) = seen.context("the follower is gone")??;
        ensure!(position == self.position.next(), "the follower saw {position} after {}", self.position);
        self.position = position;
        Ok(at)
    }
}

/// Tells when each event arrived, from the log's present end on.
async fn follow(bus: &Bus, tell: &mpsc::Sender<anyhow::Result<(Position, Instant)>>) -> anyhow::Result<()> {
    let (store, mut head, selector) = (bus.store(), bus.head(), Selector::all());
    let mut reached = Position::START;
    loop {
        head.borrow_and_update();
        let page = pages::page(&store, reached, &selector, PAGE).await?;
        let arrived = Instant::now();
        for event in &page.events {
            if tell.send(Ok((event.position, arrived))).await.is_err() {
                return Ok(());
            }
        }
        reached = page.scanned_to;
        if reached >= page.head {
            head.changed().await?;
        }
    }
}

impl Subject for Live {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.append())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.thread.stop();
    }
}
