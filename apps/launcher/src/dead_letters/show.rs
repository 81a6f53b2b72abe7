//! `umbel dead-letters show`.

use clap::Args;
use serde::Serialize;
use umbel_core::{
    RecordedEvent,
    store::{Letter, LetterFilter, ListLetters},
    subscription::SubscriptionName,
    version::Place,
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, subscription},
    print::print_one,
    tool::{failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel dead-letters show mail.welcome 1234
  umbel dead-letters show mail.welcome 1234 --json | jq '.edited // .event.data'";

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The subscription's name
    #[arg(value_name = "SUBSCRIPTION", value_parser = subscription)]
    subscription: SubscriptionName,
    /// The place of the letter
    #[arg(value_name = "PLACE")]
    place: u64,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    letter: Letter,
    /// `None` when it was removed for good.
    event: Option<RecordedEvent>,
}

pub(super) fn show(options: &LoadOptions, args: &ShowArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let (subscription, place) = (Some(args.subscription.clone()), Some(Place::new(args.place)));
        let filter = LetterFilter { subscription, place, ..LetterFilter::default() };
        let letters = tool.store().list_letters(ListLetters { filter, after: None, limit: 1 }).await?;
        let letter = letters.into_iter().next().ok_or_else(|| {
            failed(format!(
                "subscription {} has no dead letter at {}; `umbel dead-letters list` shows which there are",
                args.subscription, args.place
            ))
        })?;
        let event = tool.store().find_event(letter.event_id).await?;
        let shown = Shown { letter, event };
        Ok(print_one(args.json.json, &shown, &described(&shown))?)
    })
}

fn described(Shown { letter, event }: &Shown) -> String {
    let mut words = format!(
        "subscription  {}, partition {}\nplace         {}\nkey           {}\nevent         {} {} at position {}\n\
         parked        {}\n",
        letter.subscription,
        letter.partition,
        letter.place,
        letter.key_text,
        letter.event_name,
        letter.event_id,
        letter.position,
        letter.parked_at,
    );
    words += &match &letter.failure {
        None => "waits         behind another of its key\n".to_owned(),
        Some(failure) => format!(
            "failed        {} times, first {}, last {}\nerror         {}\n",
            failure.attempts, failure.first_at, failure.last_at, failure.error
        ),
    };
    if letter.retry {
        words += "asked for     it is tried again as soon as it is the first of its key\n";
    }
    words += &match event {
        None => "data          the event was removed for good\n".to_owned(),
        Some(event) => format!("data          {}\n", event.data),
    };
    if let Some(edited) = &letter.edited {
        words += &format!("edited        {}\n", edited.as_str());
    }
    words
}
