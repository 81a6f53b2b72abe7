//! `umbel dead-letters retry` and `discard`: what is meant, chunk by chunk, each chunk an act of its own.

use clap::{Args, value_parser};
use serde::Serialize;
use umbel_core::{
    store::{Act, Letter, LetterFilter, ListLetters},
    subscription::SubscriptionName,
    version::Place,
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use super::filter::FilterArgs;
use crate::{
    args::{JsonArg, ReasonArg, SureArg},
    print::{counted, print_one},
    progress::Progress,
    tool::{Done, Tool, with_store},
};

pub(super) const RETRY_EXAMPLES: &str = "\
Examples:
  umbel dead-letters retry --subscription mail.welcome --place 1234
  umbel dead-letters retry --error \"connection refused\" --dry-run
  umbel dead-letters retry --subscription mail.welcome --through 9000 --reason \"the mail server is back\"

Those that fail again stay, and are not tried once more by the same command.";

pub(super) const DISCARD_EXAMPLES: &str = "\
Examples:
  umbel dead-letters discard --subscription mail.welcome --place 1234 --yes
  umbel dead-letters discard --event mail.bounced --dry-run

The events stay in the log. What waits behind a discarded letter under the same key is handled then.";

#[derive(Debug, Args)]
pub(crate) struct ManyArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Letters at once; each chunk is one record in the audit for each of its subscriptions
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parser!(u32).range(1..=10_000))]
    chunk: u32,
    /// Only say how many are meant
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    many: ManyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiscardArgs {
    #[command(flatten)]
    many: ManyArgs,
    #[command(flatten)]
    sure: SureArg,
}

#[derive(Serialize)]
struct Answer {
    /// How many are meant.
    matching: u64,
    /// How many something was done about: not those that were asked for before, but those before them under the same key.
    letters: u64,
    dry_run: bool,
}

/// Letters of one subscription that follow each other.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    subscription: SubscriptionName,
    first: Place,
    last: Place,
    count: u32,
}

pub(super) fn retry(options: &LoadOptions, RetryArgs { many }: &RetryArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let act = |filter, limit| Act::RetryLetters { filter, limit };
        tell(many, "asked for", &many.act(tool, act).await?)
    })
}

pub(super) fn discard(options: &LoadOptions, args: &DiscardArgs) -> Result<(), Failed> {
    let many = &args.many;
    if !many.dry_run {
        args.sure.confirm("discarding dead letters")?;
    }
    with_store(options, async |tool| {
        let act = |filter, limit| Act::DiscardLetters { filter, limit };
        tell(many, "discarded", &many.act(tool, act).await?)
    })
}

fn tell(many: &ManyArgs, done: &str, answer: &Answer) -> Done {
    let words = if answer.dry_run {
        format!("{} meant; nothing was done\n", counted(answer.matching, "dead letter"))
    } else {
        format!("{} {done}\n", counted(answer.letters, "dead letter"))
    };
    Ok(print_one(many.json.json, answer, &words)?)
}

impl ManyArgs {
    /// Does something about all that is meant. Each letter is looked at once, so that one that fails again meanwhile is not
    /// asked for for ever.
    async fn act(&self, tool: &Tool, act: impl Fn(LetterFilter, u32) -> Act) -> Done<Answer> {
        let filter = self.filter.get();
        let (mut after, mut met, mut letters, mut matching) = (None, 0, 0, None);
        let mut progress = Progress::of("dead letters");
        loop {
            let limit = if self.dry_run { 1 } else { self.chunk };
            let request = ListLetters { filter: filter.clone(), after, limit };
            let page = tool.store().list_letters(request).await?;
            let matching = *matching.get_or_insert(page.total);
            let last = page.letters.last().map(|last| (last.subscription.clone(), last.place));
            if last.is_none() || self.dry_run {
                return Ok(Answer { matching, letters, dry_run: self.dry_run });
            }
            after = last;
            for run in runs(&page.letters) {
                met += u64::from(run.count);
                let count = run.count;
                letters += tool.perform(act(run.of(&filter), count), self.reason.get()).await?.events;
                progress.at(met, Some((met, matching)));
            }
        }
    }
}

impl Run {
    /// What is meant of them. A letter that is named by its place is not there for ever, and none is not wrong.
    fn of(self, filter: &LetterFilter) -> LetterFilter {
        LetterFilter {
            subscription: Some(self.subscription),
            place: None,
            after: Some(Place::new(self.first.get().saturating_sub(1))),
            through: Some(self.last),
            ..filter.clone()
        }
    }
}

/// The letters of a page, subscription by subscription.
fn runs(letters: &[Letter]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for Letter { subscription, place, .. } in letters {
        match runs.last_mut().filter(|run| run.subscription == *subscription) {
            Some(run) => (run.last, run.count) = (*place, run.count + 1),
            None => {
                let subscription = subscription.clone();
                runs.push(Run { subscription, first: *place, last: *place, count: 1 });
            }
        }
    }
    runs
}
