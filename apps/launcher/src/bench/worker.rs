//! The other end of [`super::child`]: a process that does as it is told, here: that appends.

use std::{
    io::{self, BufRead, Write},
    thread,
    time::Duration,
};

use anyhow::anyhow;
use tokio::sync::mpsc;
use umbel_host::{ExitStatus, Failed, Foundation, OrExit, RunError, StopSignals, Umbrella};
use umbel_settings::LoadOptions;

use super::{
    args::WorkerArgs,
    child::{Done, READY},
    load::{Appends, Plan, Streams, Target},
};
use crate::print::say;

/// Serves until standard input ends.
pub(super) fn work(options: &LoadOptions, args: &WorkerArgs) -> Result<(), Failed> {
    let foundation = Foundation::lay(options).or_exit(ExitStatus::Settings)?;
    let store = foundation.settings.section("store").or_exit(ExitStatus::Settings)?;
    let store = umbel_persistence::group(&store, &foundation.bus, foundation.policy());
    let bus = foundation.bus.clone();
    let serving = async || serve(Target::Store(bus.store()), args).await;
    beside(foundation.umbrella("worker").with(store), serving)
}

/// Runs an umbrella for as long as the work takes, which begins when everything is up. A signal is for the process that started this
/// one, which then ends the input.
pub(super) fn beside(
    umbrella: Umbrella,
    work: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> Result<(), Failed> {
    actix::System::new().block_on(async {
        let _signals = StopSignals::listen().or_exit(ExitStatus::Failure)?;
        let supervisor = umbrella.start();
        let tree = supervisor.tree();
        let worked = tokio::select! {
            outcome = supervisor.finished() => {
                RunError::check(outcome)?;
                Err(anyhow!("what was to be measured stopped by itself"))
            }
            worked = async {
                tree.wait_until_up(Duration::MAX).await?;
                work().await
            } => worked,
        };
        supervisor.shut_down().await;
        worked.or_exit(ExitStatus::Failure)
    })
}

async fn serve(target: Target, args: &WorkerArgs) -> anyhow::Result<()> {
    let streams = Streams::Own(args.streams);
    let (prefix, &WorkerArgs { concurrency, batch, .. }) = (args.prefix.clone(), args);
    let mut appends = Appends::new(target, &Plan { prefix, concurrency, streams, batch, appends: 0 });
    let mut orders = orders();
    say(&format!("{READY}\n"));
    while let Some(order) = orders.recv().await {
        let round = appends.append(order?.trim().parse()?).await?;
        let us = round.latencies.iter().map(Duration::as_micros);
        let latencies_us = us.map(u64::try_from).collect::<Result<_, _>>()?;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&Done { latencies_us })?)?;
        out.flush()?;
    }
    Ok(())
}

/// The lines of standard input, read on a thread of their own.
pub(super) fn orders() -> mpsc::Receiver<io::Result<String>> {
    let (sender, orders) = mpsc::channel(1);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    orders
}
