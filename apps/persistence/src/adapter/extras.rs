//! What is kept beside the log: snapshots, the outbox, notices.

use futures_util::future::BoxFuture;
use umbel_core::{
    StreamName,
    store::{
        ClearOutbox, DuePage, KeepNotices, KeptNotice, ListNotices, ListSnapshots, ReadDue, ReadOutbox,
        Snapshot, StoreError, SweepNotices, Waiting,
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

    /// Removes kept notices that have expired; how many.
    fn sweep_notices(&self, request: SweepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        let _ = request;
        missing()
    }
}
