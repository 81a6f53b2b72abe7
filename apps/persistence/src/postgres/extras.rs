//! What is kept beside the log: snapshots, the outbox, notices. Each request is one statement.

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

use super::Postgres;
use crate::adapter::Extras;

impl Extras for Postgres {
    fn load_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(self.reader.load_snapshot(stream))
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.reader.save_snapshot(snapshot))
    }

    fn delete_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.reader.delete_snapshot(stream))
    }

    fn list_snapshots(&self, request: ListSnapshots) -> BoxFuture<'_, Result<Vec<Snapshot>, StoreError>> {
        Box::pin(self.reader.list_snapshots(request))
    }

    fn read_outbox(&self, request: ReadOutbox) -> BoxFuture<'_, Result<Vec<Waiting>, StoreError>> {
        Box::pin(self.reader.read_outbox(request))
    }

    fn read_due(&self, request: ReadDue) -> BoxFuture<'_, Result<DuePage, StoreError>> {
        Box::pin(self.reader.read_due(request))
    }

    fn list_queues(&self, request: ListQueues) -> BoxFuture<'_, Result<Vec<QueueInfo>, StoreError>> {
        Box::pin(self.reader.list_queues(request))
    }

    fn find_work(&self, request: FindWork) -> BoxFuture<'_, Result<Option<Waiting>, StoreError>> {
        Box::pin(self.reader.find_work(request))
    }

    fn clear_outbox(&self, request: ClearOutbox) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.reader.clear_outbox(request))
    }

    fn keep_notices(&self, request: KeepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.reader.keep_notices(request))
    }

    fn list_notices(&self, request: ListNotices) -> BoxFuture<'_, Result<Vec<KeptNotice>, StoreError>> {
        Box::pin(self.reader.list_notices(request))
    }

    fn oldest_work(&self, now: Timestamp) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(self.reader.oldest_work(now))
    }

    fn sweep_commands(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.reader.sweep_commands(before))
    }

    fn sweep_notices(&self, request: SweepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.reader.sweep_notices(request))
    }
}

/// How many rows a statement answered.
fn count(rows: &[tokio_postgres::Row]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}
