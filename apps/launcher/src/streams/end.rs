//! `umbel streams delete` and `truncate`.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use umbel_core::{
    Position, StreamName, Version,
    store::{Act, PerformError, Performed, Removal, StreamInfo, plan::StreamState},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_settings::{LoadOptions, Settings};

use super::shown::{shown_by, told};
use crate::{
    apps::listening,
    args::{JsonArg, ReasonArg, SureArg, expected, stream, within},
    print::{counted, print_one, remark},
    tool::{Done, Tool, with_store},
};

pub(super) const DELETE_EXAMPLES: &str = "\
Examples:
  umbel streams delete cart-17 --yes
  umbel streams delete cart-17 --expected 12 --yes
  umbel streams delete cart-17 --hard --reason \"test data\" --yes \\
      --set store.allow_hard_removal=true

Nobody reads or appends to it any more; the log keeps its events. With --expected only if nobody has appended since. With --hard its \
events are gone, and the name may be used again. The domain does not learn of it: what projections made of its events is told, and shows \
until they are built anew without them.";

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
    #[arg(long, value_name = "VERSION", value_parser = within::<u64>(1..))]
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

#[derive(Serialize)]
struct Deleted {
    #[serde(flatten)]
    performed: Performed,
    /// Those that still show what they made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    projections: Option<BTreeSet<&'static str>>,
}

#[derive(Serialize)]
struct Truncated {
    /// What was done; nothing when the stream begins no earlier already.
    #[serde(flatten)]
    performed: Option<Performed>,
    /// Where it begins now.
    first_version: Version,
}

pub(super) fn delete(options: &LoadOptions, args: &DeleteArgs) -> Result<(), Failed> {
    let stream = &args.stream;
    let settings = Settings::load(options).or_exit(ExitStatus::Settings)?;
    let (expected, removal) = (expected(args.expected), removal(args.hard));
    let act = Act::DeleteStream { stream: stream.clone(), expected, removal };
    with_store(options, async |tool| {
        let info = possible(tool, stream, &act).await?;
        let projections = shown_by(tool, &listening(&settings), &info).await?;
        remark(&told(projections.as_ref(), args.hard));
        args.sure.confirm(&format!("deleting stream {stream}"))?;
        let performed = tool.perform(act, args.reason.get()).await?;
        let words = told_of(performed, &format!("deleted stream {stream}"));
        Ok(print_one(args.json.json, &Deleted { performed, projections }, &words)?)
    })
}

pub(super) fn truncate(options: &LoadOptions, args: &TruncateArgs) -> Result<(), Failed> {
    let (stream, before) = (&args.stream, Version::new(args.before));
    let act = Act::TruncateStream { stream: stream.clone(), before, removal: removal(args.hard) };
    with_store(options, async |tool| {
        let first_version = possible(tool, stream, &act).await?.first_version;
        // What is hidden is still there, so a hard removal may have something left to do.
        if before <= first_version && !args.hard {
            let words =
                format!("stream {stream} begins at version {first_version} already; nothing was done\n");
            return Ok(print_one(args.json.json, &Truncated { performed: None, first_version }, &words)?);
        }
        args.sure.confirm(&format!("truncating stream {stream} before version {before}"))?;
        let performed = tool.perform(act, args.reason.get()).await?;
        let first_version = tool.store().stream_info(stream.clone()).await?.first_version;
        let words = format!(
            "truncated stream {stream} before version {before}: it begins at version {first_version}"
        );
        let truncated = Truncated { performed: Some(performed), first_version };
        Ok(print_one(args.json.json, &truncated, &told_of(performed, &words))?)
    })
}

const fn removal(hard: bool) -> Removal {
    if hard { Removal::Hard } else { Removal::Soft }
}

/// The stream, if the act can be done as it is now: nobody is asked whether he is sure of what cannot be done.
async fn possible(tool: &Tool, stream: &StreamName, act: &Act) -> Done<StreamInfo> {
    if act.is_hard() && !tool.settings.allow_hard_removal {
        return Err(PerformError::NotAllowed.into());
    }
    let info = tool.store().stream_info(stream.clone()).await?;
    let state =
        StreamState { version: info.version, deleted: info.deleted_at.is_some(), ..StreamState::default() };
    act.check(Some(&state), Position::START)?;
    Ok(info)
}

fn told_of(performed: Performed, what: &str) -> String {
    let Performed { position, events, links } = performed;
    let mut words = format!("{what}; recorded in the audit at position {position}\n");
    if events + links > 0 {
        let (events, links) = (counted(events, "event"), counted(links, "link"));
        words += &format!("{events} and {links} are gone for good\n");
    }
    words
}
