//! `umbel dead-letters edit`.

use std::{fs, path::PathBuf};

use clap::Args;
use umbel_core::{Json, store::Act, subscription::SubscriptionName, version::Place};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg, subscription},
    print::print_one,
    tool::{Done, failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel dead-letters edit mail.welcome 1234 \\
      --data '{\"address\": \"ada@example.org\"}'
  umbel dead-letters edit mail.welcome 1234 --file repaired.json \\
      --reason \"typo in the address\"
  umbel dead-letters edit mail.welcome 1234 --original

The event stays as it is. The audit tells who edited it, and not what the new data is. Data of an event that has a subject cannot be \
replaced: it would outlive the forgetting of that subject.";

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct EditArgs {
    /// The subscription's name
    #[arg(value_name = "SUBSCRIPTION", value_parser = subscription)]
    subscription: SubscriptionName,
    /// The place of the letter
    #[arg(value_name = "PLACE")]
    place: u64,
    /// The new data
    #[arg(long, value_name = "JSON", group = "what")]
    data: Option<String>,
    /// A file with the new data
    #[arg(long, value_name = "FILE", group = "what")]
    file: Option<PathBuf>,
    /// Back to the event's own data
    #[arg(long, group = "what")]
    original: bool,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn edit(options: &LoadOptions, args: &EditArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let (subscription, place) = (args.subscription.clone(), Place::new(args.place));
        let performed = tool
            .perform(Act::EditLetter { subscription, place, data: data(args)? }, args.reason.get())
            .await?;
        let what = if args.original { "gave back its own data to" } else { "edited" };
        let (name, position) = (&args.subscription, performed.position);
        let words = format!(
            "{what} the dead letter of {name} at {place}; recorded in the audit at position {position}\n"
        );
        Ok(print_one(args.json.json, &performed, &words)?)
    })
}

fn data(args: &EditArgs) -> Done<Option<Json>> {
    let text = match (&args.data, &args.file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => fs::read_to_string(path)
            .map_err(|error| failed(format!("cannot read {}: {error}", path.display())))?,
        (None, None) => return Ok(None),
    };
    Json::parse(text).map(Some).map_err(|error| failed(format!("the new data is not JSON: {error}")))
}
