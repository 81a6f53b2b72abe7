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
    tool::{failed, with_store},
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
Instances, timers and waiting commands of a process manager go along. While it still runs somewhere this is refused, unless \
--running is given: who runs it loses its partitions at once, makes a subscription of the old name anew, and so handles again what was handled.";

pub(super) const DELETE_EXAMPLES: &str = "\
Example:
  umbel subscriptions delete mail.welcome --yes

Stop what runs it first. While it runs somewhere this is refused, unless --running is given: who runs it makes it anew at once, and begins where its start says.";

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
    /// Also while it runs under its old name
    #[arg(long)]
    running: bool,
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
    /// Also while it runs
    #[arg(long)]
    running: bool,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

/// An act on a subscription that is there.
struct Change<'a> {
    name: &'a SubscriptionName,
    act: Act,
    /// For what cannot be undone: who is to be sure of it, and what it is.
    sure: Option<(SureArg, String)>,
    reason: &'a ReasonArg,
    json: JsonArg,
    /// Whether it must not run meanwhile.
    at_rest: bool,
    /// What was done, and to its dead letters.
    done: (String, &'static str),
}

pub(super) fn pause(options: &LoadOptions, args: &OneArgs) -> Result<(), Failed> {
    let OneArgs { name, reason, json } = args;
    let act = Act::PauseSubscription { subscription: name.clone() };
    let done = (format!("paused {name}"), "discarded");
    perform(options, Change { name, act, sure: None, reason, json: *json, at_rest: false, done })
}

pub(super) fn resume(options: &LoadOptions, args: &OneArgs) -> Result<(), Failed> {
    let OneArgs { name, reason, json } = args;
    let act = Act::ResumeSubscription { subscription: name.clone() };
    let done = (format!("resumed {name}"), "discarded");
    perform(options, Change { name, act, sure: None, reason, json: *json, at_rest: false, done })
}

pub(super) fn reset(options: &LoadOptions, args: &ResetArgs) -> Result<(), Failed> {
    let ResetArgs { name, reason, json, .. } = args;
    let start = match args.after {
        Some(place) => Start::After(Place::new(place)),
        None if args.current => Start::Current,
        None => Start::Origin,
    };
    let act = Act::ResetSubscription { subscription: name.clone(), start };
    let sure = Some((args.sure, format!("resetting subscription {name}")));
    let done = (format!("reset {name}"), "discarded");
    perform(options, Change { name, act, sure, reason, json: *json, at_rest: false, done })
}

pub(super) fn rename(options: &LoadOptions, args: &RenameArgs) -> Result<(), Failed> {
    let RenameArgs { name, to, reason, json, .. } = args;
    let act = Act::RenameSubscription { subscription: name.clone(), to: to.clone() };
    let sure = Some((args.sure, format!("renaming subscription {name} to {to}")));
    let done = (format!("renamed {name} to {to}"), "kept");
    perform(options, Change { name, act, sure, reason, json: *json, at_rest: !args.running, done })
}

pub(super) fn delete(options: &LoadOptions, args: &DeleteArgs) -> Result<(), Failed> {
    let DeleteArgs { name, reason, json, .. } = args;
    let act = Act::DeleteSubscription { subscription: name.clone() };
    let sure = Some((args.sure, format!("deleting subscription {name}")));
    let done = (format!("deleted {name}"), "discarded");
    perform(options, Change { name, act, sure, reason, json: *json, at_rest: !args.running, done })
}

fn perform(options: &LoadOptions, change: Change<'_>) -> Result<(), Failed> {
    let Change { name, act, sure, reason, json, at_rest, done: (what, letters) } = change;
    with_store(options, async |tool| {
        let seen = tool.subscription(name).await?;
        // Before it asks whether it is wanted.
        act.check_start(seen.state.stream.as_ref(), seen.end)?;
        if at_rest && seen.state.members > 0 {
            return Err(failed(format!(
                "{name} runs on {}: stop what runs it first (after a crash it counts for its lease), else it begins anew under \
                 that name and handles again what was handled; --running does it all the same",
                counted(seen.state.members.into(), "node")
            )));
        }
        if let Some((sure, doing)) = sure {
            sure.confirm(&doing)?;
        }
        let performed = tool.perform(act, reason.get()).await?;
        let mut words = format!("{what}; recorded in the audit at position {}\n", performed.position);
        if performed.events > 0 {
            words += &format!("{} {letters}\n", counted(performed.events, "dead letter"));
        }
        Ok(print_one(json.json, &performed, &words)?)
    })
}
