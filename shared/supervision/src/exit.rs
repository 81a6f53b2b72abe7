//! How a child's incarnation ended, as its group sees it.

use std::fmt;
use std::sync::Arc;

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
}

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
        Self { path: Arc::clone(path), cause: cause.into() }
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
