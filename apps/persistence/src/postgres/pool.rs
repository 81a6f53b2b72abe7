//! The connections that reads and projections' writes share: those of one store, or of all the stores of a URL in this
//! process.
//!
//! While one store has a pool for itself, its connections are driven by whichever runtime made the request that opened
//! them, and the thread that reads most uses only its own again, so that no answer changes threads: each row that does would cost
//! more than all else that is done with it. That runtime ends with its store. So once a second store shares the pool,
//! every connection is driven by a thread that belongs to none, and those from before are not used again: a store that
//! stops takes nothing from the others.

mod lease;
mod sharing;
mod silence;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use deadpool::managed::{Manager, Metrics, PoolError, QueueMode, RecycleError, RecycleResult};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_postgres::{Client, Error, Statement};
use umbel_core::store::StoreError;

use self::silence::Silence;
pub(super) use self::{
    lease::{Abandoned, Lease},
    sharing::driver,
};
use super::{
    PostgresOptions,
    hosts::Unopened,
    news::Listening,
    recent::Recent,
    target::{Driving, Target},
};

/// How long a request waits for a connection of the pool before it is told that the store is too busy.
const POOL_WAIT: Duration = Duration::from_secs(10);

/// A server that has not answered for so long on any connection that waits for it does not answer at all; or whatever it is asked takes
/// that long, which no further connection would change.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// A bounded number of connections, opened as they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    connections: deadpool::managed::Pool<Opener>,
    /// As many as there are connections. Whoever has one waits for nobody who has one.
    places: Arc<Semaphore>,
    /// Begins a transaction with what a connection has set otherwise. `None` where connections have it.
    begin: Option<String>,
    listening: Arc<Listening>,
}

/// Opens the pool's connections, and tells which may be used again.
#[derive(Debug)]
struct Opener {
    target: Target,
    statements_max: usize,
    /// Whether several stores use the pool, or once did.
    shared: AtomicBool,
    /// Counts how often its server turned out to take no writes any more.
    server: AtomicUsize,
    /// The thread that uses only connections that it drives itself.
    home: Mutex<Option<ThreadId>>,
    silence: Arc<Silence>,
}

/// A connection with the statements that were prepared on it lately.
#[derive(Debug)]
pub(super) struct Pooled {
    client: Client,
    driving: Driving,
    /// Whether it outlives the runtime of the request that opened it.
    independent: bool,
    /// Where that request was made.
    opened_by: ThreadId,
    /// At which [server](Opener::server).
    server: usize,
    statements: Recent<String, Statement>,
    silence: Arc<Silence>,
}

impl Pool {
    /// A pool of one's own.
    ///
    /// # Errors
    /// When the options are none.
    pub(super) fn new(target: &Target, options: &PostgresOptions) -> Result<Self, StoreError> {
        let listening = Arc::new(Listening::new(target));
        let target = target.with_statement_timeout(options.statement_timeout);
        let limit = target.connect_timeout();
        let begin = target.is_pooled().then(|| format!("BEGIN; {}", target.local_settings()));
        let opener = Opener {
            target,
            statements_max: options.max_statements,
            shared: AtomicBool::new(false),
            server: AtomicUsize::new(0),
            home: Mutex::default(),
            silence: Arc::new(Silence::new()),
        };
        let max_connections = options.max_connections.max(1);
        let connections = deadpool::managed::Pool::builder(opener)
            .runtime(deadpool::Runtime::Tokio1)
            .max_size(max_connections)
            // The last one that was used is the one that knows the statements, and whose server has them at hand.
            .queue_mode(QueueMode::Lifo)
            .create_timeout(Some(limit))
            .build()
            .map_err(|error| StoreError::Failed { reason: error.to_string() })?;
        let places = Arc::new(Semaphore::new(max_connections));
        Ok(Self { connections, places, begin, listening })
    }

    /// How every statement's transaction begins, where nothing outlives it.
    pub(super) fn begin(&self) -> Option<&str> {
        self.begin.as_deref()
    }

    /// Hears what is told to the stores of the pool, on a connection beside it.
    pub(super) const fn listening(&self) -> &Arc<Listening> {
        &self.listening
    }

    /// From now on this thread, whose runtime must be its own, uses no connection that another one drives.
    pub(super) fn read_here(&self) {
        let home = &self.connections.manager().home;
        *home.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
    }

