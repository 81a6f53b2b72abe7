//! What is kept beside the log: snapshots, the outbox, notices.

mod commands;
mod notices;
mod outbox;
mod snapshots;

use futures_util::future::BoxFuture;
use umbel_core::{
    StreamName, Timestamp,
    store::{
        ClearOutbox, DuePage, FindWork, KeepNotices, KeptNotice, ListNotices, ListQueues, ListSnapshots,
        QueueInfo, ReadDue, ReadOutbox, Snapshot, StoreError, SweepNotices, Waiting,
    },
};

pub(super) use self::outbox::change_outbox;
use super::Sqlite;
use crate::adapter::Extras;

impl Extras for Sqlite {
    fn load_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(self.read(move |connection| snapshots::load(connection, &stream)))
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.write(move |writer| snapshots::save(writer, &snapshot)))
    }

    fn delete_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.write(move |writer| snapshots::delete(writer, &stream)))
    }

    fn list_snapshots(&self, request: ListSnapshots) -> BoxFuture<'_, Result<Vec<Snapshot>, StoreError>> {
        Box::pin(self.read(move |connection| snapshots::list(connection, &request)))
    }

    fn read_outbox(&self, request: ReadOutbox) -> BoxFuture<'_, Result<Vec<Waiting>, StoreError>> {
        Box::pin(self.read(move |connection| outbox::read(connection, &request)))
    }

    fn read_due(&self, request: ReadDue) -> BoxFuture<'_, Result<DuePage, StoreError>> {
        Box::pin(self.read(move |connection| outbox::read_due(connection, &request)))
    }

    fn list_queues(&self, request: ListQueues) -> BoxFuture<'_, Result<Vec<QueueInfo>, StoreError>> {
        Box::pin(self.read(move |connection| outbox::list_queues(connection, &request)))
    }

    fn find_work(&self, request: FindWork) -> BoxFuture<'_, Result<Option<Waiting>, StoreError>> {
        Box::pin(self.read(move |connection| outbox::find(connection, request)))
    }

    fn clear_outbox(&self, request: ClearOutbox) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.write(move |writer| outbox::clear(writer, &request)))
    }

    fn keep_notices(&self, request: KeepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.write(move |writer| notices::keep(writer, &request)))
    }

    fn list_notices(&self, request: ListNotices) -> BoxFuture<'_, Result<Vec<KeptNotice>, StoreError>> {
        Box::pin(self.read(move |connection| notices::list(connection, &request)))
    }

    fn oldest_work(&self, now: Timestamp) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(self.read(move |connection| commands::oldest_work(connection, now)))
    }

    fn sweep_commands(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut all = 0;
            loop {
                let forgotten = count(self.write(move |writer| commands::sweep(writer, before)).await?);
                all += forgotten;
                if forgotten < commands::STEP.into() {
                    return Ok(all);
                }
            }
        })
    }

    fn sweep_notices(&self, request: SweepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.write(move |writer| notices::sweep(writer, request)))
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
