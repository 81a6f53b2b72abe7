//! `umbel outbox`: work that appends have left behind and that is not done yet.

use clap::{Args, Subcommand};
use umbel_core::{
    Timestamp,
    store::{ReadOutbox, Waiting},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::JsonArg,
    print::{Column, Printer, number, shortened, text},
    tool::{PAGE, with_store},
};

const COLUMNS: [Column; 5] =
    [number("number"), text("recorded at"), text("due at"), text("id"), text("body")];

#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// List what waits in a queue, in order
    #[command(after_help = "Example:\n  umbel outbox list mail --limit 20 --json")]
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Which queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// Only entries behind this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// N entries at most; without it all
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

impl OutboxCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        let Self::List(args) = self;
        list(options, args)
    }
}

fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut left) = (args.after, args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page =
                tool.store().read_outbox(ReadOutbox { queue: args.queue.clone(), after, limit }).await?;
            printer.rows(&page, cells)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
        }
        Ok(())
    })
}

fn cells(waiting: &Waiting) -> [String; 5] {
    [
        waiting.number.to_string(),
        waiting.recorded_at.to_millis_string(),
        waiting.entry.due_at.map_or_else(|| "-".into(), Timestamp::to_millis_string),
        waiting.entry.id.to_string(),
        shortened(waiting.entry.body.as_str()),
    ]
}
