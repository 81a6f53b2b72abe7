//! `umbel subscriptions pause`, `resume`, `reset`, `rename` and `delete`.

use clap::Args;
use umbel_core::{
    store::Act,
    subscription::{Start, SubscriptionName},
    version::Place,
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg, SureArg, subscription},
    print::{counted, print_one},
    tool::with_store,
};

pub(super) const PAUSE_EXAMPLES: &str = "\
Example:
  umbel subscriptions pause mail.welcome --reason \"the mail server moves\"

Its owners learn of it when they renew their leases, at once on PostgreSQL with store.listen, and send nothing more to their consumers; \
what is under way ends as usual.";

pub(super) const RESET_EXAMPLES: &str = "\
Examples:
  umbel subscriptions reset mail.welcome --origin --yes     handles all again
  umbel subscriptions reset mail.welcome --current --yes    passes over the rest
  umbel subscriptions reset mail.welcome --after 1234 --yes

Whoever works on it loses its partitions at once, and begins there.";

pub(super) const RENAME_EXAMPLES: &str = "\
Example:
  umbel subscriptions rename mail.welcome mail.greeting --yes

Stop what runs under the old name first, and start what has the new one afterwards: it goes on at the same place, dead letters included. \
Instances, timers and waiting commands of a process manager go along. What still runs under the old name loses its partitions at once, and \
its app makes a subscription of that name anew.";

pub(super) const DELETE_EXAMPLES: &str = "\
Example:
  umbel subscriptions delete mail.welcome --yes

An app that still has it makes it anew, and begins where its start says.";

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The subscription's name
    #[arg(value_name = "NAME", value_parser = subscription)]
    name: SubscriptionName,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("start").required(true))]
pub(crate) struct ResetArgs {
    /// The subscription's name
    #[arg(value_name = "NAME", value_parser = subscription)]
    name: SubscriptionName,
    /// Begin with the first event there is
    #[arg(long, group = "start")]
    origin: bool,
    /// Begin with what is appended from now on
    #[arg(long, group = "start")]
    current: bool,
    /// Begin behind this position, or version of the one stream that it follows
    #[arg(long, value_name = "PLACE", group = "start")]
    after: Option<u64>,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// The subscription's name
    #[arg(value_name = "OLD", value_parser = subscription)]
    name: SubscriptionName,
    /// Its name from now on, which no other has
    #[arg(value_name = "NEW", value_parser = subscription)]
    to: SubscriptionName,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The subscription's name
    #[arg(value_name = "NAME", value_parser = subscription)]
    name: SubscriptionName,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn pause(options: &LoadOptions, args: &OneArgs) -> Result<(), Failed> {
    let act = Act::PauseSubscription { subscription: args.name.clone() };
    perform(options, act, &args.reason, args.json, (&format!("paused {}", args.name), "discarded"))
}

pub(super) fn resume(options: &LoadOptions, args: &OneArgs) -> Result<(), Failed> {
    let act = Act::ResumeSubscription { subscription: args.name.clone() };
    perform(options, act, &args.reason, args.json, (&format!("resumed {}", args.name), "discarded"))
}

pub(super) fn reset(options: &LoadOptions, args: &ResetArgs) -> Result<(), Failed> {
    let name = &args.name;
    args.sure.confirm(&format!("resetting subscription {name}"))?;
    let start = match args.after {
        Some(place) => Start::After(Place::new(place)),
        None if args.current => Start::Current,
        None => Start::Origin,
    };
    let act = Act::ResetSubscription { subscription: name.clone(), start };
    perform(options, act, &args.reason, args.json, (&format!("reset {name}"), "discarded"))
}

pub(super) fn rename(options: &LoadOptions, args: &RenameArgs) -> Result<(), Failed> {
    let RenameArgs { name, to, .. } = args;
    args.sure.confirm(&format!("renaming subscription {name} to {to}"))?;
    let act = Act::RenameSubscription { subscription: name.clone(), to: to.clone() };
    perform(options, act, &args.reason, args.json, (&format!("renamed {name} to {to}"), "kept"))
}

pub(super) fn delete(options: &LoadOptions, args: &DeleteArgs) -> Result<(), Failed> {
    let name = &args.name;
    args.sure.confirm(&format!("deleting subscription {name}"))?;
    let act = Act::DeleteSubscription { subscription: name.clone() };
    perform(options, act, &args.reason, args.json, (&format!("deleted {name}"), "discarded"))
}

fn perform(
    options: &LoadOptions,
    act: Act,
    reason: &ReasonArg,
    json: JsonArg,
    (what, letters): (&str, &str),
) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let performed = tool.perform(act, reason.get()).await?;
        let mut words = format!("{what}; recorded in the audit at position {}\n", performed.position);
        if performed.events > 0 {
            words += &format!("{} {letters}\n", counted(performed.events, "dead letter"));
        }
        Ok(print_one(json.json, &performed, &words)?)
    })
}
