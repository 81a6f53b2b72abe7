//! What can be asked of `umbel bench`.

use clap::{ArgGroup, Args, Subcommand};

use crate::args::within;

/// What `umbel bench` can be told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    #[command(flatten)]
    Measure(Workload),
    /// Append for another process, as it says on standard input
    #[command(hide = true)]
    Worker(WorkerArgs),
    /// Serve what `bench http` is compared with, until standard input ends
    #[command(hide = true)]
    Floor,
}

/// Each measures in a scratch place, beside its floors, in turns with them.
#[derive(Debug, Subcommand)]
pub(crate) enum Workload {
    /// Append through the bus, beside the least that any store of events must do on the same database
    #[command(after_help = APPEND_NOTES)]
    Append(AppendArgs),
    /// Read the log, streams, and events by type or by many types, beside a bare query of the same rows
    #[command(after_help = READ_EXAMPLES)]
    Read(ReadArgs),
    /// Catch up with the log by a durable subscription beside a bare query, and follow it live beside a bare commit
    #[command(after_help = SUBSCRIBE_EXAMPLES)]
    Subscribe(SubscribeArgs),
    /// Dispatch commands to aggregates beside bare appends through the same store, and load a long aggregate
    #[command(after_help = COMMAND_EXAMPLES)]
    Command(CommandArgs),
    /// Append to a long log beside an empty one, and look at the memory that filling and reading it take
    #[command(after_help = GROWTH_NOTES)]
    Growth(GrowthArgs),
    /// Publish notices in memory beside bare channels, and beside a subscriber that stalls
    #[command(visible_alias = "bus", after_help = PUBLISH_EXAMPLES)]
    Publish(PublishArgs),
    /// Use Conduit over HTTP from another process, beside the same gateway with nothing behind it
    #[command(after_help = HTTP_NOTES)]
    Http(HttpArgs),
    /// Look at the memory and the processor time of an umbrella that has nothing to do
    #[command(after_help = IDLE_EXAMPLES)]
    Idle(IdleArgs),
    /// All of these, against the bars that docs/benchmarks.md sets
    #[command(after_help = ALL_NOTES)]
    All(AllArgs),
}

const APPEND_NOTES: &str = "\
Works in a scratch schema or directory beside the store of the settings and removes it, and those that benches which were \
killed on this machine have left behind; existing data is not touched. \
The floors are measured in the same run, in turns with the store: only the ratios compare between machines.
  group commit   one connection, all that waits is the next transaction
  single row     16 connections, one row per commit (PostgreSQL only)

Examples:
  umbel bench append --events 100000 --concurrency 64
  umbel bench append --any --concurrency 64 \\
      --url postgres://postgres@127.0.0.1/postgres
  umbel bench append --processes 2 --url postgres://postgres@127.0.0.1/postgres
  umbel bench append --batch 100 --json \\
      --url postgres://postgres@127.0.0.1/postgres";

const READ_EXAMPLES: &str = "\
Examples:
  umbel bench read --events 1000000
  umbel bench read --url postgres://postgres@127.0.0.1/postgres --json";

const SUBSCRIBE_EXAMPLES: &str = "\
Examples:
  umbel bench subscribe --events 200000 --appends 500
  umbel bench subscribe --url postgres://postgres@127.0.0.1/postgres";

const COMMAND_EXAMPLES: &str = "\
Examples:
  umbel bench command --concurrency 16 --aggregates 100
  umbel bench command --url postgres://postgres@127.0.0.1/postgres --json";

const GROWTH_NOTES: &str = "\
The export is a process of its own. It writes about half a KiB for each event to a file in TMPDIR, which is removed.

Examples:
  umbel bench growth --events 10000000
  TMPDIR=/var/tmp umbel bench growth \\
      --url postgres://postgres@127.0.0.1/postgres";

const PUBLISH_EXAMPLES: &str = "\
Examples:
  umbel bench publish --notices 1000000
  umbel bench publish --json";

const IDLE_EXAMPLES: &str = "\
Examples:
  umbel bench idle --seconds 60
  umbel bench idle --url postgres://postgres@127.0.0.1/postgres";

const HTTP_NOTES: &str = "\
Runs the whole umbrella as a process on a scratch store, fills it through its API, and uses it from this process. Each caller has a \
connection and an account of its own. An answer that is not as it has to be ends it: there are no errors to be counted.

Examples:
  umbel bench http --articles 1000 --concurrency 64
  umbel bench http --url postgres://postgres@127.0.0.1/postgres --json";

const ALL_NOTES: &str = "\
Ends with a table of all bars, those that were missed too: missing one is a finding and no failure of the command.

Examples:
  umbel bench all --url postgres://postgres@127.0.0.1/postgres
  umbel bench all --quick --json";

