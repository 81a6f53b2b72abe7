//! `umbel projections`: how read models stand, building them anew, and removing them.

mod drop;
mod list;
mod rebuild;
mod seen;
mod show;

use clap::Subcommand;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionsCommand {
    /// List the projections there are: which version readers get, which is being built, how far each is behind
    #[command(after_help = list::EXAMPLES)]
    List(list::ListArgs),
    /// Print how a projection stands, generation by generation
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// Build a projection's documents anew beside those that readers get; recorded in the audit
    #[command(after_help = rebuild::EXAMPLES)]
    Rebuild(rebuild::RebuildArgs),
    /// Remove a projection with all its documents and tables; recorded in the audit
    #[command(after_help = drop::EXAMPLES)]
    Drop(drop::DropArgs),
}

impl ProjectionsCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list::list(options, args),
            Self::Show(args) => show::show(options, args),
            Self::Drop(args) => drop::drop_it(options, args),
            Self::Rebuild(args) => rebuild::rebuild(options, args),
        }
    }
}
