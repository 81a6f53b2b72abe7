//! `umbel events export`: the log as JSON lines, page by page, and behind it the claims; an interrupted one goes on where it ended.

mod claims;
mod file;

use std::{
    io::{self, BufWriter, Write, stdout},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{ReadAll, Selector},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_settings::LoadOptions;

use self::{
    claims::{Listing, Written},
    file::Begun,
};
use super::{
    conditions::Conditions,
    filters::FilterArgs,
    lines::{BeginLine, End, EndLine},
};
use crate::{
    args::{JsonArg, within},
    print::{counted, event_line, json_line, print_one},
    progress::Progress,
    tool::{Done, PAGE, Stop, Tool, failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel events export log.jsonl     all of it; the same again adds what is new
  umbel events export - --category account | gzip > accounts.jsonl.gz
  umbel events export log.jsonl --from 1000 --until 2026-01-31

A file that holds the beginning of an export of the same store is continued behind its last whole event; what was torn off is cut \
away, and so are the claims, which are written anew. Other conditions than its own are refused; times such as 7d are moments then, so name \
the moment. Nobody else may export into it meanwhile.

The first line says what it is an export of, {\"export\":{\"from\":1,\"category\":[\"account\"]}}, and the last one that it is whole, \
{\"end\":{\"last_position\":…,\"claims\":…}}: up to which position of the log, with how many claims. Where the last one is missing, the \
export was interrupted. The exit code is 1 when whoever reads standard output stops before that.

Behind the events of the whole log stand the claims, such as unique names, one a line: \
{\"claim\":{\"scope\":…,\"value\":…,\"owner\":…}}. Those of processes are not among them. With conditions, or from another position than \
1, there are none: an import of that leaves free what is taken here. Others may go on appending: the claims are those that were held as \
of the last event that was written. Where they change faster than they can be listed, some may be of a moment before or behind it; how \
many is told then, and the same again, at a quieter time, writes them anew.

Personal data is written as the store reads it, so in the clear: whoever has the file can read it, also after its subject was forgotten \
in the store. Values of subjects that are forgotten already are written as such. Claims were never sealed: one of an email address holds \
that address.";

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Where to; - is standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// The first position to write
    #[arg(long, value_name = "POSITION", default_value_t = 1, value_parser = within::<u64>(1..))]
    from: u64,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    json: JsonArg,
}

/// How often the claims are listed anew for two lists to be the same.
const TRIES: usize = 5;

/// What was done.
#[derive(Serialize)]
struct Exported<'a> {
    file: &'a Path,
    /// Written now.
    events: u64,
    /// Written now, all that there are; `None` for a part of the log.
    claims: Option<u64>,
    /// How many of these changed while they were read.
    claims_moved: u64,
}

/// What becomes of an export that has to leave claims out.
const WITHOUT_CLAIMS: &str = "without claims: only an export of everything has them; see --help";

/// The summary of an export to standard output goes to standard error, and only if it is asked for, or if something is to be known.
pub(super) fn export(options: &LoadOptions, args: &ExportArgs) -> Result<(), Failed> {
    let (file, conditions) = (args.file.as_path(), args.filters.conditions(args.from));
    let mut from = Position::new(args.from);
    with_store(options, async |tool| {
        if file == Path::new("-") {
            let place = Path::new("standard output");
            let mut export = Export::new(tool, args, BufWriter::new(stdout()), place);
            export.begin(conditions.clone())?;
            let claims = export.all(from, conditions.are_none()).await?;
            let (events, exported) = (export.events, Exported::of(file, export.events, claims));
            if args.json.json {
                eprintln!("{}", serde_json::to_string(&exported).unwrap_or_default());
            } else if events == 0 && claims.is_none_or(|written| written.claims == 0) {
                eprintln!("no event matches");
            } else if let Some(note) = exported.note() {
                eprintln!("{note}");
            }
            return Ok(());
        }
        let begun = Begun::open(file).or_exit(ExitStatus::Failure)?;
        let is_new = begun.conditions().is_none();
        if let Some(of) = begun.conditions().filter(|of| **of != conditions) {
            return Err(failed(format!(
                "{} is an export of {of}, and this one would be of {conditions}; name another file for that",
                file.display()
            )));
        }
        if let Some(last) = begun.last() {
            check_continues(tool, last, file).await?;
            from = from.max(last.position.next());
        }
        let out = BufWriter::new(begun.cut().or_exit(ExitStatus::Failure)?);
        let mut export = Export::new(tool, args, out, file);
        if is_new {
            export.begin(conditions.clone())?;
        }
        let claims = export.all(from, conditions.are_none()).await?;
        let synced = export.out.get_ref().sync_all().with_context(|| format!("writing {}", file.display()));
        synced.or_exit(ExitStatus::Failure)?;
        let exported = Exported::of(file, export.events, claims);
        Ok(print_one(args.json.json, &exported, &exported.words())?)
    })
}

impl<'a> Exported<'a> {
    fn of(file: &'a Path, events: u64, claims: Option<Written>) -> Self {
        let claims_moved = claims.map_or(0, |written| written.moved);
        Self { file, events, claims: claims.map(|written| written.claims), claims_moved }
    }

    fn words(&self) -> String {
        let claims =
            self.claims.map_or_else(String::new, |claims| format!(" and {}", counted(claims, "claim")));
        let note = self.note().map_or_else(String::new, |note| format!("{note}\n"));
        format!("wrote {}{claims} to {}\n{note}", counted(self.events, "event"), self.file.display())
    }

    /// What must not be overlooked.
    fn note(&self) -> Option<String> {
        let moved = || {
            let moved = counted(self.claims_moved, "claim");
            format!(
                "{moved} changed while they were read, and may be of a moment before or behind the last event; export again at a quieter time"
            )
        };
        match self.claims {
            None => Some(WITHOUT_CLAIMS.to_owned()),
            Some(_) => (self.claims_moved > 0).then(moved),
        }
    }
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

/// What is written, and where to.
struct Export<'a, W> {
    tool: &'a Tool,
    selector: Selector,
    out: W,
    /// In words.
    place: &'a Path,
    /// How many were written.
    events: u64,
    /// The last position of the log that was looked at.
    last: Position,
}

impl<'a, W: Write> Export<'a, W> {
    fn new(tool: &'a Tool, args: &ExportArgs, out: W, place: &'a Path) -> Self {
        Self { tool, selector: args.filters.selector(), out, place, events: 0, last: Position::default() }
    }

    /// The first line: a file that has it is continued under the same conditions only.
    fn begin(&mut self, export: Conditions) -> Done {
        self.line(&BeginLine { export })
    }

    /// The events from a position on, of a whole log the claims, and the end: whoever writes through a buffer stops between two lines when
    /// he is killed, and what is cut off there does not show.
    async fn all(&mut self, mut from: Position, is_whole: bool) -> Done<Option<Written>> {
        let mut progress = Progress::of("events");
        self.events(&mut from, &mut progress).await?;
        let mut claims = None;
        if is_whole {
            let (mut before, mut tries) = (Listing::of_now(self.tool).await?, TRIES);
            let now = loop {
                // Between two lists: what is held at the last of these is what both have.
                self.events(&mut from, &mut progress).await?;
                let now = Listing::of_now(self.tool).await?;
                tries -= 1;
                if now.is(&before) || tries == 0 {
                    break now;
                }
                before = now;
            };
            let written = before.write_with(now, &mut self.out);
            claims = Some(written.map_err(|error| not_written(error, self.place))?);
        }
        self.line(&EndLine {
            end: End { last_position: self.last, claims: claims.map(|written| written.claims) },
        })?;
        self.out.flush().map_err(|error| not_written(error, self.place))?;
        Ok(claims)
    }

    fn line(&mut self, line: &impl Serialize) -> Done {
        let written = json_line(line).and_then(|line| self.out.write_all(&line));
        written.map_err(|error| not_written(error, self.place))
    }

    /// Writes what there is when it begins, from a position on, which then is behind it.
    async fn events(&mut self, from: &mut Position, progress: &mut Progress) -> Done {
        let mut end = None;
        loop {
            let request = ReadAll {
                from: Some(*from),
                direction: Direction::Forward,
                limit: PAGE,
                selector: self.selector.clone(),
            };
            let page = self.tool.store().read_all(request).await?;
            // What is appended meanwhile would keep an export from ever ending.
            let end = *end.get_or_insert(page.head);
            self.last = end;
            for event in page.events.iter().take_while(|event| event.position <= end) {
                let line = match event_line(event) {
                    Ok(line) => line,
                    Err(damaged) => {
                        // What stands before it is whole.
                        self.out.flush().map_err(|error| not_written(error, self.place))?;
                        return Err(damaged.into());
                    }
                };
                self.out.write_all(&line).map_err(|error| not_written(error, self.place))?;
                self.events += 1;
            }
            *from = (*from).max(page.scanned_to.min(end).next());
            progress.at(self.events, Some((page.scanned_to.get(), end.get())));
            if *from > end {
                return Ok(());
            }
        }
    }
}

/// Whoever reads an export and stops before its end has no whole one, which is a failure here.
fn not_written(error: io::Error, place: &Path) -> Stop {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return failed(format!(
            "{}: whoever reads it stopped before its end, so the export is not whole",
            writing(place)
        ));
    }
    Stop::from(error).while_at(|| writing(place))
}

fn writing(place: &Path) -> String {
    format!("writing {}", place.display())
}
