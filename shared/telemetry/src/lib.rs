//! Logging set up once, for people on a terminal and for machines elsewhere.
//!
//! What holds, always:
//!
//! - Logs go to standard error; standard output belongs to what a command answers.
//! - [`init`] may be called again and changes nothing then, so that tests and embedding programs need not take turns.
//! - Nothing else in the project names `tracing-subscriber`.

use std::io::{IsTerminal, stderr};

use serde::Deserialize;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

/// The config section `[telemetry]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// What is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`; and by target, such as
    /// `info,umbel=debug`. A target stands for every target that begins with it.
    pub level: String,
    /// How a line looks.
    pub format: Format,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Pretty when standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One compact line, for people; in colour on a terminal.
    Pretty,
    /// One JSON object a line, for machines: `timestamp`, `level`, `target`, and the event's fields.
    Json,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TelemetryError {
    /// The level does not parse.
    #[error(
        "`{part}` is no level; these are off, error, warn, info, debug and trace, and targets with them, such as \
         `info,umbel=debug`"
    )]
    Level {
        /// The whole setting.
        level: String,
        /// The part that is wrong.
        part: String,
    },
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Auto }
    }
}

/// Sets up logging for the whole process. When it has been set up already, by this or by another library, that stays.
///
/// # Errors
/// [`TelemetryError::Level`] when the level is not valid; then nothing has been set up.
pub fn init(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    let targets = parse_level(&settings.level)?;
    let terminal = stderr().is_terminal();
    let outcome = if is_pretty(settings.format, terminal) {
        // https://no-color.org: whatever its value, unless empty.
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        tracing::subscriber::set_global_default(pretty(targets, terminal && !plain, stderr))
    } else {
        tracing::subscriber::set_global_default(json(targets, stderr))
    };
    if outcome.is_err() {
        tracing::debug!("logging was set up already, and stays as it is");
    }
    Ok(())
}

fn is_pretty(format: Format, terminal: bool) -> bool {
    match format {
        Format::Auto => terminal,
        Format::Pretty => true,
        Format::Json => false,
    }
}

fn pretty<W>(targets: Targets, ansi: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    registry().with(targets).with(layer().compact().with_ansi(ansi).with_writer(writer))
}

fn json<W>(targets: Targets, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    registry().with(targets).with(layer().json().flatten_event(true).with_writer(writer))
}

/// Stricter than `Targets`' own parser, which takes a misspelt level (`inof`) for a target at level trace: a part without `=`
/// must be a level here.
fn parse_level(level: &str) -> Result<Targets, TelemetryError> {
    let mut targets = Targets::new();
    for part in level.split(',').map(str::trim) {
        let wrong = || TelemetryError::Level { level: level.to_owned(), part: part.to_owned() };
        targets = match part.split_once('=') {
            None => targets.with_default(parse_one(part).ok_or_else(wrong)?),
            Some(("", _)) => return Err(wrong()),
            Some((target, level)) => {
                targets.with_target(target.trim(), parse_one(level.trim()).ok_or_else(wrong)?)
            }
        };
    }
    Ok(targets)
}

/// By name only: the numbers that `LevelFilter` takes too say nothing to a reader.
fn parse_one(level: &str) -> Option<LevelFilter> {
    level.parse().ok().filter(|_| level.chars().all(|c| c.is_ascii_alphabetic()) && !level.is_empty())
}

#[cfg(test)]
mod tests;
