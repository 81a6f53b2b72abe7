//! The command line: what can be asked, and how it is refused.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser, value_parser};
use umbel_core::StreamName;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{apps, bench, events, run, streams};

const EXIT_CODES: &str = "\
Exit codes:
  0  did what it was asked to, and stopped in order
  1  what it was asked for failed; the message says why
  2  wrong command line
  3  a setting is missing or wrong
  4  a part could not start: port in use, store unreachable, missing or damaged
  5  a part failed more often than its intensity allows

Settings come from config/default.toml, config/ENV.toml, variables (UMBEL__STORE__URL) and --set; later wins.";

const EXAMPLES: &str = "\
Examples:
  umbel run
  umbel run --only accounts,articles --set store.url=postgres://umbel@localhost/conduit
  umbel events tail --follow
  umbel streams show account-0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2
  umbel bench append --events 100000 --concurrency 64";

/// Why tools are quieter than the umbrella: their answer is on standard output, and logs would only frame it.
const TOOL_LEVEL: (&str, &str) = ("telemetry.level", "warn");

/// Supervised apps around one durable event log.
#[derive(Debug, Parser)]
#[command(name = "umbel", version, about, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct SettingsArgs {
    /// Overrides a setting; may be given several times
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = key_and_value, global = true)]
    overrides: Vec<(String, String)>,
    /// Which environment's file to read: development, test, production or your own (variable UMBEL_ENV)
    #[arg(long = "env", value_name = "NAME", global = true)]
    environment: Option<String>,
    /// Where the configuration files are (variable UMBEL_CONFIG_DIR; ./config if it exists)
    #[arg(long, value_name = "DIR", global = true)]
    config_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the umbrella until a signal: bus, store, apps and gateway under one supervisor
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Look at the log
    #[command(subcommand)]
    Events(EventsCommand),
    /// Look at one stream
    #[command(subcommand)]
    Streams(StreamsCommand),
    /// Measure this machine
    #[command(subcommand)]
    Bench(BenchCommand),
}

const RUN_EXAMPLES: &str = "\
Examples:
  umbel run                                        everything, on the store the settings name
  umbel run --only accounts,articles               bus, store and these two
  umbel run --set gateway.address=127.0.0.1:8080   elsewhere
  UMBEL__STORE__URL=postgres://umbel@db/conduit umbel run";

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Only these parts, besides the bus and the store, which always run
    #[arg(long, value_name = "PARTS", value_delimiter = ',', num_args = 1)]
    #[arg(value_parser = PossibleValuesParser::new(apps::parts()))]
    pub(crate) only: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// Print the log of all streams in order, up to its head; works while the umbrella runs
    #[command(after_help = TAIL_EXAMPLES)]
    Tail(TailArgs),
}

const TAIL_EXAMPLES: &str = "\
Examples:
  umbel events tail                        the whole log, for people
  umbel events tail --from 1000 --follow   from there on, and what comes; Ctrl-C ends it
  umbel events tail --json | jq .type      one JSON object per line";

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// The first position to print
    #[arg(long, value_name = "POSITION", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    pub(crate) from: u64,
    /// Go on with what is appended, until a signal
    #[arg(long)]
    pub(crate) follow: bool,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum StreamsCommand {
    /// Print what there is to know of a stream, and its events
    #[command(after_help = "With --json, the first line is about the stream, each further one an event.")]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The stream's name; `umbel events tail` shows which there are
    #[arg(value_name = "NAME", value_parser = |name: &str| StreamName::new(name))]
    pub(crate) stream: StreamName,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Append through the bus, and compare with the least that any store of events must do on the same database
    #[command(after_help = BENCH_NOTES)]
    Append(BenchArgs),
}

const BENCH_NOTES: &str = "\
Works in a scratch schema or directory beside the store of the settings and removes it; existing data is not
touched. The floors are measured in the same run, in turns with the store: only the ratios compare between machines.
  group commit   one connection, all that waits becomes the next transaction, no checks
  single row     16 connections, one row per commit (PostgreSQL only)

