//! W6 stalled: ten subscribers of a topic of which one does not read, beside ten that all do.

use std::{sync::Arc, time::Instant};

use anyhow::{bail, ensure};
use futures_util::future::{LocalBoxFuture, try_join_all};
use tokio::task::yield_now;
use umbel_bus::{
    Bus,
    topics::{Inbox, Item, Overflow, Subscription, Topic, TopicEvent},
};

use super::{
    args::PublishArgs,
    bars,
    figures::rounded,
    lab::{Lab, Site},
    memory::Memory,
    publish::{AT_ONCE, CAPACITY},
    report::Report,
    rounds::{Contest, Round, Subject},
};

const STALLED: &str = "nine of ten, one stalled";
const READING: &str = "nine of ten, all reading";

/// Those whose deliveries are counted. There is one more.
const COUNTED: u64 = 9;

/// In one round, one of so many of the notices asked for: in ten rounds, with the default, a million.
const PART: u64 = 5;

/// A topic with its subscribers.
struct Ten {
    bus: Bus,
    topic: Topic<Arc<str>>,
    notices: u64,
    /// Reads like the others, or not at all.
    tenth: Tenth,
}

enum Tenth {
    Reads,
    /// Holds its inbox for as long as all rounds take, and never looks into it.
    Stalls(Inbox),
}

/// What the nine get, and what memory it takes.
pub(super) async fn run(site: &Site, lab: &Lab, args: &PublishArgs) -> anyhow::Result<()> {
    let (notices, rounds) = (args.notices.div_ceil(PART), args.common.rounds);
    let stalled = Ten::open(&lab.bus, "bench.stalled", notices, true).await?;
    let reading = Ten::open(&lab.bus, "bench.reading", notices, false).await?;
    let before = Memory::own()?;
    let series = Contest::default().with(STALLED, stalled).with(READING, reading).run(rounds).await?;
    let grown = Memory::own()?.resident_mib - before.resident_mib;
    let what = format!("deliveries to nine subscribers beside one that does not read, {notices} a round");
    let report = Report::new("W6 stalled", what, &lab.status, rounds)
        .with("events", notices * u64::from(rounds + 1))
        .measured(series)
        .ratio(STALLED, READING, bars::STALLED)
        .value("grown by", rounded(grown, 1), "MiB", bars::STALLED_MIB);
    site.tell(&report);
    Ok(())
}

impl Ten {
    async fn open(bus: &Bus, name: &str, notices: u64, stalls: bool) -> anyhow::Result<Self> {
        let topic = Topic::named(name);
        bus.topics().register(&topic).await?;
        let mut ten = Self { bus: bus.clone(), topic, notices, tenth: Tenth::Reads };
        if stalls {
            ten.tenth = Tenth::Stalls(ten.subscribe(COUNTED).await?);
        }
        Ok(ten)
    }

    async fn subscribe(&self, number: u64) -> anyhow::Result<Inbox> {
        let name = self.topic.name();
        let subscription = Subscription::new(&*format!("{name}-{number}"), [format!("^{name}$")]);
        let subscription = subscription.capacity(CAPACITY).overflow(Overflow::DropOldest);
        Ok(self.bus.topics().subscribe(subscription).await?)
    }

    async fn publish(&self) -> anyhow::Result<Round> {
        let reading = if matches!(self.tenth, Tenth::Reads) { COUNTED + 1 } else { COUNTED };
        let mut readers = Vec::new();
        for number in 0..reading {
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
        if let Tenth::Stalls(inbox) = &self.tenth {
            let waiting = inbox.counters().waiting;
            ensure!(waiting <= CAPACITY, "{waiting} notices wait for who does not read");
        }
        Ok(Round { units: self.notices * COUNTED, took, latencies: Vec::new() })
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

impl Subject for Ten {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.publish())
    }
}
