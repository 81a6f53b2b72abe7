//! Groups that did not go through at once: what the database will not take as a whole is stored one by one, and what was
//! under way when a connection was lost is settled on the next one.

use std::{slice, time::Duration};

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Error;
use umbel_core::store::StoreError;

use super::{Group, Session, State, Writer};
use crate::postgres::error::{Kind, kind};

/// Pauses between attempts to reconnect, doubled from the first to the second.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

impl Writer {
    /// Stores what is open of a group that the database will not take as a whole, so that an append with something
    /// in it that PostgreSQL cannot hold (a NUL in a text, a key too long for an index) fails alone. `resolving` tells that
    /// all of them may have been stored before.
    ///
    /// # Errors
    /// When the connection is lost or the time is up: what is still open then is to be settled.
    pub(super) async fn store_one_by_one(
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

    /// Finds out what became of a group whose connection was lost, and stores what was not.
    pub(super) async fn settle(&self, state: &mut State, group: &mut Group<'_>, lost: &StoreError) {
        let deadline = Instant::now() + self.outage_limit;
        let mut last = lost.clone();
        let mut pause = PAUSE_MIN;
        let remaining = || deadline.saturating_duration_since(Instant::now());
        while !remaining().is_zero() {
            match self.reconnect(state, self.target.connect_timeout().min(remaining())).await {
                Ok(session) => {
                    let storing = state.store_under_lock(&session, group, true);
                    match timeout(self.group_timeout.min(remaining()), storing).await {
                        Ok(Ok(())) => {
                            tracing::info!(place = self.target.place(), "reconnected; the group is settled");
                            state.session = Some(session);
                            return;
                        }
                        Ok(Err(error)) if may_be_of_one(&error) && group.open_count() > 1 => {
                            match self.store_one_by_one(state, session, group, deadline, true).await {
                                Ok(()) => return,
                                Err(error) => last = error,
                            }
                        }
                        Ok(Err(error)) => last = self.target.explain(&error),
                        Err(_) => {}
                    }
                }
                Err(error) => last = error,
            }
            if !last.is_transient() {
                break;
            }
            sleep(pause.min(remaining())).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        group.fill(&StoreError::OutcomeUnknown { reason: last.to_string() });
    }
}

/// Whether an error under the log's lock may be about one append of the group only. What is believed there is true; so a
/// unique value that is there already is none that the plan could know of.
pub(super) fn may_be_of_one(error: &Error) -> bool {
    matches!(kind(error), Kind::Final | Kind::WrongGuess)
}
