//! The log as the tools read it: straight from the database, so also while the umbrella runs, or does not.

use std::{io, sync::Arc};

use anyhow::anyhow;
use umbel_core::store::{ReadError, StoreError};
use umbel_host::{ExitStatus, Failed, Foundation, OrExit};
use umbel_persistence::{Adapter, StoreSettings};
use umbel_settings::LoadOptions;

/// Events per page: enough to keep the database busy, few enough to print without a pause.
pub(crate) const PAGE: u32 = 1000;

/// Loads the settings, opens the store they name, which must be there, and does something with it.
pub(crate) fn with_store(
    options: &LoadOptions,
    work: impl AsyncFnOnce(Arc<dyn Adapter>, &StoreSettings) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let foundation = Foundation::lay(options).or_exit(ExitStatus::Settings)?;
    let settings: StoreSettings = foundation.settings.section("store").or_exit(ExitStatus::Settings)?;
    actix::System::new().block_on(async {
        let store = umbel_persistence::open_existing(&settings).await.or_exit(ExitStatus::StartFailed)?;
        work(store, &settings).await
    })
}

/// Ends work on the log: a reader of our output that has seen enough is no failure.
pub(crate) fn printed(outcome: io::Result<()>) -> Result<(), Failed> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| anyhow!("cannot print: {error}")).or_exit(ExitStatus::Failure),
    }
}

/// A failure of the store while it is read.
pub(crate) fn unreadable(error: StoreError) -> Failed {
    let status = match error {
        StoreError::Unavailable { .. } | StoreError::Corrupt { .. } => ExitStatus::StartFailed,
        _ => ExitStatus::Failure,
    };
    Failed { status, error: error.into() }
}

/// A stream that cannot be read.
pub(crate) fn unknown(error: ReadError) -> Failed {
    match error {
        ReadError::Store(error) => unreadable(error),
        error @ ReadError::StreamNotFound(_) => {
            let error = anyhow!("{error}; `umbel events tail` shows the streams there are");
            Failed { status: ExitStatus::Failure, error }
        }
        error @ ReadError::StreamDeleted(_) => Failed { status: ExitStatus::Failure, error: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        assert!(printed(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(printed(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
