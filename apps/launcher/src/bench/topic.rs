//! A topic of the bus with subscribers, published to.

use std::{sync::Arc, time::Instant};

use anyhow::{bail, ensure};
use futures_util::future::{LocalBoxFuture, try_join_all};
use tokio::task::yield_now;
use umbel_bus::{
    Bus,
    topics::{Inbox, Item, Overflow, Subscription, Topic, TopicEvent},
};

use super::{
    publish::{AT_ONCE, CAPACITY},
    rounds::{Round, Subject},
};

/// A topic with subscribers, each by a pattern and with a bounded inbox.
pub(super) struct Subscribed {
    bus: Bus,
    topic: Topic<Arc<str>>,
    notices: u64,
    /// Subscribers that read all.
    readers: u64,
    /// Those whose deliveries are counted.
    counted: u64,
    /// Holds its inbox for as long as all rounds take, and never looks into it.
    stalled: Option<Inbox>,
}

impl Subscribed {
    /// A topic of this name with so many readers, all of which count.
    pub(super) async fn open(bus: &Bus, name: &str, notices: u64, readers: u64) -> anyhow::Result<Self> {
        let topic = Topic::named(name);
        bus.topics().register(&topic).await?;
        Ok(Self { bus: bus.clone(), topic, notices, readers, counted: readers, stalled: None })
    }

    /// Only so many of the readers count.
    pub(super) fn counting(self, counted: u64) -> Self {
        Self { counted, ..self }
    }

    /// With one more subscriber, that stalls.
    pub(super) async fn beside_one_that_stalls(self) -> anyhow::Result<Self> {
        let stalled = Some(self.subscribe(self.readers).await?);
        Ok(Self { stalled, ..self })
    }

    async fn subscribe(&self, number: u64) -> anyhow::Result<Inbox> {
        let name = self.topic.name();
        let subscription = Subscription::new(&*format!("{name}-{number}"), [format!("^{name}$")]);
        let subscription = subscription.capacity(CAPACITY).overflow(Overflow::DropOldest);
        Ok(self.bus.topics().subscribe(subscription).await?)
    }

    async fn publish(&self) -> anyhow::Result<Round> {
        let mut readers = Vec::new();
        for number in 0..self.readers {
            readers.push(tokio::spawn(read(self.subscribe(number).await?, self.notices)));
        }
        let (begin, notice) = (Instant::now(), Arc::<str>::from("nothing that is said here is lost"));
        for published in 0..self.notices {
            self.bus.topics().publish(TopicEvent::now(&self.topic, Arc::clone(&notice)))?;
            if published.is_multiple_of(AT_ONCE) {
                yield_now().await;
            }
        }
        for read in try_join_all(readers).await? {
            read?;
        }
        let took = begin.elapsed();
        if let Some(inbox) = &self.stalled {
            let waiting = inbox.counters().waiting;
            ensure!(waiting <= CAPACITY, "{waiting} notices wait for who does not read");
        }
        Ok(Round { units: self.notices * self.counted, took, latencies: Vec::new() })
    }
}

/// Reads until all have come.
async fn read(mut inbox: Inbox, notices: u64) -> anyhow::Result<()> {
    for _ in 0..notices {
        match inbox.next().await? {
            Item::Event(delivery) => drop(std::hint::black_box(delivery)),
            Item::Lagged(gap) => bail!("{} notices were missed by who reads", gap.missed),
        }
    }
    Ok(())
}

impl Subject for Subscribed {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.publish())
    }
}
