//! Writing several files as one: all of them, or what was there before.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::plan::{Change, Planned};

/// What becomes of a file's name while only its text is there.
const STAGED: &str = "umbel-new";

/// What was done so far, to be undone in reverse.
enum Done<'a> {
    Folder(PathBuf),
    Staged(PathBuf),
    Made(PathBuf),
    Replaced { path: PathBuf, before: &'a str },
}

/// Writes all changes. First every text lies beside its place, then all of them are renamed.
///
/// # Errors
/// When one cannot be written; then everything is as before.
pub(super) fn write(root: &Path, changes: &[Change]) -> Result<()> {
    let mut done = Vec::new();
    let written = stage(root, changes, &mut done).and_then(|()| put_in_place(root, changes, &mut done));
    if written.is_err() {
        done.into_iter().rev().for_each(Done::undo);
    }
    written
}

fn stage(root: &Path, changes: &[Change], done: &mut Vec<Done<'_>>) -> Result<()> {
    for Change { path, text, .. } in changes {
        let file = root.join(path);
        let folder = file.parent().unwrap_or(root);
        let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            done.push(Done::Folder(folder.to_owned()));
        }
        let staged = staged(&file);
        let mut out =
            File::create_new(&staged).with_context(|| format!("cannot make {}", staged.display()))?;
        done.push(Done::Staged(staged));
        out.write_all(text.as_bytes()).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

fn put_in_place<'a>(root: &Path, changes: &'a [Change], done: &mut Vec<Done<'a>>) -> Result<()> {
    for Change { path, planned, .. } in changes {
        let file = root.join(path);
        fs::rename(staged(&file), &file).with_context(|| format!("cannot write {path}"))?;
        done.push(match planned {
            Planned::New => Done::Made(file),
            Planned::Changed { before } => Done::Replaced { path: file, before },
        });
    }
    Ok(())
}

fn staged(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(STAGED);
    name.into()
}

impl Done<'_> {
    /// What cannot be undone either stays: the error that is told is the first one, which has the same cause.
    fn undo(self) {
        drop(match self {
            Self::Folder(path) => fs::remove_dir(path),
            Self::Staged(path) | Self::Made(path) => fs::remove_file(path),
            Self::Replaced { path, before } => fs::write(path, before),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>) -> Change {
        let planned = before.map_or(Planned::New, |before| Planned::Changed { before: before.to_owned() });
        Change { path: path.to_owned(), text: "new".to_owned(), planned }
    }

    /// Every file and folder below, with its text.
    fn tree(root: &Path) -> Vec<(PathBuf, Option<String>)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(tree(&path));
            }
            found.push((path.clone(), fs::read_to_string(path).ok()));
        }
        found.sort();
        found
    }

    #[test]
    fn all_of_it_is_written_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("kept"), "old").unwrap();
        fs::write(root.path().join("changed"), "old").unwrap();
        write(root.path(), &[change("a/b/made", None), change("changed", Some("old"))]).unwrap();
        let texts: Vec<_> = tree(root.path()).into_iter().filter_map(|(_, text)| text).collect();
        assert_eq!(texts, ["new", "new", "old"]);
    }

    /// One that cannot be put in its place, or not even be staged, takes all others back with it.
    #[test]
    fn an_error_leaves_nothing_half_done() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("changed"), "old").unwrap();
        fs::create_dir_all(root.path().join("folder/inner")).unwrap();
        fs::write(root.path().join(format!("left.{STAGED}")), "of another run").unwrap();
        let before = tree(root.path());
        for impossible in ["folder", "left", "changed/below"] {
            let changes =
                [change("a/b/made", None), change("changed", Some("old")), change(impossible, None)];
            write(root.path(), &changes).unwrap_err();
            assert_eq!(tree(root.path()), before, "{impossible}");
        }
    }
}
