//! How a child's incarnation ended, as its group sees it.

use std::fmt;
use std::sync::Arc;

use crate::decision::Ending;

/// The end of one incarnation. Whether it was ordered is for the group to know.
#[derive(Debug)]
pub(crate) enum Exit {
    /// It returned `Ok`.
    Done,
    /// It did not.
    Failed(Failure),
    /// Its own thread is blocked or gone: the incarnation was left behind there.
    Lost(Failure),
}

/// What went wrong, and where at first: the path stays that of the worker when the failure climbs the tree.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) path: Arc<str>,
    pub(crate) cause: String,
    pub(crate) ending: Ending,
}

/// Says of a worker's error that starting the worker again helps nothing, since what is wrong outlives it in this process: its group and
/// all groups above fail at once, whatever kind the worker is of. `Err(error.context(Incurable))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no restart helps")]
pub struct Incurable;

impl Exit {
    pub(crate) fn failed(path: &Arc<str>, cause: impl Into<String>) -> Self {
        Self::Failed(Failure::of(path, cause))
    }

    pub(crate) fn lost(path: &Arc<str>, cause: impl Into<String>) -> Self {
        Self::Lost(Failure::of(path, cause))
    }
}

impl Failure {
    pub(crate) fn of(path: &Arc<str>, cause: impl Into<String>) -> Self {
        Self { path: Arc::clone(path), cause: cause.into(), ending: Ending::Failed }
    }

    /// Of a worker's error.
    pub(crate) fn by(path: &Arc<str>, error: &anyhow::Error) -> Self {
        let ending = if error.is::<Incurable>() { Ending::Incurable } else { Ending::Failed };
        Self { ending, ..Self::of(path, format!("{error:#}")) }
    }

    /// The cause as told about the node at `path`: names the origin when that is another node.
    pub(crate) fn told_about(&self, path: &str) -> String {
        if &*self.path == path { self.cause.clone() } else { self.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.cause)
    }
}
