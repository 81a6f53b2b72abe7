//! `umbel schedule`: commands that were planned for later.

use clap::{Args, Subcommand};
use serde::Serialize;
use umbel_bus::edge;
use umbel_core::{
    json::JsonError,
    schedule::{FAILED_QUEUE, Scheduled, is_ours, queue_of, replace},
    store::{QueueInfo, ReadOutbox, Waiting},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;
use uuid::Uuid;

use crate::{
    args::{JsonArg, SureArg, within},
    outbox::list_queues,
    print::{Column, Printer, like_that, number, print_one, shortened, text},
    tool::{Done, PAGE, Tool, failed, with_store},
};

const LIST_EXAMPLES: &str = "\
Examples:
  umbel schedule list
  umbel schedule list articles
  umbel schedule list --failed
  umbel schedule list social --limit 20 --json | jq .scheduled.command";

const CANCEL_NOTE: &str = "\
Example:
  umbel schedule cancel 0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 --yes

What is being carried out is not stopped. A recurring command that the code of an app declares is planned again \
within ten minutes where that app runs.";

const QUEUES: [Column; 3] = [text("app"), number("planned"), text("first due at")];

const COLUMNS: [Column; 6] =
    [text("id"), text("due at"), text("command"), text("recurs"), number("attempts"), text("error")];

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List what is planned for an app's commands, or what was given up, in the order in which it was stored; or the apps for whose
    /// commands something is planned
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Print one schedule
    #[command(after_help = "Example:\n  umbel schedule show 0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 --json")]
    Show(OneArgs),
    /// Take back what is planned, or remove what was given up
    #[command(after_help = CANCEL_NOTE)]
    Cancel(CancelArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Which app owns the commands; without it, all apps for whose commands something is planned, each with how much that is
    #[arg(value_name = "APP", group = "which")]
    app: Option<String>,
    /// What was given up, of all apps
    #[arg(long, group = "which")]
    failed: bool,
    /// Only what was stored behind this number
    #[arg(long, value_name = "NUMBER", requires = "which", value_parser = within::<u64>(..))]
    after: Option<u64>,
    /// N schedules, or apps, at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// Its id, as the list shows it
    #[arg(value_name = "ID", value_parser = id)]
    id: Uuid,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    sure: SureArg,
}

/// An entry of the outbox with the schedule that it holds; without one it is damaged.
#[derive(Serialize)]
struct Shown<'a> {
    id: Uuid,
    number: u64,
    queue: &'a str,
    due_at: String,
    scheduled: Option<Scheduled>,
    /// The entry as it is, when it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'a umbel_core::Json>,
}

/// What is planned for the commands of an app, or was given up, as a count.
#[derive(Serialize)]
struct Planned {
    /// `None`: what was given up, of all apps.
    app: Option<String>,
    #[serde(flatten)]
    queue: QueueInfo,
}

#[derive(Serialize)]
struct Cancelled {
    cancelled: bool,
}

impl ScheduleCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list(options, args),
            Self::Show(args) => show(options, args),
            Self::Cancel(args) => cancel(options, args),
        }
    }
}

fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    let queue = match &args.app {
        None if !args.failed => return list_apps(options, args),
        None => FAILED_QUEUE.to_owned(),
        Some(app) => queue_of(app),
    };
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut left) = (args.after.unwrap_or_default(), args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page = tool.store().read_outbox(ReadOutbox { queue: queue.clone(), after, limit }).await?;
            printer.rows(&page.iter().map(Shown::of).collect::<Vec<_>>(), Shown::cells)?;
            let Some(last) = page.last() else {
                let what = like_that(args.after.is_some());
                printer.nothing(&if args.failed {
                    format!("nothing{what} was given up")
                } else {
                    format!(
                        "nothing{what} is planned; `umbel schedule list` shows for which apps something is"
                    )
                });
                break;
            };
            after = last.number;
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
        }
        Ok(())
    })
}

fn list_apps(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, QUEUES);
        let why = "nothing is planned, and nothing was given up";
        list_queues(tool, args.limit, Planned::of, &mut printer, Planned::cells, why).await
    })
}

fn show(options: &LoadOptions, args: &OneArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let waiting = found(tool, args.id).await?;
        let shown = Shown::of(&waiting);
        Ok(print_one(args.json.json, &shown, &shown.words())?)
    })
}

