//! Groups that did not go through at once: what the database will not take as a whole is stored one by one, and what was
//! under way when a connection was lost is settled on the next one. What comes next after each attempt is said by [`Resolution`].
//!
//! Where there is no connection its pause and that of [all who connect](crate::postgres::attempts) pass at the same time, from the
//! same failure on; so the longer one counts. Neither can do without its own: the one knows nothing of others who connect, the other
//! nothing of a connection that opens and is of no use.

use std::{slice, time::Duration};

use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_postgres::Error;
use umbel_core::store::{
    StoreError,
    resolution::{Attempt, Next, Resolution},
};

use super::{Group, Session, State, Writer};
use crate::postgres::error::{Kind, kind};

/// An attempt that has failed.
pub(super) struct Failed {
    came: Attempt,
    error: StoreError,
    /// The connection, if it can still be used.
    session: Option<Session>,
}

impl Failed {
    /// There was no connection to be had.
    pub(super) fn unopened(error: StoreError) -> Self {
        Self { came: Attempt::NotAsked { transient: error.is_transient() }, error, session: None }
    }

    /// It may have been stored.
    pub(super) fn in_doubt(error: StoreError) -> Self {
        Self { came: Attempt::InDoubt, error, session: None }
    }
}

impl Writer {
    /// What came of an attempt with this error. Where the connection is not lost, nothing of what is open was stored.
    pub(super) fn failed(&self, error: &Error, session: Session, group: &Group<'_>) -> Failed {
        let of_one = may_be_of_one(error) && group.open_count() > 1;
        let (lost, error) = (kind(error) == Kind::Lost, self.target.explain(error));
        if lost {
            return Failed::in_doubt(error);
        }
        let came = Attempt::Refused { transient: error.is_transient(), of_one };
        Failed { came, error, session: Some(session) }
    }

    /// Sees a group through whose first attempt has failed: all its appends have outcomes then.
    pub(super) async fn see_through(&self, state: &mut State, group: &mut Group<'_>, first: Failed) {
        let (begun, mut resolution) = (Instant::now(), Resolution::new(self.outage_limit));
        let mut failed = first;
        loop {
            let Failed { came, error, session } = failed;
            let next = resolution.next(begun.elapsed(), came);
            let until = resolution.until().map(|until| begun + until);
            let tried = match (next, session) {
                (Next::Again { at }, session) => {
                    // It may hold the log's lock.
                    drop(session);
                    sleep_until(begun + at).await;
                    self.try_again(state, group, until.unwrap_or(begun)).await
                }
                (Next::Singly { resolving }, Some(session)) => {
                    let until = until.unwrap_or_else(|| Instant::now() + self.group_timeout);
                    let stored = self.store_one_by_one(state, session, group, until, resolving).await;
                    stored.map_err(Failed::in_doubt)
                }
                // The database said no: nothing of what is open was stored. The connection may be in the middle of a transaction; the next
                // group gets a new one.
                (Next::Refuse, _) => return group.fill(&error),
                (Next::GiveUp | Next::Singly { .. } | Next::Tell, _) => {
                    return group.fill(&StoreError::OutcomeUnknown { reason: error.to_string() });
                }
            };
            match tried {
                Ok(()) => return,
                Err(again) => failed = again,
            }
        }
    }

    /// Stores what is open on a new connection, and finds out of what is not open any more.
    async fn try_again(
        &self,
        state: &mut State,
        group: &mut Group<'_>,
        until: Instant,
    ) -> Result<(), Failed> {
        let remaining = || until.saturating_duration_since(Instant::now());
        let within = self.target.connect_timeout().min(remaining());
        let session = self.reconnect(state, within).await.map_err(Failed::unopened)?;
        let within = self.group_timeout.min(remaining());
        match timeout(within, state.store_under_lock(&session, group, true)).await {
            Ok(Ok(())) => {
                tracing::info!(place = self.target.place(), "reconnected; the group is settled");
                state.session = Some(session);
                Ok(())
            }
            Ok(Err(error)) => Err(self.failed(&error, session, group)),
            Err(_elapsed) => Err(Failed::in_doubt(self.no_answer(within))),
        }
    }

    /// Stores what is open of a group that the database will not take as a whole, so that an append with something
    /// in it that PostgreSQL cannot hold (a NUL in a text, a key too long for an index) fails alone. `resolving` tells that
    /// all of them may have been stored before.
    ///
    /// # Errors
    /// When the connection is lost or the time is up: what is still open then is to be settled.
    async fn store_one_by_one(
        &self,
        state: &mut State,
        session: Session,
        group: &mut Group<'_>,
        deadline: Instant,
        resolving: bool,
    ) -> Result<(), StoreError> {
        for (append, slot) in group.appends.iter().zip(&mut group.outcomes) {
            if slot.is_some() {
                continue;
            }
            let mut alone = Group::new(slice::from_ref(append), group.now);
            let storing = async {
                // Whatever the failure before left open.
                session.release().await?;
                state.store_under_lock(&session, &mut alone, resolving).await
            };
            match timeout_at(deadline, storing).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if kind(&error) == Kind::Lost => return Err(self.target.explain(&error)),
                Ok(Err(error)) if resolving => match self.target.explain(&error) {
                    error if error.is_transient() => return Err(error),
                    // Refused now. Whether it was before, too, the caller's next try will tell.
                    error => alone.fill(&StoreError::OutcomeUnknown { reason: error.to_string() }),
                },
                Ok(Err(error)) => alone.fill(&self.target.explain(&error)),
                Err(_) => return Err(self.no_answer(self.group_timeout)),
            }
            *slot = alone.outcomes.pop().flatten();
        }
        // Its last transaction may be open; the next group gets a new connection.
        Ok(())
    }

    pub(super) fn no_answer(&self, within: Duration) -> StoreError {
        let reason = format!("PostgreSQL at {}: no answer within {within:?}", self.target.place());
        StoreError::Unavailable { reason }
    }
}

/// Whether an error under the log's lock may be about one append of the group only. What is believed there is true; so a
/// unique value that is there already is none that the plan could know of.
fn may_be_of_one(error: &Error) -> bool {
    matches!(kind(error), Kind::Final | Kind::WrongGuess)
}
