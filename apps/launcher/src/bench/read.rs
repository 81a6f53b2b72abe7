//! W3: reading the log, streams, and events by type or by many types, beside bare queries of the same rows,
//! decoded to the same values and not decoded at all.

use std::{sync::Arc, time::Instant};

use anyhow::ensure;
use futures_util::future::LocalBoxFuture;
use umbel_bus::Store;
use umbel_core::{Event, Position, RecordedEvent, StreamName, store::Selector};
use umbel_persistence::floor::{Decode, Rows, Scan};

use super::{
    append::UMBEL,
    args::ReadArgs,
    bars::{self, Bar},
    event::{self, Logged, MARKED_EVERY, Marked, SELDOM},
    fill::{Filled, STREAM_EVENTS, fill, fill_with},
    lab::{Lab, Site},
    pages,
    report::Report,
    rounds::{Contest, Round, Subject},
};

pub(super) const BARE_QUERY: &str = "floor bare query";
/// The same work as reads do here: rows, and of each the typed value.
pub(super) const DECODED_QUERY: &str = "floor decoded query";

/// Streams read one after the other in one round.
const STREAMS: u64 = 50;

/// How often the few events of a rare type are read in one round.
const TIMES_RARE: usize = 5;

/// Reads through the store.
pub(super) struct Reads {
    pub(super) store: Store,
    pub(super) what: Vec<What>,
    /// Makes the typed value of an event, and drops it.
    pub(super) decode: fn(&RecordedEvent) -> anyhow::Result<()>,
    /// Events per page.
    pub(super) page: u32,
    /// Events that must be met.
    pub(super) events: u64,
}

/// One thing to read to its end.
#[derive(Clone)]
pub(super) enum What {
    Log(Selector),
    Stream(StreamName),
}

/// Steps through the same rows.
pub(super) struct Scans {
    pub(super) scan: Scan,
    pub(super) rows: Vec<Rows>,
    pub(super) decode: Option<Decode>,
    pub(super) events: u64,
}

/// One way to read, and the same rows bare.
struct Comparison {
    workload: &'static str,
    text: String,
    what: Vec<What>,
    decode: fn(&RecordedEvent) -> anyhow::Result<()>,
    rows: Vec<Rows>,
    events: u64,
    bar: Option<Bar>,
}

/// All four ways, one after the other.
pub(super) async fn run(site: &Site, args: &ReadArgs) -> anyhow::Result<()> {
    let lab = site.open().await?;
    let log = fill(&lab.bus.store(), args.events).await?;
    let scan = Scan::open(&lab.scratch).await?;
    for comparison in [all(&log), one(&log), by_type(&log)] {
        site.tell(&comparison.run(&lab, scan.as_ref(), args.common.rounds).await?);
    }
    // A log with more kinds, so that the others are read from one as before.
    let lab = site.open().await?;
    let log = fill_with(&lab.bus.store(), args.events, event::seldom_logged).await?;
    let scan = Scan::open(&lab.scratch).await?;
    site.tell(&by_many_types(&log).run(&lab, scan.as_ref(), args.common.rounds).await?);
    Ok(())
}

fn all(log: &Filled) -> Comparison {
    Comparison {
        workload: "W3 all",
        text: format!("the whole log of {} events, decoded to typed values", log.events()),
        what: vec![What::Log(Selector::all())],
        decode: pages::decode::<Logged>,
        rows: vec![Rows::To(Position::MAX)],
        events: log.events(),
        bar: Some(bars::READ_ALL),
    }
}

fn one(log: &Filled) -> Comparison {
    let names = log.names(STREAMS);
    Comparison {
        workload: "W3 one",
        text: format!("{} streams of {STREAM_EVENTS} events, one after the other", names.len()),
        rows: names.iter().cloned().map(Rows::Stream).collect(),
        events: names.iter().map(|_| STREAM_EVENTS).sum(),
        what: names.into_iter().map(What::Stream).collect(),
        decode: pages::decode::<Logged>,
        bar: Some(bars::READ_ONE),
    }
}

fn by_type(log: &Filled) -> Comparison {
    let what = Selector::names([Marked::NAME]);
    Comparison { workload: "W3 type", ..rare(log, "type", what, pages::decode::<Logged>) }
}

fn by_many_types(log: &Filled) -> Comparison {
    let (by, what) = (format!("{SELDOM} types"), Selector::names(event::seldom()));
    Comparison { workload: "W3 types", ..rare(log, &by, what, event::decode_any) }
}

/// The events whose turn is rare.
fn rare(
    log: &Filled,
    by: &str,
    what: Selector,
    decode: fn(&RecordedEvent) -> anyhow::Result<()>,
) -> Comparison {
    // They lie in whole batches, of which each ends with one of these.
    let positions: Arc<[_]> = (1..=log.marked()).map(|nth| Position::new(nth * MARKED_EVERY)).collect();
    let what = vec![What::Log(what); TIMES_RARE];
    Comparison {
        workload: "W3",
        text: format!("by {by}, {} of {} events, {TIMES_RARE} times", log.marked(), log.events()),
        events: what.iter().map(|_| log.marked()).sum(),
        what,
        decode,
        rows: vec![Rows::At(positions); TIMES_RARE],
        bar: None,
    }
}

impl Comparison {
    async fn run(self, lab: &Lab, scan: Option<&Scan>, rounds: u32) -> anyhow::Result<Report> {
        let Self { workload, text, what, decode: typed, rows, events, bar } = self;
        let page = lab.scratch.settings().page_size_max;
        let scans = |decode| scan.cloned().map(|scan| Scans { scan, rows: rows.clone(), decode, events });
        let series = Contest::default()
            .with(UMBEL, Reads { store: lab.bus.store(), what, decode: typed, page, events })
            .with_some(DECODED_QUERY, scans(Some(event::decode as Decode)))
            .with_some(BARE_QUERY, scans(None))
            .run(rounds)
            .await?;
        let report = Report::new(workload, text, &lab.status, rounds).with("events", events);
        Ok(report.measured(series).ratio(UMBEL, DECODED_QUERY, bar).ratio(UMBEL, BARE_QUERY, None))
    }
}

impl Reads {
    async fn read(&self) -> anyhow::Result<Round> {
        let (begin, mut events) = (Instant::now(), 0);
        for what in &self.what {
            let work = |event: &RecordedEvent| {
                events += 1;
                (self.decode)(event)
            };
            match what {
                What::Log(selector) => pages::read_all(&self.store, selector, self.page, work).await?,
                What::Stream(name) => pages::read_stream(&self.store, name, self.page, work).await?,
            }
        }
        ensure!(events == self.events, "read {events} events instead of {}", self.events);
        Ok(Round { units: events, took: begin.elapsed(), latencies: Vec::new() })
    }
}

impl Subject for Reads {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.read())
    }
}

impl Scans {
    async fn scan(&self) -> anyhow::Result<Round> {
        let (begin, mut events) = (Instant::now(), 0);
        for rows in &self.rows {
            let scanned = self.scan.read(rows.clone(), self.decode).await?;
            let decoded = if self.decode.is_some() { scanned.rows } else { 0 };
            ensure!(scanned.decoded == decoded, "only {} rows could be decoded", scanned.decoded);
            events += scanned.rows;
        }
        ensure!(events == self.events, "stepped through {events} rows instead of {}", self.events);
        Ok(Round { units: events, took: begin.elapsed(), latencies: Vec::new() })
    }
}

impl Subject for Scans {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.scan())
    }
}
