//! The conformance suite over every adapter.
//!
//! An adapter takes one group of appends at a time; the harness below forms groups of what many tasks send, as the
//! store actor does.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use umbel_core::{
    CommandId, Json, Position, StreamName, Timestamp,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, DocumentPage, ReadAll, ReadError, ReadStream, SaveProjection,
        SaveProjectionError, StoreError, StoreStatus, StreamInfo, StreamPage,
    },
};
use umbel_testkit::conformance::StoreUnderTest;

use crate::Adapter;

mod memory {
    use super::Harness;
    use crate::memory::Memory;

    async fn open() -> Harness {
        Harness::new(Memory::new(), ())
    }

    umbel_testkit::store_conformance!(open);
}

mod sqlite {
    use super::Harness;
    use crate::sqlite::Sqlite;

    async fn open() -> Harness {
        let directory = tempfile::tempdir().unwrap();
        Harness::new(Sqlite::open(&directory.path().join("umbel.db")).unwrap(), directory)
    }

    umbel_testkit::store_conformance!(open);
}

mod postgres {
    use umbel_testkit::postgres::TestPostgres;

    use super::Harness;
    use crate::postgres::{Postgres, PostgresOptions};

    async fn open() -> Harness {
        let schema = TestPostgres::get().unwrap().fresh_schema();
        let options = PostgresOptions { max_connections: 2, ..PostgresOptions::default() };
        Harness::new(Postgres::connect(schema.url(), schema.name(), options).await.unwrap(), schema)
    }

    umbel_testkit::store_conformance!(open);
}

type Queued = (Append, oneshot::Sender<Result<Appended, AppendError>>);

/// An adapter as the suite wants it, with what must live as long (a directory, a server).
pub(crate) struct Harness {
    adapter: Arc<dyn Adapter>,
    appends: mpsc::Sender<Queued>,
    _guard: Box<dyn Send + Sync>,
}

impl Harness {
    pub(crate) fn new(adapter: impl Adapter, guard: impl Send + Sync + 'static) -> Self {
        let adapter: Arc<dyn Adapter> = Arc::new(adapter);
        let (appends, queued) = mpsc::channel(256);
        tokio::spawn(form_groups(adapter.clone(), queued));
        Self { adapter, appends, _guard: Box::new(guard) }
    }
}

/// Takes what waits as one group, stores it, answers, and so on. Time moves on by a millisecond per group.
async fn form_groups(adapter: Arc<dyn Adapter>, mut queued: mpsc::Receiver<Queued>) {
    let mut now = 1_769_860_800_123_456;
    let mut waiting = Vec::new();
    while queued.recv_many(&mut waiting, 256).await > 0 {
        let (group, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        now += 1000;
        let outcomes = adapter.append(group, Timestamp::from_micros(now)).await;
        assert_eq!(outcomes.len(), replies.len(), "one outcome for each append");
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            drop(reply.send(outcome));
        }
    }
}

impl StoreUnderTest for Harness {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (reply, outcome) = oneshot::channel();
        assert!(self.appends.send((append, reply)).await.is_ok(), "the group former ended");
        outcome.await.unwrap()
    }

    async fn read_stream(&self, request: ReadStream) -> Result<StreamPage, ReadError> {
        self.adapter.read_stream(request).await
    }

    async fn read_all(&self, request: ReadAll) -> Result<AllPage, StoreError> {
        self.adapter.read_all(request).await
    }

    async fn stream_info(&self, stream: StreamName) -> Result<StreamInfo, ReadError> {
        self.adapter.stream_info(stream).await
    }

    async fn find_command(&self, id: CommandId) -> Result<Option<Appended>, StoreError> {
        self.adapter.find_command(id).await
    }

    async fn get_documents(&self, keys: Vec<DocumentKey>) -> Result<Vec<Option<Json>>, StoreError> {
        self.adapter.get_documents(keys).await
    }

    async fn query_documents(&self, query: DocumentQuery) -> Result<DocumentPage, StoreError> {
        self.adapter.query_documents(query).await
    }

    async fn load_checkpoint(&self, projection: String) -> Result<Position, StoreError> {
        self.adapter.load_checkpoint(projection).await
    }

    async fn save_projection(&self, request: SaveProjection) -> Result<(), SaveProjectionError> {
        self.adapter.save_projection(request).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.adapter.status().await
    }
}
