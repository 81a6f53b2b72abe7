//! `umbel events import`: the lines of an export, appended as they were: same ids, streams, versions and times. Claims are taken by their
//! owners.
//!
//! Lines are taken in batches, and a batch's appends are sent together, so that they share commits; they stay in order.
//! What is in the log already is left out, so an import that was interrupted is simply done again.

mod batch;
mod claims;
mod counts;
mod exports;
mod refusals;

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    pin::pin,
    thread,
};

use anyhow::{Context, ensure};
use clap::Args;
use futures_util::future::{join_all, try_join_all};
use tokio::{sync::oneshot, task::unconstrained};
use umbel_core::store::{AppendError, Appended, StoreError, Stored};
use umbel_host::{ExitStatus, Failed, OrExit, StopSignals};
use umbel_settings::LoadOptions;

use self::{
    batch::{Batch, Line, Run, runs},
    counts::Counts,
    exports::Exports,
    refusals::{AGAIN, foreign, interrupted, refused, stopped_at},
};
use super::lines::Lines;
use crate::{
    args::JsonArg,
    patience::{PatienceArg, passes},
    print::print_one,
    progress::Progress,
    tool::{Done, Tool, failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store init && umbel events import log.jsonl
  gunzip -c accounts.jsonl.gz | umbel events import -

Events that are in the log already are left out, so an import that was interrupted is done again. Each event must fit to its \
stream as it is here: one that had version 7 is appended at version 6 or not at all. So import into an empty store, and \
leave out streams whose beginning was removed for good, or that hold links:
  jq -c 'select(.stream != \"account-7\")' log.jsonl | umbel events import -
An export by --type, --tag, --since or a conversation has parts of streams: it is refused at the first version that is missing. \
Several imports may run at once; each tells what it has appended itself. A log that holds other events already is left alone, unless \
--into-existing says that this is meant.

The claims behind the events, such as unique names, are taken by the same owners. One that another owner holds here is left to him and \
named, all the others are taken, and the exit code is 1. A claim that was given up there since an earlier import stays taken here. An \
export of a part of a log has no claims, nor have those of older programs: then what is taken there is free here.

Exports may follow upon each other in one file. Where the last line of one is missing, because it was interrupted or is of an older \
program, all that there is is imported, and the exit code is 1. Ctrl-C ends an import once what it has begun is done, with exit code 1; \
the same import again goes on there.

Only events and claims come along. Read models are projected from events when the umbrella runs; commands that \
were carried out, links, deletions, the states of processes and the records of upkeep ($audit) do not. Positions are those of the new \
log. Personal data is sealed with keys of the new store.";

/// Bytes of a line beside what the setting counts: names, ids, metadata's own keys.
const FRAME_BYTES: usize = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Where from; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Append to a log that holds other events already, too
    #[arg(long)]
    into_existing: bool,
    #[command(flatten)]
    patience: PatienceArg,
    #[command(flatten)]
    json: JsonArg,
}

type Input = Lines<Box<dyn BufRead + Send>>;

pub(super) fn import(options: &LoadOptions, args: &ImportArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        // Base64 makes binary data longer.
        let line_max_bytes = tool.settings.max_payload_bytes.saturating_mul(2).saturating_add(FRAME_BYTES);
        let (input, size) = input(&args.file).or_exit(ExitStatus::Failure)?;
        let signals = StopSignals::listen().or_exit(ExitStatus::Failure)?;
        let head = tool.store().status().await?.head.get();
        let (looking, others) = (head > 0, if args.into_existing { 0 } else { head });
        let counts = Counts::default();
        let mut import = Import { tool, patience: args.patience, others, looking, counts };
        let ended = import.all(Lines::new(input, line_max_bytes), size, signals).await;
        if ended.is_ok() || args.json.json {
            print_one(args.json.json, &import.counts, &import.counts.words())?;
        }
        ended?;
        import.counts.left().map_or(Ok(()), |left| Err(failed(left)))
    })
}

/// The lines, and how many bytes they are if that is known.
fn input(path: &Path) -> anyhow::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let failed = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let about = file.metadata().with_context(failed)?;
    ensure!(!about.is_dir(), "{} is a directory; name the file of an export", path.display());
    Ok((Box::new(BufReader::new(file)), about.is_file().then_some(about.len())))
}

/// The next lines, from a thread of their own: a pipe may keep it waiting, which neither the answers of the store nor the end of the process
/// wait for.
async fn read(mut input: Input, exports: Exports) -> anyhow::Result<(Batch, Input)> {
    let (tell, told) = oneshot::channel();
    // Nobody listens only if the import has ended.
    thread::Builder::new().spawn(move || drop(tell.send((Batch::read(&mut input, exports), input))))?;
    told.await.context("the lines could not be read to their end")
}

