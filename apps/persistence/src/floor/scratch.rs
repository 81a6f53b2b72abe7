//! A place of its own on the same database, so that no existing data is touched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use umbel_core::store::StoreError;

use crate::{
    postgres,
    settings::{StoreSettings, StoreUrl, StoreUrlError},
};

/// What the names of all scratch places begin with.
const PREFIX: &str = "umbel_bench_";

/// The file in a scratch directory that says whose it is.
const OWNER: &str = "owner";

/// A fresh store on the same server or disk as another one. Removed by [`Scratch::remove`]; a directory also when it
/// is dropped, which a schema cannot be.
#[derive(Debug)]
pub struct Scratch {
    settings: StoreSettings,
    address: StoreUrl,
    directory: Option<PathBuf>,
}

/// A scratch place that somebody made: one that works there, or one that was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name: that of the schema or the directory.
    pub name: String,
    /// Whose it is, as its maker said; `None` when it says nothing.
    pub owner: Option<String>,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Directory(PathBuf),
    /// In the database of this URL.
    Schema(String),
}

impl Scratch {
    /// Makes a place beside the store of these settings, named by `token`, letters and digits that nobody used before, and
    /// says in it whose it is: `owner`, by which [`Found`] tells whether its maker is gone.
    ///
    /// # Errors
    /// When the address is none, or no directory or schema can be made there. Then nothing was made.
    pub async fn beside(settings: &StoreSettings, token: &str, owner: &str) -> anyhow::Result<Self> {
        let name = format!("{PREFIX}{token}");
        let address = settings.url.parse().map_err(|error: StoreUrlError| anyhow::Error::new(error))?;
        let mut scratch = Self { settings: settings.clone(), address, directory: None };
        match &scratch.address {
            StoreUrl::Memory => {}
            StoreUrl::Postgres(url) => {
                postgres::floor::create_schema(url, &name, owner).await?;
                scratch.settings.schema = name;
            }
            StoreUrl::Sqlite(path) => {
                // On the same disk, because the disk is what is measured.
                let directory = existing_ancestor(path).join(name);
                let failed = || format!("the scratch directory {} cannot be made", directory.display());
                fs::create_dir(&directory).with_context(failed)?;
                let file = directory.join("bench.db");
                scratch.settings.url = format!("sqlite:{}", file.display());
                scratch.address = StoreUrl::Sqlite(file);
                scratch.directory = Some(directory.clone());
                fs::write(directory.join(OWNER), owner).with_context(failed)?;
            }
        }
        Ok(scratch)
    }

    /// All scratch places beside the store of these settings, by name.
    ///
    /// # Errors
    /// When the address is none, or the database or directory cannot be read.
    pub async fn all_beside(settings: &StoreSettings) -> anyhow::Result<Vec<Found>> {
        let mut found = Vec::new();
        match settings.url.parse().map_err(|error: StoreUrlError| anyhow::Error::new(error))? {
            StoreUrl::Memory => {}
            StoreUrl::Postgres(url) => {
                for (name, owner) in postgres::floor::schemas(&url, PREFIX).await? {
                    found.push(Found { name, owner, place: Place::Schema(url.clone()) });
                }
            }
            StoreUrl::Sqlite(path) => {
                for entry in existing_ancestor(&path).read_dir()? {
                    let directory = entry?.path();
                    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    if name.starts_with(PREFIX) && directory.is_dir() {
                        let (name, owner) = (name.to_owned(), fs::read_to_string(directory.join(OWNER)).ok());
                        found.push(Found { name, owner, place: Place::Directory(directory) });
                    }
                }
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The settings that point to it.
    #[must_use]
    pub fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    pub(crate) fn address(&self) -> &StoreUrl {
        &self.address
    }

    /// Removes it with everything in it. Removing what was never opened, or was removed, is fine.
    ///
    /// # Errors
    /// Says what is left behind, and where.
    pub async fn remove(&self) -> Result<(), StoreError> {
        match &self.address {
            StoreUrl::Memory => Ok(()),
            StoreUrl::Postgres(url) => postgres::floor::drop_schema(url, &self.settings.schema).await,
            StoreUrl::Sqlite(_) => self.remove_directory().map_err(|error| StoreError::Failed {
                reason: format!("the scratch directory of {} is left behind: {error}", self.settings.url),
            }),
        }
    }

    fn remove_directory(&self) -> io::Result<()> {
        self.directory.as_ref().map_or(Ok(()), |directory| remove_directory(directory))
    }
}

impl Found {
    /// Removes it with everything in it; to be called only when its maker is gone.
    ///
    /// # Errors
    /// Says what is left behind, and where.
    pub async fn remove(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Directory(directory) => remove_directory(directory).map_err(|error| StoreError::Failed {
                reason: format!("the scratch directory {} is left behind: {error}", directory.display()),
            }),
            Place::Schema(url) => postgres::floor::drop_schema(url, &self.name).await,
        }
    }

    /// The command that removes it, for people.
    #[must_use]
    pub fn how_to_remove(&self) -> String {
        match &self.place {
            Place::Directory(directory) => format!("rm -r {}", directory.display()),
            Place::Schema(_) => format!("psql -c 'DROP SCHEMA {} CASCADE'", self.name),
        }
    }
}

fn remove_directory(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The second try, where nobody is left to tell.
        drop(self.remove_directory());
    }
}

fn existing_ancestor(file: &Path) -> &Path {
    let ancestors = file.ancestors().skip(1);
    ancestors.filter(|path| !path.as_os_str().is_empty()).find(|path| path.is_dir()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_embedded_scratch_is_beside_the_store_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", home.path().join("not/yet/there.db").display());
        let settings = StoreSettings { url, ..StoreSettings::default() };
        let entries = || fs::read_dir(home.path()).unwrap().count();
        let scratch = Scratch::beside(&settings, "a1", "me").await.unwrap();
        let StoreUrl::Sqlite(file) = scratch.address().clone() else { unreachable!() };
        assert_eq!(file, home.path().join("umbel_bench_a1/bench.db"));
        fs::write(file, "x").unwrap();
        assert!(Scratch::beside(&settings, "a1", "me").await.is_err(), "a place in use is refused");
        scratch.remove().await.unwrap();
        assert_eq!(entries(), 0);
        drop(Scratch::beside(&settings, "a2", "me").await.unwrap());
        assert_eq!(entries(), 0);
    }

    #[tokio::test]
    async fn an_embedded_scratch_says_whose_it_is() {
        let home = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", home.path().join("umbel.db").display());
        let settings = StoreSettings { url, ..StoreSettings::default() };
        fs::write(home.path().join("umbel_bench_file"), "no directory").unwrap();
        fs::create_dir(home.path().join("umbel_bench_0")).unwrap();
        let scratch = Scratch::beside(&settings, "1", "me, the first").await.unwrap();
        let found = Scratch::all_beside(&settings).await.unwrap();
        let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.owner.as_deref())).collect();
        assert_eq!(told, [("umbel_bench_0", None), ("umbel_bench_1", Some("me, the first"))]);
        assert!(found[0].how_to_remove().ends_with("/umbel_bench_0"));
        for one in &found {
            one.remove().await.unwrap();
            one.remove().await.unwrap();
        }
        assert_eq!(Scratch::all_beside(&settings).await.unwrap(), []);
        scratch.remove().await.unwrap();
    }
}
