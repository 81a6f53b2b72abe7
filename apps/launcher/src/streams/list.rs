//! `umbel streams list`.

use clap::{Args, ValueEnum};
use umbel_core::{
    document::Direction,
    store::{ListStreams, StreamInfo, StreamPlace, StreamSort},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, within},
    print::{Column, Printer, counted, moment, number, text},
    tool::{PAGE, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel streams list --category account
  umbel streams list --search 0190f5e2
  umbel streams list --sort version --desc --limit 20     the longest
  umbel streams list --sort created --desc --json | head

$all, the log itself, and $audit, which `umbel audit` tells, are among them; `umbel store status` does not count these.

By name, a category is found by an index, however many other streams there are; what only a search finds is looked for among all of them.

By version, which every append changes, all streams are looked at once, and only the first are listed: as many as \
store.page_size_max, with what --offset skips.";

const COLUMNS: [Column; 4] = [text("stream"), number("version"), text("created"), text("deleted")];

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only streams whose names contain this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only streams of this category: what is before the first - of their names
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// The order
    #[arg(long, value_enum, default_value_t = Sort::Name)]
    sort: Sort,
    /// The other way round
    #[arg(long)]
    desc: bool,
    /// N streams at most; without it all, but by version as many as the store looks at
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    /// How many to skip
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within::<u64>(..))]
    offset: u64,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sort {
    Name,
    Version,
    Created,
    Deleted,
}

pub(super) fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut shown, mut left) = (0, args.limit.unwrap_or(u64::MAX));
        let (mut behind, mut total) = (None, None);
        loop {
            let is_only = matches!(args.sort, Sort::Version);
            // Of what comes at once the store bounds how much.
            let limit = u32::try_from(left).unwrap_or(u32::MAX).min(if is_only { u32::MAX } else { PAGE });
            let page = tool.store().list_streams(args.request(behind.take(), limit)).await?;
            printer.rows(&page.streams, cells)?;
            let count = u64::try_from(page.streams.len()).unwrap_or_default();
            (shown, left) = (shown + count, left - count.min(left));
            let total = *total.get_or_insert(page.total.unwrap_or_default());
            if is_only || count == 0 || left == 0 || args.offset.saturating_add(shown) >= total {
                if total == 0 {
                    printer.nothing("there is no stream like that");
                    return Ok(());
                }
                // A search may well leave them out.
                let all = args.search.is_none() && args.category.is_none();
                let system = if all { ", the system's own ($all, $audit) included" } else { "" };
                return Ok(printer.words(&format!("{shown} of {}{system}\n", counted(total, "stream")))?);
            }
            behind = page.streams.last().map(|last| args.sort().place(last));
        }
    })
}

impl ListArgs {
    /// The next page, right behind the last stream that was shown.
    fn request(&self, behind: Option<StreamPlace>, limit: u32) -> ListStreams {
        let direction = if self.desc { Direction::Backward } else { Direction::Forward };
        let offset = if behind.is_some() { 0 } else { self.offset };
        let (search, category) = (self.search.clone(), self.category.clone());
        ListStreams { search, category, sort: self.sort(), direction, behind, offset, limit }
    }

    const fn sort(&self) -> StreamSort {
        match self.sort {
            Sort::Name => StreamSort::Name,
            Sort::Version => StreamSort::Version,
            Sort::Created => StreamSort::CreatedAt,
            Sort::Deleted => StreamSort::DeletedAt,
        }
    }
}

fn cells(info: &StreamInfo) -> [String; 4] {
    [
        info.stream.to_string(),
        info.version.to_string(),
        info.created_at.to_millis_string(),
        moment(info.deleted_at),
    ]
}
