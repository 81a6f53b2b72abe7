//! A log that ends before what this process knows of it: its database was restored, or failed over to a server that lagged.
//!
//! What was read, decided and handled here is of a log that is no more, and what is appended takes the places of what was lost. So
//! the store goes down before anybody passes over that, and stays down, until the whole process begins anew with what is stored.

use std::sync::OnceLock;

use umbel_core::Position;

/// Whether the log of this process has gone back. Kept over restarts of the store's actors.
#[derive(Debug, Default)]
pub(crate) struct WentBack(OnceLock<Lost>);

/// Where the log ended, and where it ended since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log went back from {known} to {found}: its database was restored, or failed over to a server that lagged. What this process \
     knows is of a log that is no more: start it anew"
)]
pub(crate) struct Lost {
    known: Position,
    found: Position,
}

impl WentBack {
    /// Compares the log's end with what had been known before it was asked for.
    ///
    /// # Errors
    /// When it has gone back, now or before.
    pub(crate) fn check(&self, known: Position, found: Position) -> Result<(), Lost> {
        if found < known {
            self.note(known, found);
        }
        self.so_far()
    }

    /// # Errors
    /// When it is known to have gone back.
    pub(crate) fn so_far(&self) -> Result<(), Lost> {
        self.0.get().map_or(Ok(()), |lost| Err(*lost))
    }

    fn note(&self, known: Position, found: Position) {
        let lost = Lost { known, found };
        if self.0.set(lost).is_ok() {
            tracing::error!("{lost}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_went_back_once_is_not_trusted_again() {
        let (log, at) = (WentBack::default(), Position::new);
        assert_eq!(log.check(at(5), at(5)), Ok(()));
        let lost = Err(Lost { known: at(5), found: at(4) });
        assert_eq!(log.check(at(5), at(4)), lost);
        assert_eq!(log.check(at(4), at(9)), lost);
        assert_eq!(log.so_far(), lost);
    }
}
