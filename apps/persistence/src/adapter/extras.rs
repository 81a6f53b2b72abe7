//! What is kept beside the log: snapshots, the outbox, notices.

use futures_util::future::BoxFuture;
use umbel_core::{
    StreamName, Timestamp,
    store::{
        ClearOutbox, DuePage, FindWork, KeepNotices, KeptNotice, ListNotices, ListQueues, ListSnapshots,
        QueueInfo, ReadDue, ReadOutbox, Snapshot, StoreError, SweepNotices, Waiting,
    },
};

use super::missing;

/// Keeps snapshots, entries of the outbox, and notices.
pub trait Extras: Send + Sync + 'static {
    /// The snapshot of a stream.
    fn load_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        let _ = stream;
        missing()
    }

    /// Keeps a snapshot unless there is one of a newer version; whether it was kept.
    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, StoreError>> {
        let _ = snapshot;
        missing()
    }

    /// Removes a snapshot; whether there was one.
    fn delete_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<bool, StoreError>> {
        let _ = stream;
        missing()
    }

    /// A page of the list of snapshots.
    fn list_snapshots(&self, request: ListSnapshots) -> BoxFuture<'_, Result<Vec<Snapshot>, StoreError>> {
        let _ = request;
        missing()
    }

    /// Entries of a queue that wait.
    fn read_outbox(&self, request: ReadOutbox) -> BoxFuture<'_, Result<Vec<Waiting>, StoreError>> {
        let _ = request;
        missing()
    }

    /// Entries of a queue that are due.
    fn read_due(&self, request: ReadDue) -> BoxFuture<'_, Result<DuePage, StoreError>> {
        let _ = request;
        missing()
    }

    /// The queues in which entries wait.
    fn list_queues(&self, request: ListQueues) -> BoxFuture<'_, Result<Vec<QueueInfo>, StoreError>> {
        let _ = request;
        missing()
    }

    /// An entry that waits.
    fn find_work(&self, request: FindWork) -> BoxFuture<'_, Result<Option<Waiting>, StoreError>> {
        let _ = request;
        missing()
    }

    /// Takes entries out; how many there were.
    fn clear_outbox(&self, request: ClearOutbox) -> BoxFuture<'_, Result<u64, StoreError>> {
        let _ = request;
        missing()
    }

    /// Keeps notices, all or none, each once; how many are new.
    fn keep_notices(&self, request: KeepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        let _ = request;
        missing()
    }

    /// A page of the kept notices.
    fn list_notices(&self, request: ListNotices) -> BoxFuture<'_, Result<Vec<KeptNotice>, StoreError>> {
        let _ = request;
        missing()
    }

    /// Since when the oldest work waits that may come again and then relies on recorded commands: an entry of the outbox that is due
    /// (but for what was given up), an event that some subscription has not passed, a dead letter. `None`: nothing waits.
    fn oldest_work(&self, now: Timestamp) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        let _ = now;
        missing()
    }

    /// Forgets commands that were recorded before this moment, with their replies; how many. It goes in steps that hold up no append.
    fn sweep_commands(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        let _ = before;
        missing()
    }

    /// Removes kept notices that have expired; how many.
    fn sweep_notices(&self, request: SweepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        let _ = request;
        missing()
    }
}
