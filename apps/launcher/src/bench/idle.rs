//! Idle: what the whole umbrella holds and uses when nobody asks it for anything.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use umbel_core::store::StoreStatus;

use super::{
    args::IdleArgs,
    bars,
    child::Talking,
    figures::rounded,
    lab::Site,
    memory::{Memory, processor_time},
    report::Report,
};

/// What `umbel run` says once everything is up.
const UP: &str = "Ctrl-C stops it in order.";

/// What starting leaves to do: this much is not looked at.
const SETTLING: Duration = Duration::from_secs(3);

/// Runs the whole umbrella as a process of its own on a scratch store, and looks at it.
pub(super) async fn run(site: &Site, args: &IdleArgs) -> anyhow::Result<()> {
    let lab = site.open().await?;
    let secret = format!("gateway.jwt_secret={}", umbel_bus::edge::fresh_id());
    let arguments = ["run", "--set", "gateway.address=127.0.0.1:0", "--set", &secret].map(str::to_owned);
    let mut umbrella = Talking::start(site, lab.scratch.settings(), arguments)?;
    umbrella.until(|line| line == UP).await?;
    sleep(SETTLING).await;
    let process = umbrella.id().to_string();
    let (begin, before) = (Instant::now(), processor_time(&process)?);
    sleep(Duration::from_secs(args.seconds)).await;
    let used = processor_time(&process)?.saturating_sub(before);
    let percent = used.div_duration_f64(begin.elapsed()) * 100.0;
    let memory = Memory::of(&process)?;
    let what = format!("the whole umbrella for {} seconds with nothing to do", args.seconds);
    let status = StoreStatus { location: String::new(), ..lab.status.clone() };
    let report = Report::new("idle", what, &status, 1)
        .value("resident", rounded(memory.resident_mib, 1), "MiB", bars::IDLE_MIB)
        .value("of a core", rounded(percent, 2), "%", bars::IDLE_PERCENT);
    site.tell(&report);
    Ok(())
}
