//! `umbel streams link`.

use clap::Args;
use serde::Serialize;
use umbel_core::{EventId, StreamName, Version, store::LinkEvents};
use umbel_host::Failed;
use umbel_settings::LoadOptions;
use uuid::Uuid;

use crate::{
    args::{JsonArg, expected, stream},
    print::print_one,
    tool::with_store,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel streams link inquiry-7 0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2

All of them are linked, or none. The stream is made if it is not there; the log does not grow.";

#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// The stream that gets the links
    #[arg(value_name = "NAME", value_parser = stream)]
    stream: StreamName,
    /// Ids of events in the log, in the order wanted
    #[arg(value_name = "EVENT", required = true)]
    events: Vec<Uuid>,
    /// Only if this is the stream's version
    #[arg(long, value_name = "VERSION")]
    expected: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Linked<'a> {
    stream: &'a StreamName,
    version: Version,
}

pub(super) fn link(options: &LoadOptions, args: &LinkArgs) -> Result<(), Failed> {
    let stream = &args.stream;
    let events = args.events.iter().copied().map(EventId).collect();
    let request = LinkEvents { stream: stream.clone(), expected: expected(args.expected), events };
    with_store(options, async |tool| {
        let version = tool.store().link(request).await?;
        let words = format!("stream {stream} is at version {version}\n");
        Ok(print_one(args.json.json, &Linked { stream, version }, &words)?)
    })
}
