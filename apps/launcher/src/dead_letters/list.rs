//! `umbel dead-letters list`.

use clap::Args;
use serde::Serialize;
use umbel_core::store::{CountLetters, Letter, LetterFilter, ListLetters};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use super::filter::FilterArgs;
use crate::{
    args::{JsonArg, within},
    print::{Column, Printer, counted, moment, none, number, print_one, shortened, text},
    tool::{PAGE, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel dead-letters list --failed
  umbel dead-letters list --subscription mail.welcome --error timeout --limit 20
  umbel dead-letters list --event mail.bounced --count
  umbel dead-letters list --json | jq -r .error";

const COLUMNS: [Column; 9] = [
    text("subscription"),
    number("place"),
    text("key"),
    text("event"),
    text("parked"),
    number("tries"),
    text("failed"),
    text("asked for"),
    text("error"),
];

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those that somebody asked for to be tried again
    #[arg(long)]
    asked: bool,
    /// N letters at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    /// Only say how many there are
    #[arg(long, conflicts_with = "limit")]
    count: bool,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Counted {
    dead_letters: u64,
}

pub(super) fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let filter = LetterFilter { asked: args.asked.then_some(true), ..args.filter.get() };
        let count = async || tool.store().count_letters(CountLetters { filter: filter.clone() }).await;
        if args.count {
            let dead_letters = count().await?;
            let words = format!("{}\n", counted(dead_letters, "dead letter"));
            return Ok(print_one(args.json.json, &Counted { dead_letters }, &words)?);
        }
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut shown, mut left) = (None, 0, args.limit.unwrap_or(u64::MAX));
        loop {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page =
                tool.store().list_letters(ListLetters { filter: filter.clone(), after, limit }).await?;
            printer.rows(&page, cells)?;
            let found = u64::try_from(page.len()).unwrap_or(left);
            (shown, left) = (shown + found, left - found.min(left));
            match page.into_iter().next_back() {
                Some(last) if left > 0 => after = Some((last.subscription, last.place)),
                // Whoever has seen all of them has counted them.
                last => {
                    let all = if last.is_some() && !args.json.json { count().await? } else { shown };
                    if shown == 0 && args.limit != Some(0) {
                        printer.nothing(&none("dead letter", filter != LetterFilter::default()));
                        return Ok(());
                    }
                    let all = counted(all, "dead letter");
                    return Ok(printer.words(&format!("{shown} of {all}\n"))?);
                }
            }
        }
    })
}

fn cells(letter: &Letter) -> [String; 9] {
    let failure = letter.failure.as_ref();
    let asked = if letter.retry { "yes" } else { "" };
    [
        letter.subscription.to_string(),
        letter.place.to_string(),
        shortened(&letter.key_text),
        letter.event_name.to_string(),
        letter.parked_at.to_millis_string(),
        failure.map_or_else(String::new, |failure| failure.attempts.to_string()),
        moment(failure.map(|failure| failure.last_at)),
        asked.to_owned(),
        failure.map_or_else(|| "waits behind another".to_owned(), |failure| shortened(&failure.error)),
    ]
}
