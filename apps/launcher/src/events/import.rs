//! `umbel events import`: the lines of an export, appended as they were: same ids, streams, versions and times.
//!
//! Lines are taken in batches, and a batch's appends are sent together, so that they share commits; they stay in order.
//! What is in the log already is left out, so an import that was interrupted is simply done again.

mod batch;

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use clap::Args;
use futures_util::future::{join_all, try_join_all};
use serde::Serialize;
use tokio::task::unconstrained;
use umbel_core::{
    Position,
    store::{AppendError, Appended, StoreError},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_settings::LoadOptions;

use self::batch::{Batch, Line, Run, runs};
use super::lines::Lines;
use crate::{
    args::JsonArg,
    print::{counted, print_one},
    progress::Progress,
    tool::{Done, Stop, Tool, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store init && umbel events import log.jsonl
  gunzip -c accounts.jsonl.gz | umbel events import -

Events that are in the log already are left out, so an import that was interrupted is done again. Each event must fit to its
stream as it is here: one that had version 7 is appended at version 6 or not at all. So import into an empty store, and
leave out streams whose beginning was removed for good, or that hold links.

Only events come along. Read models are projected from them when the umbrella runs; claims, such as unique names, commands that
were carried out, links, deletions and the records of upkeep ($audit) do not. Positions are those of the new log. Personal data is
sealed with keys of the new store.";

/// Bytes of a line beside what the setting counts: names, ids, metadata's own keys.
const FRAME_BYTES: usize = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Where from; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    json: JsonArg,
}

/// What became of the lines.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    /// Appended now.
    imported: u64,
    /// In the log before.
    skipped: u64,
    /// Records of upkeep in the other log.
    audit_records: u64,
}

type Input = Lines<Box<dyn BufRead + Send>>;

pub(super) fn import(options: &LoadOptions, args: &ImportArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        // Base64 makes binary data longer.
        let line_max_bytes = tool.settings.max_payload_bytes.saturating_mul(2).saturating_add(FRAME_BYTES);
        let (input, size) = input(&args.file).or_exit(ExitStatus::Failure)?;
        let head = tool.store().status().await?.head;
        let mut import = Import { tool, head, looking: head > Position::START, counts: Counts::default() };
        import.all(Lines::new(input, line_max_bytes), size).await?;
        let Counts { imported, skipped, audit_records } = import.counts;
        let mut words = format!("imported {}", counted(imported, "event"));
        if skipped > 0 {
            words += &format!("; {} in the log before", counted(skipped, "event"));
        }
        if audit_records > 0 {
            words += &format!("; left out {} of upkeep", counted(audit_records, "record"));
        }
        Ok(print_one(args.json.json, &import.counts, &(words + "\n"))?)
    })
}

/// The lines, and how many bytes they are if that is known.
fn input(path: &Path) -> anyhow::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let failed = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let size = file.metadata().with_context(failed)?.len();
    Ok((Box::new(BufReader::new(file)), Some(size)))
}

struct Import<'a> {
    tool: &'a Tool,
    /// The log's head before.
    head: Position,
    /// Whether lines are looked up before they are appended: as long as they are found. Later ones that are in the log all the
    /// same show when they are refused.
    looking: bool,
    counts: Counts,
}

impl Import<'_> {
    async fn all(&mut self, mut input: Input, size: Option<u64>) -> Done {
        let mut progress = Progress::of("lines");
        loop {
            // A pipe may keep us waiting, and the answers of the store must not wait with us.
            let reading = tokio::task::spawn_blocking(move || (Batch::read(&mut input), input));
            let (batch, rest) = reading.await.map_err(|error| anyhow!(error)).or_exit(ExitStatus::Failure)?;
            input = rest;
            let Batch { lines, audit_records, wrong, end } = batch;
            self.counts.audit_records += audit_records;
            self.batch(lines).await?;
            if let Some((line, what)) = wrong {
                return Err(stopped_at(line, &what));
            }
            progress.at(input.number, size.map(|size| (input.bytes, size)));
            if end {
                return Ok(());
            }
        }
    }

    async fn batch(&mut self, mut lines: Vec<Line>) -> Done {
        if self.looking {
            let before = lines.len();
            lines = self.missing(lines).await?;
            self.looking = lines.len() < before;
        }
        let runs = runs(lines);
        let outcomes = join_all(runs.iter().map(|run| {
            let store = self.tool.store();
            async move { store.append(run.append()).await }
        }));
        // Each is sent when it is polled first, which is in order: unless the runtime interrupts a task that does much at
        // once, which this keeps it from.
        for (outcome, run) in unconstrained(outcomes).await.into_iter().zip(runs) {
            match outcome {
                Ok(appended) => self.count(&appended, &run),
                Err(error) => self.again(run, error).await?,
            }
        }
        Ok(())
    }

    /// A run that was refused, once more: without those of its lines that are in the log, and after the runs before it.
    async fn again(&mut self, run: Run, error: AppendError) -> Done {
        let curable = matches!(
            error,
            AppendError::DuplicateEvent { .. }
                | AppendError::WrongExpectedVersion { .. }
                | AppendError::StreamExists { .. }
                | AppendError::Store(StoreError::Overloaded { .. } | StoreError::OutcomeUnknown { .. })
        );
        if !curable {
            return Err(refused(&run, &error));
        }
        for run in runs(self.missing(run.lines).await?) {
            match self.tool.store().append(run.append()).await {
                Ok(appended) => self.count(&appended, &run),
                Err(error) => return Err(refused(&run, &error)),
            }
        }
        Ok(())
    }

    /// The lines whose events are not in the log.
    async fn missing(&mut self, lines: Vec<Line>) -> Done<Vec<Line>> {
        let found = lines.iter().map(|line| {
            let store = self.tool.store();
            async move { store.find_event(line.event.id).await }
        });
        let found = try_join_all(found).await?;
        let mut missing = Vec::new();
        for (line, found) in lines.into_iter().zip(found) {
            let Some(found) = found else {
                missing.push(line);
                continue;
            };
            if (&found.stream, found.version) != (&line.event.stream, line.event.version) {
                let what = format!(
                    "event {} is in the log already, but as version {} of stream {}",
                    found.id, found.version, found.stream
                );
                return Err(stopped_at(line.number, &what));
            }
            self.counts.skipped += 1;
        }
        Ok(missing)
    }

    /// The same append again answers what it led to the first time.
    fn count(&mut self, appended: &Appended, run: &Run) {
        let count = u64::try_from(run.lines.len()).unwrap_or_default();
        if appended.last_position.is_some_and(|position| position <= self.head) {
            self.counts.skipped += count;
        } else {
            self.counts.imported += count;
        }
    }
}

fn refused(run: &Run, error: &AppendError) -> Stop {
    let hint = match error {
        AppendError::WrongExpectedVersion { .. } | AppendError::StreamExists { .. } => {
            "; the stream is not what it was where the export comes from: import into an empty store, or leave the stream \
             out"
        }
        AppendError::StreamDeleted(_) => "; leave the stream out",
        AppendError::SubjectForgotten { .. } => "; leave the event out",
        _ => "",
    };
    stopped_at(run.line_of(error), &format!("{error}{hint}"))
}

fn stopped_at(line: u64, what: &str) -> Stop {
    crate::tool::failed(format!(
        "line {line}: {what}. What stands before it is in the log; the same import again goes on there"
    ))
}
