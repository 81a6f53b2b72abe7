//! `umbel events export`: the log as JSON lines, page by page; an interrupted one goes on where it ended.

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Seek, SeekFrom, Write, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use clap::{Args, value_parser};
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{ReadAll, Selector},
};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_settings::LoadOptions;

use super::{filters::FilterArgs, lines::last_whole_line};
use crate::{
    print::counted,
    progress::Progress,
    tool::{Done, PAGE, Tool, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel events export log.jsonl                       all of it; the same again adds what is new
  umbel events export - --category account | gzip > accounts.jsonl.gz
  umbel events export log.jsonl --from 1000 --until 2026-01-31

A file that holds the beginning of an export is continued behind its last whole line; what was torn off is cut away.
Use the same conditions then. Personal data is written as the store reads it, so in the clear: whoever has the file can read
it, also after its subject was forgotten in the store. Values of subjects that are forgotten already are written as such.";

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
}

pub(super) fn export(options: &LoadOptions, args: &ExportArgs) -> Result<(), Failed> {
    let from = Position::new(args.from);
    with_store(options, async |tool| {
        if args.file == Path::new("-") {
            write_all(tool, from, args.filters.selector(), &mut BufWriter::new(stdout())).await?;
            return Ok(());
        }
        let (file, written_to) = continued(&args.file).or_exit(ExitStatus::Failure)?;
        let mut out = BufWriter::new(file);
        let from = from.max(written_to.next());
        let written = write_all(tool, from, args.filters.selector(), &mut out).await;
        let written = written.map_err(|stop| stop.while_at(|| format!("writing {}", args.file.display())))?;
        let synced = out.get_ref().sync_all().with_context(|| format!("writing {}", args.file.display()));
        synced.or_exit(ExitStatus::Failure)?;
        eprintln!("wrote {} to {}", counted(written, "event"), args.file.display());
        Ok(())
    })
}

/// Writes what there is when it begins; how many events that was.
async fn write_all(tool: &Tool, mut from: Position, selector: Selector, out: &mut impl Write) -> Done<u64> {
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
            serde_json::to_writer(&mut *out, event).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
            written += 1;
        }
        from = from.max(page.scanned_to.next());
        progress.at(written, Some((page.scanned_to.get(), end.get())));
        if from > end {
            out.flush()?;
            return Ok(written);
        }
    }
}

/// The file, made if need be and cut behind its last whole line, and the position of the event in that line.
fn continued(path: &Path) -> anyhow::Result<(File, Position)> {
    let failed = || format!("cannot write to {}", path.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // An export holds personal data in the clear.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(failed)?;
    let (position, end) = match last_whole_line(&mut file).with_context(failed)? {
        Some((line, end)) => {
            let event: RecordedEvent = serde_json::from_slice(&line).map_err(|error| {
                anyhow!("{} does not end as an export does ({error}); name another file", path.display())
            })?;
            (event.position, end)
        }
        None if file.metadata().with_context(failed)?.len() > 0 && !begins_as_export(&mut file)? => {
            return Err(anyhow!("{} is no export; name another file", path.display()));
        }
        None => (Position::START, 0),
    };
    file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).with_context(failed)?;
    Ok((file, position))
}

/// Whether a file that holds not one whole line can be the beginning of one of ours.
fn begins_as_export(file: &mut File) -> std::io::Result<bool> {
    const BEGINNING: &[u8] = b"{\"position\":";
    let mut found = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 12), &mut found)?;
    Ok(BEGINNING.starts_with(&found))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_an_export_is_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.jsonl");
        assert_eq!(continued(&path).unwrap().1, Position::START);
        let line = r#"{"position":7,"stream":"a-1","version":1,"id":"0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2","type":"a.b/1","recorded_at":"2026-01-31T12:00:00Z","data":1,"metadata":{}}"#;
        for (content, position, left) in
            [(format!("{line}\n{{\"posi"), 7, format!("{line}\n")), ("{\"posi".to_owned(), 0, String::new())]
        {
            fs::write(&path, content).unwrap();
            assert_eq!(continued(&path).unwrap().1, Position::new(position));
            assert_eq!(fs::read_to_string(&path).unwrap(), left);
        }
        for other in ["a novel\nof two lines\n", "a novel", &format!("{line}\nand more\n")] {
            fs::write(&path, other).unwrap();
            assert!(continued(&path).unwrap_err().to_string().contains("log.jsonl"));
            assert_eq!(fs::read_to_string(&path).unwrap(), other, "left as it is");
        }
    }
}
