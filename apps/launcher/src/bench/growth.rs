//! Growth: a long log beside an empty one, and the memory that the long one takes.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Deserialize;
use tokio::time::sleep;
use umbel_core::store::Selector;

use super::{
    args::GrowthArgs,
    bars,
    child::Talking,
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

/// Between looks at what an export takes.
const LOOK: Duration = Duration::from_millis(10);

/// What an export says when it is done.
#[derive(Deserialize)]
struct Exported {
    events: u64,
}

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
    let exported = export(site, &long, events).await?;

    let empty = site.open().await?;
    let plan = Plan::single("bench", args.concurrency, args.appends);
    let appends = |lab: &Lab| Appends::new(Target::Store(lab.bus.store()), &plan);
    let contest = Contest::default().with(LONG, appends(&long)).with(EMPTY, appends(&empty));
    let series = contest.run(args.common.rounds).await?;

    let what = format!("W1 on a log of {events} events and on an empty one, {} callers", args.concurrency);
    let grown = followed.resident_mib.max(filled.resident_mib) - before.resident_mib;
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
    let report = mib(report, "after catching up with it", followed)
        .value("the most there was", rounded(followed.peak_mib, 1), "MiB", None)
        .value("grown by", rounded(grown, 1), "MiB", bars::GROWTH_MIB);
    site.tell(&match exported {
        Some(most) => report.value("the most an export took", rounded(most, 1), "MiB", bars::GROWTH_MIB),
        None => report,
    });
    Ok(())
}

/// Catches up with the whole log, as a projection would.
async fn follow(lab: &Lab) -> anyhow::Result<()> {
    pages::read_all(&lab.bus.store(), &Selector::all(), lab.host.projection_batch, pages::decode::<Logged>)
        .await
}

/// Runs `umbel events export` of the whole log, to a file that is removed; the most memory that it took, in MiB. `None` in memory, which
/// no other process sees.
async fn export(site: &Site, lab: &Lab, events: u64) -> anyhow::Result<Option<f64>> {
    if lab.status.adapter == "memory" {
        return Ok(None);
    }
    let home = tempfile::tempdir()?;
    let file = home.path().join("log.jsonl").display().to_string();
    let arguments = ["events", "export", &file, "--json"].map(str::to_owned);
    let mut process = Talking::start(site, lab.scratch.settings(), arguments)?;
    let (id, mut most) = (process.id().to_string(), 0_f64);
    let exported: Exported = loop {
        // Once it has ended there is nothing to be seen of it.
        most = Memory::of(&id).map_or(most, |memory| most.max(memory.peak_mib));
        tokio::select! {
            biased;
            exported = process.find(|line| serde_json::from_str(line).ok()) => break exported?,
            () = sleep(LOOK) => {}
        }
    };
    ensure!(exported.events == events, "exported {} events instead of {events}", exported.events);
    Ok(Some(most))
}
