//! Patience with a store that cannot be reached for a while: what failed for that is tried again, with growing pauses.

use std::{iter::successors, time::Duration};

use clap::Args;
use tokio::time::sleep;
use umbel_core::store::{AppendError, StoreError};

use crate::args::within;

/// The pause before the second try; each one after that is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a trouble of the store may take.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PatienceArg {
    /// How long to try again while the store cannot be reached, before giving up with exit code 4
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = within::<u32>(..))]
    patience: u32,
}

/// An error that may be a trouble of the store.
pub(crate) trait Trouble {
    /// The trouble, if it is one.
    fn of_store(&self) -> Option<&StoreError>;
}

impl PatienceArg {
    /// Tries, as long as the trouble is one that passes, and time is left.
    pub(crate) async fn bear<T, E: Trouble>(
        self,
        mut ask: impl AsyncFnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pauses = self.pauses();
        loop {
            let outcome = ask().await;
            let passing = outcome.as_ref().err().and_then(E::of_store).filter(|error| passes(error));
            let Some((error, pause)) = passing.and_then(|error| Some((error, pauses.next()?))) else {
                return outcome;
            };
            tracing::warn!(%error, again_in = ?pause, "the store cannot do it now; trying again");
            sleep(pause).await;
        }
    }

    /// The pauses between two tries, all of them together no longer than the patience.
    fn pauses(self) -> impl Iterator<Item = Duration> {
        let patience = Duration::from_secs(self.patience.into());
        let longer = |pause: &Duration| Some((*pause * 2).min(LONGEST_PAUSE));
        successors(Some(FIRST_PAUSE), longer).scan(Duration::ZERO, move |waited, pause| {
            *waited += pause;
            (*waited <= patience).then_some(pause)
        })
    }
}

/// Whether it may be over in a while.
pub(crate) fn passes(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable { .. } | StoreError::Overloaded { .. } | StoreError::OutcomeUnknown { .. }
    )
}

impl Trouble for StoreError {
    fn of_store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl Trouble for AppendError {
    fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> StoreError {
        StoreError::Unavailable { reason: "gone".into() }
    }

    fn borne<T, E: Trouble>(patience: u32, ask: impl AsyncFnMut() -> Result<T, E>) -> Result<T, E> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(PatienceArg { patience }.bear(ask))
    }

    #[test]
    fn pauses_grow_and_are_within_the_patience() {
        let pauses: Vec<_> = PatienceArg { patience: 30 }.pauses().collect();
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
        assert_eq!(PatienceArg { patience: 0 }.pauses().count(), 0);
    }

    #[test]
    fn what_passes_is_borne_and_what_stays_is_told() {
        let mut tries = 0;
        let outcome = borne(30, async || {
            tries += 1;
            if tries < 3 { Err(gone()) } else { Ok(tries) }
        });
        assert_eq!(outcome, Ok(3));
        let mut tries = 0;
        let outcome: Result<(), AppendError> = borne(0, async || {
            tries += 1;
            Err(gone().into())
        });
        assert_eq!((outcome, tries), (Err(gone().into()), 1));
        for error in [StoreError::Corrupt { reason: "holes".into() }.into(), AppendError::StreamDeleted(a())]
        {
            let mut tries = 0;
            let outcome: Result<(), AppendError> = borne(30, async || {
                tries += 1;
                Err(error.clone())
            });
            assert_eq!((outcome, tries), (Err(error.clone()), 1));
        }
    }

    fn a() -> umbel_core::StreamName {
        umbel_core::StreamName::new("a").unwrap()
    }
}
