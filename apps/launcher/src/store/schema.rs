//! `umbel store init`, `migrate`, `migrations` and `drop`.

use clap::Args;
use serde::Serialize;
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_persistence::admin::{self, Migration};
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, SureArg},
    print::{Column, Printer, counted, number, print_one, text},
    tool::{Done, failed, store_settings, without_store},
};

pub(super) const INIT_EXAMPLES: &str = "\
Examples:
  umbel store init
  umbel store init --set store.url=postgres://umbel@db/conduit \\
      --set store.schema=conduit

The PostgreSQL database must be there (createdb); the schema is made in it. Doing it again changes nothing.";

pub(super) const MIGRATE_EXAMPLES: &str = "\
Examples:
  umbel store migrate
  umbel store migrations || umbel store migrate

`umbel run` migrates by itself; this is for roles that may not, and for doing it beforehand.";

pub(super) const MIGRATIONS_EXAMPLES: &str = "\
Examples:
  umbel store migrations
  umbel store migrations --json | jq 'select(.applied | not)'";

pub(super) const DROP_EXAMPLES: &str = "\
Examples:
  umbel store drop           asks first
  umbel store drop --yes     for scripts; that there is none is fine

Only what Umbel made goes: its schema, or its SQLite file with what SQLite put beside it. Where anything else is in there \
(a table, a function, a type, an extension), depends on it, or was made by a newer program, nothing is removed.";

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct MigrationsArgs {
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct DropArgs {
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Dropped {
    dropped: bool,
}

const COLUMNS: [Column; 3] = [number("number"), text("name"), text("state")];

pub(super) fn init(options: &LoadOptions, args: &InitArgs) -> Result<(), Failed> {
    let (_, settings) = store_settings(options)?;
    without_store(async || {
        applied(&admin::init(&settings).await.or_exit(ExitStatus::StartFailed)?, args.json)
    })
}

pub(super) fn migrate(options: &LoadOptions, args: &MigrateArgs) -> Result<(), Failed> {
    let (_, settings) = store_settings(options)?;
    without_store(async || {
        applied(&admin::migrate(&settings).await.or_exit(ExitStatus::StartFailed)?, args.json)
    })
}

/// Tells which migrations were pending and are not any more.
pub(crate) fn applied(pending: &[Migration], json: JsonArg) -> Done {
    let applied: Vec<_> = pending.iter().map(|one| Migration { applied: true, ..one.clone() }).collect();
    let mut printer = Printer::new(json.json, COLUMNS);
    printer.rows(&applied, cells)?;
    let words = match pending.len() {
        0 => "the store is up to date\n".to_owned(),
        count => format!(
            "the store is ready: applied {}\n",
            counted(u64::try_from(count).unwrap_or(u64::MAX), "migration")
        ),
    };
    Ok(printer.words(&words)?)
}

pub(super) fn migrations(options: &LoadOptions, args: &MigrationsArgs) -> Result<(), Failed> {
    let (_, settings) = store_settings(options)?;
    let place = admin::place(&settings).or_exit(ExitStatus::StartFailed)?;
    without_store(async || {
        let migrations = admin::migrations(&settings).await.or_exit(ExitStatus::StartFailed)?;
        Printer::new(args.json.json, COLUMNS).rows(&migrations, cells)?;
        let pending = migrations.iter().filter(|migration| !migration.applied).count();
        let what = if pending == migrations.len() {
            format!("there is no store at {place} yet; `umbel store init` makes it")
        } else {
            "`umbel store migrate` applies what is pending".to_owned()
        };
        if pending == 0 { Ok(()) } else { Err(failed(what)) }
    })
}

pub(super) fn drop(options: &LoadOptions, args: &DropArgs) -> Result<(), Failed> {
    let (_, settings) = store_settings(options)?;
    let place = admin::place(&settings).or_exit(ExitStatus::StartFailed)?;
    without_store(async || {
        let mut dropped = admin::is_there(&settings).await.or_exit(ExitStatus::StartFailed)?;
        if dropped {
            args.sure.confirm(&format!("removing the store {place}"))?;
            dropped = admin::drop_store(&settings).await.or_exit(ExitStatus::StartFailed)?;
        }
        let words = if dropped {
            "the store is gone\n".to_owned()
        } else {
            format!("there is no store at {place}\n")
        };
        Ok(print_one(args.json.json, &Dropped { dropped }, &words)?)
    })
}

fn cells(migration: &Migration) -> [String; 3] {
    let state = if migration.applied { "applied" } else { "pending" };
    [migration.number.to_string(), migration.name.to_owned(), state.to_owned()]
}
