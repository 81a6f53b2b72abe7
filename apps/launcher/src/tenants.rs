//! `umbel tenants`: several stores in one place.

use clap::{Args, Subcommand};
use serde::Serialize;
use umbel_host::{ExitStatus, Failed, OrExit};
use umbel_persistence::{Tenant, Tenants, admin};
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, SureArg},
    print::{Column, Printer, print_one, text},
    tool::{failed, store_settings, without_store},
};

const NOTE: &str = "\
A tenant is a store of its own beside the configured one: on PostgreSQL a schema of the same database, with SQLite a file in the \
same directory. They share nothing. Every other command works on a tenant when the settings name it:
  umbel store status --set store.schema=acme         PostgreSQL
  umbel store status --set store.url=sqlite:data/acme.db";

const LIST_EXAMPLE: &str = "Example:\n  umbel tenants list --json | jq -r .name";
const CREATE_EXAMPLE: &str = "Example:\n  umbel tenants create acme\n\nDoing it again changes nothing.";
const DROP_EXAMPLE: &str = "Example:\n  umbel tenants drop acme --yes";
const MIGRATE_EXAMPLE: &str =
    "Examples:\n  umbel tenants migrate            all there are\n  umbel tenants migrate acme";

const COLUMNS: [Column; 2] = [text("tenant"), text("state")];

#[derive(Debug, Subcommand)]
#[command(after_help = NOTE)]
pub(crate) enum TenantsCommand {
    /// List the tenants there are
    #[command(after_help = LIST_EXAMPLE)]
    List(ListArgs),
    /// Make a tenant
    #[command(after_help = CREATE_EXAMPLE)]
    Create(CreateArgs),
    /// Remove a tenant with all that it holds
    #[command(after_help = DROP_EXAMPLE)]
    Drop(DropArgs),
    /// Bring tenants up to date
    #[command(after_help = MIGRATE_EXAMPLE)]
    Migrate(MigrateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Its name: lower-case letters, digits and underscores
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct DropArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Which; without a name all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct Changed<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<bool>,
}

impl TenantsCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        let (_, settings) = store_settings(options)?;
        let tenants = Tenants::at(&settings);
        match self {
            Self::List(args) => list(&tenants, args),
            Self::Create(args) => create(&tenants, args),
            Self::Drop(args) => drop(&tenants, args),
            Self::Migrate(args) => migrate(&tenants, args),
        }
    }
}

fn list(tenants: &Tenants, args: &ListArgs) -> Result<(), Failed> {
    without_store(async || {
        let tenants = tenants.list().await.or_exit(ExitStatus::StartFailed)?;
        let mut printer = Printer::new(args.json.json, COLUMNS);
        printer.rows(&tenants, cells)?;
        printer.nothing("there is no tenant yet; `umbel tenants create NAME` makes one");
        let bad = tenants.iter().filter(|tenant| tenant.error.is_some()).map(|tenant| &*tenant.name);
        let bad: Vec<_> = bad.collect();
        if bad.is_empty() { Ok(()) } else { Err(failed(format!("cannot be used: {}", bad.join(", ")))) }
    })
}

fn create(tenants: &Tenants, CreateArgs { name, json }: &CreateArgs) -> Result<(), Failed> {
    tenants.settings(name).or_exit(ExitStatus::Usage)?;
    without_store(async || {
        let applied = tenants.create(name).await.or_exit(ExitStatus::StartFailed)?.len();
        let words = if applied == 0 { "is there and up to date" } else { "is ready" };
        let changed = Changed { name, applied: Some(applied), dropped: None };
        Ok(print_one(json.json, &changed, &format!("tenant {name} {words}\n"))?)
    })
}

fn drop(tenants: &Tenants, DropArgs { name, sure, json }: &DropArgs) -> Result<(), Failed> {
    let settings = tenants.settings(name).or_exit(ExitStatus::Usage)?;
    without_store(async || {
        let mut dropped = admin::is_there(&settings).await.or_exit(ExitStatus::StartFailed)?;
        if dropped {
            sure.confirm(&format!("removing tenant {name}"))?;
            dropped = tenants.drop(name).await.or_exit(ExitStatus::StartFailed)?;
        }
        let words = if dropped { "is gone" } else { "is not there" };
        let changed = Changed { name, applied: None, dropped: Some(dropped) };
        Ok(print_one(json.json, &changed, &format!("tenant {name} {words}\n"))?)
    })
}

/// One that cannot be migrated does not keep the others from it.
fn migrate(tenants: &Tenants, args: &MigrateArgs) -> Result<(), Failed> {
    without_store(async || {
        let mut names = args.names.clone();
        if names.is_empty() {
            let all = tenants.list().await.or_exit(ExitStatus::StartFailed)?;
            names.extend(all.into_iter().map(|tenant| tenant.name));
        }
        let mut left = Vec::new();
        for name in &names {
            match tenants.migrate(name).await {
                Ok(pending) => {
                    let applied = Some(pending.len());
                    let words = format!("tenant {name} is up to date\n");
                    print_one(args.json.json, &Changed { name, applied, dropped: None }, &words)?;
                }
                Err(error) => left.push(format!("{name}: {error:#}")),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(failed(format!("not migrated: {}", left.join("; ")))) }
    })
}

fn cells(tenant: &Tenant) -> [String; 2] {
    let state = match (tenant.pending, &tenant.error) {
        (_, Some(error)) => format!("cannot be used: {error}"),
        (None | Some(0), None) => "up to date".to_owned(),
        (Some(pending), None) => format!("{pending} pending; `umbel tenants migrate {}`", tenant.name),
    };
    [tenant.name.clone(), state]
}