Examples:
  umbel bench append --events 100000 --concurrency 64
  umbel bench append --batch 100 --url postgres://postgres@127.0.0.1/postgres --json";

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Events to append in all
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) events: u64,
    /// Callers at once; each waits for its append before the next
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = value_parser!(u32).range(1..=4096))]
    pub(crate) concurrency: u32,
    /// Events per append
    #[arg(long, value_name = "B", default_value_t = 1, value_parser = value_parser!(u32).range(1..=8192))]
    pub(crate) batch: u32,
    /// Streams, shared out among the callers; at least one for each
    #[arg(long, value_name = "S", default_value_t = 1000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub(crate) streams: u32,
    /// Another store than that of the settings
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// Does what was asked for.
    pub(crate) fn execute(self) -> Result<(), Failed> {
        let mut options = self.settings.into_options(LoadOptions::from_process());
        match self.command {
            Command::Run(args) => run::run(&options, &args),
            Command::Events(EventsCommand::Tail(args)) => events::tail(&quiet(options), &args),
            Command::Streams(StreamsCommand::Show(args)) => streams::show(&quiet(options), &args),
            Command::Bench(BenchCommand::Append(args)) => {
                options.overrides.extend(args.url.clone().map(|url| ("store.url".to_owned(), url)));
                bench::append(&quiet(options), &args)
            }
        }
    }
}

impl SettingsArgs {
    fn into_options(self, process: LoadOptions) -> LoadOptions {
        LoadOptions {
            environment: self.environment,
            dir: self.config_dir,
            overrides: self.overrides,
            vars: process.vars,
        }
    }
}

/// Logs of a tool only warn, unless a level is asked for.
fn quiet(mut options: LoadOptions) -> LoadOptions {
    let (key, level) = TOOL_LEVEL;
    if !options.vars.iter().any(|(name, _)| name == "UMBEL__TELEMETRY__LEVEL") {
        options.overrides.insert(0, (key.to_owned(), level.to_owned()));
    }
    options
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if key.contains('.') => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it like store.url=memory:".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_may_stand_before_and_after_the_command() {
        for line in [
            "umbel --env test --set store.url=postgres://h/d?a=b --config-dir c run",
            "umbel run --env test --set store.url=postgres://h/d?a=b --config-dir c",
        ] {
            let options = parse(line).unwrap().settings.into_options(LoadOptions::default());
            assert_eq!(options.environment.as_deref(), Some("test"));
            assert_eq!(options.dir, Some("c".into()));
            assert_eq!(options.overrides, [("store.url".to_owned(), "postgres://h/d?a=b".to_owned())]);
        }
    }

    #[test]
    fn parts_are_listed_by_name() {
        let Command::Run(args) = parse("umbel run --only accounts,gateway").unwrap().command else {
            unreachable!()
        };
        assert_eq!(args.only, ["accounts", "gateway"]);
        let refused = parse("umbel run --only acounts").unwrap_err();
        assert_eq!((refused.kind(), refused.exit_code()), (ErrorKind::InvalidValue, 2));
        for part in ["accounts", "articles", "gateway"] {
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_code_2() {
        for line in [
            "umbel",
            "umbel rum",
            "umbel run --set store.url",
            "umbel run --set url=x",
            "umbel events tail --from 0",
            "umbel streams show $all",
            "umbel bench append --events 0",
            "umbel bench append --concurrency 0",
            "umbel bench append --batch 0",
            "umbel bench append --streams 0",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn tools_only_warn_unless_told() {
        let level = |options: LoadOptions| quiet(options).overrides.last().cloned();
        let with = |vars| LoadOptions { vars, ..LoadOptions::default() };
        assert_eq!(level(with(vec![])), Some(("telemetry.level".into(), "warn".into())));
        assert_eq!(level(with(vec![("UMBEL__TELEMETRY__LEVEL".into(), "debug".into())])), None);
        let asked = ("telemetry.level".to_owned(), "trace".to_owned());
        let options = LoadOptions { overrides: vec![asked.clone()], ..LoadOptions::default() };
        assert_eq!(level(options), Some(asked), "the last wins");
    }
}
