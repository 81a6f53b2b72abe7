//! Failures that any store request can meet, by what the caller can do about them.

/// The store could not do its work. What the domain or the optimistic lock refuses has its own types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, or going down; nothing was done. Try again later.
    #[error("the store is not available: {reason}")]
    Unavailable {
        /// What the adapter met.
        reason: String,
    },
    /// More requests wait than the store is set to hold; nothing was done. Try again later, or send less.
    #[error("the store has {waiting} requests waiting and takes no more for now")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// The connection went away after a write was sent and before it was answered, and asking again did not
    /// settle it in time. The write is either fully there or not at all; the same request again settles it.
    #[error("it is unknown whether the write was stored: {reason}")]
    OutcomeUnknown {
        /// What the adapter met.
        reason: String,
    },
    /// The store's contents are not what they must be. Nothing was done; an operator has to look.
    #[error("the store is damaged: {reason}")]
    Corrupt {
        /// What was found, and where.
        reason: String,
    },
    /// The database answered with an error that says something about the program or its settings.
    #[error("the store failed: {reason}")]
    Failed {
        /// The database's own words.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Overloaded { .. } | Self::OutcomeUnknown { .. })
    }
}
