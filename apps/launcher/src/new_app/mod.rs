//! `umbel new app`: the beginning of a domain app, written into a checkout of the workspace and registered there.
//!
//! What is written lies as files in `templates/new_app`; what is changed are single lines at marked places. All of it is made in
//! memory first ([`plan`]), so whatever can be refused is refused before anything is touched; [`mod@write`] does it whole or not at all.

mod name;
mod plan;
mod write;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use umbel_host::{ExitStatus, Failed, OrExit};

use crate::{
    args::JsonArg,
    print::{Column, Printer, text},
    tool::without_store,
};

use self::{
    name::AppName,
    plan::{Change, LOCK, Planned},
};

const EXAMPLES: &str = "\
Examples:
  umbel new app shelf             apps/shelf, its words, and their registration
  umbel new app shelf --dry-run   what that would write";

/// A file that only a checkout of the workspace has.
const LANDMARK: &str = plan::APPS;

const COLUMNS: [Column; 2] = [text("what"), text("file")];

#[derive(Debug, Subcommand)]
pub(crate) enum NewCommand {
    /// A domain app that compiles and is tested: its crate, its words, its place under the umbrella
    #[command(after_help = EXAMPLES)]
    App(AppArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AppArgs {
    /// What it is called: lower-case letters, digits and underscores (a `-` becomes one)
    #[arg(value_name = "NAME")]
    name: AppName,
    /// Only say what would be written
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Line<'a> {
    change: &'static str,
    path: &'a str,
}

impl NewCommand {
    pub(crate) fn execute(&self) -> Result<(), Failed> {
        let Self::App(AppArgs { name, dry_run, json }) = self;
        let root = checkout().or_exit(ExitStatus::Failure)?;
        let changes = plan::plan(name, |path| read(&root, path)).or_exit(ExitStatus::Failure)?;
        if !dry_run {
            write::write(&root, &changes).or_exit(ExitStatus::Failure)?;
        }
        without_store(async || {
            let mut printer = Printer::new(json.json, COLUMNS);
            let lines: Vec<_> = changes.iter().map(Line::of).collect();
            printer.rows(&lines, |line| [line.change.to_owned(), line.path.to_owned()])?;
            let close =
                if *dry_run { "\nNothing is written yet.\n".into() } else { next_steps(name, &changes) };
            Ok(printer.words(&(renamed(name) + &close))?)
        })
    }
}

impl<'a> Line<'a> {
    fn of(Change { path, planned, .. }: &'a Change) -> Self {
        let change = match planned {
            Planned::New => "new",
            Planned::Changed { .. } => "changed",
        };
        Self { change, path }
    }
}

/// The root of the checkout around the current directory.
fn checkout() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current directory cannot be read")?;
    let Some(root) = here.ancestors().find(|folder| folder.join(LANDMARK).is_file()) else {
        bail!(
            "run this in a checkout of the workspace: neither {} nor a folder above it has {LANDMARK}",
            here.display()
        );
    };
    Ok(root.to_owned())
}

/// The text of a file of the checkout; `None` when nothing is there.
fn read(root: &Path, path: &str) -> Result<Option<String>> {
    let file = root.join(path);
    if !file.try_exists().with_context(|| format!("cannot look for {path}"))? {
        return Ok(None);
    }
    // A folder of that name stands in the way like a file, whatever it holds.
    if file.is_dir() {
        return Ok(Some(String::new()));
    }
    std::fs::read_to_string(file).map(Some).with_context(|| format!("cannot read {path}"))
}

/// What it is called, if not as it was asked for.
fn renamed(name: &AppName) -> String {
    let said =
        |written| format!("\nIt is called {name}, not {written}: crates and messages have names with `_`.\n");
    name.written_otherwise().map(said).unwrap_or_default()
}

fn next_steps(name: &AppName, changes: &[Change]) -> String {
    let step = |command: &str, what: &str| format!("  {command:<52}{what}\n");
    [
        "\nNext:\n".to_owned(),
        step(
            &format!("cargo test --lib -p {name} -p contracts -p umbel"),
            "its tests, and those of its words",
        ),
        step("make run", "everything, with it; `umbel tree` shows it"),
        step(&format!("cargo run -p umbel -- run --only {name}"), "the app alone, with the bus and a store"),
        step("make fmt check", "before you commit"),
        format!(
            "A target/debug/umbel from before refuses the section [{name}] until `cargo build -p umbel`.\n\
             `cargo run -p {name}` runs the app alone, too, but builds most crates once more for it.\n"
        ),
        format!("Make it yours: apps/{name}/src/lib.rs, shared/contracts/src/{name}.rs.\n"),
        format!(
            "Its settings: section [{name}] of config/default.toml, read in apps/{name}/src/settings.rs.\n"
        ),
        "Add a route that uses it: README.md, \"Add your own app\".\n".to_owned(),
        undoing(changes),
    ]
    .concat()
}

/// How to take it back.
fn undoing(changes: &[Change]) -> String {
    let (mut added, mut changed) = (BTreeSet::new(), vec![LOCK]);
    for Change { path, planned, .. } in changes {
        match planned {
            Planned::New => added.insert(whole(path)),
            Planned::Changed { .. } => {
                changed.push(path);
                true
            }
        };
    }
    let added = added.into_iter().collect::<Vec<_>>().join(" ");
    format!(
        "Undo it, with whatever else `git status` shows of these files:\n  rm -r {added}\n  git checkout -- {}\n",
        changed.join(" ")
    )
}

/// The folder of an app, if the file is in one.
fn whole(path: &str) -> &str {
    let app = path.strip_prefix("apps/").and_then(|path| path.find('/'));
    app.map_or(path, |end| &path[.."apps/".len() + end])
}
