//! Reads, and projections' writes, on pooled connections.
//!
//! Each is one statement, so each sees one state of the database and needs no transaction.

mod all;
mod claims;
mod documents;
mod generations;
mod known;
mod log;
mod outlet;
mod pace;
mod queries;
mod rows;
mod select;
mod stream;
mod streams;
mod tables;
mod tags;

use std::{
    pin::pin,
    sync::{Arc, atomic::AtomicI64},
};

use futures_util::{TryStreamExt, future::join3};
use tokio_postgres::{Client, Error, Row, RowStream};
use umbel_core::{EventType, StreamName, document::Direction, store::StoreError};

use self::{known::Known, pace::Pace};
#[cfg(test)]
pub(super) use self::{
    queries::{by_narrowness, query_text},
    select::kinds_text,
    streams::{list_text, version_text},
};
pub(super) use crate::postgres::{pool::Abandoned, typed::Param};
use crate::{
    page::Room,
    postgres::{
        PostgresOptions,
        error::{Kind, kind},
        pool::{Lease, Pool, Pooled},
        sql::Statements,
        statement::{plain, stream},
        target::Target,
    },
};

/// Rows that one statement removes at most where there may be any number: some tenths of a second, far below the statement
/// timeout, after which all of it would be in vain.
pub(super) const REMOVED_MAX: i64 = 10_000;

/// How much of an answer was taken.
enum Answered {
    Whole,
    /// There was enough before its end.
    InPart,
}

/// What is made of the rows of a statement.
trait Gather {
    fn add(&mut self, row: Row);

    /// Whether the rows that are still to come are worth a connection: without them this one cannot be used again.
    fn has_enough(&self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(super) struct Reader {
    target: Arc<Target>,
    statements: Arc<Statements>,
    pool: Arc<Pool>,
    names: Known<i64, StreamName>,
    kinds: Known<i32, EventType>,
    /// At least so far the log is in the archive.
    archived_to: AtomicI64,
    page_max_bytes: usize,
    lists_max: i64,
    pace: Pace,
}

impl Reader {
    pub(super) fn new(
        target: Arc<Target>,
        statements: Arc<Statements>,
        pool: Arc<Pool>,
        options: &PostgresOptions,
    ) -> Self {
        Self {
            target,
            statements,
            pool,
            names: Known::default(),
            kinds: Known::default(),
            archived_to: AtomicI64::new(0),
            page_max_bytes: options.page_max_bytes,
            lists_max: options.lists_max.into(),
            pace: Pace::new(options.page_max_bytes),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// How a transaction begins where nothing outlives one; `None` where connections are set up once.
    pub(super) fn begin(&self) -> Option<&str> {
        self.pool.begin()
    }

    /// Room for a page.
    const fn room(&self) -> Room {
        Room::new(self.page_max_bytes)
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
        let mut gathered = empty();
        let mut answered = self.try_gather(sql, params, Abandoned::Cancel, &mut gathered).await?;
        if answered.as_ref().is_err_and(is_lost) {
            gathered = empty();
            answered = self.try_gather(sql, params, Abandoned::Cancel, &mut gathered).await?;
        }
        answered.map(|()| gathered).map_err(|error| self.target.explain(&error))
    }

    /// Runs a statement that writes. It is not repeated by itself: what became of it is unknown when its connection is
    /// lost, and its callers know how to find out.
    pub(super) async fn write(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        let answered = self.try_gather(sql, params, Abandoned::LetEnd, &mut rows).await?;
        answered.map(|()| rows).map_err(|error| self.target.explain_write(&error))
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
        gathered: &mut G,
    ) -> Result<Result<(), Error>, StoreError> {
        let mut lease = self.borrow(abandoned).await?;
        let answered = match self.pool.begin() {
            None => gather_prepared(&mut lease, sql, params, gathered).await,
            Some(begin) => gather_in_transaction(lease.client(), begin, sql, params, gathered).await,
        };
        match &answered {
            // With answers still to come it is not free for others.
            Ok(Answered::InPart) => {}
            Ok(Answered::Whole) => lease.give_back(),
            Err(error) => lease.give_back_after(error),
        }
        Ok(answered.map(drop))
    }

    /// From now on this thread reads on connections that it drives itself.
    pub(super) fn read_here(&self) {
        self.pool.read_here();
    }

    /// A connection of the pool, to be given back when nothing is under way on it.
    pub(super) async fn borrow(&self, abandoned: Abandoned) -> Result<Lease, StoreError> {
        self.pool.borrow(&self.target, abandoned).await
    }
}

async fn gather_prepared<G: Gather>(
    pooled: &mut Pooled,
    sql: &str,
    params: &[Param<'_>],
    gathered: &mut G,
) -> Result<Answered, Error> {
    let statement = pooled.prepare(sql).await?;
    gather_rows(pooled.client().query_raw(&statement, params.iter().map(plain)).await?, gathered).await
}

/// The same where nothing outlives a transaction, which therefore sets what it needs. All is sent together: one exchange.
async fn gather_in_transaction<G: Gather>(
    client: &Client,
    begin: &str,
    sql: &str,
    params: &[Param<'_>],
    gathered: &mut G,
) -> Result<Answered, Error> {
    let rows = async { gather_rows(stream(client, sql, params).await?, gathered).await };
    // After an error the server refuses what comes then, and COMMIT rolls back.
    let (begun, answered, committed) =
        join3(client.batch_execute(begin), rows, client.batch_execute("COMMIT")).await;
    begun?;
    answered?;
    // With COMMIT answered, so is everything before it.
    committed.map(|()| Answered::Whole)
}

async fn gather_rows<G: Gather>(rows: RowStream, gathered: &mut G) -> Result<Answered, Error> {
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await? {
        gathered.add(row);
        if gathered.has_enough() {
            return Ok(Answered::InPart);
        }
    }
    Ok(Answered::Whole)
}

impl Gather for Vec<Row> {
    fn add(&mut self, row: Row) {
        self.push(row);
    }
}

fn is_lost(error: &Error) -> bool {
    kind(error) == Kind::Lost
}

/// A direction as SQL has it.
fn sorted(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "",
        Direction::Backward => "DESC",
    }
}
