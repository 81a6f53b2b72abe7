//! `umbel store status`.

use clap::Args;
use serde::Serialize;
use umbel_core::{
    StreamName,
    store::{ListStreams, ReadError, StoreStatus},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_persistence::admin;
use umbel_settings::LoadOptions;

use crate::{
    args::JsonArg,
    print::print_one,
    tool::{Done, Tool, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store status
  umbel store status --json | jq .head";

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    store: StoreStatus,
    /// Streams of the apps, soft-deleted ones included.
    streams: u64,
    /// Number of the last migration.
    schema: i64,
    size_bytes: u64,
}

pub(super) fn status(options: &LoadOptions, args: &StatusArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let migrations = admin::migrations(&tool.settings).await.or_exit(ExitStatus::StartFailed)?;
        let status = Status {
            store: tool.store().status().await?,
            streams: streams(tool).await?,
            schema: migrations.last().map_or(0, |migration| migration.number),
            size_bytes: admin::size(&tool.settings).await.or_exit(ExitStatus::StartFailed)?,
        };
        Ok(print_one(args.json.json, &status, &status.described())?)
    })
}

/// The list has the system's own streams, too: the log itself, and the audit once there is something in it.
async fn streams(tool: &Tool) -> Done<u64> {
    let listed = tool.store().list_streams(ListStreams { limit: 1, ..ListStreams::default() }).await?.total;
    let listed = listed.unwrap_or_default();
    let audit = match tool.store().stream_info(StreamName::audit()).await {
        Ok(_) => 1,
        Err(ReadError::StreamNotFound(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(listed.saturating_sub(1 + audit))
}

impl Status {
    fn described(&self) -> String {
        let StoreStatus { adapter, location, head, archived_to } = &self.store;
        let archive = if archived_to.get() == 0 {
            "nothing".to_owned()
        } else {
            format!("up to position {archived_to}")
        };
        format!(
            "adapter   {adapter}\nlocation  {location}\nschema    {}, up to date\nhead      position {head}\n\
             archived  {archive}\nstreams   {}, besides the system's own\nsize      {}\n",
            self.schema,
            self.streams,
            sized(self.size_bytes)
        )
    }
}

/// In the unit that gives at most four digits.
pub(super) fn sized(bytes: u64) -> String {
    let mut units = ["bytes", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let (mut size, mut unit) = (bytes, units.next());
    while size >= 10_000
        && let Some(next) = units.next()
    {
        (size, unit) = (size / 1024, Some(next));
    }
    format!("{size} {}", unit.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [(9_999, "9999 bytes"), (20_480, "20 KiB"), (u64::MAX, "16777215 TiB")] {
            assert_eq!(sized(bytes), text);
        }
    }
}
