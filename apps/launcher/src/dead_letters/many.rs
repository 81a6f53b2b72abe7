//! `umbel dead-letters retry` and `discard`: what is meant, chunk by chunk, each chunk an act of its own.

use clap::{ArgGroup, Args};
use serde::Serialize;
use umbel_core::{
    store::{Act, CountLetters, Letter, LetterFilter, ListLetters},
    subscription::SubscriptionName,
    version::Place,
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use super::filter::FilterArgs;
use crate::{
    args::{JsonArg, ReasonArg, SureArg, within},
    print::{counted, print_one, remark},
    progress::Progress,
    tool::{Done, Tool, failed, with_store},
};

pub(super) const RETRY_EXAMPLES: &str = "\
Examples:
  umbel dead-letters retry --subscription mail.welcome --place 1234
  umbel dead-letters retry --error \"connection refused\" --dry-run
  umbel dead-letters retry --all --dry-run
  umbel dead-letters retry --subscription mail.welcome --through 9000 \\
      --reason \"the mail server is back\"
  umbel dead-letters retry --subscription mail.welcome --place 1234 --cancel

Those that fail again stay, and are not tried once more by the same command. With --cancel only what was asked for is meant, and none of those \
before it. A handler goes on with what it has in hand, which the store does not know; pause the subscription before if none is to begin.";

pub(super) const DISCARD_EXAMPLES: &str = "\
Examples:
  umbel dead-letters discard --subscription mail.welcome --place 1234 --yes
  umbel dead-letters discard --event mail.bounced --dry-run

The events stay in the log. What waits behind a discarded letter under the same key is handled then.";

/// What says which are meant. All of them are meant by nobody who only forgot to say so; counting them does no harm.
const MEANT: [&str; 9] =
    ["all", "dry_run", "subscription", "key", "event", "place", "through", "error", "failed"];

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("meant").args(MEANT).required(true).multiple(true))]
pub(crate) struct ManyArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Every one of every subscription
    #[arg(long, conflicts_with = "FilterArgs")]
    all: bool,
    /// Letters at once, store.letters_act_max at most; each chunk is one record in the audit for each of its subscriptions
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = within::<u32>(1..=10_000))]
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
    /// Take back that they were asked for; `umbel dead-letters list --asked` shows which were
    #[arg(long)]
    cancel: bool,
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
    count: u64,
}

pub(super) fn retry(options: &LoadOptions, RetryArgs { cancel, many }: &RetryArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        if *cancel {
            return take_back(many, tool).await;
        }
        let act = |filter, limit| Act::RetryLetters { filter, limit };
        tell(many, "asked for", &many.act(tool, &many.filter.get(), None, act).await?)
    })
}

async fn take_back(many: &ManyArgs, tool: &Tool) -> Done {
    let act = |filter, limit| Act::CancelRetries { filter, limit };
    let answer = many.act(tool, &many.filter.get().asked(true), None, act).await?;
    if answer.matching == 0 {
        return Err(failed(
            "no dead letter like that is asked for: nobody did, or it was tried already; `umbel dead-letters list --asked` shows which are",
        ));
    }
    tell(many, "not asked for any more", &answer)?;
    if !answer.dry_run && answer.letters < answer.matching {
        remark(&format!("{} of them came first: tried or removed\n", answer.matching - answer.letters));
    }
    Ok(())
}

pub(super) fn discard(options: &LoadOptions, args: &DiscardArgs) -> Result<(), Failed> {
    let many = &args.many;
    with_store(options, async |tool| {
        let act = |filter, limit| Act::DiscardLetters { filter, limit };
        tell(many, "discarded", &many.act(tool, &many.filter.get(), Some(args.sure), act).await?)
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
    /// Does something about all that is meant, by acts that are each short, so that appends go on in between. Each letter is looked at
    /// once, so that one that fails again meanwhile is not asked for for ever.
    async fn act(
        &self,
        tool: &Tool,
        filter: &LetterFilter,
        sure: Option<SureArg>,
        act: impl Fn(LetterFilter, u32) -> Act,
    ) -> Done<Answer> {
        let matching = tool.store().count_letters(CountLetters { filter: filter.clone() }).await?;
        if matching == 0
            && let Some(subscription) = &filter.subscription
        {
            // Nobody shall believe that what was mistyped is done.
            tool.subscription(subscription).await?;
        }
        if matching == 0
            && filter.asked.is_none()
            && let Some(place) = filter.place
        {
            return Err(failed(format!(
                "no dead letter like that is at {place}: `umbel dead-letters list` shows which there are"
            )));
        }
        let mut letters = 0;
        if self.dry_run {
            return Ok(Answer { matching, letters, dry_run: true });
        }
        if let Some(sure) = sure.filter(|_| matching > 0) {
            sure.confirm(&format!("discarding {}", counted(matching, "dead letter")))?;
        }
        let (mut after, mut met) = (None, 0);
        let mut progress = Progress::of("dead letters");
        let limit = self.chunk.min(tool.settings.letters_act_max);
        loop {
            let request = ListLetters { filter: filter.clone(), after, limit };
            let page = tool.store().list_letters(request).await?;
            after = page.last().map(|last| (last.subscription.clone(), last.place));
            if after.is_none() {
                return Ok(Answer { matching, letters, dry_run: false });
            }
            for run in runs(&page) {
                met += run.count;
                let meant = run.of(filter);
                loop {
                    let act = act(meant.clone(), limit);
                    let done = tool.perform(act, self.reason.get()).await?.events;
                    letters += done;
                    if done < u64::from(limit) || !is_left(tool, &meant, &page).await? {
                        break;
                    }
                }
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

/// Whether some of these letters are as they were: an act may have come no further than those that are before them under their
/// keys.
async fn is_left(tool: &Tool, meant: &LetterFilter, page: &[Letter]) -> Done<bool> {
    let limit = u32::try_from(page.len()).unwrap_or(u32::MAX);
    let request = ListLetters { filter: meant.clone(), after: None, limit };
    let letters = tool.store().list_letters(request).await?;
    Ok(letters.iter().any(|letter| !letter.retry && page.contains(letter)))
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
