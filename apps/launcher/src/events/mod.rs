//! `umbel events`: the log, looked at, written out and taken in.

mod conditions;
mod export;
mod filters;
mod import;
mod lines;
mod show;
mod tail;

use clap::Subcommand;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print the log of all streams in order, up to its head; works while the umbrella runs
    #[command(after_help = tail::EXAMPLES)]
    Tail(tail::TailArgs),
    /// Print one event, by its id or its position
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// Write the log as JSON lines, one event each, up to its head, and the claims
    #[command(after_help = export::EXAMPLES)]
    Export(export::ExportArgs),
    /// Append the events of an export to a log, with their ids, versions and times, and take its claims
    #[command(after_help = import::EXAMPLES)]
    Import(import::ImportArgs),
}

impl EventsCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::Tail(args) => tail::tail(options, args),
            Self::Show(args) => show::show(options, args),
            Self::Export(args) => export::export(options, args),
            Self::Import(args) => import::import(options, args),
        }
    }
}
