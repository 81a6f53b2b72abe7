//! `umbel bench all`: every workload that has a bar, and a table of the bars in the end.

use serde::Serialize;
use umbel_persistence::StoreUrl;

use super::{
    append,
    args::{
        AllArgs, AppendArgs, CommandArgs, Common, GrowthArgs, IdleArgs, PublishArgs, ReadArgs, SubscribeArgs,
    },
    command, growth, idle,
    lab::Site,
    publish, read,
    report::Finding,
    subscribe,
};

/// Rounds, and the divisor of everything else, of a run that only shows whether it works.
const QUICK_ROUNDS: u32 = 3;
const QUICK_PART: u64 = 10;

/// How much of everything.
struct Sizes {
    common: Common,
    part: u64,
    growth_events: u64,
}

/// All bars, as one line for machines.
#[derive(Serialize)]
struct Bars<'a> {
    workload: &'static str,
    met: usize,
    missed: usize,
    bars: Vec<Barred<'a>>,
}

#[derive(Serialize)]
struct Barred<'a> {
    workload: &'static str,
    store: &'static str,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// One workload after the other; each is removed before the next begins.
pub(super) async fn run(site: &Site, args: &AllArgs) -> anyhow::Result<()> {
    let sizes = Sizes::of(args);
    appends(site, &sizes).await?;
    read::run(site, &sizes.read()).await?;
    site.clear().await?;
    subscribe::run(site, &sizes.subscribe()).await?;
    site.clear().await?;
    command::run(site, &sizes.command()).await?;
    site.clear().await?;
    publish::run(site, &sizes.publish()).await?;
    site.clear().await?;
    idle::run(site, &sizes.idle()).await?;
    site.clear().await?;
    growth::run(site, &sizes.growth()).await?;
    site.clear().await?;
    tell(site);
    Ok(())
}

async fn appends(site: &Site, sizes: &Sizes) -> anyhow::Result<()> {
    let is_server = matches!(site.store().url.parse(), Ok(StoreUrl::Postgres(_)));
    let mut appends = vec![sizes.append(64, 1, 200_000)];
    if is_server {
        appends.extend([
            sizes.append(1, 1, 10_000),
            sizes.append(256, 1, 400_000),
            AppendArgs { any: true, ..sizes.append(64, 1, 200_000) },
            sizes.append(1, 100, 200_000),
            AppendArgs { processes: 2, ..sizes.append(64, 1, 200_000) },
        ]);
    }
    for args in appends {
        append::run(site, &args).await?;
        site.clear().await?;
    }
    Ok(())
}

fn tell(site: &Site) {
    let told = site.told();
    let count = |met| told.iter().filter(|(_, _, finding)| finding.met == Some(met)).count();
    let (met, missed) = (count(true), count(false));
    let bars = || {
        let bars = told.iter().map(|(workload, store, finding)| Barred { workload, store, finding });
        serde_json::to_string(&Bars { workload: "all", met, missed, bars: bars.collect() })
    };
    let table = || {
        let mut text = format!("{met} of {} bars met\n\n", met + missed);
        for (workload, store, finding) in &told {
            text += &format!("{workload:11}{store:10}{:44}{}\n", finding.what, finding.verdict());
        }
        text
    };
    site.say(bars, table);
}

impl Sizes {
    fn of(args: &AllArgs) -> Self {
        let mut sizes = Self { common: args.common.clone(), part: 1, growth_events: args.growth_events };
        if args.quick {
            sizes.common.rounds = sizes.common.rounds.min(QUICK_ROUNDS);
            sizes.part = QUICK_PART;
        }
        sizes
    }

    fn of_all(&self, size: u64) -> u64 {
        size.div_ceil(self.part)
    }

    fn append(&self, concurrency: u32, batch: u32, events: u64) -> AppendArgs {
        AppendArgs {
            events: Some(self.of_all(events)),
            concurrency,
            batch,
            streams: 1000,
            any: false,
            processes: 1,
            common: self.common.clone(),
        }
    }

    fn read(&self) -> ReadArgs {
        ReadArgs { events: self.of_all(200_000), common: self.common.clone() }
    }

    fn subscribe(&self) -> SubscribeArgs {
        SubscribeArgs { events: self.of_all(200_000), appends: self.of_all(500), common: self.common.clone() }
    }

    fn command(&self) -> CommandArgs {
        CommandArgs {
            commands: self.of_all(10_000),
            concurrency: 64,
            aggregates: 1000,
            common: self.common.clone(),
        }
    }

    fn publish(&self) -> PublishArgs {
        PublishArgs { notices: self.of_all(500_000), common: self.common.clone() }
    }

    fn idle(&self) -> IdleArgs {
        IdleArgs { seconds: self.of_all(20), common: self.common.clone() }
    }

    fn growth(&self) -> GrowthArgs {
        GrowthArgs {
            events: self.of_all(self.growth_events),
            appends: self.of_all(10_000),
            concurrency: 64,
            common: self.common.clone(),
        }
    }
}
