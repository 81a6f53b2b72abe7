//! W5: commands to aggregates, beside bare appends through the same store; and loading a long aggregate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures_util::future::{LocalBoxFuture, try_join_all};
use umbel_bus::Bus;
use umbel_core::{ExpectedVersion, store::Append};

use super::{
    append::UMBEL,
    args::CommandArgs,
    bank::{self, Audit, Deposit},
    bars::{self, Bar},
    lab::{Lab, Site},
    load::{Appends, Plan, Target, take_one},
    pages,
    report::Report,
    rounds::{Contest, Round, Subject},
};

const APPENDS: &str = "own appends";
const READING: &str = "reading it";

/// Callers of the hot aggregate.
const HOT_CALLERS: u32 = 16;

/// Aggregates loaded one after the other in one round, and the events of each.
const LOADED: u64 = 5;
const LOADED_EVENTS: u64 = 1000;

/// Callers that send deposits, each waiting for its reply before the next.
struct Commands {
    bus: Bus,
    /// The accounts of each caller, and which of them is next.
    callers: Vec<(Arc<[String]>, usize)>,
    commands: u64,
}

/// Sends commands to accounts that are not in memory yet.
struct Loads {
    bus: Bus,
    next: Arc<AtomicU64>,
}

/// Reads the streams of such accounts, and makes of them what loading makes.
struct Readings(Loads);

/// Many aggregates, one hot one, and long ones.
pub(super) async fn run(site: &Site, args: &CommandArgs) -> anyhow::Result<()> {
    let lab = site.open_with(Some(bank::app())).await?;
    let &CommandArgs { concurrency, aggregates, .. } = args;
    let what = format!("commands to {} aggregates, {concurrency} callers", aggregates.max(concurrency));
    let many = Commands::new(&lab.bus, concurrency, aggregates, args.commands);
    let bar = (concurrency == 64).then_some(bars::COMMANDS);
    site.tell(&commands(&lab, args, "W5", what, (many, concurrency), bar).await?);

    let what = format!("commands to one aggregate, {HOT_CALLERS} callers");
    let hot = Commands::hot(&lab.bus, HOT_CALLERS, args.commands.div_ceil(2));
    let bar = Some(bars::HOT_AGGREGATE);
    site.tell(&commands(&lab, args, "W5 hot", what, (hot, HOT_CALLERS), bar).await?);

    site.tell(&load(&lab, args.common.rounds).await?);
    Ok(())
}

async fn commands(
    lab: &Lab,
    args: &CommandArgs,
    workload: &'static str,
    what: String,
    (commands, concurrency): (Commands, u32),
    bar: Option<Bar>,
) -> anyhow::Result<Report> {
    let plan = Plan::single(&workload.replace(' ', "_"), concurrency, args.commands);
    let series = Contest::default()
        .with(UMBEL, commands)
        .with(APPENDS, Appends::new(Target::Store(lab.bus.store()), &plan))
        .run(args.common.rounds)
        .await?;
    let report = Report::new(workload, what, &lab.status, args.common.rounds);
    Ok(report.with("concurrency", concurrency).measured(series).ratio(UMBEL, APPENDS, bar))
}

async fn load(lab: &Lab, rounds: u32) -> anyhow::Result<Report> {
    // Two subjects, and each has a round that does not count.
    for number in 0..2 * LOADED * u64::from(rounds + 1) {
        let account = long(number);
        let events = (0..LOADED_EVENTS).map(|_| bank::deposited(&account, 1)).collect::<Result<_, _>>()?;
        let append = Append::to_stream(bank::stream(&account), ExpectedVersion::NoStream, events);
        lab.bus.store().append(append).await?;
    }
    let next = Arc::default();
    let loads = || Loads { bus: lab.bus.clone(), next: Arc::clone(&next) };
    let contest = Contest::default().with(UMBEL, loads()).with(READING, Readings(loads()));
    let series = contest.run(rounds).await?;
    let what = format!("loading an aggregate of {LOADED_EVENTS} events, {LOADED} a round");
    let report = Report::new("W5 load", what, &lab.status, rounds).measured(series);
    Ok(report.ratio(UMBEL, READING, bars::LOADING))
}

