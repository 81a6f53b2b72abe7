//! Recorders: notices that somebody may want to look up later, from their topic into the store.
//!
//! Notices are stored in batches, bounded by number and by time. While the store is away they wait here, in order, and are
//! stored when it is back, each once. When more wait than may, the topic's ring overflows: the oldest are lost, and the log
//! tells how many.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures_util::{FutureExt, future::join};
use tokio::{
    sync::{Semaphore, mpsc},
    task::unconstrained,
    time::{Instant, sleep, timeout_at},
};
use umbel_bus::{Bus, Store, Subscriber, edge};
use umbel_core::store::{KeptNotice, Recorded};
use umbel_supervision::{Stopping, Worker, WorkerContext};

use crate::settings::HostSettings;

/// Takes notices from their topic.
struct Listener<N> {
    notices: Subscriber<N>,
    waiting: mpsc::Sender<KeptNotice>,
    ttl: Duration,
    /// How many were lost before they were taken, as far as that was told.
    told: u64,
}

/// Stores what was taken.
struct Keeper {
    topic: &'static str,
    store: Store,
    waiting: mpsc::Receiver<KeptNotice>,
    settings: HostSettings,
    stopping: Stopping,
}

/// The worker that records notices of type `N`.
pub(crate) fn worker<N: Recorded>(bus: Bus, settings: &HostSettings) -> Worker {
    let settings = settings.clone();
    Worker::new(format!("{}.recorder", N::TOPIC), move |context: WorkerContext| {
        let (bus, settings) = (bus.clone(), settings.clone());
        async move {
            let (taken, waiting) = mpsc::channel(settings.notices_waiting_max.min(Semaphore::MAX_PERMITS));
            let notices = bus.listen::<N>().await?;
            let listener = Listener { notices, waiting: taken, ttl: settings.notices_ttl(), told: 0 };
            let keeper = Keeper {
                topic: N::TOPIC,
                store: bus.store(),
                waiting,
                settings,
                stopping: context.stopping(),
            };
            context.ready();
            join(listener.listen(context.stopping()), keeper.keep()).await;
            Ok(())
        }
    })
}

impl<N: Recorded> Listener<N> {
    /// Takes what is published until told to stop, and then what was published by then, as far as there is room.
    async fn listen(mut self, stopping: Stopping) {
        let mut in_hand = None;
        while in_hand.is_none() {
            let notice = tokio::select! {
                notice = self.notices.next() => notice,
                () = stopping.clone() => break,
            };
            let Some(notice) = notice else { return };
            let Some(kept) = self.take(&notice) else { continue };
            tokio::select! {
                place = self.waiting.reserve() => match place {
                    Ok(place) => place.send(kept),
                    Err(_) => return,
                },
                () = stopping.clone() => in_hand = Some(kept),
            }
        }
        loop {
            if in_hand.is_some_and(|kept| self.waiting.try_send(kept).is_err()) {
                return tracing::error!(
                    topic = N::TOPIC,
                    "notices are lost: no room for them while stopping"
                );
            }
            // Without tokio's budget, at whose end a topic would look empty.
            let next = unconstrained(self.notices.next()).now_or_never();
            let Some(Some(notice)) = next else { return };
            in_hand = self.take(&notice);
        }
    }

    /// A notice as it will be kept, and a word about those before it that were lost.
    fn take(&mut self, notice: &N) -> Option<KeptNotice> {
        let missed = self.notices.missed();
        if missed > self.told {
            tracing::error!(
                topic = N::TOPIC,
                lost = missed - self.told,
                "notices were lost: too many at once"
            );
            self.told = missed;
        }
        let of = || KeptNotice::of(notice, edge::now(), edge::fresh_id(), self.ttl);
        match catch_unwind(AssertUnwindSafe(of)) {
            Ok(Ok(kept)) => return Some(kept),
            Ok(Err(error)) => tracing::error!(topic = N::TOPIC, %error, "a notice cannot be kept"),
            Err(_) => tracing::error!(topic = N::TOPIC, "a notice cannot be kept: its own code panicked"),
        }
        None
    }
}

impl Keeper {
    /// Stores batch after batch, until nobody takes notices any more and none waits.
    async fn keep(mut self) {
        let mut batch = Vec::new();
        while self.gather(&mut batch).await {
            if !self.store(&batch).await {
                let lost = batch.len() + self.waiting.len();
                return tracing::error!(
                    topic = self.topic,
                    lost,
                    "notices are lost: stopped while the store is away"
                );
            }
            batch.clear();
        }
    }

    /// Waits for a notice, and then a moment for others; whether there are any.
    async fn gather(&mut self, batch: &mut Vec<KeptNotice>) -> bool {
        let most = self.settings.notices_batch;
        if self.waiting.recv_many(batch, most).await == 0 {
            return false;
        }
        let until = Instant::now() + self.settings.notices_batch_within();
        while batch.len() < most {
            let room = most - batch.len();
            if !matches!(timeout_at(until, self.waiting.recv_many(batch, room)).await, Ok(1..)) {
                break;
            }
        }
        true
    }

    /// Stores a batch, trying until it is stored or, once told to stop, one last attempt has failed. The ids tell the store
    /// what it has already, should an answer have been lost.
    async fn store(&self, batch: &[KeptNotice]) -> bool {
        let mut pause = self.settings.store_retry_min();
        loop {
            let is_last = self.stopping.clone().now_or_never().is_some();
            let Err(error) = self.store.keep_notices(batch.to_vec()).await else { return true };
            if is_last {
                return false;
            }
            tracing::error!(topic = self.topic, %error, waiting = batch.len() + self.waiting.len(),
                retry_in_ms = pause.as_millis(), "notices are not kept yet");
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stopping.clone() => {}
            }
            pause = self.settings.store_retry_after(pause);
        }
    }
}
