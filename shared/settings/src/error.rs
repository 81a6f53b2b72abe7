//! What can be wrong with settings. Each message says what to change, and where.

use std::path::PathBuf;

/// Why settings cannot be loaded, or a section cannot be read as what its user expects.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A key that `default.toml` does not have.
    #[error("unknown key `{key}` in {origin}{}", hint(nearest))]
    UnknownKey {
        /// As `section.key`.
        key: String,
        /// The file, variable or flag.
        origin: String,
        /// The known key most like it, if any is.
        nearest: Option<String>,
    },
    /// A key of a section of which `default.toml` has nothing: what sets it may be newer than the program.
    #[error(
        "unknown key `{key}` in {origin}{}; this program has no section [{section}]: it may be older than its settings, as after \
         `umbel new app`; build it again",
        hint(nearest)
    )]
    UnknownSection {
        /// As `section.key`.
        key: String,
        /// The section.
        section: String,
        /// The file, variable or flag.
        origin: String,
        /// The known key most like it, if any is.
        nearest: Option<String>,
    },
    /// A variable that would set a key if it were written right.
    #[error("the variable {name} sets nothing; did you mean {right}?")]
    NearMiss {
        /// The variable as it is.
        name: String,
        /// As it would be right.
        right: String,
    },
    /// A value of another type than the key's default has.
    #[error("`{key}` in {origin} must be {expected}, but is {found}")]
    WrongType {
        /// As `section.key`.
        key: String,
        /// The file, variable or flag.
        origin: String,
        /// Such as "an integer".
        expected: &'static str,
        /// What it is instead.
        found: String,
    },
    /// A value of the right type that its user cannot accept: too large, negative, not one of the names.
    #[error("`{key}` in {origin} is not valid: {reason}")]
    Invalid {
        /// As `section.key`.
        key: String,
        /// The file, variable or flag.
        origin: String,
        /// What the user of the section says.
        reason: String,
    },
    /// A section whose values do not go together, or that lacks a key its user needs.
    #[error("section [{section}] is not valid: {reason}{changed}")]
    InvalidSection {
        /// The section's name.
        section: String,
        /// What the user of the section says.
        reason: String,
        /// Which of its keys do not have their default, and where they were set; empty when all have.
        changed: String,
    },
    /// A file that is not TOML.
    #[error("{} is not valid TOML: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The parser's message, with line and column.
        reason: String,
    },
    /// A file that is there but cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The config directory that was asked for is not there.
    #[error("the config directory {} ({origin}) does not exist", dir.display())]
    NoDirectory {
        /// The directory.
        dir: PathBuf,
        /// Who asked for it.
        origin: String,
    },
    /// No file describes the environment that was asked for.
    #[error(
        "unknown environment `{name}`: there is no {name}.toml in {}{}",
        dir.display(),
        hint(nearest)
    )]
    UnknownEnvironment {
        /// The environment that was asked for.
        name: String,
        /// Where its file was looked for.
        dir: PathBuf,
        /// The built-in environment most like it, if any is.
        nearest: Option<String>,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}
