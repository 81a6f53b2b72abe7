//! `umbel streams`: what streams there are, one of them, and how they end.

mod end;
mod link;
mod list;
mod show;
mod shown;

use clap::Subcommand;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum StreamsCommand {
    /// List the streams there are
    #[command(after_help = list::EXAMPLES)]
    List(list::ListArgs),
    /// Print what there is to know of a stream, and its events
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// End a stream; recorded in the audit
    #[command(after_help = end::DELETE_EXAMPLES)]
    Delete(end::DeleteArgs),
    /// End the beginning of a stream; recorded in the audit
    #[command(after_help = end::TRUNCATE_EXAMPLES)]
    Truncate(end::TruncateArgs),
    /// Add links to recorded events to a stream
    #[command(after_help = link::EXAMPLES)]
    Link(link::LinkArgs),
}

impl StreamsCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list::list(options, args),
            Self::Show(args) => show::show(options, args),
            Self::Delete(args) => end::delete(options, args),
            Self::Truncate(args) => end::truncate(options, args),
            Self::Link(args) => link::link(options, args),
        }
    }
}
