//! Following the log live: from the call of an append to its event in the hands of a durable subscription's subscriber.

use std::time::{Duration, Instant};

use actix::Arbiter;
use anyhow::{Context, bail, ensure};
use futures_util::future::LocalBoxFuture;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
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

/// Appends one event after the other, each when the follower has seen the one before. Between its rounds nobody follows, so that
/// those who take turns with it have the machine for themselves.
pub(super) struct Live {
    store: Store,
    appends: Appends,
    count: u64,
    follower: Bus,
    name: String,
    /// The last that the follower has seen.
    position: Position,
    /// The follower has a thread of its own, as the apps have.
    thread: Arbiter,
}

/// The follower of one round.
struct Following {
    seen: mpsc::Receiver<anyhow::Result<(Position, Instant)>>,
    /// Ends it when dropped.
    enough: oneshot::Sender<()>,
}

impl Live {
    /// Appends to a store what is followed through a bus.
    pub(super) fn start(store: Store, follower: &Bus, plan: &Plan) -> Self {
        let (appends, count) = (Appends::new(Target::Store(store.clone()), plan), plan.appends);
        let (follower, name) = (follower.clone(), format!("bench.{}", plan.prefix));
        Self { store, appends, count, follower, name, position: Position::START, thread: Arbiter::new() }
    }

    async fn append(&mut self) -> anyhow::Result<Round> {
        let head = self.store.status().await?.head;
        let mut following = self.follow();
        // Passes over what others have appended meanwhile.
        while self.position < head {
            self.next(&mut following).await?;
        }
        let (begin, mut latencies) = (Instant::now(), Vec::new());
        for _ in 0..self.count {
            let called = self.appends.append_one().await?;
            latencies.push(self.next(&mut following).await?.duration_since(called));
            if begin.elapsed() > ROUND_MAX {
                break;
            }
        }
        let took = begin.elapsed();
        let Following { mut seen, enough } = following;
        drop(enough);
        // It is gone when its end of the channel is.
        while let Some(more) = timeout(PATIENCE, seen.recv()).await.context("the follower does not leave")? {
            more?;
        }
        Ok(Round { units: u64::try_from(latencies.len())?, took, latencies })
    }

    fn follow(&self) -> Following {
        let ((tell, seen), (enough, left)) = (mpsc::channel(SEEN), oneshot::channel());
        let (bus, name) = (self.follower.clone(), self.name.clone());
        self.thread.spawn(async move {
            // Nobody listens any more when telling fails.
            if let Err(error) = follow(&bus, &name, &tell, left).await {
                drop(tell.send(Err(error)).await);
            }
        });
        Following { seen, enough }
    }

    /// When the next event reached the follower.
    async fn next(&mut self, following: &mut Following) -> anyhow::Result<Instant> {
        let seen = timeout(PATIENCE, following.seen.recv()).await.context("the follower hears nothing")?;
        let (position, at) = seen.context("the follower is gone")??;
        ensure!(position == self.position.next(), "the follower saw {position} after {}", self.position);
        self.position = position;
        Ok(at)
    }
}

/// Subscribes, and tells when each event arrived, until it is enough.
async fn follow(
    bus: &Bus,
    name: &str,
    tell: &mpsc::Sender<anyhow::Result<(Position, Instant)>>,
    mut enough: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let mut subscriber = subscribe(bus, Subscription::named(name)?).await?;
    loop {
        let batch = tokio::select! {
            biased;
            batch = subscriber.next() => batch,
            _dropped = &mut enough => {
                subscriber.close().await;
                return Ok(());
            }
        };
        let Some(batch) = batch else { bail!("{}", subscriber.ended().unwrap_or_default()) };
        let arrived = Instant::now();
        for one in &batch {
            if tell.send(Ok((one.event.position, arrived))).await.is_err() {
                return Ok(());
            }
        }
        batch.ack().await?;
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
