//! `umbel dead-letters`: events that subscriptions could not handle, and what is done about them.

mod edit;
mod filter;
mod list;
mod many;
mod show;

use clap::Subcommand;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List the dead letters by subscription and place
    #[command(after_help = list::EXAMPLES)]
    List(list::ListArgs),
    /// Print a dead letter with its event
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// Ask for dead letters to be tried again, each with those before it under the same key, or take that back; recorded in the audit
    #[command(after_help = many::RETRY_EXAMPLES)]
    Retry(many::RetryArgs),
    /// Hand other data to the handler than the event has, when the letter is tried again; recorded in the audit
    #[command(after_help = edit::EXAMPLES)]
    Edit(edit::EditArgs),
    /// Remove dead letters unhandled; recorded in the audit
    #[command(after_help = many::DISCARD_EXAMPLES)]
    Discard(many::DiscardArgs),
}

impl DeadLettersCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list::list(options, args),
            Self::Show(args) => show::show(options, args),
            Self::Retry(args) => many::retry(options, args),
            Self::Edit(args) => edit::edit(options, args),
            Self::Discard(args) => many::discard(options, args),
        }
    }
}
