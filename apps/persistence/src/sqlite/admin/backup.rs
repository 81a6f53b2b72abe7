//! A copy of a file as it is at one moment, made beside whoever uses it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use umbel_core::store::StoreError;

use super::{
    super::{error::store_error, schema},
    objects, ours,
};

/// Copies a store into a file that is not there yet, in a folder that is made if need be; the bytes of that. Readers and writers go on meanwhile. The copy has its name once it is
/// whole and on the disk.
///
/// # Errors
/// When there is no store, or of a newer program, when there is a file of that name, or it cannot be written.
pub(crate) fn backup(path: &Path, to: &Path) -> Result<u64, StoreError> {
    let failed = |reason: String| StoreError::Failed { reason };
    if !path.exists() || !ours(&objects(path)?) {
        return Err(failed(format!("{} is no store", schema::absolute(path).display())));
    }
    if let Some(migration) = schema::newer(path)? {
        let newer =
            format!("{} is a store of a newer program (it has migration {migration})", path.display());
        return Err(failed(format!("{newer}; copy it with that program")));
    }
    let not_written = |error: io::Error| failed(format!("{} cannot be written: {error}", to.display()));
    if to.to_str().is_none() {
        return Err(failed(format!("{} cannot be named to SQLite: it is no UTF-8", to.display())));
    }
    if to.exists() {
        return Err(failed(format!(
            "{} is there already, and may be a good copy; name another file",
            to.display()
        )));
    }
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        schema::create_directory(folder).map_err(not_written)?;
    }
    let unfinished = Unfinished::begin(to).map_err(not_written)?;
    let connection = schema::open_reader(path)?;
    let copied = connection
        .pragma_update(None, "query_only", false)
        .and_then(|()| connection.execute("VACUUM INTO ?1", [unfinished.0.to_string_lossy()]));
    copied.map_err(|error| store_error(&error, path))?;
    unfinished.finish(to).map_err(not_written)
}

/// A copy in the making, which is gone if nothing comes of it.
struct Unfinished(PathBuf);

impl Unfinished {
    /// Only this user can look into it.
    fn begin(to: &Path) -> io::Result<Self> {
        let mut name = to.as_os_str().to_owned();
        name.push(".unfinished");
        // One that a crash has left is begun anew.
        let mut file = OpenOptions::new();
        file.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        file.open(&name)?;
        Ok(Self(name.into()))
    }

    /// Puts it on the disk under its name; its bytes.
    fn finish(self, to: &Path) -> io::Result<u64> {
        let file = File::open(&self.0)?;
        file.sync_all()?;
        fs::rename(&self.0, to)?;
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Has another name when it is finished; what is left otherwise is begun anew the next time.
        drop(fs::remove_file(&self.0));
    }
}
