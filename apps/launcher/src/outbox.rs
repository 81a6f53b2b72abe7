//! `umbel outbox`: work that appends have left behind and that is not done yet.

use clap::{Args, Subcommand};
use serde::Serialize;
use umbel_core::{
    Timestamp,
    store::{ListQueues, QueueInfo, ReadOutbox, Waiting},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, within},
    print::{Column, Printer, like_that, number, shortened, text},
    tool::{Done, PAGE, Tool, with_store},
};

const LIST_EXAMPLES: &str = "\
Examples:
  umbel outbox list
  umbel outbox list mail --limit 20 --json";

const QUEUES: [Column; 3] = [text("queue"), number("waiting"), text("first due at")];

const COLUMNS: [Column; 5] =
    [number("number"), text("recorded at"), text("due at"), text("id"), text("body")];

#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// List what waits in a queue, in order; or the queues in which something waits
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Which queue; without it, all queues in which something waits, each with how much that is
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    /// Only entries of the queue behind this number
    #[arg(long, value_name = "NUMBER", requires = "queue", value_parser = within::<u64>(..))]
    after: Option<u64>,
    /// N entries, or queues, at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
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
        let Some(queue) = &args.queue else {
            let mut printer = Printer::new(args.json.json, QUEUES);
            let why = "nothing waits in any queue";
            return list_queues(tool, args.limit, Some, &mut printer, queue_cells, why).await;
        };
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut left) = (args.after.unwrap_or_default(), args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page = tool.store().read_outbox(ReadOutbox { queue: queue.clone(), after, limit }).await?;
            printer.rows(&page, cells)?;
            let Some(last) = page.last() else {
                let what = like_that(args.after.is_some());
                printer.nothing(&format!(
                    "nothing{what} waits there; `umbel outbox list` shows the queues in which something does"
                ));
                break;
            };
            after = last.number;
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
        }
        Ok(())
    })
}

/// Prints the queues in which something waits, as far as they are wanted, up to so many; or says why nothing is printed.
pub(crate) async fn list_queues<T: Serialize, const N: usize>(
    tool: &Tool,
    limit: Option<u64>,
    wanted: impl Fn(QueueInfo) -> Option<T>,
    printer: &mut Printer<N>,
    cells: impl Fn(&T) -> [String; N],
    why_nothing: &str,
) -> Done {
    let (mut after, mut left) = (String::new(), limit.unwrap_or(u64::MAX));
    while left > 0 {
        let page = tool.store().list_queues(ListQueues { after, limit: PAGE }).await?;
        let Some(last) = page.last() else {
            printer.nothing(why_nothing);
            break;
        };
        after = last.queue.clone();
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let rows: Vec<_> = page.into_iter().filter_map(&wanted).take(most).collect();
        printer.rows(&rows, &cells)?;
        left -= u64::try_from(rows.len()).unwrap_or(left).min(left);
    }
    Ok(())
}

fn queue_cells(info: &QueueInfo) -> [String; 3] {
    [info.queue.clone(), info.waiting.to_string(), info.first_due_at.to_millis_string()]
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
