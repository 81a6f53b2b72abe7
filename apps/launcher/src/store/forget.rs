//! `umbel store forget`.

use clap::Args;
use umbel_core::{Subject, store::Act};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg, SureArg},
    print::print_one,
    tool::with_store,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store forget account-0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2 \\
      --reason \"asked for it on 2026-01-31\"

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
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn forget(options: &LoadOptions, args: &ForgetArgs) -> Result<(), Failed> {
    let subject = &args.subject;
    args.sure.confirm(&format!("forgetting {subject}"))?;
    with_store(options, async |tool| {
        let act = Act::ForgetSubject { subject: subject.clone() };
        let performed = tool.perform(act, args.reason.get()).await?;
        let words =
            format!("{subject} is forgotten; recorded in the audit at position {}\n", performed.position);
        Ok(print_one(args.json.json, &performed, &words)?)
    })
}