/// An account with a long past.
fn long(number: u64) -> String {
    format!("long{number}")
}

impl Commands {
    fn new(bus: &Bus, concurrency: u32, aggregates: u32, commands: u64) -> Self {
        let account = |number| format!("own{number}");
        let own = |caller| (caller..aggregates.max(concurrency)).step_by(concurrency.try_into().unwrap_or(1));
        let callers = (0..concurrency).map(|caller| (own(caller).map(account).collect(), 0)).collect();
        Self { bus: bus.clone(), callers, commands }
    }

    fn hot(bus: &Bus, concurrency: u32, commands: u64) -> Self {
        let account: Arc<[_]> = Arc::new(["hot".to_owned()]);
        let callers = (0..concurrency).map(|_| (Arc::clone(&account), 0)).collect();
        Self { bus: bus.clone(), callers, commands }
    }

    /// All callers at once, until so many commands are carried out among them.
    async fn send(&mut self) -> anyhow::Result<Round> {
        let left = Arc::new(AtomicU64::new(self.commands));
        let begin = Instant::now();
        let callers = self.callers.drain(..).map(|(accounts, next)| {
            let (bus, left) = (self.bus.clone(), Arc::clone(&left));
            tokio::spawn(send(bus, left, accounts, next))
        });
        let callers = try_join_all(callers).await?;
        let (took, mut latencies) = (begin.elapsed(), Vec::new());
        for caller in callers {
            let (accounts, next, its_latencies) = caller?;
            self.callers.push((accounts, next));
            latencies.extend(its_latencies);
        }
        Ok(Round { units: self.commands, took, latencies })
    }
}

/// One caller, to its accounts in turns.
async fn send(
    bus: Bus,
    left: Arc<AtomicU64>,
    accounts: Arc<[String]>,
    mut next: usize,
) -> anyhow::Result<(Arc<[String]>, usize, Vec<Duration>)> {
    let mut latencies = Vec::new();
    while take_one(&left) {
        let account = accounts.get(next % accounts.len()).cloned().unwrap_or_default();
        next += 1;
        let begin = Instant::now();
        bus.dispatch(Deposit { account, cents: 1 }).await?;
        latencies.push(begin.elapsed());
    }
    Ok((accounts, next, latencies))
}

impl Loads {
    /// The accounts of this round: nobody else has asked for them.
    fn accounts(&self) -> impl Iterator<Item = String> + use<> {
        let first = self.next.fetch_add(LOADED, Ordering::Relaxed);
        (first..first + LOADED).map(long)
    }

    async fn load(&self) -> anyhow::Result<Round> {
        let (accounts, begin) = (self.accounts(), Instant::now());
        for account in accounts {
            let audited = self.bus.dispatch(Audit { account }).await?;
            ensure!(audited.reply == LOADED_EVENTS, "{} cents instead of {LOADED_EVENTS}", audited.reply);
        }
        Ok(Round { units: LOADED * LOADED_EVENTS, took: begin.elapsed(), latencies: Vec::new() })
    }

    async fn read(&self) -> anyhow::Result<Round> {
        let (store, accounts, begin) = (self.bus.store(), self.accounts(), Instant::now());
        let mut events = 0;
        for account in accounts {
            let stream = bank::stream(&account);
            let page = u32::try_from(LOADED_EVENTS)?;
            pages::read_stream(&store, &stream, page, |event| {
                events += 1;
                pages::decode::<bank::AccountEvent>(event)
            })
            .await?;
        }
        ensure!(events == LOADED * LOADED_EVENTS, "read {events} events");
        Ok(Round { units: events, took: begin.elapsed(), latencies: Vec::new() })
    }
}

impl Subject for Commands {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.send())
    }
}

impl Subject for Loads {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.load())
    }
}

impl Subject for Readings {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.0.read())
    }
}
