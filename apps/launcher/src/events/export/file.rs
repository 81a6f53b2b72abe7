//! The file of an export: whether it may be continued, and where.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use rustix::fs::{FlockOperation, flock};
use umbel_core::RecordedEvent;

use crate::events::{
    conditions::Conditions,
    lines::{BEGIN, BeginLine, first_whole_line, last_whole_line, last_whole_line_before, tail_begin},
};

/// An export's file, made if need be, that nobody else exports into as long as it is open. Nothing in it was changed yet.
#[derive(Debug)]
pub(super) struct Begun {
    file: File,
    path: PathBuf,
    /// What it is an export of; `None` when nothing is in it yet.
    conditions: Option<Conditions>,
    /// Its last event that is whole.
    last: Option<RecordedEvent>,
    /// Where the line of that ends, or the first one.
    end: u64,
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
        let Some(first) = first_whole_line(&mut file).with_context(failed)? else {
            if !begins_as_export(&mut file).with_context(failed)? {
                bail!("{} is no export; name another file", path.display());
            }
            return Ok(Self { file, path: path.to_owned(), conditions: None, last: None, end: 0 });
        };
        let conditions = conditions_in(&first, path)?;
        let lines_end = last_whole_line(&mut file).with_context(failed)?.map_or(0, |(_, end)| end);
        let end = tail_begin(&mut file, lines_end).with_context(failed)?;
        let line = last_whole_line_before(&mut file, end).with_context(failed)?;
        // Behind the first line there may be no event yet.
        let line = line.filter(|(line, _)| !line.starts_with(BEGIN));
        let last = line.map(|(line, _)| serde_json::from_slice(&line)).transpose().map_err(|error| {
            anyhow!("{} does not end as an export does ({error}); name another file", path.display())
        })?;
        Ok(Self { file, path: path.to_owned(), conditions: Some(conditions), last, end })
    }

    /// What it is an export of; `None` when nothing is in it yet.
    pub(super) const fn conditions(&self) -> Option<&Conditions> {
        self.conditions.as_ref()
    }

    /// What was written last.
    pub(super) const fn last(&self) -> Option<&RecordedEvent> {
        self.last.as_ref()
    }

    /// The file, cut behind its last whole event, to be written from there on. What stands behind that is as it was then.
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
    file.take(u64::try_from(BEGIN.len()).unwrap_or_default()).read_to_end(&mut found)?;
    Ok(BEGIN.starts_with(&found))
}

/// What the first line says that it is an export of.
fn conditions_in(line: &[u8], path: &Path) -> anyhow::Result<Conditions> {
    let path = path.display();
    if !line.starts_with(BEGIN) {
        // Of before there are some that hold events and say nothing else.
        bail!(
            "{path} does not say what it is an export of, so nobody can tell what is missing; name another file"
        );
    }
    let begin: BeginLine = serde_json::from_slice(line)
        .map_err(|error| anyhow!("{path} does not begin as an export does ({error}); name another file"))?;
    Ok(begin.export)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"position":7,"stream":"a-1","version":1,"id":"0190f5e2-7cc7-7d1a-b5a5-0f4dd64d94a2","type":"a.b/1","recorded_at":"2026-01-31T12:00:00Z","data":1,"metadata":{}}"#;

    const BEGIN: &str = r#"{"export":{"from":1,"category":["a"]}}"#;

    const END: &str = r#"{"end":{"last_position":7,"claims":null}}"#;

    const CLAIM: &str = r#"{"claim":{"scope":"test.name","value":"ada","owner":"a-1"}}"#;

    #[test]
    fn only_an_export_is_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.jsonl");
        assert!(Begun::open(&path).unwrap().last().is_none());
        let torn = |behind: &str| format!("{BEGIN}\n{LINE}\n{behind}");
        for (content, position, left) in [
            (torn("{\"posi"), Some(7), torn("")),
            (torn(&format!("{CLAIM}\n{CLAIM}\n{{\"cla")), Some(7), torn("")),
            (torn("{\"claim\":{"), Some(7), torn("")),
            (torn(&format!("{CLAIM}\n{END}\n")), Some(7), torn("")),
            (torn(&format!("{END}\n")), Some(7), torn("")),
            (format!("{BEGIN}\n{CLAIM}\n{END}\n"), None, format!("{BEGIN}\n")),
            (format!("{BEGIN}\n{{\"posi"), None, format!("{BEGIN}\n")),
            (BEGIN.to_owned(), None, String::new()),
            ("{\"exp".to_owned(), None, String::new()),
        ] {
            fs::write(&path, &content).unwrap();
            let begun = Begun::open(&path).unwrap();
            let categories = begun.conditions().map(|conditions| conditions.categories.join(","));
            assert_eq!(categories.as_deref(), (!left.is_empty()).then_some("a"));
            assert_eq!(begun.last().map(|last| last.position.get()), position);
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "not cut yet");
            drop(begun.cut().unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), left);
        }
        for other in [
            "a novel\nof two lines\n",
            "a novel",
            &format!("{LINE}\n"),
            &torn("and more\n"),
            &format!("a novel\n{CLAIM}\n"),
            "{\"export\":{\"from\":1,\"moon\":\"full\"}}\n",
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
