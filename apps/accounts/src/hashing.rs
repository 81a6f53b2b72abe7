//! Passwords to hashes and back to yes or no, beside the actors' threads.
//!
//! One hash takes tens of milliseconds and megabytes on purpose. As many run at a time as there are processors;
//! a bounded number wait; whoever comes beyond that is told to try again.

use std::{sync::Arc, thread, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use contracts::Password;
use tokio::{sync::Semaphore, task};
use umbel_host::{AskError, DispatchError};

use crate::{account::PasswordHash, settings::AccountsSettings};

/// How many may wait for each one that runs. At some 30 ms a hash the last of them waits a second.
const WAITING_PER_RUNNING: usize = 32;

/// Hashes and verifies; cheap to clone, and clones share the bounds.
#[derive(Clone)]
pub(crate) struct Hasher {
    argon2: Argon2<'static>,
    /// Everyone inside, running or waiting.
    inside: Arc<Semaphore>,
    /// Those who run.
    running: Arc<Semaphore>,
    /// A hash of no password: what an unknown address is compared with, for as long as a known one.
    decoy: PasswordHash,
}

/// Why there is no hash or verdict.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashingError {
    /// Too many are waiting already.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The settings or a stored hash are not what Argon2 takes.
    #[error("a password cannot be hashed or compared: {0}")]
    Failed(String),
}

impl Hasher {
    /// # Errors
    /// When Argon2 does not take the settings.
    pub(crate) fn new(settings: &AccountsSettings) -> Result<Self, HashingError> {
        let AccountsSettings { argon2_memory_kib, argon2_iterations, argon2_lanes } = *settings;
        let params = Params::new(argon2_memory_kib, argon2_iterations, argon2_lanes, None).map_err(failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let running = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            decoy: hash(&argon2, "nobody's")?,
            argon2,
            inside: Arc::new(Semaphore::new(running * (1 + WAITING_PER_RUNNING))),
            running: Arc::new(Semaphore::new(running)),
        })
    }

    /// The hash of a password, with a fresh salt.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, HashingError> {
        let argon2 = self.argon2.clone();
        self.beside(move || hash(&argon2, password.expose())).await
    }

    /// Whether the password is the one that was hashed. Without a hash it is not, after just as long.
    pub(crate) async fn verify(
        &self,
        password: Password,
        known: Option<PasswordHash>,
    ) -> Result<bool, HashingError> {
        let is_known = known.is_some();
        let against = known.unwrap_or_else(|| self.decoy.clone());
        let argon2 = self.argon2.clone();
        let matches = self.beside(move || verify(&argon2, password.expose(), &against)).await?;
        Ok(matches && is_known)
    }

    /// Runs the work on a thread for blocking work, within the bounds. Its place is given back when the work is
    /// done, even if nobody waits for it any more.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let inside = Arc::clone(&self.inside).try_acquire_owned().map_err(|_| HashingError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(failed)?;
        let places = (inside, running);
        let done = task::spawn_blocking(move || {
            let result = work();
            drop(places);
            result
        });
        done.await.map_err(failed)?
    }
}

impl HashingError {
    /// How long to wait when too many wait already: until those are served.
    const RETRY_AFTER: Duration = Duration::from_secs(1);

    pub(crate) fn into_dispatch_error<R>(self) -> DispatchError<R> {
        match self {
            Self::Busy => {
                DispatchError::Unavailable { reason: self.to_string(), retry_after: Self::RETRY_AFTER }
            }
            Self::Failed(_) => DispatchError::Failed { reason: self.to_string() },
        }
    }
}

impl From<HashingError> for AskError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => {
                Self::Unavailable { reason: error.to_string(), retry_after: HashingError::RETRY_AFTER }
            }
            HashingError::Failed(_) => Self::Failed { reason: error.to_string() },
        }
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<PasswordHash, HashingError> {
    let hash: phc::PasswordHash = argon2.hash_password(password.as_bytes()).map_err(failed)?;
    Ok(PasswordHash(hash.to_string()))
}

fn verify(argon2: &Argon2<'_>, password: &str, hash: &PasswordHash) -> Result<bool, HashingError> {
    let hash = phc::PasswordHash::new(&hash.0).map_err(failed)?;
    // With the parameters in the hash, not those of today's settings.
    match argon2.verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: impl std::fmt::Display) -> HashingError {
    HashingError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As cheap as Argon2 goes: these tests are not about its strength.
    fn hasher() -> Hasher {
        Hasher::new(&cheap()).unwrap()
    }

    fn cheap() -> AccountsSettings {
        AccountsSettings { argon2_memory_kib: 8, argon2_iterations: 1, argon2_lanes: 1 }
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only() {
        let hasher = hasher();
        let hash = hasher.hash(Password::new("jakejake")).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", hash.0);
        assert_eq!(hasher.verify(Password::new("jakejake"), Some(hash.clone())).await, Ok(true));
        assert_eq!(hasher.verify(Password::new("jakejake "), Some(hash.clone())).await, Ok(false));
        assert_ne!(
            hasher.hash(Password::new("jakejake")).await.unwrap(),
            hash,
            "every hash has its own salt"
        );
    }

    #[tokio::test]
    async fn a_hash_outlives_a_change_of_the_settings() {
        let old = hasher().hash(Password::new("jakejake")).await.unwrap();
        let new = Hasher::new(&AccountsSettings { argon2_memory_kib: 16, ..cheap() }).unwrap();
        assert_eq!(new.verify(Password::new("jakejake"), Some(old)).await, Ok(true));
    }

    /// Not even who guesses the decoy's password gets in.
    #[tokio::test]
    async fn without_a_hash_no_password_is_right() {
        assert_eq!(hasher().verify(Password::new("nobody's"), None).await, Ok(false));
    }

    #[tokio::test]
    async fn beyond_the_bound_it_is_busy() {
        let hasher = hasher();
        let all = hasher.inside.available_permits();
        let _everyone = hasher.inside.acquire_many(u32::try_from(all).unwrap()).await.unwrap();
        assert_eq!(hasher.hash(Password::new("jakejake")).await, Err(HashingError::Busy));
    }

    #[test]
    fn settings_that_argon2_does_not_take_are_refused() {
        let settings = AccountsSettings { argon2_memory_kib: 1, ..cheap() };
        assert!(matches!(Hasher::new(&settings), Err(HashingError::Failed(_))));
    }
}
