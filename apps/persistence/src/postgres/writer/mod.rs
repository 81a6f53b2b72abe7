//! The one writer of this process: appends, a group at a time, on a connection of their own.
//!
//! A group is planned on what the writer remembers and written in one exchange that verifies it. Only appends that
//! this refuses, and whole groups when something remembered turns out wrong, are planned again on what is read
//! under the log's lock. When the connection is lost in between, that second way also settles what became of
//! the group: with the same ids, what was stored is recognised and what was not is stored now.
//!
//! What is not the usual case is a future in a box of its own: a caller who is alone would feel how the largest of them is
//! moved along with each group.

mod cache;
mod group;
mod kinds;
mod rows;
mod session;
mod settle;

use std::{mem, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_postgres::Error;
use umbel_core::{
    ExpectedVersion, Position, StreamName, Timestamp, Version,
    store::{
        Append, AppendError, ClaimName, StoreError,
        plan::{Joined, Plan, StreamState, View, plan},
    },
};

use self::{
    cache::{Cache, Mark},
    group::{Group, Outcome},
    kinds::{Kinds, PlannedKinds},
    session::{Base, Held, Seen},
    settle::Failed,
};
use crate::{
    caution::Caution,
    postgres::{
        PostgresOptions,
        error::{Kind, kind},
        sql::Statements,
        target::Target,
    },
};

pub(super) use rows::DocumentRows;
pub(super) use session::{Session, recorded_command};

/// What to plan on without the lock.
struct Guess {
    view: View,
    /// Whether it is exact should the log still stand at the mark.
    exact: bool,
    held: Held,
}

#[derive(Debug)]
pub(super) struct Writer {
    target: Arc<Target>,
    statements: Arc<Statements>,
    group_timeout: Duration,
    stall_limit: Duration,
    outage_limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Taken out while a group is under way: one that is abandoned takes its connection with it.
    session: Option<Session>,
    /// Whether a group came since somebody looked.
    was_used: bool,
    /// The limit of the group under way. One timer for all groups of a session: to move it on costs nothing, but each new one would
    /// wake the thread that is about to wait for the database.
    limit: Option<Pin<Box<Sleep>>>,
    cache: Cache,
    kinds: Kinds,
    /// Whether to guess: where another node writes to the same streams, it would cost more than it gains.
    caution: Caution,
    /// The generations that are joined to appends, as they were at the revision of the cache's mark: whoever changes that counts it up.
    joined: Vec<Joined>,
}

impl Writer {
    pub(super) fn new(target: Arc<Target>, statements: Arc<Statements>, options: &PostgresOptions) -> Self {
        Self {
            target,
            statements,
            group_timeout: options.group_timeout,
            stall_limit: options.stall_limit,
            outage_limit: options.outage_limit,
            state: Mutex::default(),
        }
    }

    /// Stores a group; see [`crate::Adapter::append`].
    pub(super) async fn append(&self, appends: &[Append], now: Timestamp) -> Vec<Outcome> {
        let mut group = Group::new(appends, now);
        let mut state = self.state.lock().await;
        state.was_used = true;
        let session = state.session.take().filter(|session| !session.is_closed());
        let session = match session {
            Some(session) => session,
            None => match Box::pin(self.reconnect(&mut state, self.target.connect_timeout())).await {
                Ok(session) => session,
                Err(error) => {
                    Box::pin(self.see_through(&mut state, &mut group, Failed::unopened(error))).await;
                    return group.finish();
                }
            },
        };
        let mut limit = state.limit.take().unwrap_or_else(|| Box::pin(sleep(self.group_timeout)));
        limit.as_mut().reset(Instant::now() + self.group_timeout);
        let stored = tokio::select! {
            biased;
            stored = state.store(&session, &mut group) => Some(stored),
            () = &mut limit => None,
        };
        match stored {
            Some(Ok(())) => {
                state.session = Some(session);
                state.limit = Some(limit);
            }
            Some(Err(error)) => {
                let failed = self.failed(&error, session, &group);
                Box::pin(self.see_through(&mut state, &mut group, failed)).await;
            }
            None => {
                drop(session);
                let failed = Failed::in_doubt(self.no_answer(self.group_timeout));
                Box::pin(self.see_through(&mut state, &mut group, failed)).await;
            }
        }
        group.finish()
    }

    /// Closes the connection if no group came since the last call. The next one opens another.
    pub(super) async fn close_if_idle(&self) {
        let mut state = self.state.lock().await;
        if !mem::take(&mut state.was_used) {
            state.session = None;
        }
    }

    /// A session that is ready for use, within a limit: preparing its statements may wait for a locked table.
    async fn reconnect(&self, state: &mut State, within: Duration) -> Result<Session, StoreError> {
        (state.cache, state.kinds, state.limit) = (Cache::default(), Kinds::default(), None);
        let opening = Session::open(&self.target, &self.statements, self.stall_limit);
        timeout(within, opening).await.unwrap_or_else(|_| {
            let place = self.target.place();
            let reason = format!("PostgreSQL at {place}: no connection was ready within {within:?}");
            Err(StoreError::Unavailable { reason })
        })
    }
}

impl State {
    /// Stores a group: by guess, and what that leaves open under the lock.
    async fn store(&mut self, session: &Session, group: &mut Group<'_>) -> Result<(), Error> {
        if let Some(mark) = self.cache.mark()
            && self.caution.may_try()
            && let Some(guess) = self.guess(session, group.appends).await?
        {
            match self.store_by_guess(session, group, mark, guess).await {
                Ok(()) => self.caution.went_well(),
                Err(error) if kind(&error) == Kind::WrongGuess => self.caution.failed(),
                Err(error) => return Err(error),
            }
        }
        if group.open_count() == 0 {
            return Ok(());
        }
        Box::pin(self.store_under_lock(session, group, false)).await
    }

    async fn store_by_guess(
        &mut self,
        session: &Session,
        group: &mut Group<'_>,
        mark: Mark,
        Guess { view, exact, held }: Guess,
    ) -> Result<(), Error> {
        let plan = plan(view, group.appends);
        if plan.is_empty() || !verifies_claims(&plan, group.appends) {
            return Ok(());
        }
        let head = exact.then_some(mark.head);
        let kinds = self.kinds.of(&plan);
        let base = session.write(&plan, &kinds, head, mark.revision, group.now, held).await?;
        self.learn(&plan, &kinds, &base, mark.revision);
        for (slot, outcome) in group.outcomes.iter_mut().zip(plan.outcomes) {
            // What a guess refuses is looked at again, on what is true.
            if let Ok(planned) = outcome {
                *slot = Some(Ok(planned.at(Position::from_i64(base.position))));
            }
        }
        Ok(())
    }

    async fn store_under_lock(
        &mut self,
        session: &Session,
        group: &mut Group<'_>,
        resolving: bool,
    ) -> Result<(), Error> {
        let open: Vec<_> = { group.appends.iter().zip(&group.outcomes) }
            .filter_map(|(append, outcome)| outcome.is_none().then_some(append))
            .collect();
        let (mark, mut seen) = session.lock_and_look(&open).await?;
        seen.view.resolving = resolving;
        self.cache.advance(mark.head, mark);
        self.remember(&seen);
        self.joined.clone_from(&seen.view.joined);
        let view = seen.view;
        let plan = plan(view, open.iter().copied());
        let mut head = Position::from_i64(mark.head);
        if plan.is_empty() {
            session.release().await?;
        } else {
            let kinds = self.kinds.of(&plan);
            let base =
                session.write(&plan, &kinds, Some(mark.head), mark.revision, group.now, Held::Locked).await?;
            self.learn(&plan, &kinds, &base, mark.revision);
            head = Position::from_i64(base.position);
        }
        let slots = group.outcomes.iter_mut().filter(|outcome| outcome.is_none());
        for ((slot, outcome), append) in slots.zip(plan.outcomes).zip(open) {
            let outcome = outcome.map(|planned| planned.at(head));
            *slot = Some(if resolving { admit_doubt(append, outcome) } else { outcome });
        }
        Ok(())
    }

    /// A view to plan on without the lock. None when there is a stream whose version nobody may guess.
    ///
    /// Event and command ids are taken to be new, conditions to hold, and documents to be as they were read. A remembered version gives
    /// way to a higher one that a writer expects: versions only grow, so the writer has seen what another node wrote.
    async fn guess(&mut self, session: &Session, appends: &[Append]) -> Result<Option<Guess>, Error> {
        // Whatever else was stored meanwhile, the events of the group are behind the position of each condition.
        let mut view = View { head: Position::MAX, joined: self.joined.clone(), ..View::default() };
        view.streams.reserve(appends.len());
        let (mut exact, mut held) = (true, Held::Known);
        let mut unknown: Vec<(&StreamName, ExpectedVersion)> = Vec::new();
        for append in appends.iter().flat_map(|append| &append.streams) {
            if view.streams.contains_key(&append.stream)
                || unknown.iter().any(|(stream, _)| *stream == &append.stream)
            {
                continue;
            }
            if let Some(entry) = self.cache.get(&append.stream) {
                if !entry.plain {
                    return Ok(None);
                }
                let version = entry.version.max(expected_number(append.expected));
                if version != entry.version {
                    held = Held::Believed;
                }
                exact = exact && held == Held::Known && self.cache.is_exact(entry);
                let state = StreamState { key: Some(entry.key), version, deleted: false };
                view.streams.insert(append.stream.clone(), state);
            } else {
                unknown.push((&append.stream, append.expected));
            }
        }
        // Who expects no stream is believed: its name's unique index knows better.
        let names: Vec<_> = unknown
            .iter()
            .filter(|(_, expected)| !expects_nothing(*expected))
            .map(|(stream, _)| stream.as_str())
            .collect();
        let claims: Vec<&ClaimName> = appends
            .iter()
            .flat_map(|append| append.claims.take.iter().chain(&append.claims.release))
            .collect();
        if !names.is_empty() || !claims.is_empty() {
            let seen = Box::pin(session.look(&names, &claims)).await?;
            self.remember(&seen);
            if !seen.not_plain.is_empty() {
                return Ok(None);
            }
            view.streams.extend(seen.view.streams);
            view.claims = seen.view.claims;
        }
        Ok(Some(Guess { view, exact, held }))
    }

    /// Remembers the streams that were read.
    fn remember(&mut self, seen: &Seen) {
        for (name, state) in seen.view.streams.iter().filter(|(_, state)| !state.deleted) {
            if let Some(key) = state.key {
                let plain = !seen.not_plain.contains(name);
                self.cache.remember(name.clone(), key, state.version, plain);
            }
        }
    }

    /// Remembers what a plan that is stored made of its streams.
    fn learn(&mut self, plan: &Plan<'_>, kinds: &PlannedKinds<'_>, base: &Base, revision: i64) {
        let events = i64::try_from(plan.event_count()).unwrap_or(i64::MAX);
        self.cache.advance(base.position, Mark { head: base.position.saturating_add(events), revision });
        let mut new_key = base.stream;
        for change in &plan.streams {
            let (key, plain) = if let Some(key) = change.key {
                if self.cache.moved(&change.stream, key, change.to) {
                    continue;
                }
                (key, false)
            } else {
                new_key += 1;
                (new_key, true)
            };
            self.cache.remember(change.stream.clone(), key, change.to, plain);
        }
        self.kinds.learn(kinds, &base.kinds);
    }
}

/// Whether the owners of all claims that a plan takes for granted are verified when it is written: of those it changes.
/// A claim that stays as it was believed to be (its owner's own taken again, a free one given back) is not among them.
fn verifies_claims(plan: &Plan<'_>, appends: &[Append]) -> bool {
    let stored = plan.outcomes.iter().zip(appends).filter(|(outcome, _)| outcome.is_ok());
    let mut touched = stored.flat_map(|(_, append)| append.claims.take.iter().chain(&append.claims.release));
    touched.all(|claim| plan.claims.binary_search_by(|change| change.claim.cmp(claim)).is_ok())
}

/// The outcome of an append that may have been stored before its connection was lost. Events and commands have ids by
/// which that is seen; claims alone have none, and may be refused now because of what became of them, or of a condition, since.
fn admit_doubt(append: &Append, outcome: Outcome) -> Outcome {
    let reason = match outcome {
        _ if !append.streams.is_empty() || append.command.is_some() => return outcome,
        Err(AppendError::Claimed { claim, owner }) => format!("by now {claim} is taken by {owner}"),
        Err(error @ (AppendError::ConditionFailed { .. } | AppendError::WorkTaken { .. })) => {
            format!("by now {error}")
        }
        outcome => return outcome,
    };
    Err(StoreError::OutcomeUnknown { reason: format!("the connection was lost; {reason}") }.into())
}

fn expected_number(expected: ExpectedVersion) -> Version {
    match expected {
        ExpectedVersion::Exact(version) => version,
        ExpectedVersion::Any | ExpectedVersion::NoStream | ExpectedVersion::StreamExists => Version::START,
    }
}

fn expects_nothing(expected: ExpectedVersion) -> bool {
    matches!(expected, ExpectedVersion::NoStream | ExpectedVersion::Exact(Version::START))
}
