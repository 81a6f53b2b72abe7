//! Reads, and projections' writes, on pooled connections.
//!
//! Each is one statement, so each sees one state of the database and needs no transaction.

mod all;
mod documents;
mod known;
mod lease;
mod log;
mod rows;
mod select;
mod stream;
mod streams;

use std::{
    pin::pin,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType};
use futures_util::TryStreamExt;
use tokio_postgres::{Error, Row, types::ToSql};
use umbel_core::{EventType, StreamName, document::Direction, store::StoreError};

use self::known::Known;
pub(super) use self::lease::{Abandoned, Lease};
use crate::postgres::{
    PostgresOptions,
    error::{Kind, kind},
    sql::Statements,
    target::Target,
};

/// How long a request waits for a connection of the pool before it is told that the store is too busy.
const POOL_WAIT: Duration = Duration::from_secs(10);

/// Rows that one statement removes at most where there may be any number: some tenths of a second, far below the statement
/// timeout, after which all of it would be in vain.
pub(super) const REMOVED_MAX: i64 = 10_000;

/// A parameter of a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// What is made of the rows of a statement.
trait Gather {
    fn add(&mut self, row: Row);
}

#[derive(Debug)]
pub(super) struct Reader {
    target: Arc<Target>,
    statements: Arc<Statements>,
    pool: Pool,
    names: Known<i64, StreamName>,
    kinds: Known<i32, EventType>,
    /// At least so far the log is in the archive.
    archived_to: AtomicI64,
}

impl Reader {
    pub(super) fn new(
        target: Arc<Target>,
        statements: Arc<Statements>,
        options: &PostgresOptions,
    ) -> Result<Self, StoreError> {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connect = target.with_statement_timeout(options.statement_timeout);
        let manager = Manager::from_connect(target.config().clone(), connect, config);
        let pool = Pool::builder(manager)
            .runtime(Runtime::Tokio1)
            .max_size(options.max_connections.max(1))
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(options.connect_timeout))
            .build()
            .map_err(|error| StoreError::Failed { reason: error.to_string() })?;
        Ok(Self {
            target,
            statements,
            pool,
            names: Known::default(),
            kinds: Known::default(),
            archived_to: AtomicI64::new(0),
        })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Runs a statement that only reads.
    pub(super) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.gather(sql, params, Vec::new).await
    }

    /// Runs a statement that only reads, and makes something of its rows as they arrive. A pooled connection may have died
    /// unnoticed, so a lost one is replaced once.
    async fn gather<G: Gather>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        empty: impl Fn() -> G,
    ) -> Result<G, StoreError> {
        match self.try_gather(sql, params, Abandoned::Cancel, empty()).await? {
            Err(error) if kind(&error) == Kind::Lost => {
                self.try_gather(sql, params, Abandoned::Cancel, empty()).await?
            }
            result => result,
        }
        .map_err(|error| self.target.explain(&error))
    }

    /// Runs a statement that writes. It is not repeated by itself: what became of it is unknown when its connection is
    /// lost, and its callers know how to find out.
    pub(super) async fn write(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.try_gather(sql, params, Abandoned::LetEnd, Vec::new())
            .await?
            .map_err(|error| self.target.explain_write(&error))
    }

    /// Runs a statement that removes some rows and says how many, again and again until fewer are left than it would
    /// remove. What is removed stays so when it fails later. Its last parameter, which says how many at most, is put in here.
    pub(super) async fn remove_in_steps(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let params: Vec<Param<'_>> = params.iter().copied().chain([&REMOVED_MAX as Param<'_>]).collect();
        let mut all = 0;
        loop {
            let rows = self.write(sql, &params).await?;
            let removed: i64 = rows.first().map_or(0, |row| row.get(0));
            all += removed.unsigned_abs();
            if removed < REMOVED_MAX {
                return Ok(all);
            }
        }
    }

    /// The outer error: no connection to be had.
    async fn try_gather<G: Gather>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        abandoned: Abandoned,
        mut gathered: G,
    ) -> Result<Result<G, Error>, StoreError> {
        let client = self.borrow(abandoned).await?;
        let answered = async {
            let statement = client.prepare_cached(sql).await?;
            let mut rows = pin!(client.query_raw(&statement, params.iter().copied()).await?);
            while let Some(row) = rows.try_next().await? {
                gathered.add(row);
            }
            Ok(gathered)
        };
        let answered = answered.await;
        client.give_back();
        Ok(answered)
    }

    /// A connection of the pool, to be given back when nothing is under way on it.
    pub(super) async fn borrow(&self, abandoned: Abandoned) -> Result<Lease, StoreError> {
        let client = self.pool.get().await.map_err(|error| self.no_connection(&error))?;
        Ok(Lease::new(client, Arc::clone(&self.target), abandoned))
    }

    fn no_connection(&self, error: &PoolError) -> StoreError {
        let unavailable = |what: &str| StoreError::Unavailable {
            reason: format!("PostgreSQL at {}: {what}", self.target.place()),
        };
        match error {
            PoolError::Backend(error) => self.target.explain(error),
            PoolError::Timeout(TimeoutType::Wait) => {
                unavailable("all connections are busy; raise the number of connections if that lasts")
            }
            PoolError::Timeout(_) => unavailable("no answer in time"),
            other => unavailable(&other.to_string()),
        }
    }
}

impl Gather for Vec<Row> {
    fn add(&mut self, row: Row) {
        self.push(row);
    }
}

/// A direction as SQL has it.
fn sorted(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "",
        Direction::Backward => "DESC",
    }
}
