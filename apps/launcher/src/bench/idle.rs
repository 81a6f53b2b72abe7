//! Idle: what the whole umbrella holds and uses when nobody asks it for anything.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use umbel_core::store::StoreStatus;

use super::{
    args::IdleArgs,
    bars,
    figures::rounded,
    http::umbrella,
    lab::Site,
    memory::{Memory, processor_time},
    report::Report,
};

/// What starting leaves to do: this much is not looked at.
const SETTLING: Duration = Duration::from_secs(3);

/// Runs the whole umbrella as a process of its own on a scratch store, and looks at it.
pub(super) async fn run(site: &Site, args: &IdleArgs) -> anyhow::Result<()> {
    let lab = site.open().await?;
    let (umbrella, _address) = umbrella(site, &lab).await?;
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
