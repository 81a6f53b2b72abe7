//! `umbel process-managers`: the instances of process managers that are under way, with their timers and commands.

use clap::{Args, Subcommand};
use serde::Serialize;
use umbel_bus::{Store, edge};
use umbel_core::{
    Json, Position, Timestamp,
    document::DocumentKey,
    process_manager::{COLLECTION, File, Pending, Reminder, key},
    store::{ClaimName, ListClaims, StoreError},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;
use uuid::Uuid;

use crate::{
    args::{JsonArg, within},
    print::{Column, Printer, moment, none, number, print_one, shortened, text},
    tool::{Done, failed, with_store},
};

const LIST_EXAMPLES: &str = "\
Examples:
  umbel process-managers list
  umbel process-managers list shop.fulfilment --limit 20
  umbel process-managers list --json | jq 'select(.attempts > 0) | .instance'

An instance is listed from its first event until it has ended. Attempts are those at timers and commands that failed, with what the last \
one met, as long as they are to be tried again.";

const SHOW_EXAMPLE: &str = "\
Example:
  umbel process-managers show shop.fulfilment order-7 --json

Which events it has handled is not kept with it. An instance of a process manager that was renamed is under the name it was first run under.";

/// Instances per page: each is a document, and those with something due are looked up.
const PAGE: u32 = 100;

const COLUMNS: [Column; 7] = [
    text("process manager"),
    text("instance"),
    number("timers"),
    text("first due at"),
    number("commands"),
    number("attempts"),
    text("error"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum ProcessManagersCommand {
    /// List the instances that are under way, by process manager and name
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Print one instance: what it remembers, its timers, commands that are left
    #[command(after_help = SHOW_EXAMPLE)]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this process manager, under the name that it was first run under; without it, of all
    #[arg(value_name = "NAME")]
    manager: Option<String>,
    /// Only instances behind this one
    #[arg(long, value_name = "INSTANCE", requires = "manager")]
    after: Option<String>,
    /// N instances at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The name that its process manager was first run under
    #[arg(value_name = "NAME")]
    manager: String,
    /// Which instance
    #[arg(value_name = "INSTANCE")]
    instance: String,
    #[command(flatten)]
    json: JsonArg,
}

/// An instance, with what waits for it.
#[derive(Serialize)]
struct Shown {
    manager: String,
    instance: String,
    /// Whether it has not ended; one that has is kept for as long as commands of its are left.
    alive: bool,
    /// What it remembers, where one is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Json>,
    timers: Vec<Waits>,
    commands: Vec<Left>,
    /// The most that any of these was tried in vain.
    attempts: u32,
    error: Option<String>,
}

/// A timer that runs.
#[derive(Serialize)]
struct Waits {
    name: String,
    due_at: Timestamp,
    #[serde(flatten)]
    tries: Tries,
}

/// Commands of one event or timer that are not carried out yet.
#[derive(Serialize)]
struct Left {
    /// Which event or timer.
    cause: Uuid,
    names: Vec<String>,
    /// At which place of the log the event is with whose dead letter they wait.
    dead_letter: Option<u64>,
    #[serde(flatten)]
    tries: Tries,
}

/// What became of it so far.
#[derive(Default, Serialize)]
struct Tries {
    attempts: u32,
    error: Option<String>,
    /// When it is tried next, or when others look after it if nobody does.
    next_at: Option<Timestamp>,
}

impl ProcessManagersCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list(options, args),
            Self::Show(args) => show(options, args),
        }
    }
}

fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    // Each instance has a claim of this scope, whose value is the key of its document.
    let prefix = args.manager.as_ref().map_or_else(String::new, |manager| format!("{manager}/"));
    with_store(options, async |tool| {
        let store = tool.store();
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let mut after = prefix.clone() + args.after.as_deref().unwrap_or_default();
        let mut left = args.limit.unwrap_or(u64::MAX);
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let claims = ListClaims {
                scope: Some(COLLECTION.to_owned()),
                after: Some(ClaimName::new(COLLECTION, after)),
                limit,
            };
            let mut page: Vec<_> =
                store.list_claims(claims).await?.into_iter().map(|claim| claim.name.value).collect();
            page.retain(|key| key.starts_with(&prefix));
            let Some(last) = page.last() else {
                let none = none("instance", args.manager.is_some());
                printer.nothing(&format!("{none}: one is there from its first event until it has ended"));
                break;
            };
            after = last.clone();
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
            let mut rows = Vec::new();
            for file in files(&store, page).await? {
                rows.push(Shown::of(&store, file, false).await?);
            }
            printer.rows(&rows, Shown::cells)?;
        }
        Ok(())
    })
}

