//! W6 stalled: ten subscribers of a topic of which one does not read, beside ten that all do.

use super::{
    args::PublishArgs,
    bars,
    figures::rounded,
    lab::{Lab, Site},
    memory::Memory,
    report::Report,
    rounds::Contest,
    topic::Subscribed,
};

const STALLED: &str = "nine of ten, one stalled";
const READING: &str = "nine of ten, all reading";

/// Those whose deliveries are counted. There is one more.
const COUNTED: u64 = 9;

/// In one round, one of so many of the notices asked for: in ten rounds, with the default, a million.
const PART: u64 = 5;

/// What the nine get, and what memory it takes.
pub(super) async fn run(site: &Site, lab: &Lab, args: &PublishArgs) -> anyhow::Result<()> {
    let (notices, rounds) = (args.notices.div_ceil(PART), args.common.rounds);
    let stalled = Subscribed::open(&lab.bus, "bench.stalled", notices, COUNTED).await?;
    let stalled = stalled.beside_one_that_stalls().await?;
    let reading = Subscribed::open(&lab.bus, "bench.reading", notices, COUNTED + 1).await?.counting(COUNTED);
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
