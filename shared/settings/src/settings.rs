//! Loads all layers and hands out sections.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::describe::{EffectiveKey, describe};
use crate::error::SettingsError;
use crate::keys::{Entries, set_text};
use crate::layers;
use crate::section::{Misfit, read};

const VARIABLE_PREFIX: &str = "UMBEL__";
const ENVIRONMENT_VARIABLE: &str = "UMBEL_ENV";
const DIR_VARIABLE: &str = "UMBEL_CONFIG_DIR";
const COMMAND_LINE: &str = "the command line";

/// Where settings come from. The default has no variables and no overrides, and looks for files in `./config`.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The environment's name. None: the variable `UMBEL_ENV`, else `development`.
    pub environment: Option<String>,
    /// The config directory, which must exist. None: the variable `UMBEL_CONFIG_DIR`, else `./config` if that exists.
    pub dir: Option<PathBuf>,
    /// Pairs of `section.key` and value, from flags. The last wins.
    pub overrides: Vec<(String, String)>,
    /// The process's variables; those that do not concern us are passed over.
    pub vars: Vec<(String, String)>,
}

/// Which environment this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `development`, `test`, `production`, or any other that has a file in the config directory.
    pub name: String,
}

/// The effective settings, with where each came from. Immutable.
#[derive(Clone, Debug)]
pub struct Settings {
    environment: Environment,
    entries: Entries,
}

impl LoadOptions {
    /// Options with the variables of this process.
    pub fn from_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let vars = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { vars, ..Self::default() }
    }

    fn var(&self, name: &str) -> Option<&str> {
        let found = self.vars.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn environment_name(&self) -> String {
        let given = self.environment.as_deref().or_else(|| self.var(ENVIRONMENT_VARIABLE));
        given.unwrap_or("development").to_owned()
    }

    /// A directory that was asked for must be there; the usual one need not.
    fn config_dir(&self) -> Result<PathBuf, SettingsError> {
        let asked_for = match (&self.dir, self.var(DIR_VARIABLE)) {
            (Some(dir), _) => Some((dir.clone(), COMMAND_LINE.to_owned())),
            (None, Some(dir)) => Some((PathBuf::from(dir), format!("variable {DIR_VARIABLE}"))),
            (None, None) => None,
        };
        match asked_for {
            Some((dir, origin)) if !dir.is_dir() => Err(SettingsError::NoDirectory { dir, origin }),
            Some((dir, _)) => Ok(dir),
            None => Ok(Path::new("config").to_owned()),
        }
    }
}

/// Refuses a variable that would set a key if it were written right. Other variables that begin alike are passed over:
/// they may be anybody's, such as those that Kubernetes sets for a service called umbel.
fn refuse_near_miss(entries: &Entries, name: &str) -> Result<(), SettingsError> {
    let plain = |text: &str| {
        text.to_lowercase().split(['_', '.']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
    };
    let Some(rest) = plain(name).strip_prefix("umbel_").map(str::to_owned) else { return Ok(()) };
    let right = |key: &str| format!("{VARIABLE_PREFIX}{}", key.replace('.', "__").to_uppercase());
    match entries.keys().find(|key| plain(key) == rest).map(|key| right(key)) {
        Some(right) if right != name => Err(SettingsError::NearMiss { name: name.to_owned(), right }),
        _ => Ok(()),
    }
}

impl Settings {
    /// Reads all layers and checks every key and type.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it is; see [`SettingsError`].
    pub fn load(options: &LoadOptions) -> Result<Self, SettingsError> {
        let name = options.environment_name();
        let dir = options.config_dir()?;
        let mut entries = layers::defaults()?;
        layers::lay_default(&mut entries, &dir)?;
        layers::lay_environment(&mut entries, &dir, &name)?;
        let ours = options.vars.iter().filter_map(|(name, value)| {
            let path = name.strip_prefix(VARIABLE_PREFIX)?;
            Some((path.to_lowercase().replace("__", "."), value, format!("variable {name}")))
        });
        for (name, _) in &options.vars {
            refuse_near_miss(&entries, name)?;
        }
        for (key, value, origin) in ours {
            set_text(&mut entries, &key, value, &origin)?;
        }
        for (key, value) in &options.overrides {
            set_text(&mut entries, key, value, COMMAND_LINE)?;
        }
        Ok(Self { environment: Environment { name }, entries })
    }

    /// The environment they were loaded for.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// One section, as the type that its user declares for it.
    ///
    /// # Errors
    /// When a value is out of its range or not one of its names ([`SettingsError::Invalid`]), or the section as a whole
    /// is not what the type demands ([`SettingsError::InvalidSection`]).
    pub fn section<T: DeserializeOwned>(&self, section: &str) -> Result<T, SettingsError> {
        let keys = self.keys_of(section).map(|(key, entry)| (key.to_owned(), entry.value.clone()));
        read(keys).map_err(|misfit| self.explain(section, misfit))
    }

    /// Where a key's value came from: a file, a variable, the command line. None when there is no such key.
    pub fn origin(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|entry| entry.origin.as_str())
    }

    /// What refuses a key's value, when its user finds out only later that it cannot take it.
    pub fn invalid(&self, key: &str, reason: impl std::fmt::Display) -> SettingsError {
        let origin = self.origin(key).unwrap_or("no place").to_owned();
        SettingsError::Invalid { key: key.to_owned(), origin, reason: reason.to_string() }
    }

    /// All keys with their effective values, in order of their names, without the secrets.
    pub fn describe(&self) -> Vec<EffectiveKey> {
        describe(&self.entries)
    }

    fn keys_of<'a>(&'a self, section: &'a str) -> impl Iterator<Item = (&'a str, &'a crate::keys::Entry)> {
        self.entries.iter().filter_map(move |(key, entry)| {
            let key = key.strip_prefix(section)?.strip_prefix('.')?;
            Some((key, entry))
        })
    }

    fn explain(&self, section: &str, Misfit { key, reason }: Misfit) -> SettingsError {
        if let Some(key) = key {
            return self.invalid(&format!("{section}.{key}"), reason);
        }
        let changed: Vec<String> = self
            .keys_of(section)
            .filter(|(_, entry)| !entry.origin.starts_with("built-in default"))
            .map(|(key, entry)| format!("{key} in {}", entry.origin))
            .collect();
        let changed =
            if changed.is_empty() { String::new() } else { format!(" (set: {})", changed.join(", ")) };
        SettingsError::InvalidSection { section: section.to_owned(), reason, changed }
    }
}
