//! `umbel subscriptions`: how durable subscriptions stand, and what is done about them.

mod change;
mod list;
mod seen;
mod show;

use clap::Subcommand;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionsCommand {
    /// List the subscriptions there are: how far each is behind, who works on it, its dead letters
    #[command(after_help = list::EXAMPLES)]
    List(list::ListArgs),
    /// Print how a subscription stands, partition by partition
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// Let a subscription rest until it is resumed; recorded in the audit
    #[command(after_help = change::PAUSE_EXAMPLES)]
    Pause(change::OneArgs),
    /// End a pause; recorded in the audit
    #[command(after_help = "Example:\n  umbel subscriptions resume mail.welcome")]
    Resume(change::OneArgs),
    /// Let a subscription begin elsewhere, discarding its dead letters; recorded in the audit
    #[command(after_help = change::RESET_EXAMPLES)]
    Reset(change::ResetArgs),
    /// Give a subscription another name, under which it goes on where it is; recorded in the audit
    #[command(after_help = change::RENAME_EXAMPLES)]
    Rename(change::RenameArgs),
    /// Remove a subscription with its checkpoints and dead letters; recorded in the audit
    #[command(after_help = change::DELETE_EXAMPLES)]
    Delete(change::DeleteArgs),
}

impl SubscriptionsCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list::list(options, args),
            Self::Show(args) => show::show(options, args),
            Self::Pause(args) => change::pause(options, args),
            Self::Resume(args) => change::resume(options, args),
            Self::Reset(args) => change::reset(options, args),
            Self::Rename(args) => change::rename(options, args),
            Self::Delete(args) => change::delete(options, args),
        }
    }
}
