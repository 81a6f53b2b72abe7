//! `umbel streams delete` and `truncate`.

use clap::{Args, value_parser};
use umbel_core::{
    StreamName, Version,
    store::{Act, Performed, Removal},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg, SureArg, expected, stream},
    print::{counted, print_one},
    tool::{Done, with_store},
};

pub(super) const DELETE_EXAMPLES: &str = "\
Examples:
  umbel streams delete cart-17 --yes
  umbel streams delete cart-17 --expected 12 --yes
  umbel streams delete cart-17 --hard --reason \"test data\" --yes \\
      --set store.allow_hard_removal=true

Nobody reads or appends to it any more; the log keeps its events. With --expected only if nobody has appended since. With --hard its \
events are gone, and the name may be used again.";

pub(super) const TRUNCATE_EXAMPLES: &str = "\
Examples:
  umbel streams truncate sensor-4 --before 1000 --yes
  umbel streams truncate sensor-4 --before 1000 --hard --yes \\
      --set store.allow_hard_removal=true

Reading begins at version 1000; the log keeps the events. With --hard those before it are gone.";

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The stream's name
    #[arg(value_name = "NAME", value_parser = stream)]
    stream: StreamName,
    /// Remove its events for good; the setting store.allow_hard_removal must allow it
    #[arg(long)]
    hard: bool,
    /// Only if this is the version of its last event
    #[arg(long, value_name = "VERSION")]
    expected: Option<u64>,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct TruncateArgs {
    /// The stream's name
    #[arg(value_name = "NAME", value_parser = stream)]
    stream: StreamName,
    /// The first version to keep
    #[arg(long, value_name = "VERSION", value_parser = value_parser!(u64).range(1..))]
    before: u64,
    /// Remove the events for good; the setting store.allow_hard_removal must allow it
    #[arg(long)]
    hard: bool,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn delete(options: &LoadOptions, args: &DeleteArgs) -> Result<(), Failed> {
    let stream = &args.stream;
    args.sure.confirm(&format!("deleting stream {stream}"))?;
    let expected = expected(args.expected);
    let act = Act::DeleteStream { stream: stream.clone(), expected, removal: removal(args.hard) };
    with_store(options, async |tool| {
        let performed = tool.perform(act, args.reason.get()).await?;
        report(performed, args.json, &format!("deleted stream {stream}"))
    })
}

pub(super) fn truncate(options: &LoadOptions, args: &TruncateArgs) -> Result<(), Failed> {
    let (stream, before) = (&args.stream, args.before);
    args.sure.confirm(&format!("truncating stream {stream} before version {before}"))?;
    let before = Version::new(before);
    let act = Act::TruncateStream { stream: stream.clone(), before, removal: removal(args.hard) };
    with_store(options, async |tool| {
        let performed = tool.perform(act, args.reason.get()).await?;
        report(performed, args.json, &format!("truncated stream {stream}: it begins at version {before}"))
    })
}

const fn removal(hard: bool) -> Removal {
    if hard { Removal::Hard } else { Removal::Soft }
}

fn report(performed: Performed, json: JsonArg, what: &str) -> Done {
    let Performed { position, events, links } = performed;
    let mut words = format!("{what}; recorded in the audit at position {position}\n");
    if events + links > 0 {
        let (events, links) = (counted(events, "event"), counted(links, "link"));
        words += &format!("{events} and {links} are gone for good\n");
    }
    Ok(print_one(json.json, &performed, &words)?)
}
