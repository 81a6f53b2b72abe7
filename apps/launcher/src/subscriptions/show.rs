//! `umbel subscriptions show`.

use clap::Args;
use umbel_bus::SubscriptionView;
use umbel_core::{
    store::PartitionState,
    subscription::{Start, SubscriptionName},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

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
        let seen = tool.subscription(&args.name).await?;
        let mut printer = Printer::new(args.json.json, COLUMNS);
        printer.one(&seen, &described(&seen))?;
        if !args.json.json {
            printer.rows(&seen.state.partitions, cells)?;
        }
        Ok(())
    })
}

fn described(seen: &SubscriptionView) -> String {
    let SubscriptionView { state, lag_events, lag_seconds, owners, .. } = seen;
    let start = match state.start {
        Start::Origin => "with the first event".to_owned(),
        Start::Current => "with what came next".to_owned(),
        Start::After(place) => format!("behind {place}"),
    };
    format!(
        "subscription  {}\nkept as       {}\nfollows       {}\nstate         {}\nbegan         {start}, made {}\n\
         behind        {lag_events} events, {lag_seconds} s\nnodes         {}, of which {owners} hold partitions\n\n",
        state.name,
        state.kept_as,
        state.source,
        seen.doing(),
        state.created_at,
        state.members,
    )
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