fn cancel(options: &LoadOptions, CancelArgs { one: args, sure }: &CancelArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let waiting = found(tool, args.id).await?;
        sure.confirm(&format!("taking back {}", args.id))?;
        let wrong = |error: &dyn std::fmt::Display| failed(error.to_string());
        let append = replace(&waiting, Vec::new(), edge::fresh_id()).map_err(|error| wrong(&error))?;
        let appended = tool.store().append(append.clone()).await.map_err(|error| wrong(&error))?;
        if !is_ours(&append, appended.repeated.as_ref()) {
            return Err(failed(format!("{} was taken or planned anew at this moment; look again", args.id)));
        }
        let words = format!("took back {}\n", args.id);
        Ok(print_one(args.json.json, &Cancelled { cancelled: true }, &words)?)
    })
}

/// The id of a schedule, which has no other name.
fn id(text: &str) -> Result<Uuid, String> {
    let why = "nothing is planned under that name: schedules go by their ids; `umbel schedule list` shows for which apps something is \
               planned, and `umbel schedule list APP` the ids";
    text.parse().map_err(|_| why.to_owned())
}

/// The schedule with this id; no other work of the outbox is one.
async fn found(tool: &Tool, id: Uuid) -> Done<Waiting> {
    let waiting = tool.store().find_work(id).await?;
    let is_one = |queue: &str| queue == FAILED_QUEUE || queue.starts_with(&queue_of(""));
    let waiting = waiting.filter(|waiting| is_one(&waiting.entry.queue));
    waiting.ok_or_else(|| {
        failed(format!("nothing is planned under {id}; `umbel schedule list` shows where something is"))
    })
}

impl Planned {
    /// `None`: other work waits in this queue.
    fn of(queue: QueueInfo) -> Option<Self> {
        let app = queue.queue.strip_prefix(&queue_of("")).map(str::to_owned);
        (app.is_some() || queue.queue == FAILED_QUEUE).then_some(Self { app, queue })
    }

    fn cells(&self) -> [String; 3] {
        let Self { app, queue: QueueInfo { waiting, first_due_at, .. } } = self;
        let app = app.clone().unwrap_or_else(|| "(given up, see --failed)".to_owned());
        [app, waiting.to_string(), first_due_at.to_millis_string()]
    }
}

impl<'a> Shown<'a> {
    fn of(waiting: &'a Waiting) -> Self {
        let scheduled: Result<Scheduled, JsonError> = waiting.entry.body.decode();
        let unreadable = scheduled.is_err().then_some(&waiting.entry.body);
        Self {
            id: waiting.entry.id,
            number: waiting.number,
            queue: &waiting.entry.queue,
            due_at: waiting.due_at().to_millis_string(),
            scheduled: scheduled.ok(),
            unreadable,
        }
    }

    fn recurs(&self) -> String {
        let recurring = self.scheduled.as_ref().and_then(|scheduled| scheduled.recurring.as_ref());
        recurring.map(|recurring| format!("{} ({})", recurring.name, recurring.cron)).unwrap_or_default()
    }

    fn cells(&self) -> [String; 6] {
        let scheduled = self.scheduled.as_ref();
        let error = scheduled.and_then(|scheduled| scheduled.error.as_deref()).unwrap_or_default();
        [
            self.id.to_string(),
            self.due_at.clone(),
            scheduled.map_or_else(|| "unreadable".to_owned(), |scheduled| scheduled.command.clone()),
            self.recurs(),
            scheduled.map_or(0, |scheduled| scheduled.attempts).to_string(),
            shortened(error),
        ]
    }

    fn words(&self) -> String {
        let Self { id, number, queue, due_at, scheduled, unreadable } = self;
        let mut words =
            format!("id        {id}\nnumber    {number}\nqueue     {queue}\ndue       {due_at}\n");
        let mut line = |name: &str, value: &str| words += &format!("{name:<10}{value}\n");
        if let Some(body) = unreadable {
            line("body", body.as_str());
        }
        if let Some(scheduled) = scheduled {
            line("schedule", &scheduled.schedule.to_string());
            line("command", &scheduled.command);
            line("body", scheduled.body.as_str());
            line("meant for", &scheduled.due_at.to_millis_string());
            line("recurs", &self.recurs());
            line("attempts", &scheduled.attempts.to_string());
            line("error", scheduled.error.as_deref().unwrap_or_default());
        }
        words
    }
}