/// Does something to its end; whether a signal came meanwhile. A second one ends it at once.
async fn to_its_end(work: impl Future<Output = Done>, signals: &mut StopSignals) -> Done<bool> {
    let mut work = pin!(work);
    tokio::select! {
        done = &mut work => return done.map(|()| false),
        () = signals.recv() => {}
    }
    tokio::select! {
        done = work => done.map(|()| true),
        () = signals.again() => Err(failed(format!("ended at once by a second signal. {AGAIN}"))),
    }
}

struct Import<'a> {
    tool: &'a Tool,
    /// With a store that cannot be reached.
    patience: PatienceArg,
    /// So many events are there that may be another log's, until a line is found among them.
    others: u64,
    /// Whether lines are looked up before they are appended: as long as they are found. Later ones that are in the log all the
    /// same show when they are refused.
    looking: bool,
    counts: Counts,
}

impl Import<'_> {
    /// All lines, unless a signal comes: then what has begun is ended first.
    async fn all(&mut self, mut input: Input, size: Option<u64>, mut signals: StopSignals) -> Done {
        let (mut progress, mut exports) = (Progress::of("lines"), Exports::default());
        loop {
            let before = input.number;
            let (batch, rest) = tokio::select! {
                biased;
                () = signals.recv() => return Err(interrupted(before, &self.counts)),
                read = read(input, exports) => read.or_exit(ExitStatus::Failure)?,
            };
            (input, exports) = (rest, batch.exports);
            let end = batch.end;
            let is_to_stop = to_its_end(self.take(batch, &mut progress), &mut signals).await?;
            progress.at(input.number, size.map(|size| (input.bytes, size)));
            if end {
                self.counts.end(&exports);
                return Ok(());
            }
            if is_to_stop {
                return Err(interrupted(input.number, &self.counts));
            }
        }
    }

    async fn take(&mut self, batch: Batch, progress: &mut Progress) -> Done {
        let Batch { lines, claims, audit_records, wrong, .. } = batch;
        self.counts.audit_records += audit_records;
        self.batch(lines).await?;
        self.claims(&claims, progress).await?;
        wrong.map_or(Ok(()), |(line, what)| Err(stopped_at(line, &what)))
    }

    async fn batch(&mut self, mut lines: Vec<Line>) -> Done {
        if self.looking && !lines.is_empty() {
            let before = lines.len();
            lines = self.missing(lines).await?;
            self.looking = lines.len() < before;
            if self.looking {
                self.others = 0;
            } else if self.others > 0 {
                return Err(foreign(self.others, lines.first().map_or(0, |line| line.number)));
            }
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
        let curable = match &error {
            AppendError::DuplicateEvent { .. }
            | AppendError::WrongExpectedVersion { .. }
            | AppendError::StreamExists { .. } => true,
            AppendError::Store(error) => passes(error),
            _ => false,
        };
        if !curable {
            return Err(refused(&run, &error));
        }
        let all = run.lines.len();
        let missing = self.missing(run.lines).await?;
        if matches!(error, AppendError::Store(StoreError::OutcomeUnknown { .. })) {
            // What is there now was appended by the try that lost its answer.
            let found = count(all - missing.len());
            self.counts.skipped -= found;
            self.counts.imported += found;
        }
        for run in runs(missing) {
            match self.append(&run).await {
                Ok(appended) => self.count(&appended, &run),
                Err(error) => return Err(refused(&run, &error)),
            }
        }
        Ok(())
    }

    /// A run, for as long as there is patience. The same append again is stored once; when a try of it lost its answer, what is
    /// there was stored by that.
    async fn append(&self, run: &Run) -> Result<Appended, AppendError> {
        let mut unknown = false;
        let appended = self.patience.bear(async || {
            let outcome = self.tool.store().append(run.append()).await;
            unknown |= matches!(outcome, Err(AppendError::Store(StoreError::OutcomeUnknown { .. })));
            outcome
        });
        let appended = appended.await?;
        Ok(if unknown { Appended { stored: Stored::Now, ..appended } } else { appended })
    }

    /// The lines whose events are not in the log.
    async fn missing(&mut self, lines: Vec<Line>) -> Done<Vec<Line>> {
        let find = async || {
            try_join_all(lines.iter().map(|line| {
                let store = self.tool.store();
                async move { store.find_event(line.event.id).await }
            }))
            .await
        };
        let found = self.patience.bear(find).await?;
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
        match appended.stored {
            Stored::Now => self.counts.imported += count(run.lines.len()),
            Stored::Before => self.counts.skipped += count(run.lines.len()),
        }
    }
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}
