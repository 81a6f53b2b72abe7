//! W6: notices in memory and subscriptions of a topic, beside bare channels.

use std::{sync::Arc, time::Instant};

use anyhow::ensure;
use futures_util::future::{LocalBoxFuture, try_join_all};
use tokio::{sync::mpsc, task::yield_now};
use umbel_bus::Bus;
use umbel_core::Notice;

use super::{
    append::UMBEL,
    args::PublishArgs,
    bars,
    lab::Site,
    report::Report,
    rounds::{Contest, Round, Subject},
    stalled,
    topic::Subscribed,
};

const CHANNELS: &str = "bare channels";
const TOPIC: &str = "topic";

/// Places in a bare channel, and in the queue of a subscriber.
pub(super) const CAPACITY: usize = 1024;

/// Notices after which the publisher lets the subscribers come to it: what a task may receive before tokio lets others
/// have their turn, so that they keep up and none is missed.
pub(super) const AT_ONCE: u64 = 100;

/// About 100 bytes, shared by all who get it.
#[derive(Clone, Debug)]
struct Announced(Arc<str>);

/// One publisher of notices on the bus.
struct Notices {
    bus: Bus,
    notices: u64,
    subscribers: u64,
}

/// One sender with a channel to each receiver.
struct Channels {
    notices: u64,
    subscribers: u64,
}

impl Notice for Announced {
    const TOPIC: &'static str = "bench.announced";
}

/// To one subscriber, to ten, and to ten of which one stalls.
pub(super) async fn run(site: &Site, args: &PublishArgs) -> anyhow::Result<()> {
    let lab = site.open().await?;
    for (workload, subscribers, bar) in [("W6 one", 1, bars::PUBLISH_ONE), ("W6 ten", 10, bars::PUBLISH_TEN)]
    {
        let (bus, notices) = (&lab.bus, args.notices.div_ceil(subscribers));
        let topic = Subscribed::open(bus, &format!("bench.to-{subscribers}"), notices, subscribers).await?;
        let series = Contest::default()
            .with(UMBEL, Notices { bus: bus.clone(), notices, subscribers })
            .with(TOPIC, topic)
            .with(CHANNELS, Channels { notices, subscribers })
            .run(args.common.rounds);
        let what = format!("deliveries of notices, and of events of a topic, to {subscribers} at once");
        let report = Report::new(workload, what, &lab.status, args.common.rounds);
        let report = report.with("subscribers", subscribers).measured(series.await?);
        site.tell(&report.ratio(UMBEL, CHANNELS, bar).ratio(TOPIC, CHANNELS, None));
    }
    stalled::run(site, &lab, args).await
}

fn announced() -> Announced {
    Announced(
        "the log has been read to its end, and its reader waits for what comes: nothing is lost here".into(),
    )
}

impl Notices {
    async fn publish(&self) -> anyhow::Result<Round> {
        let mut listeners = Vec::new();
        for _ in 0..self.subscribers {
            let (mut notices, count) = (self.bus.listen::<Announced>().await?, self.notices);
            listeners.push(tokio::spawn(async move {
                let mut heard = 0;
                while heard + notices.missed() < count {
                    std::hint::black_box(notices.next().await.map(|notice| notice.0));
                    heard += 1;
                }
                notices.missed()
            }));
        }
        let (begin, notice) = (Instant::now(), announced());
        for published in 0..self.notices {
            self.bus.publish(notice.clone());
            if published.is_multiple_of(AT_ONCE) {
                yield_now().await;
            }
        }
        let missed: u64 = try_join_all(listeners).await?.into_iter().sum();
        ensure!(missed == 0, "{missed} notices were missed");
        Ok(Round { units: self.notices * self.subscribers, took: begin.elapsed(), latencies: Vec::new() })
    }
}

impl Channels {
    async fn send(&self) -> anyhow::Result<Round> {
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for _ in 0..self.subscribers {
            let (sender, mut receiver) = mpsc::channel::<Announced>(CAPACITY);
            senders.push(sender);
            receivers.push(tokio::spawn(async move {
                while let Some(notice) = receiver.recv().await {
                    std::hint::black_box(notice.0);
                }
            }));
        }
        let (begin, notice) = (Instant::now(), announced());
        for _ in 0..self.notices {
            for sender in &senders {
                sender.send(notice.clone()).await?;
            }
        }
        drop(senders);
        try_join_all(receivers).await?;
        Ok(Round { units: self.notices * self.subscribers, took: begin.elapsed(), latencies: Vec::new() })
    }
}

impl Subject for Notices {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.publish())
    }
}

impl Subject for Channels {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.send())
    }
}
