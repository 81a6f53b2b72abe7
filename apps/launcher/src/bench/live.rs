//! Following the log live: from the call of an append to its event in the hands of a durable subscription's subscriber.

use std::time::{Duration, Instant};

use actix::Arbiter;
use anyhow::{Context, bail, ensure};
use futures_util::future::LocalBoxFuture;
use tokio::{sync::mpsc, time::timeout};
use umbel_bus::{Bus, Store};
use umbel_core::Position;
use umbel_host::{Subscription, subscribe};

use super::{
    load::{Appends, Plan, Target},
    rounds::{Round, Subject},
};

/// Events on the way from the follower: one append is in flight at a time.
const SEEN: usize = 1024;

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
        let (thread, bus, name) = (Arbiter::new(), follower.clone(), format!("bench.{}", plan.prefix));
        thread.spawn(async move {
            // Nobody listens any more when telling fails.
            if let Err(error) = follow(&bus, &name, &tell).await {
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

/// Subscribes, and tells when each event arrived.
async fn follow(
    bus: &Bus,
    name: &str,
    tell: &mpsc::Sender<anyhow::Result<(Position, Instant)>>,
) -> anyhow::Result<()> {
    let mut subscriber = subscribe(bus, Subscription::named(name)?).await?;
    while let Some(batch) = subscriber.next().await {
        let arrived = Instant::now();
        for one in &batch {
            if tell.send(Ok((one.event.position, arrived))).await.is_err() {
                return Ok(());
            }
        }
        batch.ack().await?;
    }
    bail!("{}", subscriber.ended().unwrap_or_default())
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