    /// A connection for a store, to be given back when nothing is under way on it. `target` is the store's.
    pub(super) async fn borrow(
        &self,
        target: &Arc<Target>,
        abandoned: Abandoned,
    ) -> Result<Lease, StoreError> {
        let place = self.place(target).await?;
        let pooled = self.connections.get().await.map_err(|error| no_connection(target, &error))?;
        Ok(Lease::new(pooled, place, Arc::clone(target), abandoned))
    }

    /// Waits for a place. While all who have one wait for a server that is away, whoever waits for them is told what they are told.
    async fn place(&self, target: &Target) -> Result<OwnedSemaphorePermit, StoreError> {
        let freed = Arc::clone(&self.places).acquire_owned();
        tokio::select! {
            biased;
            place = timeout(POOL_WAIT, freed) => match place {
                Ok(place) => place.map_err(|closed| unavailable(target, &closed.to_string())),
                Err(_elapsed) => Err(self.no_place(target)),
            },
            unopened = self.away(target) => Err(target.explain_unopened(&unopened)),
        }
    }

    /// Why nobody has given a place back.
    fn no_place(&self, target: &Target) -> StoreError {
        match target.attempts().failure() {
            Some(unopened) => target.explain_unopened(&unopened),
            // All wait for an answer, so nobody opens another connection.
            None if self.is_silent() => {
                unavailable(target, &format!("no answer within {SILENCE_MAX:?} on any connection"))
            }
            None => {
                unavailable(target, "all connections are busy; raise store.max_connections if that lasts")
            }
        }
    }

    /// Why nobody has a connection that is of use, once all attempts to open one have failed.
    async fn away(&self, target: &Target) -> Unopened {
        loop {
            let unopened = target.attempts().next_failure().await;
            if self.connections.status().size == 0 || self.is_silent() {
                return unopened;
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.connections.manager().silence.lasts() >= SILENCE_MAX
    }
}

impl Pooled {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The server has answered here. A lease that is [given back](Lease::give_back) tells so itself.
    pub(super) fn has_answered(&self) {
        self.silence.begin_anew();
    }

    /// A statement, prepared unless it was used here lately.
    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        // What falls out of the memory here is closed in the server, too.
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Opener {
    fn is_shared(&self) -> bool {
        self.shared.load(Ordering::SeqCst)
    }

    /// Connections to this server are not used again. What another connection to it has met before is told already.
    fn give_up_server(&self, server: usize) {
        self.server.fetch_max(server + 1, Ordering::SeqCst);
    }

    /// Whether only connections of the current thread will do here.
    fn is_home(&self) -> bool {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }
}

impl Manager for Opener {
    type Type = Pooled;
    type Error = Unopened;

    async fn create(&self) -> Result<Pooled, Unopened> {
        let server = self.server.load(Ordering::SeqCst);
        let driver = self.is_shared().then(driver).and_then(Result::ok);
        let mut opening = pin!(self.target.connect());
        let opened = poll_fn(|context| {
            // Where a socket is opened and a task spawned, there they stay.
            let _there = driver.as_ref().map(tokio::runtime::Handle::enter);
            opening.as_mut().poll(context)
        });
        let (client, driving) = opened.await?;
        // In each of two generations.
        let statements = Recent::new(self.statements_max.div_ceil(2).max(1));
        let opened_by = thread::current().id();
        let (independent, silence) = (driver.is_some(), Arc::clone(&self.silence));
        Ok(Pooled { client, driving, independent, opened_by, server, statements, silence })
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &Metrics) -> RecycleResult<Unopened> {
        if pooled.client.is_closed() {
            Err(RecycleError::message("it is closed"))
        } else if pooled.server != self.server.load(Ordering::SeqCst) {
            Err(RecycleError::message("its server takes no writes"))
        } else if self.is_shared() && !pooled.independent {
            Err(RecycleError::message("one store drives it, and several share the pool"))
        } else if !pooled.independent && pooled.opened_by != thread::current().id() && self.is_home() {
            Err(RecycleError::message("another thread drives it"))
        } else {
            Ok(())
        }
    }
}

fn no_connection(target: &Target, error: &PoolError<Unopened>) -> StoreError {
    match error {
        PoolError::Backend(unopened) => target.explain_unopened(unopened),
        PoolError::Timeout(_) => unavailable(target, "no answer in time"),
        other => unavailable(target, &other.to_string()),
    }
}

fn unavailable(target: &Target, what: &str) -> StoreError {
    StoreError::Unavailable { reason: format!("PostgreSQL at {}: {what}", target.place()) }
}
