//! The rules of the tree, enforced: who may depend on whom, what a source file looks like, that the tests which
//! ARCHITECTURE.md names exist, that every behaviour has one, and that README counts lines right. A failure says
//! what to do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect must fail")]

mod behaviours;
mod counted;
mod manifests;
mod named_tests;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the tree, with its path from the root in portable form.
struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// All files with this ending below the given folders, sorted by path.
fn files(folders: &[&str], ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), folder, ending, &mut found);
    }
    assert!(!found.is_empty(), "no {ending} files below {folders:?}: has the tree moved?");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(directory: &Path, path: &str, ending: &str, found: &mut Vec<Source>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{path} cannot be listed: {error}"));
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let (file, path) = (directory.join(&name), format!("{path}/{name}"));
        if file.is_dir() {
            if name != "target" {
                collect(&file, &path, ending, found);
            }
        } else if name.ends_with(ending) {
            let text = fs::read_to_string(&file).unwrap();
            found.push(Source { path, text });
        }
    }
}

/// Fails with every offence at once.
#[track_caller]
fn none(offences: &[String], what_to_do: &str) {
    assert!(offences.is_empty(), "{what_to_do}\n  {}\n", offences.join("\n  "));
}
