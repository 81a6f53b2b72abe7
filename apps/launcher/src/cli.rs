//! The command line: what can be asked, and how it is refused.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    apps,
    audit::{self, AuditArgs},
    bench::BenchCommand,
    claims::ClaimsCommand,
    dead_letters::DeadLettersCommand,
    events::EventsCommand,
    new_app::NewCommand,
    notices::NoticesCommand,
    outbox::OutboxCommand,
    peers::{self, PeersArgs},
    process_managers::ProcessManagersCommand,
    projections::ProjectionsCommand,
    run,
    schedule::ScheduleCommand,
    snapshots::SnapshotsCommand,
    store::StoreCommand,
    streams::StreamsCommand,
    subscriptions::SubscriptionsCommand,
    tenants::TenantsCommand,
    tree::{self, TreeArgs},
};

const EXIT_CODES: &str = "\
Exit codes:
  0  did what it was asked to, and stopped in order
  1  what it was asked for failed, or what was looked for is there: pending
     migrations, findings; the message says why
  2  wrong command line, or something that cannot be undone was not confirmed
  3  a setting is missing or wrong
  4  a part could not start: port in use, store unreachable, missing or damaged
  5  a part failed more often than its intensity allows

Settings come from config/default.toml, config/ENV.toml, variables (UMBEL__STORE__URL) and --set; later wins.";

const EXAMPLES: &str = "\
Examples:
  umbel run
  umbel run --only accounts,articles \\
      --set store.url=postgres://umbel@localhost/conduit
  umbel tree
  umbel peers
  umbel store status
  umbel events tail --follow
  umbel streams list --sort version --desc
  umbel events export log.jsonl
  umbel bench append --events 100000 --concurrency 64";

/// Why tools are quieter than the umbrella: their answer is on standard output, and logs would only frame it.
const TOOL_LEVEL: (&str, &str) = ("telemetry.level", "warn");

/// Supervised apps around one durable event log.
#[derive(Debug, Parser)]
#[command(name = "umbel", version, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

/// Under a heading of their own: every command has them, and they are not what it is about.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
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
    /// Print the supervision tree of what runs: states, restarts, last causes
    #[command(after_help = tree::EXAMPLES)]
    Tree(TreeArgs),
    /// Print the other processes that each one talks to, and how it stands with them
    #[command(after_help = peers::EXAMPLES)]
    Peers(PeersArgs),
    /// The log: look at it, write it out, take it in
    #[command(subcommand)]
    Events(EventsCommand),
    /// Streams: list, show, link, delete, truncate
    #[command(subcommand)]
    Streams(StreamsCommand),
    /// The store as a whole: make, migrate, verify, archive, remove it
    #[command(subcommand)]
    Store(StoreCommand),
    /// Print the acts of upkeep: what was removed, moved or forgotten, by whom and why
    #[command(after_help = audit::EXAMPLES)]
    Audit(AuditArgs),
    /// Read models: which version serves, how far they are behind, build them anew
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// Durable subscriptions: how far they are behind, pause, reset, delete
    #[command(subcommand)]
    Subscriptions(SubscriptionsCommand),
    /// Events that subscriptions could not handle: list, try again, edit, discard
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Instances of process managers: list, show
    #[command(subcommand)]
    ProcessManagers(ProcessManagersCommand),
    /// Unique values that are taken, such as names, and by whom
    #[command(subcommand)]
    Claims(ClaimsCommand),
    /// Kept states of long streams
    #[command(subcommand)]
    Snapshots(SnapshotsCommand),
    /// Work that appends have left behind
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Commands that were planned for later: list, show, cancel
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Kept notices
    #[command(subcommand)]
    Notices(NoticesCommand),
    /// Several stores in one place
    #[command(subcommand)]
    Tenants(TenantsCommand),
    /// Begin something in a checkout of the workspace
    #[command(subcommand)]
    New(NewCommand),
    /// Measure what the umbrella does on this machine, beside the least that has to be done
    #[command(subcommand)]
    Bench(BenchCommand),
}

const RUN_EXAMPLES: &str = "\
Examples:
  umbel run                                        everything
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

