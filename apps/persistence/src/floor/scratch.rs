//! A place of its own on the same database, so that no existing data is touched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use umbel_core::store::StoreError;

use crate::{
    postgres,
    settings::{StoreSettings, StoreUrl, StoreUrlError},
};

/// A fresh store on the same server or disk as another one. Removed by [`Scratch::remove`]; a directory also when it
/// is dropped, which a schema cannot be.
#[derive(Debug)]
pub struct Scratch {
    settings: StoreSettings,
    address: StoreUrl,
    directory: Option<PathBuf>,
}

impl Scratch {
    /// A place beside the store of these settings, named by `token`: letters and digits that nobody used before.
    ///
    /// # Errors
    /// When the address is none, or no directory can be made on the disk of an embedded store.
    pub fn beside(settings: &StoreSettings, token: &str) -> anyhow::Result<Self> {
        let name = format!("umbel_bench_{token}");
        let address = settings.url.parse().map_err(|error: StoreUrlError| anyhow::Error::new(error))?;
        let mut scratch = Self { settings: settings.clone(), address, directory: None };
        match &scratch.address {
            StoreUrl::Memory => {}
            StoreUrl::Postgres(_) => scratch.settings.schema = name,
            StoreUrl::Sqlite(path) => {
                // On the same disk, because the disk is what is measured.
                let directory = existing_ancestor(path).join(name);
                fs::create_dir(&directory).map_err(|error| {
                    anyhow::Error::new(error)
                        .context(format!("the scratch directory {} cannot be made", directory.display()))
                })?;
                let file = directory.join("bench.db");
                scratch.settings.url = format!("sqlite:{}", file.display());
                scratch.address = StoreUrl::Sqlite(file);
                scratch.directory = Some(directory);
            }
        }
        Ok(scratch)
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
        match self.directory.as_ref().map(fs::remove_dir_all) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
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
        let scratch = Scratch::beside(&settings, "a1").unwrap();
        let StoreUrl::Sqlite(file) = scratch.address().clone() else { unreachable!() };
        assert_eq!(file, home.path().join("umbel_bench_a1/bench.db"));
        fs::write(file, "x").unwrap();
        assert!(Scratch::beside(&settings, "a1").is_err(), "a place in use is refused");
        scratch.remove().await.unwrap();
        assert_eq!(entries(), 0);
        drop(Scratch::beside(&settings, "a2").unwrap());
        assert_eq!(entries(), 0);
    }
}
