//! `umbel events export`: the log as JSON lines, page by page; an interrupted one goes on where it ended.

mod file;

use std::{
    io::{self, BufWriter, Write, stdout},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, value_parser};
use serde::Serialize;
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{ReadAll, Selector},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_settings::LoadOptions;

use self::file::Begun;
use super::filters::FilterArgs;
use crate::{
    args::JsonArg,
    print::{counted, event_line, print_one},
    progress::Progress,
    tool::{Done, PAGE, Stop, Tool, failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel events export log.jsonl     all of it; the same again adds what is new
  umbel events export - --category account | gzip > accounts.jsonl.gz
  umbel events export log.jsonl --from 1000 --until 2026-01-31

A file that holds the beginning of an export of the same store is continued behind its last whole line; what was torn off is cut \
away. Use the same conditions then. Nobody else may export into it meanwhile. Personal data is written as the store reads it, so in \
the clear: whoever has the file can read it, also after its subject was forgotten in the store. Values of subjects that are \
forgotten already are written as such.";

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Where to; - is standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// The first position to write
    #[arg(long, value_name = "POSITION", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    from: u64,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    json: JsonArg,
}

/// What was done.
#[derive(Serialize)]
struct Exported<'a> {
    file: &'a Path,
    /// Written now.
    events: u64,
}

/// The summary of an export to standard output goes to standard error, and only if it is asked for.
pub(super) fn export(options: &LoadOptions, args: &ExportArgs) -> Result<(), Failed> {
    let (from, file, selector) = (Position::new(args.from), args.file.as_path(), args.filters.selector());
    with_store(options, async |tool| {
        if file == Path::new("-") {
            let mut out = BufWriter::new(stdout());
            let events = write_all(tool, from, selector, &mut out, Path::new("standard output")).await?;
            if args.json.json {
                eprintln!("{}", serde_json::to_string(&Exported { file, events }).unwrap_or_default());
            } else if events == 0 {
                eprintln!("no event matches");
            }
            return Ok(());
        }
        let begun = Begun::open(file).or_exit(ExitStatus::Failure)?;
        if let Some(last) = begun.last() {
            check_continues(tool, last, file).await?;
        }
        let from = begun.last().map_or(from, |last| from.max(last.position.next()));
        let mut out = BufWriter::new(begun.cut().or_exit(ExitStatus::Failure)?);
        let events = write_all(tool, from, selector, &mut out, file).await?;
        let synced = out.get_ref().sync_all().with_context(|| format!("writing {}", file.display()));
        synced.or_exit(ExitStatus::Failure)?;
        let words = format!("wrote {} to {}\n", counted(events, "event"), file.display());
        Ok(print_one(args.json.json, &Exported { file, events }, &words)?)
    })
}

/// The last event in the file must be where this store has it: positions of another store mean nothing here.
async fn check_continues(tool: &Tool, last: &RecordedEvent, file: &Path) -> Done {
    let found = tool.store().find_event(last.id).await?;
    if found.is_some_and(|found| found.position == last.position && found.stream == last.stream) {
        return Ok(());
    }
    Err(failed(format!(
        "{} ends with event {} at position {}, which this store does not have there: it is the export of another store, \
         or the event was removed for good; name another file, or the store that it is of",
        file.display(),
        last.id,
        last.position
    )))
}

/// Writes what there is when it begins; how many events that was.
async fn write_all(
    tool: &Tool,
    mut from: Position,
    selector: Selector,
    out: &mut impl Write,
    place: &Path,
) -> Done<u64> {
    let not_written =
        |error: io::Error| Stop::from(error).while_at(|| format!("writing {}", place.display()));
    let (mut end, mut written, mut progress) = (None, 0, Progress::of("events"));
    loop {
        let request = ReadAll {
            from: Some(from),
            direction: Direction::Forward,
            limit: PAGE,
            selector: selector.clone(),
        };
        let page = tool.store().read_all(request).await?;
        // What is appended meanwhile would keep an export from ever ending.
        let end = *end.get_or_insert(page.head);
        for event in page.events.iter().take_while(|event| event.position <= end) {
            let line = match event_line(event) {
                Ok(line) => line,
                Err(damaged) => {
                    // What stands before it is whole.
                    out.flush().map_err(not_written)?;
                    return Err(damaged.into());
                }
            };
            out.write_all(&line).map_err(not_written)?;
            written += 1;
        }
        from = from.max(page.scanned_to.next());
        progress.at(written, Some((page.scanned_to.get(), end.get())));
        if from > end {
            out.flush().map_err(not_written)?;
            return Ok(written);
        }
    }
}
