//! W4: durable subscriptions, from the beginning of the log beside queries of the same rows, and live beside a bare commit.

use std::time::Instant;

use anyhow::{Context, ensure};
use futures_util::future::LocalBoxFuture;
use umbel_bus::{Bus, Store};
use umbel_core::{
    Position,
    store::{SaveProjection, Selector},
};
use umbel_host::{Subscription, subscribe};
use umbel_persistence::floor::{Decode, Floors, Rows, Scan};

use super::{
    append::{GROUP_COMMIT, UMBEL},
    args::SubscribeArgs,
    bars,
    event::{self, Logged},
    figures::rounded,
    fill::fill,
    following::Following,
    lab::Site,
    live::Live,
    load::{Appends, Plan, Target},
    memory::Memory,
    pages,
    read::{BARE_QUERY, DECODED_QUERY, Scans},
    report::{Figure, Report},
    rounds::{Contest, Round, Subject},
};

const ACROSS: &str = "across";
const DECODING: &str = "decoding";
const PROJECTION: &str = "projection";
const HANDLER: &str = "handler of an app";
const COUNTS: &str = "projection, counts";
const COPIES: &str = "projection, a document each";

/// Subscribes from the origin, once in each round under a name of its own, and takes everything: an acknowledgement and with it a
/// checkpoint for each batch.
struct Subscriptions {
    bus: Bus,
    /// Begins the names.
    name: &'static str,
    /// Whether the typed value of each event is made, as by a handler of its type, or nothing is done with it.
    decode: bool,
    /// Events per batch.
    batch: u32,
    /// Events that must be met.
    events: u64,
    done: u32,
}

/// Follows the log to its end as a projection does: a page, its events decoded, and its checkpoint, in turns.
struct CatchUps {
    store: Store,
    /// Events per page.
    batch: u32,
    /// Events that must be met.
    events: u64,
    /// How often that was done; each time begins with a checkpoint of its own.
    done: u32,
}

/// Catching up first, by subscribers and by apps, then live.
pub(super) async fn run(site: &Site, args: &SubscribeArgs) -> anyhow::Result<()> {
    let report = catch_up(site, args).await?;
    site.tell(&report);
    // Stores that share a pool read less directly: each has the process for itself.
    site.clear().await?;
    let report = follow(site, args).await?;
    site.tell(&report);
    site.clear().await?;
    let report = live(site, args).await?;
    site.tell(&report);
    site.clear().await?;
    if let Some(report) = live_across(site, args).await? {
        site.tell(&report);
    }
    Ok(())
}

async fn catch_up(site: &Site, args: &SubscribeArgs) -> anyhow::Result<Report> {
    let (lab, rounds) = (site.open().await?, args.common.rounds);
    let store = lab.bus.store();
    let events = fill(&store, args.events).await?.events();
    let scan = Scan::open(&lab.scratch).await?;
    let batch = lab.host.projection_batch;
    let before = Memory::own()?;
    let subscriptions =
        |name, decode| Subscriptions { bus: lab.bus.clone(), name, decode, batch, events, done: 0 };
    let scans =
        |decode| scan.clone().map(|scan| Scans { scan, rows: vec![Rows::To(Position::MAX)], decode, events });
    let series = Contest::default()
        .with(UMBEL, subscriptions("no-op", false))
        .with(DECODING, subscriptions("decoding", true))
        .with(PROJECTION, CatchUps { store, batch, events, done: 0 })
        .with_some(BARE_QUERY, scans(None))
        .with_some(DECODED_QUERY, scans(Some(event::decode as Decode)))
        .run(rounds)
        .await?;
    let grown = Memory::own()?.resident_mib - before.resident_mib;
    let what = format!(
        "a durable subscription from the origin with a handler that does nothing, one that decodes, and a projection, over \
         {events} events, a checkpoint every {batch}"
    );
    let report = Report::new("W4a", what, &lab.status, rounds).with("events", events).with("batch", batch);
    let report = report.measured(series).ratio(UMBEL, BARE_QUERY, bars::CATCH_UP);
    let report = report.ratio(DECODING, DECODED_QUERY, None).ratio(PROJECTION, DECODED_QUERY, None);
    Ok(report.value("grown by", rounded(grown, 1), "MiB", bars::GROWTH_MIB))
}

