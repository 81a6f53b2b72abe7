//! `umbel store forget`.

use clap::Args;
use serde::Serialize;
use umbel_core::{
    Subject,
    store::{Act, Performed},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_persistence::SubjectKey;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg, SureArg},
    print::print_one,
    tool::{Done, Tool, failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store forget customer-0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 \\
      --reason \"asked for it on 2026-01-31\"

The subject is what the app's events name, by `Event::subject`; `umbel events show ID` tells it. Conduit, the app that comes with \
Umbel, names none.

Its events stay, but for their personal fields, which nobody can read any more: not here, not in a backup, unless the backup \
still holds the key. Snapshots of streams with such events are void; those states are folded from the events again, as \
far as truncation has left them. \
Read models, replies of commands, the outbox, kept notices, claims, exports and errors of dead letters keep what they were given; \
rebuild, remove or discard those. \
Other running processes may read the fields for two seconds more.";

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// Whose personal data, as events name it
    #[arg(value_name = "SUBJECT", value_parser = |name: &str| Subject::new(name))]
    subject: Subject,
    /// Forget it also when it has no key here, as one that was lost or of whom nothing came yet: from then on nothing is taken
    #[arg(long)]
    unknown: bool,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

/// What the store had of a subject before it was forgotten.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Before {
    Key,
    NoKey,
    Forgotten,
}

#[derive(Serialize)]
struct Forgotten {
    #[serde(flatten)]
    performed: Performed,
    before: Before,
}

pub(super) fn forget(options: &LoadOptions, args: &ForgetArgs) -> Result<(), Failed> {
    let subject = &args.subject;
    with_store(options, async |tool| {
        let before = before(tool, subject).await?;
        // A wrong name must not pass for a right one, nor be forgotten in its place: whoever gets that name later could never store
        // anything personal. So nothing is done, and nothing recorded.
        if matches!(before, Before::NoKey) && !args.unknown {
            return Err(failed(format!(
                "nothing of {subject} was ever sealed here, so nothing was done; events name their subjects (`umbel events show ID`), \
                 and --unknown forgets this one all the same"
            )));
        }
        args.sure.confirm(&format!("forgetting {subject}"))?;
        let act = Act::ForgetSubject { subject: subject.clone() };
        let performed = tool.perform(act, args.reason.get()).await?;
        let words = match before {
            Before::Key => "is forgotten: its key is gone",
            Before::NoKey => "had no key here, and is forgotten: nothing personal of it is taken any more",
            Before::Forgotten => "was forgotten before, and still is",
        };
        let words = format!("{subject} {words}; recorded in the audit at position {}\n", performed.position);
        Ok(print_one(args.json.json, &Forgotten { performed, before }, &words)?)
    })
}

async fn before(tool: &Tool, subject: &Subject) -> Done<Before> {
    let store = umbel_persistence::open_existing(&tool.settings).await.or_exit(ExitStatus::StartFailed)?;
    let key = store.find_subject_keys(vec![subject.clone()]).await?.pop().flatten();
    Ok(match key {
        Some(SubjectKey::Known(_) | SubjectKey::Damaged) => Before::Key,
        Some(SubjectKey::Forgotten) => Before::Forgotten,
        None => Before::NoKey,
    })
}
