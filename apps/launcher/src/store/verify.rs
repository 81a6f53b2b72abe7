//! `umbel store verify`.

use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde::Serialize;
use umbel_core::store::{Finding, Rule};
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_persistence::{Looked, Stride};
use umbel_settings::LoadOptions;

use crate::{
    args::JsonArg,
    print::{Column, Printer, counted, remark, text},
    progress::Progress,
    tool::{failed, store_settings, without_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store verify
  umbel store verify --json | jq '.rule, .remedy'

Looks at everything, so it takes a while on a large store; the umbrella may run meanwhile. It goes in small steps and holds no \
snapshot for longer than one of them, so appends do not slow down; only SQLite's own check takes a table at a time. What is appended meanwhile is not looked at. At most 20 \
findings of one rule are told, and behind all of them what mends each rule that is broken.";

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    json: JsonArg,
}

/// What is wrong, and what is to be done about it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    remedy: &'static str,
}

/// Straight from the database: a store may be too damaged to start.
pub(super) fn verify(options: &LoadOptions, args: &VerifyArgs) -> Result<(), Failed> {
    const COLUMNS: [Column; 2] = [text("rule"), text("what is wrong")];
    let (_, settings) = store_settings(options)?;
    without_store(async || {
        let store = umbel_persistence::open_existing(&settings).await.or_exit(ExitStatus::StartFailed)?;
        let findings = store.verify_by(watched()).await?;
        let told = |finding| Told { finding, remedy: remedy(finding.rule) };
        let told: Vec<_> = findings.iter().map(told).collect();
        let mut printer = Printer::new(args.json.json, COLUMNS);
        printer.rows(&told, |told| [named(told.finding.rule), told.finding.what.clone()])?;
        if findings.is_empty() {
            return Ok(printer.words("nothing is wrong\n")?);
        }
        let mut rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
        rules.dedup();
        for rule in rules {
            remark(&format!("{}: {}\n", named(rule), remedy(rule)));
        }
        let count = u64::try_from(findings.len()).unwrap_or(u64::MAX);
        let at_least = if Finding::are_all(&findings) { "" } else { "at least " };
        Err(failed(format!("{at_least}{}", counted(count, "finding"))))
    })
}

fn named(rule: Rule) -> String {
    let rule = serde_json::to_value(rule).ok();
    rule.and_then(|rule| rule.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What mends what breaks a rule. What is made of events can be made again; events cannot.
const fn remedy(rule: Rule) -> &'static str {
    match rule {
        Rule::Schema => {
            "stop what runs over the store, and make the object again as the migrations have it, in apps/persistence/src/sqlite/migrations \
             or postgres/migrations; remove a trigger that is not the store's; then verify once more"
        }
        Rule::Integrity => {
            "stop what runs over the file, and restore a backup in its place, without the -wal and -shm beside it; look at the disk, too. \
             Without a backup `umbel events export` saves what events can still be read"
        }
        Rule::Checkpoints => {
            "build the projection anew with `umbel projections rebuild NAME`; let a subscription begin elsewhere with \
             `umbel subscriptions reset NAME`; where that is refused, restore a backup"
        }
        Rule::Documents => {
            "build the projection that keeps them anew with `umbel projections rebuild NAME`; documents that no projection keeps, \
             such as those of process managers, are only in a backup"
        }
        Rule::Snapshots => {
            "remove the snapshot with `umbel snapshots delete STREAM`: the state is folded from the events again"
        }
        Rule::SubjectKeys => {
            "restore the key from a backup, or give the data up with `umbel store forget SUBJECT --unknown`"
        }
        Rule::Subscriptions | Rule::Letters => {
            "discard the dead letters with `umbel dead-letters discard`, or begin anew with `umbel subscriptions delete NAME`, which \
             handles again what was handled; where that is refused, restore a backup"
        }
        Rule::Log
        | Rule::Positions
        | Rule::Versions
        | Rule::EventIds
        | Rule::References
        | Rule::Spans
        | Rule::Links
        | Rule::Tags
        | Rule::Commands
        | Rule::Archive
        | Rule::Payloads => "restore a backup, or ask for help with this list",
    }
}

/// Tells on the terminal how many rows were looked at, and how many of the checks are through.
fn watched() -> Stride {
    let progress = Mutex::new(Progress::of("rows"));
    let told = move |looked: Looked| {
        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let part = Some((count(looked.done), count(looked.checks)));
        progress.lock().unwrap_or_else(PoisonError::into_inner).at(looked.rows, part);
    };
    Stride { told: Arc::new(told), ..Stride::default() }
}
