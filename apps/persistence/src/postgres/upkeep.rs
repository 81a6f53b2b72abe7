//! Upkeep: links, acts that remove or move, subjects' keys, verification.
//!
//! Links and acts have a connection of their own, opened when it is first needed, and go one after the other. Each is one
//! transaction that begins with the log's lock, reads what it is about, lets the core decide, writes and commits; a removal for good
//! is one for each of its steps. Once the lock is asked for, it goes on to its end also when nobody waits for its answer any more:
//! archiving may take longer than its caller's patience, and would otherwise be begun again and again. Appends wait meanwhile, each
//! at most for its lock timeout.
//!
//! When the connection is lost before the commit was sent, nothing was done; after that the outcome is unknown. An act may then
//! be sent again with its id, and a link too: it is refused as a duplicate if it took effect.

mod keys;
mod link;
mod perform;
mod removal;
pub(super) mod verify;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};
use tokio_postgres::Error;
use umbel_core::{
    Position, StreamName, Subject, Timestamp, Version,
    store::{Append, Finding, LinkError, LinkEvents, Perform, PerformError, Step, StoreError, plan::View},
    subscription::Change,
};

use self::perform::Done;
use super::{
    Postgres, PostgresOptions,
    error::{Kind, kind},
    sql::Statements,
    statement::Ready,
    target::Target,
    writer::Session,
};
use crate::adapter::{Log as _, Stride, SubjectKey, Upkeep};

/// Links events and performs acts, one at a time.
#[derive(Debug)]
pub(super) struct Upkeeper {
    target: Arc<Target>,
    statements: Arc<Statements>,
    stall_limit: Duration,
    removal_step_max: u32,
    /// `None` while it was not needed yet, after a failure, and when it was idle for long.
    connection: Arc<Mutex<Option<Connection>>>,
    /// Whether somebody took a turn since somebody looked.
    was_used: AtomicBool,
}

/// Where the connection stands between two works.
type Slot = OwnedMutexGuard<Option<Connection>>;

/// An open connection with its statements.
#[derive(Debug)]
struct Connection {
    session: Session,
    find_linkable: Ready,
    add_links: Ready,
}

/// A transaction that holds the log's lock, and what was read under it.
struct Begun {
    connection: Connection,
    head: Position,
    view: View,
}

impl Upkeep for Postgres {
    fn link(&self, request: LinkEvents, now: Timestamp) -> BoxFuture<'_, Result<Version, LinkError>> {
        Box::pin(async move {
            let (upkeeper, slot) = self.upkeeper.take_turn().await;
            to_its_end(async move { upkeeper.link(slot, request, now).await }).await
        })
    }

    fn perform_step(&self, request: Perform, now: Timestamp) -> BoxFuture<'_, Result<Step, PerformError>> {
        Box::pin(async move {
            let meant = self.reader.find_meant(&request.act).await?;
            let (upkeeper, slot) = self.upkeeper.take_turn().await;
            let act = request.clone();
            match to_its_end(async move { upkeeper.perform(slot, act, &meant, now).await }).await? {
                Done::Now(performed) => {
                    self.tell(performed.position);
                    self.tell_change(Change::by_act(&request.act)).await;
                    Ok(Step::Done(performed))
                }
                Done::Partly => Ok(Step::More),
                Done::After(other) => Ok(Step::After(other)),
                Done::Before => match self.find_event(request.id).await? {
                    Some(event) => request.done_before(&event).map(Step::Done),
                    None => Err(PerformError::OtherEvent { id: request.id }),
                },
            }
        })
    }

    fn removals(&self) -> BoxFuture<'_, Result<Vec<Perform>, StoreError>> {
        Box::pin(async move { self.reader.removals().await })
    }

    fn find_subject_keys(
        &self,
        subjects: Vec<Subject>,
    ) -> BoxFuture<'_, Result<Vec<Option<SubjectKey>>, StoreError>> {
        Box::pin(async move { self.reader.find_subject_keys(&subjects).await })
    }

    fn create_subject_keys(
        &self,
        keys: Vec<(Subject, [u8; 32])>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubjectKey>, StoreError>> {
        Box::pin(self.reader.create_subject_keys(keys, now))
    }

    fn find_subjects(
        &self,
        stream: StreamName,
        behind: Version,
        through: Version,
    ) -> BoxFuture<'_, Result<Vec<Subject>, StoreError>> {
        Box::pin(self.reader.find_subjects(stream, behind, through))
    }

    fn verify_by(&self, stride: Stride) -> BoxFuture<'_, Result<Vec<Finding>, StoreError>> {
        Box::pin(async move { self.reader.verify(&stride).await })
    }
}