impl Cli {
    /// Does what was asked for.
    pub(crate) fn execute(self) -> Result<(), Failed> {
        let options = self.settings.into_options(LoadOptions::from_process());
        match self.command {
            Command::Run(args) => run::run(&options, &args),
            Command::Tree(args) => tree::tree(&quiet(options), &args),
            Command::Peers(args) => peers::peers(&quiet(options), &args),
            Command::Events(command) => command.execute(&quiet(options)),
            Command::Streams(command) => command.execute(&quiet(options)),
            Command::Store(command) => command.execute(&quiet(options)),
            Command::Audit(args) => audit::audit(&quiet(options), &args),
            Command::Projections(command) => command.execute(&quiet(options)),
            Command::Subscriptions(command) => command.execute(&quiet(options)),
            Command::DeadLetters(command) => command.execute(&quiet(options)),
            Command::ProcessManagers(command) => command.execute(&quiet(options)),
            Command::Claims(command) => command.execute(&quiet(options)),
            Command::Snapshots(command) => command.execute(&quiet(options)),
            Command::Outbox(command) => command.execute(&quiet(options)),
            Command::Schedule(command) => command.execute(&quiet(options)),
            Command::Notices(command) => command.execute(&quiet(options)),
            Command::Tenants(command) => command.execute(&quiet(options)),
            Command::New(command) => command.execute(),
            Command::Bench(command) => command.execute(quiet(options)),
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

    /// Texts behind the options are wrapped for the terminal: so prose has no line ends of its own, and what is indented, such as an example,
    /// fits into eighty columns.
    #[test]
    fn help_fits_into_narrow_terminals() {
        fn check(command: &clap::Command, wrong: &mut Vec<String>) {
            let after = [command.get_after_help(), command.get_after_long_help()];
            for text in after.into_iter().flatten().map(ToString::to_string) {
                let lines: Vec<_> = text.lines().collect();
                let broken = lines.windows(2).filter(|pair| pair.iter().all(|line| is_prose(line)));
                wrong.extend(broken.map(|pair| format!("{}: {:?}", command.get_name(), pair[0])));
                let wide = lines.iter().filter(|line| line.starts_with(' ') && line.chars().count() > 80);
                wrong.extend(wide.map(|line| format!("{}: {line:?}", command.get_name())));
            }
            command.get_subcommands().for_each(|command| check(command, wrong));
        }
        fn is_prose(line: &str) -> bool {
            !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':')
        }
        let (mut command, mut wrong) = (Cli::command(), Vec::new());
        command.build();
        check(&command, &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// A command that does something says by an example how it is used; one that only holds others leaves that to them.
    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str, without: &mut Vec<String>) {
            let shown: Vec<_> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let begins = |line: &str| line.starts_with(' ') && line.contains(path);
            let is_shown =
                help.split_once("Example").is_some_and(|(_, examples)| examples.lines().any(begins));
            if shown.is_empty() && !is_shown {
                without.push(path.to_owned());
            }
            let below = |command: &clap::Command| format!("{path} {}", command.get_name());
            shown.into_iter().for_each(|command| check(command, &below(command), without));
        }
        let mut without = Vec::new();
        check(&Cli::command(), "umbel", &mut without);
        assert!(without.is_empty(), "{}", without.join(", "));
    }

    #[test]
    fn options_of_a_command_stand_before_those_that_all_have() {
        let mut command = Cli::command();
        command.build();
        let tail = command.find_subcommand_mut("events").unwrap().find_subcommand_mut("tail").unwrap();
        let help = tail.render_help().to_string();
        let place = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text} in {help}"));
        assert!(place("--from") < place("--until") && place("--json") < place("Settings:"), "{help}");
        assert!(place("Settings:") < place("--set") && place("--set") < place("--config-dir"), "{help}");
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
            "umbel streams delete $audit",
            "umbel streams truncate a-1",
            "umbel streams list --sort size",
            "umbel streams link a-1",
            "umbel events tail --type a.b/1",
            "umbel events tail --since yesterday",
            "umbel events tail --backward --follow",
            "umbel events tail --last 3 --from 7",
            "umbel events show first",
            "umbel store archive",
            "umbel store archive --through 1 --before 2026-01-31",
            "umbel outbox list --after 3",
            "umbel schedule list --after 3",
            "umbel process-managers list --after order-7",
            "umbel schedule list social --failed",
            "umbel schedule show first",
            "umbel projections rebuild",
            "umbel subscriptions reset a.b",
            "umbel subscriptions reset a.b --origin --current",
            "umbel dead-letters edit a.b 1",
            "umbel dead-letters show a.b first",
            "umbel dead-letters retry --chunk 0",
            "umbel dead-letters list --place 1 --through 2",
            "umbel tenants create",
            "umbel new",
            "umbel new app",
            "umbel new app Shelf",
            "umbel new app match",
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
