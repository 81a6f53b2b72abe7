//! `umbel store archive`: the beginning of the log moves, chunk by chunk, so that appends never wait for long.

use clap::Args;
use serde::Serialize;
use umbel_core::{
    Position, Timestamp,
    document::Direction,
    store::{Act, ReadAll, Selector},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg, time, within},
    print::{counted, print_one},
    progress::Progress,
    tool::{Done, Tool, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store archive --through 1000000
  umbel store archive --before 2026-01-01 --reason \"yearly\"

Nothing is removed and nothing reads differently. Interrupted, it is simply done again.";

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct ArchiveArgs {
    /// The last position to move
    #[arg(long, value_name = "POSITION", group = "what", value_parser = within::<u64>(1..))]
    through: Option<u64>,
    /// Everything before the first event recorded then or later: 2026-01-31, 2026-01-31T12:00:00Z, or so long ago: 90d
    #[arg(long, value_name = "TIME", group = "what", value_parser = time)]
    before: Option<Timestamp>,
    /// Positions to move at once; each chunk is one record in the audit
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = within::<u64>(1..=1_000_000))]
    chunk: u64,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Archived {
    /// How many were moved now.
    events: u64,
    archived_to: Position,
}

pub(super) fn archive(options: &LoadOptions, args: &ArchiveArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut archived_to = tool.store().status().await?.archived_to;
        let through = match args.before {
            Some(before) => last_before(tool, archived_to, before).await?,
            None => Position::new(args.through.unwrap_or_default()),
        };
        let (begun_at, mut events, mut progress) = (archived_to, 0, Progress::of("events"));
        while archived_to < through {
            let next = archived_to.plus(args.chunk).min(through);
            events += tool.perform(Act::Archive { through: next }, args.reason.get()).await?.events;
            archived_to = next;
            let (done, all) = (archived_to.get() - begun_at.get(), through.get() - begun_at.get());
            progress.at(events, Some((done, all)));
        }
        drop(progress);
        let words = format!(
            "moved {} to the archive, which ends at position {archived_to}\n",
            counted(events, "event")
        );
        Ok(print_one(args.json.json, &Archived { events, archived_to }, &words)?)
    })
}

/// The position before the first event that is not archived and was recorded then or later; else the head.
async fn last_before(tool: &Tool, archived_to: Position, time: Timestamp) -> Done<Position> {
    let selector = Selector { recorded_from: Some(time), ..Selector::all() };
    let mut from = archived_to.next();
    loop {
        let request =
            ReadAll { from: Some(from), direction: Direction::Forward, limit: 1, selector: selector.clone() };
        let page = tool.store().read_all(request).await?;
        if let Some(first) = page.events.first() {
            return Ok(Position::new(first.position.get() - 1));
        }
        from = from.max(page.scanned_to.next());
        if from > page.head {
            return Ok(page.head);
        }
    }
}
