//! How a process ends: its exit code, and the one message that says why.

use std::{fmt, io::Write, process::ExitCode};

/// How a process of an umbrella ends: its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: it did what it was asked to and stopped in order.
    Success,
    /// 1: what it was asked for failed; the message says why.
    Failure,
    /// 2: wrong command line.
    Usage,
    /// 3: a setting is missing or wrong.
    Settings,
    /// 4: a part of the tree could not start: port in use, database unreachable or damaged.
    StartFailed,
    /// 5: a part of the tree failed more often than its intensity allows.
    Escalated,
}

/// Why a process did not do what it was asked to, and the exit code that tells it to scripts.
#[derive(Debug)]
pub struct Failed {
    /// The exit code's meaning.
    pub status: ExitStatus,
    /// The cause, with its own causes.
    pub error: anyhow::Error,
}

/// Gives an error the exit status it ends the process with.
pub trait OrExit<T> {
    /// The value, or the error with this status.
    ///
    /// # Errors
    /// The same as before.
    fn or_exit(self, status: ExitStatus) -> Result<T, Failed>;
}

/// Ends `main`: prints the failure, if it is one, whole and on one line, to standard error.
pub fn conclude(outcome: Result<(), Failed>) -> ExitCode {
    let Err(failed) = outcome else { return ExitStatus::Success.into() };
    // Nothing is left to tell it to when standard error is closed.
    drop(writeln!(std::io::stderr(), "error: {failed}"));
    failed.status.into()
}

impl ExitStatus {
    /// The number the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Settings => 3,
            Self::StartFailed => 4,
            Self::Escalated => 5,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, status: ExitStatus) -> Result<T, Failed> {
        self.map_err(|error| Failed { status, error: error.into() })
    }
}

/// The chain of causes, without a cause whose words are in the one before it already.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = String::new();
        for cause in self.error.chain() {
            let text = cause.to_string();
            if told.is_empty() {
                told = text;
            } else if !told.contains(&text) {
                told = format!("{told}: {text}");
            }
        }
        f.write_str(told.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_chain_is_told_whole_and_nothing_twice() {
        let error = anyhow!("refused").context("db:5432: refused").context("no store");
        let failed = Err::<(), _>(error).or_exit(ExitStatus::StartFailed).unwrap_err();
        assert_eq!(failed.to_string(), "no store: db:5432: refused");
        assert_eq!(failed.status.code(), 4);
    }
}