/// What every kind of measurement takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Another store than that of the settings
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// One JSON object per line, one line for each comparison
    #[arg(long)]
    pub(super) json: bool,
    /// Rounds in which those that are compared take turns, after one that does not count
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = within::<u32>(1..=1000))]
    pub(super) rounds: u32,
}

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("kind").multiple(false))]
pub(crate) struct AppendArgs {
    /// Events to append in all; without it 50,000, or up to 400,000 where many are under way at once, so that rounds last
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000_000))]
    pub(super) events: Option<u64>,
    /// Callers at once; each waits for its append before the next
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = within::<u32>(1..=4096))]
    pub(super) concurrency: u32,
    /// Events per append
    #[arg(long, value_name = "B", default_value_t = 1, value_parser = within::<u32>(1..=8192))]
    pub(super) batch: u32,
    /// Streams, shared out among the callers; at least one for each
    #[arg(long, value_name = "S", default_value_t = 1000, value_parser = within::<u32>(1..=10_000_000))]
    pub(super) streams: u32,
    /// One stream for all callers, with any version expected
    #[arg(long, group = "kind")]
    pub(super) any: bool,
    /// Processes among which the callers are shared out, beside one process with all of them
    #[arg(long, value_name = "P", default_value_t = 1, group = "kind", value_parser = within::<u32>(1..=64))]
    pub(super) processes: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReadArgs {
    /// Events in the log, rounded up to whole streams of 1,000
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = within::<u64>(1..=100_000_000))]
    pub(super) events: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SubscribeArgs {
    /// Events to catch up with, rounded up to whole streams of 1,000
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = within::<u64>(1..=100_000_000))]
    pub(super) events: u64,
    /// Appends in one round of following live
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = within::<u64>(1..=1_000_000))]
    pub(super) appends: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CommandArgs {
    /// Commands in one round
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = within::<u64>(1..=100_000_000))]
    pub(super) commands: u64,
    /// Callers at once; each waits for its reply before the next
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = within::<u32>(1..=4096))]
    pub(super) concurrency: u32,
    /// Aggregates, shared out among the callers; at least one for each
    #[arg(long, value_name = "A", default_value_t = 1000, value_parser = within::<u32>(1..=1_000_000))]
    pub(super) aggregates: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GrowthArgs {
    /// Events in the long log, rounded up to whole streams of 1,000
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = within::<u64>(1..=1_000_000_000))]
    pub(super) events: u64,
    /// Appends in one round, to either log
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = within::<u64>(1..=1_000_000))]
    pub(super) appends: u64,
    /// Callers at once that append
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = within::<u32>(1..=4096))]
    pub(super) concurrency: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PublishArgs {
    /// Notices in one round
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = within::<u64>(1..=1_000_000_000))]
    pub(super) notices: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct HttpArgs {
    /// Articles that there are from the start
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = within::<u64>(1..=1_000_000))]
    pub(super) articles: u64,
    /// Callers at once; each waits for its answer before the next
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = within::<u32>(1..=512))]
    pub(super) concurrency: u32,
    /// Pages that are asked for in one round
    #[arg(long, value_name = "R", default_value_t = 5000, value_parser = within::<u64>(1..=100_000_000))]
    pub(super) requests: u64,
    /// Writes of each kind in one round
    #[arg(long, value_name = "W", default_value_t = 2000, value_parser = within::<u64>(1..=100_000_000))]
    pub(super) writes: u64,
    /// Articles in one round whose way to the page is watched
    #[arg(long, value_name = "L", default_value_t = 100, value_parser = within::<u64>(1..=1_000_000))]
    pub(super) lags: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct IdleArgs {
    /// Seconds to look
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = within::<u64>(1..=3600))]
    pub(super) seconds: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AllArgs {
    /// A tenth of everything in three rounds: whether it works, not what it reaches
    #[arg(long)]
    pub(super) quick: bool,
    /// Events in the long log of `bench growth`
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = within::<u64>(1..=1_000_000_000))]
    pub(super) growth_events: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Begins the names of its streams
    #[arg(long, value_name = "TEXT")]
    pub(super) prefix: String,
    #[arg(long, value_name = "C")]
    pub(super) concurrency: u32,
    #[arg(long, value_name = "S")]
    pub(super) streams: u32,
    #[arg(long, value_name = "B")]
    pub(super) batch: u32,
}

impl Workload {
    /// What every kind takes.
    pub(super) const fn common(&self) -> &Common {
        match self {
            Self::Append(args) => &args.common,
            Self::Read(args) => &args.common,
            Self::Subscribe(args) => &args.common,
            Self::Command(args) => &args.common,
            Self::Growth(args) => &args.common,
            Self::Publish(args) => &args.common,
            Self::Http(args) => &args.common,
            Self::Idle(args) => &args.common,
            Self::All(args) => &args.common,
        }
    }
}
