//! The machine, example by example and under a scheduler that does its worst.

mod rig;
mod world;

mod behind;
mod feeding;
mod hands;
mod owning;
mod parking;
mod saving;
mod sending;
mod shares;
mod stopping;
mod worlds;

/// A bug that is planted to see whether the tests find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Checkpoints are saved as far as was read.
    SavesWhatWasSeen,
    /// What waits for another try does not hold back what comes behind it.
    RetryLetsOthersPass,
    /// A partition that is behind goes on where those ahead of it are.
    GapsAreSkipped,
    /// The store takes what comes under an old lease.
    EpochIsNotChecked,
}