async fn follow(site: &Site, args: &SubscribeArgs) -> anyhow::Result<Report> {
    let (lab, rounds) = (site.open().await?, args.common.rounds);
    let events = fill(&lab.bus.store(), args.events).await?.events();
    let scan = Scan::open(&lab.scratch).await?;
    // What lets an app begin again is recorded in the log, behind these.
    let (rows, decode) = (vec![Rows::To(Position::new(events))], Some(event::decode as Decode));
    let series = Contest::default()
        .with(HANDLER, Following::handler(&lab, events))
        .with(COUNTS, Following::counts(&lab, events))
        .with(COPIES, Following::copies(&lab, events))
        .with_some(DECODED_QUERY, scan.map(|scan| Scans { scan, rows, decode, events }))
        .run(rounds)
        .await?;
    let batch = lab.host.projection_batch;
    let what = format!(
        "apps from their start to the end of {events} events: a handler that does nothing, a projection that counts those of each stream, \
         and one that keeps a document of each event, {batch} events a batch"
    );
    let report =
        Report::new("W4a apps", what, &lab.status, rounds).with("events", events).with("batch", batch);
    let report = report.measured(series).ratio(HANDLER, DECODED_QUERY, None);
    Ok(report.ratio(COUNTS, DECODED_QUERY, None).ratio(COPIES, DECODED_QUERY, None))
}

/// In one process, which has the store for itself: another one would be told of each append, too.
async fn live(site: &Site, args: &SubscribeArgs) -> anyhow::Result<Report> {
    let (lab, rounds) = (site.open().await?, args.common.rounds);
    let plan = |prefix: &str| Plan::single(prefix, 1, args.appends);
    let floor = Floors::open(&lab.scratch).await.context("the floors cannot be measured")?.group_commit;
    let series = Contest::default()
        .with(UMBEL, Live::start(lab.bus.store(), &lab.bus, &plan("live")))
        .with_some(GROUP_COMMIT, floor.map(|floor| Appends::new(Target::Floor(floor), &plan("floor"))))
        .run(rounds)
        .await?;
    let what = format!("from the call of an append to the subscriber, {} events a round", args.appends);
    let commit = (GROUP_COMMIT, Figure::P50);
    Ok(Report::new("W4b", what, &lab.status, rounds)
        .with("events", args.appends)
        .measured(series)
        .ratio_of((UMBEL, Figure::P50), commit, bars::LIVE_P50)
        .ratio_of((UMBEL, Figure::P99), commit, bars::LIVE_P99))
}

/// Across two adapters; `None` in memory, where there is nothing that another process could see.
async fn live_across(site: &Site, args: &SubscribeArgs) -> anyhow::Result<Option<Report>> {
    let (lab, rounds) = (site.open().await?, args.common.rounds);
    if lab.status.adapter == "memory" {
        return Ok(None);
    }
    let other = site.open_again(&lab).await?;
    let plan = Plan::single("across", 1, args.appends);
    let live = Live::start(lab.bus.store(), &other.bus, &plan);
    let series = Contest::default().with(ACROSS, live).run(rounds).await?;
    let what = format!(
        "from the call of an append to a subscriber of another process, {} events a round, across two adapters",
        args.appends
    );
    let report = Report::new("W4b across", what, &lab.status, rounds).with("events", args.appends);
    Ok(Some(report.measured(series).median_of((ACROSS, Figure::P50), "ms", bars::LIVE_ACROSS_MS)))
}

impl Subscriptions {
    async fn catch_up(&mut self) -> anyhow::Result<Round> {
        self.done += 1;
        let subscription = Subscription::named(format!("bench.{}.{}", self.name, self.done))?
            .batch(self.batch)
            .checkpoint_after(self.batch);
        let (begin, mut events) = (Instant::now(), 0);
        let mut subscriber = subscribe(&self.bus, subscription).await?;
        while events < self.events {
            let batch = subscriber.next().await.context("the subscription has ended")?;
            if self.decode {
                batch.events().iter().try_for_each(|one| pages::decode::<Logged>(&one.event))?;
            }
            batch.ack().await?;
            events += u64::try_from(batch.events().len())?;
        }
        // Its last checkpoint is saved with that.
        subscriber.close().await;
        ensure!(events == self.events, "got {events} events instead of {}", self.events);
        Ok(Round { units: events, took: begin.elapsed(), latencies: Vec::new() })
    }
}

impl Subject for Subscriptions {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.catch_up())
    }
}

impl CatchUps {
    async fn catch_up(&mut self) -> anyhow::Result<Round> {
        self.done += 1;
        let (projection, selector) = (format!("bench-{}/1", self.done), Selector::all());
        let (begin, mut events) = (Instant::now(), 0);
        let mut reached = self.store.load_checkpoint(&projection).await?;
        ensure!(reached == Position::START, "{projection} has been run before");
        loop {
            let page = pages::page(&self.store, reached, &selector, self.batch).await?;
            page.events.iter().try_for_each(pages::decode::<Logged>)?;
            events += u64::try_from(page.events.len())?;
            let save = SaveProjection {
                projection: projection.clone(),
                expected: reached,
                position: page.scanned_to,
                clear: Vec::new(),
                writes: Vec::new(),
            };
            self.store.save_projection(save).await?;
            reached = page.scanned_to;
            if reached >= page.head {
                break;
            }
        }
        ensure!(events == self.events, "followed {events} events instead of {}", self.events);
        Ok(Round { units: events, took: begin.elapsed(), latencies: Vec::new() })
    }
}

impl Subject for CatchUps {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.catch_up())
    }
}
