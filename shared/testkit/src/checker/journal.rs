//! Journals: what a writer process wrote down before it sent and after it was answered.
//!
//! One JSON object per line, written with one call each, so that a process killed at any moment leaves whole lines and
//! at most one torn one, at the end. The order of lines is the order in time as this process saw it: an append whose
//! answer stands above another's sending was answered before that one was sent.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use umbel_core::store::{Append, AppendError, Appended};

use super::attempt::{Attempt, Outcome, Tried};

/// A journal being written, by all tasks of a process.
#[derive(Debug)]
pub struct Journal {
    state: Mutex<(File, u64)>,
}

/// All that the writers tried, journal by journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In the order in which each writer sent them.
    pub attempts: Vec<Attempt>,
}

/// A journal that cannot be read.
#[derive(Debug)]
pub struct JournalError(String);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Sent { number: u64, append: Tried },
    Told { number: u64, outcome: Outcome },
}

impl Journal {
    /// A new journal in a file of its own.
    ///
    /// # Errors
    /// When the file exists already, or cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { state: Mutex::new((file, 0)) })
    }

    /// To be called before an append is sent; the answer is its number for [`Journal::told`].
    ///
    /// # Errors
    /// When the journal cannot be written; then the append must not be sent.
    pub fn sent(&self, append: &Append) -> io::Result<u64> {
        let append = Tried::from(append);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        let number = state.1;
        write(&mut state.0, &Line::Sent { number, append })?;
        Ok(number)
    }

    /// To be called with the answer.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn told(&self, number: u64, outcome: &Result<Appended, AppendError>) -> io::Result<()> {
        let outcome = Outcome::from(outcome);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut state.0, &Line::Told { number, outcome })
    }
}

fn write(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
    text.push(b'\n');
    file.write_all(&text)
}

impl History {
    /// Reads the journals of several writers.
    ///
    /// # Errors
    /// When one cannot be read or holds something else.
    pub fn read<P: AsRef<Path>>(journals: impl IntoIterator<Item = P>) -> Result<Self, JournalError> {
        let mut history = Self::default();
        for (writer, path) in journals.into_iter().enumerate() {
            let path = path.as_ref();
            let failed = |error: &dyn std::fmt::Display| JournalError(format!("{}: {error}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
            history.add(writer, &text).map_err(|error| failed(&error))?;
        }
        Ok(history)
    }

    /// Adds a journal's text. A last line without its end was torn by the end of its process: it was never acted on.
    fn add(&mut self, writer: usize, text: &str) -> Result<(), serde_json::Error> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut places = HashMap::new();
        for (at, line) in whole.lines().enumerate() {
            match serde_json::from_str(line)? {
                Line::Sent { number, append } => {
                    places.insert(number, self.attempts.len());
                    let outcome = Outcome::default();
                    let attempt =
                        Attempt { writer, number, sent_at: at, told_at: None, tried: append, outcome };
                    self.attempts.push(attempt);
                }
                Line::Told { number, outcome } => {
                    if let Some(attempt) = places.get(&number).and_then(|place| self.attempts.get_mut(*place))
                    {
                        attempt.told_at = Some(at);
                        attempt.outcome = outcome;
                    }
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for JournalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JournalError {}

#[cfg(test)]
mod tests {
    use umbel_core::{ExpectedVersion, store::StoreError};

    use super::*;
    use crate::conformance::Events;

    /// What was written comes back, an append without an answer is unknown, and a torn line never happened.
    #[test]
    fn a_journal_outlives_its_writer() {
        let directory = tempfile::tempdir().unwrap();
        let (path, events) = (directory.path().join("1"), Events::default());
        let journal = Journal::create(&path).unwrap();
        let append = events.append("s", ExpectedVersion::Any, 2);
        let stored = journal.sent(&append).unwrap();
        let unknown = journal.sent(&events.append("t", ExpectedVersion::NoStream, 1)).unwrap();
        let last_position = Some(crate::conformance::position(2));
        let versions = vec![crate::conformance::version(2)];
        let told = Appended::now(last_position, versions.clone());
        journal.told(stored, &Ok(told)).unwrap();
        journal.sent(&append).unwrap();
        let reason = String::new();
        journal.told(unknown, &Err(StoreError::OutcomeUnknown { reason }.into())).unwrap();
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(br#"{"sent":{"number":9"#))
            .unwrap();

        let history = History::read([&path]).unwrap();
        let outcomes: Vec<_> = history.attempts.iter().map(|one| (one.told_at, &one.outcome)).collect();
        let stored = Outcome::Stored { last_position, versions };
        assert_eq!(outcomes, [(Some(2), &stored), (Some(4), &Outcome::Unknown), (None, &Outcome::Unknown)]);
        assert_eq!(history.attempts[0].tried, Tried::from(&append));
        assert!(Journal::create(&path).is_err(), "a journal is never begun twice");
    }
}
