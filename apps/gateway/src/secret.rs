//! Where the secret that signs the tokens comes from: the settings, or a file that is made when there is none.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, Result, bail};

use crate::settings::{GatewaySettings, Secret};

/// Shortest secret, in bytes: HMAC-SHA256 is as strong as its key up to this length.
const LENGTH_MIN: usize = 32;

/// Checks that the settings lead to a secret, without making one.
///
/// # Errors
/// When there is none and none can be made, it is too short, or its file cannot be read. The message names the setting
/// to change.
pub fn check(settings: &GatewaySettings) -> Result<()> {
    given(settings).map(|_| ())
}

/// Finds the secret or makes one. Reads and writes files, so it does not belong on an actor's thread.
///
/// # Errors
/// As [`check`], and when the file cannot be written.
pub(crate) fn find(settings: &GatewaySettings) -> Result<Secret> {
    match given(settings)? {
        Some(secret) => {
            if settings.jwt_secret.expose().is_empty() {
                warn_if_others_can_read(&settings.jwt_secret_file);
            }
            Ok(secret)
        }
        None => in_file(&settings.jwt_secret_file, make),
    }
}

/// The secret as it is set; `None` when there is a place for one and nothing there.
fn given(settings: &GatewaySettings) -> Result<Option<Secret>> {
    if !settings.jwt_secret_before.expose().is_empty() {
        long_enough(settings.jwt_secret_before.clone()).context(
            "[gateway] jwt_secret_before (variable UMBEL__GATEWAY__JWT_SECRET_BEFORE) cannot be used",
        )?;
    }
    let path = settings.jwt_secret_file.as_str();
    if !settings.jwt_secret.expose().is_empty() {
        let secret = long_enough(settings.jwt_secret.clone());
        secret.context("[gateway] jwt_secret (variable UMBEL__GATEWAY__JWT_SECRET) cannot be used").map(Some)
    } else if !path.is_empty() {
        in_file(path, |path| read(path)?.map(long_enough).transpose())
    } else {
        bail!(
            "there is no secret to sign tokens with: set [gateway] jwt_secret (variable UMBEL__GATEWAY__JWT_SECRET) \
             to 32 bytes or more, or [gateway] jwt_secret_file to a file for one"
        )
    }
}

fn in_file<T>(path: &str, work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    work(Path::new(path))
        .with_context(|| format!("{path}, named by [gateway] jwt_secret_file, cannot be used"))
}

/// Refuses a secret that is too short, without telling it.
pub(crate) fn long_enough(secret: Secret) -> Result<Secret> {
    let length = secret.expose().len();
    if length < LENGTH_MIN {
        bail!("it has {length} bytes, it must have {LENGTH_MIN} or more");
    }
    Ok(secret)
}

fn read(path: &Path) -> Result<Option<Secret>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Secret::new(text.trim()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("it cannot be read"),
    }
}

fn warn_if_others_can_read(path: &str) {
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path, "others can read the secret that signs tokens; chmod 600 it");
    }
}

/// The file appears whole or not at all: it is written beside its place and linked there, so that of two
/// processes that start together one wins and both use its secret.
fn make(path: &Path) -> Result<Secret> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let mut bytes = [0; LENGTH_MIN];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    let secret = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut draft_name = path.as_os_str().to_owned();
    draft_name.push(format!(".{}", std::process::id()));
    let draft = Path::new(&draft_name);
    let linked = write_private(draft, &secret).and_then(|()| fs::hard_link(draft, path));
    let removed = fs::remove_file(draft);
    match linked {
        Ok(()) => {
            removed.context("its draft cannot be removed")?;
            tracing::info!(path = %path.display(), "made a secret to sign tokens with");
            Ok(Secret::new(secret))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let theirs = read(path)?.context("another process made it and removed it again")?;
            long_enough(theirs)
        }
        Err(error) => Err(error).context("it cannot be written"),
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::settings;

    fn with(secret: &str, file: &Path) -> GatewaySettings {
        GatewaySettings {
            jwt_secret: Secret::new(secret),
            jwt_secret_file: file.to_str().unwrap().to_owned(),
            ..settings()
        }
    }

    /// A folder of this test's own, removed at its end.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("gateway-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_setting_wins_and_must_be_long_enough() {
        let nowhere = Path::new("/nonexistent/secret");
        assert_eq!(find(&with(&"x".repeat(32), nowhere)).unwrap().expose(), "x".repeat(32));
        let error = format!("{:#}", find(&with(&"x".repeat(31), nowhere)).unwrap_err());
        assert!(error.contains("UMBEL__GATEWAY__JWT_SECRET") && error.contains("31 bytes"), "{error}");
        assert!(!error.contains("xxx"), "a secret does not belong into an error");
    }

    #[test]
    fn without_any_the_message_says_what_to_set() {
        let error = find(&with("", Path::new(""))).unwrap_err().to_string();
        assert!(
            error.contains("[gateway] jwt_secret") && error.contains("UMBEL__GATEWAY__JWT_SECRET"),
            "{error}"
        );
    }

    #[test]
    fn checking_makes_nothing() {
        let folder = Folder::new("checked");
        let path = folder.0.join("deep/jwt.secret");
        check(&with("", &path)).unwrap();
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
        assert!(check(&with("short", &path)).is_err());
        assert!(check(&with("", Path::new(""))).is_err());
        assert!(check(&with("", &folder.0)).is_err(), "a folder holds no secret");
    }

    #[test]
    fn a_missing_file_is_made_once_and_for_its_owner_only() {
        let folder = Folder::new("made");
        let path = folder.0.join("deep/jwt.secret");
        let first = find(&with("", &path)).unwrap();
        assert_eq!(first.expose().len(), 64);
        assert_eq!(find(&with("", &path)).unwrap(), first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "the draft is gone");
        assert_eq!(make(&path).unwrap(), first, "who comes second takes the first one's");
    }

    #[test]
    fn a_file_that_holds_too_little_is_refused() {
        let folder = Folder::new("short");
        let path = folder.0.join("jwt.secret");
        fs::write(&path, "short\n").unwrap();
        let error = format!("{:#}", find(&with("", &path)).unwrap_err());
        assert!(error.contains("jwt_secret_file") && error.contains("5 bytes"), "{error}");
    }
}
