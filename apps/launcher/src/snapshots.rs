//! `umbel snapshots`: states kept so that long streams need not be folded from their start.

use clap::{Args, Subcommand};
use serde::Serialize;
use umbel_core::{
    StreamName, Version,
    store::{ListSnapshots, ReadError, Snapshot},
};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, SureArg, stream, within},
    print::{Column, Printer, none, number, print_one, text},
    tool::{PAGE, failed, with_store},
};

const LIST_EXAMPLES: &str = "\
Examples:
  umbel snapshots list
  umbel snapshots list --after account-7 --limit 20 --json | jq .stream";

const DELETE_NOTE: &str = "\
Example:
  umbel snapshots delete account-7

Nothing is lost where the whole stream is there: it is folded from its start the next time, and a new snapshot is taken. What a truncated stream has lost only its snapshot still holds: that asks, or needs --yes.";

const COLUMNS: [Column; 5] =
    [text("stream"), number("version"), text("state"), text("taken at"), number("bytes")];

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotsCommand {
    /// List the snapshots by the names of their streams
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Print the snapshot of a stream
    #[command(after_help = "Example:\n  umbel snapshots show account-7 --json | jq .data")]
    Show(OneArgs),
    /// Remove the snapshot of a stream
    #[command(after_help = DELETE_NOTE)]
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only streams behind this one
    #[arg(long, value_name = "NAME", value_parser = stream)]
    after: Option<StreamName>,
    /// N snapshots at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The stream's name
    #[arg(value_name = "NAME", value_parser = stream)]
    stream: StreamName,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    sure: SureArg,
}

#[derive(Serialize)]
struct Deleted {
    deleted: bool,
}

impl SnapshotsCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::List(args) => list(options, args),
            Self::Show(args) => show(options, args),
            Self::Delete(args) => delete(options, args),
        }
    }
}

fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut left) = (args.after.clone(), args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page = tool.store().list_snapshots(ListSnapshots { after, limit }).await?;
            printer.rows(&page, cells)?;
            let Some(last) = page.last() else {
                printer.nothing(&none("snapshot", args.after.is_some()));
                break;
            };
            after = Some(last.stream.clone());
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
        }
        Ok(())
    })
}

fn show(options: &LoadOptions, args: &OneArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let found = tool.store().load_snapshot(args.stream.clone()).await?;
        let snapshot = found.ok_or_else(|| failed(format!("there is no snapshot of {}", args.stream)))?;
        let Snapshot { stream, version, state, schema, taken_at, data } = &snapshot;
        let words = format!(
            "stream   {stream}\nversion  {version}\nstate    {state}/{schema}\ntaken    {taken_at}\ndata     {data}\n"
        );
        Ok(print_one(args.json.json, &snapshot, &words)?)
    })
}

fn delete(options: &LoadOptions, DeleteArgs { one: args, sure }: &DeleteArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let stream = &args.stream;
        if tool.store().load_snapshot(stream.clone()).await?.is_some() {
            match tool.store().stream_info(stream.clone()).await {
                Ok(info) if info.first_version > Version::new(1) => sure.confirm(&format!(
                    "{stream} begins at version {}, and only its snapshot holds what was before: removing it",
                    info.first_version
                ))?,
                // Whoever begins such a stream anew begins it without its snapshot.
                Ok(_) | Err(ReadError::StreamNotFound(_) | ReadError::StreamDeleted(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let deleted = tool.store().delete_snapshot(stream.clone()).await?;
        let what = if deleted { "removed the snapshot" } else { "there is no snapshot" };
        Ok(print_one(args.json.json, &Deleted { deleted }, &format!("{what} of {}\n", args.stream))?)
    })
}

fn cells(snapshot: &Snapshot) -> [String; 5] {
    [
        snapshot.stream.to_string(),
        snapshot.version.to_string(),
        format!("{}/{}", snapshot.state, snapshot.schema),
        snapshot.taken_at.to_millis_string(),
        snapshot.data.len_bytes().to_string(),
    ]
}
