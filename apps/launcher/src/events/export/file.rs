//! The file of an export: whether it may be continued, and where.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use rustix::fs::{FlockOperation, flock};
use umbel_core::RecordedEvent;

use crate::events::lines::{claims_begin, last_whole_line, last_whole_line_before};

/// An export's file, made if need be, that nobody else exports into as long as it is open. Nothing in it was changed yet.
#[derive(Debug)]
pub(super) struct Begun {
    file: File,
    path: PathBuf,
    /// Its last event that is whole.
    last: Option<RecordedEvent>,
    /// Where the line of that ends.
    end: u64,
    /// Whether claims stand behind it.
    has_claims: bool,
}

impl Begun {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be written, another export is writing it, or it is something else.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot write to {}", path.display());
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => bail!("{} is a directory; name a file in it", path.display()),
            Ok(there) if !there.is_file() => {
                bail!("{} is no regular file; write - for standard output", path.display())
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // An export holds personal data in the clear.
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).with_context(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                bail!("another export is writing {}; wait for it, or name another file", path.display())
            }
            // Where files cannot be locked, nobody is kept out.
            _ => {}
        }
        let (last, end, has_claims) = match last_whole_line(&mut file).with_context(failed)? {
            Some((_, lines_end)) => {
                let end = claims_begin(&mut file, lines_end).with_context(failed)?;
                let line = last_whole_line_before(&mut file, end).with_context(failed)?;
                let event = line.map(|(line, _)| serde_json::from_slice(&line)).transpose();
                let event = event.map_err(|error| {
                    anyhow!("{} does not end as an export does ({error}); name another file", path.display())
                })?;
                (event, end, end < lines_end)
            }
            None if file.metadata().with_context(failed)?.len() > 0 && !begins_as_export(&mut file)? => {
                bail!("{} is no export; name another file", path.display())
            }
            None => (None, 0, false),
        };
        Ok(Self { file, path: path.to_owned(), last, end, has_claims })
    }

    /// What was written last.
    pub(super) const fn last(&self) -> Option<&RecordedEvent> {
        self.last.as_ref()
    }

    /// Whether it has claims: then it is an export of everything.
    pub(super) const fn has_claims(&self) -> bool {
        self.has_claims
    }

    /// The file, cut behind its last whole event, to be written from there on. Claims behind that are as they were then.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn cut(self) -> anyhow::Result<File> {
        let Self { mut file, path, end, .. } = self;
        let cut = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
        cut.with_context(|| format!("cannot write to {}", path.display()))?;
        Ok(file)
    }
}

/// Whether a file that holds not one whole line can be the beginning of one of ours.
fn begins_as_export(file: &mut File) -> io::Result<bool> {
    let mut found = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(9).read_to_end(&mut found)?;
    Ok([&b"{\"position"[..], b"{\"claim\":"].iter().any(|beginning| beginning.starts_with(&found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"position":7,"stream":"a-1","version":1,"id":"0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2","type":"a.b/1","recorded_at":"2026-01-31T12:00:00Z","data":1,"metadata":{}}"#;

    const CLAIM: &str = r#"{"claim":{"scope":"test.name","value":"ada","owner":"a-1"}}"#;

    #[test]
    fn only_an_export_is_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.jsonl");
        assert!(Begun::open(&path).unwrap().last().is_none());
        for (content, position, left) in [
            (format!("{LINE}\n{{\"posi"), Some(7), format!("{LINE}\n")),
            (format!("{LINE}\n{CLAIM}\n{CLAIM}\n{{\"cla"), Some(7), format!("{LINE}\n")),
            (format!("{LINE}\n{{\"claim\":{{"), Some(7), format!("{LINE}\n")),
            (format!("{LINE}\n{CLAIM}\n{{\"claims\":1}}\n"), Some(7), format!("{LINE}\n")),
            (format!("{CLAIM}\n"), None, String::new()),
            ("{\"posi".to_owned(), None, String::new()),
            ("{\"claim\":{".to_owned(), None, String::new()),
        ] {
            fs::write(&path, &content).unwrap();
            let begun = Begun::open(&path).unwrap();
            assert_eq!(begun.has_claims(), content.contains(CLAIM));
            assert_eq!(begun.last().map(|last| last.position.get()), position);
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "not cut yet");
            drop(begun.cut().unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), left);
        }
        for other in [
            "a novel\nof two lines\n",
            "a novel",
            &format!("{LINE}\nand more\n"),
            &format!("a novel\n{CLAIM}\n"),
        ] {
            fs::write(&path, other).unwrap();
            assert!(Begun::open(&path).unwrap_err().to_string().contains("log.jsonl"));
            assert_eq!(fs::read_to_string(&path).unwrap(), other, "left as it is");
        }
    }

    #[test]
    fn one_export_writes_a_file_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.jsonl");
        let first = Begun::open(&path).unwrap();
        assert!(Begun::open(&path).unwrap_err().to_string().contains("another export"));
        let file = first.cut().unwrap();
        assert!(Begun::open(&path).unwrap_err().to_string().contains("another export"));
        drop(file);
        assert!(Begun::open(&path).is_ok());
    }

    #[test]
    fn what_is_no_file_is_told() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Begun::open(directory.path()).unwrap_err().to_string().contains("is a directory"));
        assert!(Begun::open(Path::new("/dev/null")).unwrap_err().to_string().contains("write - for"));
    }
}
