//! `umbel store status` and `verify`.

use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde::Serialize;
use umbel_core::{
    StreamName,
    store::{Finding, ListStreams, ReadError, StoreStatus},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_persistence::{Looked, Stride, admin};
use umbel_settings::LoadOptions;

use crate::{
    args::JsonArg,
    print::{Column, Printer, counted, print_one, text},
    progress::Progress,
    tool::{Done, Tool, failed, store_settings, with_store, without_store},
};

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  umbel store status
  umbel store status --json | jq .head";

pub(super) const VERIFY_EXAMPLES: &str = "\
Examples:
  umbel store verify
  umbel store verify --json | jq .rule

Looks at everything, so it takes a while on a large store; the umbrella may run meanwhile. It goes in small steps and holds no \
snapshot for longer than one of them, so appends do not slow down; what is appended meanwhile is not looked at. At most 20 \
findings of one rule are told.";

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
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
fn sized(bytes: u64) -> String {
    let mut units = ["bytes", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let (mut size, mut unit) = (bytes, units.next());
    while size >= 10_000
        && let Some(next) = units.next()
    {
        (size, unit) = (size / 1024, Some(next));
    }
    format!("{size} {}", unit.unwrap_or_default())
}

/// Straight from the database: a store may be too damaged to start.
pub(super) fn verify(options: &LoadOptions, args: &VerifyArgs) -> Result<(), Failed> {
    const COLUMNS: [Column; 2] = [text("rule"), text("what is wrong")];
    let (_, settings) = store_settings(options)?;
    without_store(async || {
        let store = umbel_persistence::open_existing(&settings).await.or_exit(ExitStatus::StartFailed)?;
        let findings = store.verify_by(watched()).await?;
        let mut printer = Printer::new(args.json.json, COLUMNS);
        printer.rows(&findings, |Finding { rule, what }| {
            let rule = serde_json::to_value(rule).ok();
            [rule.and_then(|rule| rule.as_str().map(str::to_owned)).unwrap_or_default(), what.clone()]
        })?;
        if findings.is_empty() {
            return Ok(printer.words("nothing is wrong\n")?);
        }
        let count = u64::try_from(findings.len()).unwrap_or(u64::MAX);
        let at_least = if Finding::are_all(&findings) { "" } else { "at least " };
        Err(failed(format!(
            "{at_least}{}; restore a backup, or ask for help with this list",
            counted(count, "finding")
        )))
    })
}

/// Tells on the terminal how many rows were looked at, and how many of the checks are through.
fn watched() -> Stride {
    let progress = Mutex::new(Progress::of("rows"));
    let told = move |looked: Looked| {
        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let part = Some((count(looked.done), count(looked.checks)));
        progress.lock().unwrap_or_else(PoisonError::into_inner).at(looked.rows, part);
    };
    Stride { told: Arc::new(told), ..Stride::default() }
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
