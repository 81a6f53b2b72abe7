//! Reads the files, and lays them over each other.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use config::{ConfigError, File, FileFormat, Source, Value, ValueKind};

use crate::error::SettingsError;
use crate::keys::{Entries, Entry, nearest, set_value};

const DEFAULT: &str = include_str!("../../../config/default.toml");
const ENVIRONMENTS: [(&str, &str); 3] = [
    ("development", include_str!("../../../config/development.toml")),
    ("test", include_str!("../../../config/test.toml")),
    ("production", include_str!("../../../config/production.toml")),
];

/// The built-in defaults: every key there is.
pub(crate) fn defaults() -> Result<Entries, SettingsError> {
    let origin = built_in("default");
    let entry = |value| Entry { value, origin: origin.clone() };
    Ok(parse(DEFAULT, Path::new(&origin))?.into_iter().map(|(key, value)| (key, entry(value))).collect())
}

/// Lays the directory's `default.toml`, if there is one, over the entries.
pub(crate) fn lay_default(entries: &mut Entries, dir: &Path) -> Result<(), SettingsError> {
    let file = dir.join("default.toml");
    match read(&file)? {
        Some(text) => lay(entries, &text, &file),
        None => Ok(()),
    }
}

/// Lays the environment's file over the entries: the one in the directory, else the built-in one.
pub(crate) fn lay_environment(entries: &mut Entries, dir: &Path, name: &str) -> Result<(), SettingsError> {
    let unknown = || SettingsError::UnknownEnvironment {
        name: name.to_owned(),
        dir: dir.to_owned(),
        nearest: nearest(name, ENVIRONMENTS.map(|(known, _)| known)),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name == "default" || !name.chars().all(is_plain) {
        return Err(unknown());
    }
    let file = dir.join(format!("{name}.toml"));
    if let Some(text) = read(&file)? {
        return lay(entries, &text, &file);
    }
    let (name, text) = ENVIRONMENTS.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
    lay(entries, text, Path::new(&built_in(name)))
}

fn built_in(name: &str) -> String {
    format!("built-in {name}.toml")
}

fn read(file: &Path) -> Result<Option<String>, SettingsError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SettingsError::Unreadable { file: file.to_owned(), source }),
    }
}

fn lay(entries: &mut Entries, text: &str, file: &Path) -> Result<(), SettingsError> {
    let origin = file.display().to_string();
    for (key, value) in parse(text, file)? {
        set_value(entries, &key, value, &origin)?;
    }
    Ok(())
}

fn parse(text: &str, file: &Path) -> Result<BTreeMap<String, Value>, SettingsError> {
    let tables = File::from_str(text, FileFormat::Toml).collect().map_err(|error| {
        let reason = match error {
            ConfigError::FileParse { cause, .. } => cause.to_string(),
            other => other.to_string(),
        };
        SettingsError::Malformed { file: PathBuf::from(file), reason: reason.trim_end().to_owned() }
    })?;
    let mut keys = BTreeMap::new();
    for (name, value) in tables {
        flatten(name, value, &mut keys);
    }
    Ok(keys)
}

fn flatten(name: String, value: Value, keys: &mut BTreeMap<String, Value>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (below, value) in table {
                flatten(format!("{name}.{below}"), value, keys);
            }
        }
        _ => drop(keys.insert(name, value)),
    }
}
