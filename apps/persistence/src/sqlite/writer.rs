//! The connection that writes, with what it remembers from one transaction to the next.

use std::time::Duration;

use rusqlite::{Connection, Params, Transaction, TransactionBehavior};

use super::{
    error::Fault,
    log::{Kinds, KnownStreams},
};

/// How long [`Writer::wipe`] waits for readers; appends wait as long.
const WIPE_TIMEOUT: Duration = Duration::from_millis(100);

/// What the writing thread owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) kinds: Kinds,
    streams: KnownStreams,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, kinds: Kinds::default(), streams: KnownStreams::default() }
    }

    /// Begins a transaction that nobody else's write comes in between: what it reads still holds when it commits. It leaves streams
    /// as they are.
    pub(super) fn begin(&mut self) -> rusqlite::Result<(Transaction<'_>, &mut Kinds)> {
        let (transaction, kinds, _streams) = self.begin_append()?;
        Ok((transaction, kinds))
    }

    /// The same for one that may change streams in other ways than by appending.
    pub(super) fn begin_upkeep(&mut self) -> rusqlite::Result<(Transaction<'_>, &mut Kinds)> {
        self.streams.forget();
        self.begin()
    }

    /// The same for one that changes streams by appends alone.
    pub(super) fn begin_append(
        &mut self,
    ) -> rusqlite::Result<(Transaction<'_>, &mut Kinds, &mut KnownStreams)> {
        self.kinds.forget_uncommitted();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok((transaction, &mut self.kinds, &mut self.streams))
    }

    /// Runs one statement in a transaction of its own; how many rows it changed.
    pub(super) fn execute(&mut self, sql: &str, parameters: impl Params) -> Result<usize, Fault> {
        let (transaction, _kinds) = self.begin()?;
        let rows = transaction.prepare_cached(sql)?.execute(parameters)?;
        transaction.commit().map_err(Fault::of_commit)?;
        Ok(rows)
    }

    /// Whether what is deleted from now on is overwritten, which costs more than forgetting where it was.
    pub(super) fn overwrite_deleted(&self, overwrite: bool) -> rusqlite::Result<()> {
        let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        self.connection.pragma_update_and_check(None, "secure_delete", overwrite, set).map(|_set| ())
    }

    /// Empties the write-ahead log, which still holds the pages as they were. Left for later, when that log is
    /// overwritten anyway, if somebody is reading them just now.
    pub(super) fn wipe(&self) -> rusqlite::Result<()> {
        let patience: i64 = self.connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
        self.connection.busy_timeout(WIPE_TIMEOUT)?;
        let emptied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()));
        self.connection.busy_timeout(Duration::from_millis(patience.unsigned_abs()))?;
        emptied
    }
}
