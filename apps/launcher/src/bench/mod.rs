//! `umbel bench append`: what this machine appends per second through the bus, beside the least that any store of
//! events must do on the same database.

mod figures;
mod load;
mod report;

use std::time::Duration;

use anyhow::{Context, anyhow};
use umbel_bus::Bus;
use umbel_host::{ExitStatus, Failed, Foundation, OrExit, RunError, StopSignals};
use umbel_persistence::{
    StoreSettings,
    floor::{Floors, Scratch},
};
use umbel_settings::LoadOptions;

use self::{
    load::{Load, Subject, Target},
    report::Report,
};
use crate::{cli::BenchArgs, print::say};

/// Rounds of each subject. They take turns, so that what else the machine does meets all of them alike.
const ROUNDS: u32 = 9;

/// Measures in a scratch place, removes it whatever happens, and prints.
pub(crate) fn append(options: &LoadOptions, args: &BenchArgs) -> Result<(), Failed> {
    let foundation = Foundation::lay(options).or_exit(ExitStatus::Settings)?;
    let settings: StoreSettings = foundation.settings.section("store").or_exit(ExitStatus::Settings)?;
    let token = umbel_bus::edge::fresh_id().simple().to_string();
    let scratch = Scratch::beside(&settings, &token).or_exit(ExitStatus::StartFailed)?;
    let report = actix::System::new().block_on(async {
        let measured = supervised(&foundation, &scratch, args).await;
        let removed = scratch.remove().await;
        match measured {
            Ok(report) => removed.map(|()| report).or_exit(ExitStatus::Failure),
            // A database that was never reached has nothing to remove.
            Err(failed) if failed.status == ExitStatus::StartFailed => Err(failed),
            Err(failed) => Err(match removed {
                Ok(()) => failed,
                Err(error) => {
                    let left = format!("{failed}; and the scratch place is left behind: {error}");
                    Failed { status: failed.status, error: anyhow!(left) }
                }
            }),
        }
    })?;
    let text = if args.json { report.to_json() } else { report.to_string() };
    say(&format!("{text}\n"));
    Ok(())
}

/// Runs bus and store as the umbrella does, measures, and stops them in order, also after a signal.
async fn supervised(foundation: &Foundation, scratch: &Scratch, args: &BenchArgs) -> Result<Report, Failed> {
    let mut signals = StopSignals::listen().or_exit(ExitStatus::Failure)?;
    let (bus, policy) = (foundation.bus.clone(), foundation.policy());
    let store = umbel_persistence::group(scratch.settings(), &bus, policy);
    let supervisor = foundation.umbrella("bench").with(store).start();
    let tree = supervisor.tree();
    let measured = tokio::select! {
        outcome = supervisor.finished() => {
            return Err(match RunError::check(outcome) {
                Err(error) => error.into(),
                Ok(()) => unreachable_end(),
            });
        }
        () = signals.recv() => Err(anyhow!("interrupted; nothing was measured, and the scratch place is removed")),
        measured = async {
            tree.wait_until_up(Duration::MAX).await?;
            measure(&bus, scratch, args).await
        } => measured,
    };
    supervisor.shut_down().await;
    measured.or_exit(ExitStatus::Failure)
}

fn unreachable_end() -> Failed {
    Failed { status: ExitStatus::Failure, error: anyhow!("the store stopped by itself") }
}

/// Warms up, then lets store and floors take turns.
async fn measure(bus: &Bus, scratch: &Scratch, args: &BenchArgs) -> anyhow::Result<Report> {
    let status = bus.store().status().await?;
    let floors = Floors::open(scratch).await.context("the floors cannot be measured")?;
    let load = Load::new(args.events, args.batch, ROUNDS);
    let subject = |target| Subject::new(target, args.concurrency, args.streams);
    let mut store = subject(Target::Store(bus.store()));
    let mut group_commit = floors.group_commit.map(|floor| subject(Target::Floor(floor)));
    let mut single_row = floors.single_row.map(|floor| subject(Target::Floor(floor)));
    for round in 0..=ROUNDS {
        for subject in [Some(&mut store), group_commit.as_mut(), single_row.as_mut()].into_iter().flatten() {
            if round == 0 {
                subject.warm_up(&load).await?;
            } else {
                subject.round(&load).await?;
            }
        }
    }
    Ok(Report::new(args, &status, &load, &store, group_commit.as_ref(), single_row.as_ref()))
}