fn show(options: &LoadOptions, args: &ShowArgs) -> Result<(), Failed> {
    let ShowArgs { manager, instance, json } = args;
    with_store(options, async |tool| {
        let store = tool.store();
        let found = files(&store, vec![key(manager, instance).key]).await?.pop();
        let file = found.ok_or_else(|| {
            failed(format!(
                "{manager} has no instance {instance}; `umbel process-managers list` shows which there are"
            ))
        })?;
        let shown = Shown::of(&store, file, true).await?;
        Ok(print_one(json.json, &shown, &shown.words())?)
    })
}

/// What is kept under these keys, but for what has ended meanwhile.
async fn files(store: &Store, keys: Vec<String>) -> Done<Vec<File>> {
    let of_collection = |key| DocumentKey { collection: COLLECTION, key };
    let found = store.get_documents(keys.into_iter().map(of_collection).collect()).await?;
    let mut files = Vec::new();
    for body in found.into_iter().flatten() {
        let file = body.decode::<File>();
        files.push(file.map_err(|error| failed(format!("an instance cannot be read: {error}")))?);
    }
    Ok(files)
}

impl Shown {
    /// With what is due, or with all there is.
    async fn of(store: &Store, file: File, whole: bool) -> Result<Self, StoreError> {
        let now = edge::now();
        let (alive, File { manager, instance, state, .. }) = (file.is_alive(), file.clone());
        let mut timers = Vec::new();
        for (name, timer) in file.timers {
            let is_wanted = whole || timer.due_at <= now;
            let tries = if is_wanted { Tries::of(store, timer.id).await? } else { Tries::default() };
            timers.push(Waits { name, due_at: timer.due_at, tries });
        }
        timers.sort_by_key(|timer| timer.due_at);
        let mut commands = Vec::new();
        for Pending { origin, reminder, orders, parked, letter, .. } in file.pending {
            let tries = if parked { Tries::default() } else { Tries::of(store, reminder).await? };
            let names = orders.into_iter().map(|order| order.name).collect();
            let dead_letter = letter.map(Position::get);
            commands.push(Left { cause: origin.cause, names, dead_letter, tries });
        }
        let all = timers.iter().map(|timer| &timer.tries).chain(commands.iter().map(|left| &left.tries));
        let worst = all.max_by_key(|tries| tries.attempts);
        let (attempts, error) = worst.map(|tries| (tries.attempts, tries.error.clone())).unwrap_or_default();
        let state = state.filter(|_| whole).map(|state| state.json().clone());
        Ok(Self { manager, instance, alive, state, timers, commands, attempts, error })
    }

    fn cells(&self) -> [String; 7] {
        [
            self.manager.clone(),
            shortened(&self.instance),
            self.timers.len().to_string(),
            moment(self.timers.first().map(|timer| timer.due_at)),
            self.commands.iter().map(|left| left.names.len()).sum::<usize>().to_string(),
            self.attempts.to_string(),
            shortened(self.error.as_deref().unwrap_or_default()),
        ]
    }

    fn words(&self) -> String {
        let Self { manager, instance, alive, state, timers, commands, .. } = self;
        let mut words = String::new();
        let mut line = |name: &str, value: &str| words += &format!("{name:<17}{value}\n");
        line("process manager", manager);
        line("instance", instance);
        line("state", if *alive { "under way" } else { "ended, but for its commands" });
        line("remembers", state.as_ref().map_or("-", Json::as_str));
        for Waits { name, due_at, tries } in timers {
            line("timer", &format!("{name}, due at {}{}", due_at.to_millis_string(), tries.words()));
        }
        for Left { cause, names, dead_letter, tries } in commands {
            let letter = dead_letter.map(|place| format!(", waiting with the dead letter at {place}"));
            let names = names.join(", ");
            line("commands", &format!("{names} of {cause}{}{}", letter.unwrap_or_default(), tries.words()));
        }
        words
    }
}

impl Tries {
    /// What the reminder of a timer, or of commands, knows of them.
    async fn of(store: &Store, reminder: Uuid) -> Result<Self, StoreError> {
        let waiting = store.find_work(reminder).await?;
        let about = waiting.as_ref().and_then(|waiting| waiting.entry.body.decode::<Reminder>().ok());
        let next_at = waiting.map(|waiting| waiting.due_at());
        let Some(Reminder { attempts, error, .. }) = about else {
            return Ok(Self { next_at, ..Self::default() });
        };
        Ok(Self { attempts, error, next_at })
    }

    fn words(&self) -> String {
        let Self { attempts, error, next_at } = self;
        if *attempts == 0 {
            return String::new();
        }
        let (error, next_at) = (error.as_deref().unwrap_or_default(), moment(*next_at));
        format!(", tried {attempts} times in vain, next at {next_at}; the last time: {error}")
    }
}
