//! `umbel subscriptions list`.

use clap::Args;
use umbel_core::{store::ListSubscriptions, subscription::SubscriptionName};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use super::seen::{Seen, told_here};
use crate::{
    args::{JsonArg, subscription, within},
    print::{Column, Printer, moment, none, number, text},
    tool::{PAGE, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel subscriptions list
  umbel subscriptions list --json | jq 'select(.lag_seconds > 60) | .name'

Behind are events of the log, or of the one stream, after the lowest checkpoint, also those that the subscription does not select. \
Running is what a process has leases of: one that was killed is believed until they run out, for subscriptions.lease_ms at most. \
A replay is what comes again since a reset: so many places of so many are behind it. What holds a subscription up is told by the processes \
behind control.socket.";

const COLUMNS: [Column; 11] = [
    text("subscription"),
    text("follows"),
    text("state"),
    number("behind"),
    number("seconds"),
    number("owned"),
    number("nodes"),
    number("dead letters"),
    text("oldest"),
    text("replaying"),
    text("held up"),
];

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only subscriptions behind this one
    #[arg(long, value_name = "NAME", value_parser = subscription)]
    after: Option<SubscriptionName>,
    /// N subscriptions at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let told = told_here(options)?;
        let (mut after, mut left) = (args.after.clone(), args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page =
                tool.store().view_subscriptions(ListSubscriptions { name: None, after, limit }).await?;
            let Some(last) = page.last() else {
                let none = none("subscription", args.after.is_some());
                printer.nothing(&format!("{none}: one is there once its app has run"));
                break;
            };
            after = Some(last.state.name.clone());
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
            let page: Vec<_> = page.into_iter().map(|view| Seen::of(view, &told)).collect();
            printer.rows(&page, cells)?;
        }
        Ok(())
    })
}

fn cells(seen: &Seen) -> [String; 11] {
    let Seen { view, held_up } = seen;
    let state = &view.state;
    [
        state.name.to_string(),
        state.source.clone(),
        view.doing().to_owned(),
        view.lag_events.to_string(),
        view.lag_seconds.to_string(),
        format!("{}/{}", view.owned, state.partitions.len()),
        state.members.to_string(),
        view.dead_letters.to_string(),
        moment(view.oldest_letter_at),
        seen.replaying(),
        held_up.first().cloned().unwrap_or_default(),
    ]
}
