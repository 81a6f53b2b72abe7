//! `umbel subscriptions show`.

use clap::Args;
use umbel_bus::{Replay, SubscriptionView};
use umbel_core::{
    store::PartitionState,
    subscription::{Start, SubscriptionName},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use super::seen::{Seen, told_here};
use crate::{
    args::{JsonArg, subscription},
    print::{Column, Printer, moment, number, text},
    tool::with_store,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel subscriptions show mail.welcome
  umbel subscriptions show mail.welcome --json \\
      | jq '.partitions[] | select(.owner == null)'";

const COLUMNS: [Column; 6] = [
    number("partition"),
    number("checkpoint"),
    text("owner"),
    number("leases"),
    number("dead letters"),
    text("oldest"),
];

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The subscription's name; `umbel subscriptions list` shows which there are
    #[arg(value_name = "NAME", value_parser = subscription)]
    name: SubscriptionName,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn show(options: &LoadOptions, args: &ShowArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let seen = Seen::of(tool.subscription(&args.name).await?, &told_here(options)?);
        let mut printer = Printer::new(args.json.json, COLUMNS);
        printer.one(&seen, &described(&seen))?;
        if !args.json.json {
            printer.rows(&seen.view.state.partitions, cells)?;
        }
        Ok(())
    })
}

fn described(seen: &Seen) -> String {
    let SubscriptionView { state, lag_events, lag_seconds, replay, owners, .. } = &seen.view;
    let start = match state.start {
        Start::Origin => "with the first event".to_owned(),
        Start::Current => "with what came next".to_owned(),
        Start::After(place) => format!("behind {place}"),
    };
    let mut words = format!(
        "subscription  {}\nkept as       {}\nfollows       {}\nstate         {}\nbegan         {start}, made {}\n\
         behind        {lag_events} events, {lag_seconds} s\nnodes         {}, of which {owners} hold partitions\n",
        state.name,
        state.kept_as,
        state.source,
        seen.view.doing(),
        state.created_at,
        state.members,
    );
    if let Some(Replay { from, to, .. }) = replay {
        words += &format!("replays       {}, behind {from} up to {to}\n", seen.replaying());
    }
    for reason in &seen.held_up {
        words += &format!("held up       {reason}\n");
    }
    words + "\n"
}

fn cells(partition: &PartitionState) -> [String; 6] {
    [
        partition.partition.to_string(),
        partition.checkpoint.to_string(),
        partition.owner.map_or_else(String::new, |owner| owner.to_string()),
        partition.epoch.to_string(),
        partition.letters.to_string(),
        moment(partition.oldest_letter_at),
    ]
}
