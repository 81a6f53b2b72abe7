//! `umbel notices`: transient announcements that are kept for a while.

use clap::{Args, Subcommand};
use serde::Serialize;
use umbel_bus::edge;
use umbel_core::{
    Timestamp,
    store::{Act, KeptNotice, ListNotices, SweepNotices},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;
use uuid::Uuid;

use crate::{
    args::{JsonArg, time, within},
    print::{Column, Printer, counted, moment, none, print_one, shortened, text},
    tool::{PAGE, with_store},
};

const LIST_EXAMPLES: &str = "\
Examples:
  umbel notices list --topic articles.viewed --since 2026-01-31
  umbel notices list --transaction 0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 --json";

const COLUMNS: [Column; 5] =
    [text("occurred at"), text("topic"), text("source"), text("expires at"), text("data")];

#[derive(Debug, Subcommand)]
pub(crate) enum NoticesCommand {
    /// List the kept notices, the oldest first
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Remove those whose time has come; recorded in the audit
    #[command(after_help = "Example:\n  umbel notices sweep")]
    Sweep(SweepArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only of this transaction
    #[arg(long, value_name = "UUID")]
    transaction: Option<Uuid>,
    /// Only those that occurred then or later: 2026-01-31, 2026-01-31T12:00:00Z, or so long ago: 5m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// N notices at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Swept {
    swept: u64,
}

impl NoticesCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list(options, args),
            Self::Sweep(args) => sweep(options, args),
        }
    }
}

fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut left) = (None, args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let request = ListNotices {
                topic: args.topic.clone(),
                transaction_id: args.transaction,
                since: args.since,
                after,
                limit: u32::try_from(left).unwrap_or(PAGE).min(PAGE),
            };
            let page = tool.store().list_notices(request).await?;
            printer.rows(&page, cells)?;
            let Some(last) = page.last() else {
                let is_searched = args.topic.is_some() || args.transaction.is_some() || args.since.is_some();
                printer.nothing(&none("kept notice", is_searched));
                break;
            };
            after = Some((last.occurred_at, last.id));
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
        }
        Ok(())
    })
}

fn sweep(options: &LoadOptions, args: &SweepArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let now = edge::now();
        let swept = tool.store().sweep_notices(SweepNotices { now }).await?;
        if swept > 0 {
            tool.perform(Act::SweepNotices { notices: swept, since: now }, None).await?;
        }
        Ok(print_one(args.json.json, &Swept { swept }, &format!("removed {}\n", counted(swept, "notice")))?)
    })
}

fn cells(notice: &KeptNotice) -> [String; 5] {
    [
        notice.occurred_at.to_millis_string(),
        notice.topic.clone(),
        notice.source.clone().unwrap_or_default(),
        moment(notice.expires_at),
        shortened(notice.data.as_str()),
    ]
}
