//! Administration of a store as a whole: making, migrating, measuring and removing it.
//!
//! Everything here is for people and their scripts, not for apps: it opens what the settings name for a moment, beside
//! whoever else is using it.

use std::path::PathBuf;

use anyhow::bail;
use serde::Serialize;

use crate::{
    part::{open, postgres_options},
    postgres,
    settings::{StoreSettings, StoreUrl},
    sqlite,
};

/// A step of a store's schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// Its number, from 1 without gaps.
    pub number: i64,
    /// What it is about.
    pub name: &'static str,
    /// Whether the store went through it.
    pub applied: bool,
}

/// Makes the store if there is none and brings it up to date. Gives the migrations that were pending before; none
/// when nothing was left to do.
///
/// # Errors
/// As [`open`]; also when another migration is in progress and does not end in time.
pub async fn init(settings: &StoreSettings) -> anyhow::Result<Vec<Migration>> {
    let mut pending = migrations(settings).await?;
    pending.retain(|migration| !migration.applied);
    if !pending.is_empty() {
        drop(open(settings).await?);
    }
    Ok(pending)
}

/// Brings a store that is there up to date; otherwise as [`init`].
///
/// # Errors
/// Also when there is no store.
pub async fn migrate(settings: &StoreSettings) -> anyhow::Result<Vec<Migration>> {
    if migrations(settings).await?.iter().all(|migration| !migration.applied) {
        let place = place(settings)?;
        bail!(
            "there is no store at {place} yet; `umbel store init` makes it, or correct store.url and store.schema"
        );
    }
    init(settings).await
}

/// Every migration that this program knows, applied or not. Where there is no store, none is applied.
///
/// # Errors
/// When the database cannot be reached, or holds what this program does not know.
pub async fn migrations(settings: &StoreSettings) -> anyhow::Result<Vec<Migration>> {
    let found = match durable(settings)? {
        Place::Sqlite(path) => {
            tokio::task::spawn_blocking(move || sqlite::admin::migrations(&path)).await??
        }
        Place::Postgres(url) => {
            postgres::admin::migrations(&url, &settings.schema, &postgres_options(settings)).await?
        }
    };
    let migration = |(number, name, applied)| Migration { number, name, applied };
    Ok(found.into_iter().map(migration).collect())
}

/// Bytes that the store takes on disk; 0 where there is none.
///
/// # Errors
/// When the database cannot be reached.
pub async fn size(settings: &StoreSettings) -> anyhow::Result<u64> {
    Ok(match durable(settings)? {
        Place::Sqlite(path) => sqlite::admin::size(&path),
        Place::Postgres(url) => {
            postgres::admin::size(&url, &settings.schema, &postgres_options(settings)).await?
        }
    })
}

/// Where the store is, for people: a file, or host, port, database and schema; never a user's password, however the URL
/// gives it.
///
/// # Errors
/// When the settings name no place that outlives its process.
pub fn place(settings: &StoreSettings) -> anyhow::Result<String> {
    Ok(match durable(settings)? {
        Place::Sqlite(path) => sqlite::admin::absolute(&path).display().to_string(),
        Place::Postgres(url) => postgres::admin::place(&url, &settings.schema)?,
    })
}

/// Whether there is anything that [`drop_store`] would remove, or refuse to.
///
/// # Errors
/// When the database cannot be reached.
pub async fn is_there(settings: &StoreSettings) -> anyhow::Result<bool> {
    Ok(match durable(settings)? {
        Place::Sqlite(path) => path.exists(),
        Place::Postgres(url) => {
            postgres::admin::holds_anything(&url, &settings.schema, &postgres_options(settings)).await?
        }
    })
}

/// Copies a store on SQLite, as it is at one moment, into a file, beside whoever uses it; the bytes of that.
///
/// # Errors
/// When the settings name another store, there is none, the file is there already, or it cannot be written. Then no such file is made.
pub async fn backup(settings: &StoreSettings, to: PathBuf) -> anyhow::Result<u64> {
    match durable(settings)? {
        Place::Sqlite(path) => {
            Ok(tokio::task::spawn_blocking(move || sqlite::admin::backup(&path, &to)).await??)
        }
        Place::Postgres(url) => bail!(
            "{} is copied by PostgreSQL's own programs, such as pg_dump, or by archiving its write-ahead log",
            postgres::admin::place(&url, &settings.schema)?
        ),
    }
}

/// Removes the store with all that it holds: the schema, or the file and what SQLite has put beside it. Gives whether
/// there was one.
///
/// # Errors
/// When the schema or file holds anything that is not ours, when something of another schema depends on what it holds, when
/// a newer program made it, when the file is in use, or the database refuses. Then all of it stays.
pub async fn drop_store(settings: &StoreSettings) -> anyhow::Result<bool> {
    Ok(match durable(settings)? {
        Place::Sqlite(path) => {
            tokio::task::spawn_blocking(move || sqlite::admin::drop_store(&path)).await??
        }
        Place::Postgres(url) => {
            postgres::admin::drop_store(&url, &settings.schema, &postgres_options(settings)).await?
        }
    })
}

/// Where a store is that outlives its process.
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

pub(crate) fn durable(settings: &StoreSettings) -> anyhow::Result<Place> {
    Ok(match settings.url.parse()? {
        StoreUrl::Sqlite(path) => Place::Sqlite(path),
        StoreUrl::Postgres(url) => Place::Postgres(url),
        StoreUrl::Memory => {
            bail!("memory: holds nothing outside its own process; there is nothing to look after")
        }
    })
}

#[cfg(test)]
mod tests;