impl Upkeeper {
    pub(super) fn new(target: Arc<Target>, statements: Arc<Statements>, options: &PostgresOptions) -> Self {
        let &PostgresOptions { stall_limit, removal_step_max, .. } = options;
        let (connection, was_used) = (Arc::default(), AtomicBool::default());
        Self { target, statements, stall_limit, removal_step_max, connection, was_used }
    }

    /// Waits until the work before has ended. Who gives up here has begun nothing.
    async fn take_turn(self: &Arc<Self>) -> (Arc<Self>, Slot) {
        self.was_used.store(true, Ordering::Relaxed);
        (Arc::clone(self), Arc::clone(&self.connection).lock_owned().await)
    }

    /// Closes the connection if nobody took a turn since the last call. Whoever is at work keeps it.
    pub(super) fn close_if_idle(&self) {
        if !self.was_used.swap(false, Ordering::Relaxed)
            && let Ok(mut slot) = self.connection.try_lock()
        {
            *slot = None;
        }
    }

    /// Begins a transaction, takes the log's lock and reads what an append like this one would have to know. A connection
    /// that died unnoticed is replaced.
    async fn begin(&self, slot: &mut Slot, about: &Append) -> Result<Begun, StoreError> {
        if let Some(connection) = slot.take().filter(|connection| !connection.session.is_closed()) {
            match connection.session.begin(about).await {
                Ok((head, view)) => return Ok(Begun { connection, head, view }),
                Err(error) if kind(&error) == Kind::Lost => {}
                Err(error) => return Err(self.explain(&error)),
            }
        }
        let within = self.target.connect_timeout();
        let connection = timeout(within, self.open()).await.unwrap_or_else(|_| {
            let place = self.target.place();
            let reason = format!("PostgreSQL at {place}: no connection was ready within {within:?}");
            Err(StoreError::Unavailable { reason })
        })?;
        let begun = connection.session.begin(about).await;
        let (head, view) = begun.map_err(|error| self.explain(&error))?;
        Ok(Begun { connection, head, view })
    }

    async fn open(&self) -> Result<Connection, StoreError> {
        let session = Session::open(&self.target, &self.statements, self.stall_limit).await?;
        let prepare = async |text: &str| Ready::new(session.client(), &self.target, text).await;
        let find_linkable = prepare(&self.statements.find_linkable).await;
        let find_linkable = find_linkable.map_err(|error| self.explain(&error))?;
        let add_links = prepare(&self.statements.add_links).await.map_err(|error| self.explain(&error))?;
        Ok(Connection { session, find_linkable, add_links })
    }

    /// Ends a transaction that wrote nothing, and keeps the connection if it still answers.
    async fn release(&self, slot: &mut Slot, connection: Connection) {
        if connection.session.release().await.is_ok() {
            **slot = Some(connection);
        }
    }

    fn explain(&self, error: &Error) -> StoreError {
        self.target.explain(error)
    }
}

#[cfg(test)]
impl Upkeeper {
    /// Runs a statement on the connection that acts had.
    pub(super) async fn run_raw(&self, sql: &str) -> Result<(), Error> {
        let slot = self.connection.lock().await;
        slot.as_ref().unwrap().session.client().batch_execute(sql).await
    }
}

/// Lets work go on to its end, whoever still waits for it.
async fn to_its_end<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    tokio::spawn(work).await.unwrap_or_else(|error| {
        Err(StoreError::OutcomeUnknown { reason: format!("it did not come to its end: {error}") }.into())
    })
}
