//! W1 and W2: appending, beside the least that any store of events must do on the same database.

use anyhow::Context;
use umbel_core::store::StoreStatus;
use umbel_persistence::floor::{Floor, Floors};

use super::{
    args::AppendArgs,
    bars::{self, Appending},
    child::Processes,
    lab::{Lab, Site},
    load::{Appends, Plan, Streams, Target},
    report::{Figure, Report},
    rounds::Contest,
};

pub(super) const UMBEL: &str = "umbel";
pub(super) const GROUP_COMMIT: &str = "floor group commit";
const SINGLE_ROW: &str = "floor single row";
const ONE_PROCESS: &str = "one process";
const PROCESSES: &str = "processes";

/// Whichever way of appending is asked for.
pub(super) async fn run(site: &Site, args: &AppendArgs) -> anyhow::Result<()> {
    let lab = site.open().await?;
    let report = if args.processes > 1 {
        processes(site, &lab, args).await
    } else {
        against_floors(&lab, args).await
    }?;
    site.tell(&report);
    Ok(())
}

async fn against_floors(lab: &Lab, args: &AppendArgs) -> anyhow::Result<Report> {
    let (plan, status) = (args.plan(), &lab.status);
    let floors = Floors::open(&lab.scratch).await.context("the floors cannot be measured")?;
    let floor = |floor: Option<Floor>| floor.map(|floor| Appends::new(Target::Floor(floor), &plan));
    let series = Contest::default()
        .with(UMBEL, Appends::new(Target::Store(lab.bus.store()), &plan))
        .with_some(GROUP_COMMIT, floor(floors.group_commit))
        .with_some(SINGLE_ROW, floor(floors.single_row))
        .run(args.common.rounds)
        .await?;
    let &AppendArgs { concurrency, batch, any, .. } = args;
    let bars = Appending { store: status.adapter, concurrency, batch, any };
    let report = args.report(status).measured(series).ratio(UMBEL, GROUP_COMMIT, bars.rate());
    let p50 = |name| (name, Figure::P50);
    Ok(report.ratio_of(p50(UMBEL), p50(GROUP_COMMIT), bars.latency()).ratio(UMBEL, SINGLE_ROW, None))
}

/// The same callers, in one process and shared out among several.
async fn processes(site: &Site, lab: &Lab, args: &AppendArgs) -> anyhow::Result<Report> {
    let plan = args.plan();
    let one = Appends::new(Target::Store(lab.bus.store()), &plan);
    let several = Processes::start(site, lab, args.processes, &plan).await?;
    let contest = Contest::default().with(ONE_PROCESS, one).with(PROCESSES, several);
    let series = contest.run(args.common.rounds).await?;
    let report = args.report(&lab.status).with("processes", args.processes).measured(series);
    let as_set = args.concurrency == 64 && args.processes == 2 && args.batch == 1;
    Ok(report.ratio(PROCESSES, ONE_PROCESS, as_set.then_some(bars::PROCESSES)))
}

/// Events of few callers: a round of some seconds.
const EVENTS_MIN: u64 = 50_000;

impl AppendArgs {
    /// How many are appended in all. The more are under way at once the faster it goes, and a round that is over within milliseconds tells
    /// of its beginning and its end.
    fn events(&self) -> u64 {
        let under_way = u64::from(self.concurrency) * u64::from(self.batch);
        self.events.unwrap_or(EVENTS_MIN * (under_way / 16).clamp(1, 8))
    }

    fn plan(&self) -> Plan {
        let rounds = u64::from(self.common.rounds);
        Plan {
            prefix: "bench".to_owned(),
            concurrency: self.concurrency,
            streams: if self.any { Streams::Hot } else { Streams::Own(self.streams) },
            batch: self.batch,
            // Whole appends, at least one in each round.
            appends: self.events().div_ceil(u64::from(self.batch)).div_ceil(rounds),
        }
    }

    fn report(&self, status: &StoreStatus) -> Report {
        let (plan, &Self { batch, concurrency, .. }) = (self.plan(), self);
        let plural = if batch == 1 { "" } else { "s" };
        let streams = match plan.streams {
            Streams::Hot => "one stream, any version".to_owned(),
            Streams::Own(streams) => format!("{} streams", streams.max(concurrency)),
        };
        let mut what = format!("{batch} event{plural} per append, {concurrency} callers, {streams}");
        if self.processes > 1 {
            what += &format!(", shared out among {} processes", self.processes);
        }
        let events = plan.appends * u64::from(batch) * u64::from(self.common.rounds);
        Report::new(if batch == 1 { "W1" } else { "W2" }, what, status, self.common.rounds)
            .with("concurrency", concurrency)
            .with("batch", batch)
            .with("events", events)
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::{args::Workload, tests::args};

    #[test]
    fn a_round_is_whole_appends() {
        let appends = |line: &str| match args(line) {
            Workload::Append(args) => args.plan().appends,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(appends("append --events 900"), 100);
        assert_eq!(appends("append --events 1"), 1);
        assert_eq!(appends("append --events 1001 --batch 100 --rounds 5"), 3);
    }
}
