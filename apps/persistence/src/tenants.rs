//! Tenants: several stores in one place that share nothing.
//!
//! On PostgreSQL each tenant is a schema of the configured database; with SQLite, a file in the directory of the
//! configured one. A tenant is named as a schema is, on both, so that it can move. The configured store is none, as it is looked after by
//! itself, and neither is a copy that a backup has put beside it. On PostgreSQL those that are open in one process share their connections for reading.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};
use serde::Serialize;

use crate::{
    Adapter,
    admin::{self, Migration, Place, durable},
    part::{open, open_existing, postgres_options},
    postgres,
    settings::StoreSettings,
    sqlite,
};

/// What a tenant's file is called, after its name.
const EXTENSION: &str = "db";

/// The stores of one place.
#[derive(Clone, Debug)]
pub struct Tenants {
    settings: StoreSettings,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Its name: that of the schema, or of the file without `.db`.
    pub name: String,
    /// How many migrations are still to be applied to it; `None` when it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<usize>,
    /// Why it cannot be used, if so: such as that it is damaged, or of a newer program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Tenants {
    /// Those beside the store that the settings name.
    #[must_use]
    pub fn at(settings: &StoreSettings) -> Self {
        Self { settings: settings.clone() }
    }

    /// The settings of one of them, there or not. Everything that works on a store works on it with these.
    ///
    /// # Errors
    /// When the name is none, or that of the configured store, or the settings name no place that can hold tenants.
    pub fn settings(&self, name: &str) -> anyhow::Result<StoreSettings> {
        postgres::check_schema(name).map_err(|_| {
            anyhow!(
                "{name:?} names no tenant: use up to 63 lower-case letters, digits and underscores, not beginning \
                 with a digit or pg_, and not information_schema"
            )
        })?;
        let mut settings = self.settings.clone();
        let place = durable(&settings)?;
        if self.is_configured(&place, name) {
            bail!("{name} is the configured store and no tenant beside it; `umbel store` looks after it");
        }
        match place {
            Place::Postgres(_) => settings.schema = name.to_owned(),
            Place::Sqlite(path) => {
                let path = file_of(&path, name);
                let path = path.to_str().context("the directory of store.url is no UTF-8 text")?;
                settings.url = format!("sqlite:{path}");
            }
        }
        Ok(settings)
    }

    fn is_configured(&self, place: &Place, name: &str) -> bool {
        match place {
            Place::Postgres(_) => self.settings.schema == name,
            Place::Sqlite(path) => path.file_name() == file_of(path, name).file_name(),
        }
    }

    /// Makes one, or brings it up to date if it is there. Gives the migrations that were pending. A copy that a backup has made is a tenant
    /// from then on.
    ///
    /// # Errors
    /// As [`Tenants::settings`] and [`admin::init`].
    pub async fn create(&self, name: &str) -> anyhow::Result<Vec<Migration>> {
        let settings = self.settings(name)?;
        let pending = admin::init(&settings).await?;
        if is_copy(&settings).await? {
            drop(open(&settings).await?);
        }
        Ok(pending)
    }

    /// Brings one that is there up to date. Gives the migrations that were pending.
    ///
    /// # Errors
    /// As [`Tenants::settings`] and [`admin::migrate`]; also when it is a copy that a backup has made.
    pub async fn migrate(&self, name: &str) -> anyhow::Result<Vec<Migration>> {
        admin::migrate(&self.no_copy(name).await?).await
    }

    /// All there are but the configured store, by name. With SQLite a file that cannot be read counts, too: it may be a store whose beginning is damaged.
    ///
    /// # Errors
    /// When the database or the directory cannot be read.
    pub async fn list(&self) -> anyhow::Result<Vec<Tenant>> {
        let place = durable(&self.settings)?;
        let names = match &place {
            Place::Postgres(url) => {
                let options = postgres_options(&self.settings);
                postgres::admin::stores(url, &self.settings.schema, &options).await?
            }
            Place::Sqlite(path) => {
                let directory = directory(path);
                tokio::task::spawn_blocking(move || files(&directory)).await??
            }
        };
        let mut tenants = Vec::new();
        // A schema of another style of name than ours can hold a store only if somebody renamed it.
        let is_one =
            |name: &String| postgres::check_schema(name).is_ok() && !self.is_configured(&place, name);
        for name in names.into_iter().filter(is_one) {
            let (pending, error) = match admin::migrations(&self.settings(&name)?).await {
                Ok(all) => (Some(all.iter().filter(|migration| !migration.applied).count()), None),
                Err(error) => (None, Some(format!("{error:#}"))),
            };
            tenants.push(Tenant { name, pending, error });
        }
        Ok(tenants)
    }

    /// Removes one with all that it holds; whether there was one.
    ///
    /// # Errors
    /// As [`Tenants::settings`] and [`admin::drop_store`]; also when it is a copy that a backup has made.
    pub async fn drop(&self, name: &str) -> anyhow::Result<bool> {
        admin::drop_store(&self.no_copy(name).await?).await
    }

    /// Opens one that is there and up to date. It works until it is dropped, whoever of the others goes before.
    ///
    /// # Errors
    /// As [`Tenants::settings`] and [`crate::open_existing`].
    pub async fn open(&self, name: &str) -> anyhow::Result<Arc<dyn Adapter>> {
        open_existing(&self.settings(name)?).await
    }

    /// The settings of one that is no copy.
    async fn no_copy(&self, name: &str) -> anyhow::Result<StoreSettings> {
        let settings = self.settings(name)?;
        if is_copy(&settings).await? {
            bail!(
                "{name} is a copy that `umbel store backup` has made and no tenant; put it in the place of one, or make it one by \
                 `umbel tenants create {name}`, or remove its file"
            );
        }
        Ok(settings)
    }
}

async fn is_copy(settings: &StoreSettings) -> anyhow::Result<bool> {
    Ok(match durable(settings)? {
        Place::Postgres(_) => false,
        Place::Sqlite(path) => {
            tokio::task::spawn_blocking(move || path.exists() && sqlite::admin::is_copy(&path)).await?
        }
    })
}

/// The file of a tenant beside that of the configured store.
fn file_of(configured: &Path, name: &str) -> PathBuf {
    directory(configured).join(name).with_extension(EXTENSION)
}

fn directory(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

/// What is or may be a store in a directory, by name; nothing in one that is not there.
fn files(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    if directory.is_dir() {
        let failed = || format!("the directory {} cannot be read", directory.display());
        for entry in directory.read_dir().with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            let named = path.extension().is_some_and(|extension| extension == EXTENSION);
            if let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| named)
                && sqlite::admin::may_be_store(&path)
                && !sqlite::admin::is_copy(&path)
            {
                names.push(name.to_owned());
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests;
