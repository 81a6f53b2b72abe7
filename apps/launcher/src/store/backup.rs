//! `umbel store backup`: a copy of a store on SQLite.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_persistence::admin;
use umbel_settings::LoadOptions;

use super::status::sized;
use crate::{
    args::JsonArg,
    print::print_one,
    tool::{store_settings, without_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel store backup backups/2026-01-31.db
  umbel store verify --set store.url=sqlite:backups/2026-01-31.db

The copy is a store of its own, whole and of one moment, with everything: log, read models, unique names, checkpoints, waiting work, and the \
keys of personal data. Apps go on meanwhile. To restore it, stop all that runs over the store, remove its file together with FILE-wal and \
FILE-shm, and put the copy in its place.

On PostgreSQL this is for pg_dump and its like; docs/guides/operating.md says how.";

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Where to; it must not be there yet, the folder is made
    file: PathBuf,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct BackedUp {
    file: String,
    bytes: u64,
}

pub(super) fn backup(options: &LoadOptions, args: &BackupArgs) -> Result<(), Failed> {
    let (_, settings) = store_settings(options)?;
    without_store(async || {
        let bytes = admin::backup(&settings, args.file.clone()).await.or_exit(ExitStatus::Failure)?;
        let file = args.file.display().to_string();
        let words = format!("{file} is a copy of the store: {}\n", sized(bytes));
        Ok(print_one(args.json.json, &BackedUp { file, bytes }, &words)?)
    })
}
