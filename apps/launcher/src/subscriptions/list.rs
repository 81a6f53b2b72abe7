//! `umbel subscriptions list`.

use clap::Args;
use umbel_bus::SubscriptionView;
use umbel_core::{store::ListSubscriptions, subscription::SubscriptionName};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, subscription},
    print::{Column, Printer, moment, number, text},
    tool::{PAGE, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel subscriptions list
  umbel subscriptions list --json | jq 'select(.lag_seconds > 60) | .name'

Behind are events of the log, or of the one stream, after the lowest checkpoint, also those that the subscription does not select.";

const COLUMNS: [Column; 9] = [
    text("subscription"),
    text("follows"),
    text("state"),
    number("behind"),
    number("seconds"),
    number("owned"),
    number("nodes"),
    number("dead letters"),
    text("oldest"),
];

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only subscriptions behind this one
    #[arg(long, value_name = "NAME", value_parser = subscription)]
    after: Option<SubscriptionName>,
    /// N subscriptions at most; without it all
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut left) = (args.after.clone(), args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page =
                tool.store().view_subscriptions(ListSubscriptions { name: None, after, limit }).await?;
            let Some(last) = page.last() else {
                printer.nothing("there is no subscription like that: one is there once its app has run");
                break;
            };
            after = Some(last.state.name.clone());
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
            printer.rows(&page, cells)?;
        }
        Ok(())
    })
}

fn cells(seen: &SubscriptionView) -> [String; 9] {
    let state = &seen.state;
    [
        state.name.to_string(),
        state.source.clone(),
        seen.doing().to_owned(),
        seen.lag_events.to_string(),
        seen.lag_seconds.to_string(),
        format!("{}/{}", seen.owned, state.partitions.len()),
        state.members.to_string(),
        seen.dead_letters.to_string(),
        moment(seen.oldest_letter_at),
    ]
}
