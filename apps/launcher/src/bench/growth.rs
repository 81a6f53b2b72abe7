//! Growth: a long log beside an empty one, and the memory that the long one takes.

use std::{io, time::Instant};

use umbel_core::store::Selector;

use super::{
    args::GrowthArgs,
    bars,
    event::Logged,
    figures::rounded,
    fill::fill,
    lab::{Lab, Site},
    load::{Appends, Plan, Target},
    memory::Memory,
    pages,
    report::Report,
    rounds::Contest,
};

const LONG: &str = "the long log";
const EMPTY: &str = "an empty log";

/// Fills, reads through, exports, and then appends to the long log and to an empty one in turns.
pub(super) async fn run(site: &Site, args: &GrowthArgs) -> anyhow::Result<()> {
    let long = site.open().await?;
    let before = Memory::own()?;
    let begin = Instant::now();
    let events = fill(&long.bus.store(), args.events).await?.events();
    let filled_in = begin.elapsed();
    let filled = Memory::own()?;
    follow(&long).await?;
    let followed = Memory::own()?;
    export(&long).await?;
    let exported = Memory::own()?;

    let empty = site.open().await?;
    let plan = Plan::single("bench", args.concurrency, args.appends);
    let appends = |lab: &Lab| Appends::new(Target::Store(lab.bus.store()), &plan);
    let contest = Contest::default().with(LONG, appends(&long)).with(EMPTY, appends(&empty));
    let series = contest.run(args.common.rounds).await?;

    let what = format!("W1 on a log of {events} events and on an empty one, {} callers", args.concurrency);
    let grown =
        exported.resident_mib.max(followed.resident_mib).max(filled.resident_mib) - before.resident_mib;
    let mib = |report: Report, what: &str, memory: Memory| {
        report.value(format!("resident {what}"), rounded(memory.resident_mib, 1), "MiB", None)
    };
    let report = Report::new("growth", what, &long.status, args.common.rounds)
        .with("events", events)
        .with("concurrency", args.concurrency)
        .measured(series)
        .ratio(LONG, EMPTY, bars::GROWTH)
        .value("filling it took", rounded(filled_in.as_secs_f64(), 1), "s", None);
    let report = mib(report, "before", before);
    let report = mib(report, "after filling it", filled);
    let report = mib(report, "after catching up with it", followed);
    let report = mib(report, "after exporting it", exported)
        .value("the most there was", rounded(exported.peak_mib, 1), "MiB", None)
        .value("grown by", rounded(grown, 1), "MiB", bars::GROWTH_MIB);
    site.tell(&report);
    Ok(())
}

/// Catches up with the whole log, as a projection would.
async fn follow(lab: &Lab) -> anyhow::Result<()> {
    pages::read_all(&lab.bus.store(), &Selector::all(), lab.host.projection_batch, pages::decode::<Logged>)
        .await
}

/// Writes the whole log as lines of JSON, to nowhere.
async fn export(lab: &Lab) -> anyhow::Result<()> {
    let page_size = lab.scratch.settings().page_size_max;
    pages::read_all(&lab.bus.store(), &Selector::all(), page_size, |event| {
        Ok(serde_json::to_writer(io::sink(), event)?)
    })
    .await
}
