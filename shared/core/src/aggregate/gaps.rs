//! What an aggregate makes of events that its stream does not show any more.

use crate::{stream::StreamName, version::Version};

/// What becomes of a state when its stream lacks events that it would be folded from: the stream was truncated and no snapshot reaches
/// up to where it begins now, or it is one of links and events that they led to were removed for good. (A subject that was forgotten
/// leaves no gap: its events are there, without its data.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gaps {
    /// There is no state, and commands are answered by [`Gap`]: what is missing may have mattered.
    #[default]
    Refuse,
    /// What is missing counts as if it had changed nothing: for aggregates whose later events say all that is still needed, such as
    /// one that keeps the last hundred entries of a log.
    Skip,
}

/// A state cannot be told, as its stream does not show all events that lead to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{stream} does not show its events {first} to {last} any more, and no snapshot that can be read covers them; \
     truncate only up to a snapshot, or let the aggregate declare `Gaps::Skip`"
)]
pub struct Gap {
    /// Which stream.
    pub stream: StreamName,
    /// The first version that is missing.
    pub first: Version,
    /// The last one.
    pub last: Version,
}
