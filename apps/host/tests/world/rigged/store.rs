//! What the rigged store does with each request, before the store behind it or instead of it.

use std::sync::atomic::Ordering;

use futures_util::{future::BoxFuture, stream::BoxStream};
use umbel_core::{
    CommandId, EventId, Json, Position, RecordedEvent, StreamName, Subject, Timestamp, Version,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, ClaimLive, ClearOutbox, DocumentPage, DuePage, FindWork,
        Finding, Generation, KeepNotices, KeptNotice, LinkError, LinkEvents, ListNotices, ListProjections,
        ListSnapshots, ListStreams, LoadDocuments, OpenProjection, OpenTables, Perform, PerformError,
        QueryTables, ReadAll, ReadDue, ReadError, ReadOutbox, ReadStream, RemoveRetired, SaveProjection,
        SaveProjectionError, SaveTables, Snapshot, Step, StoreError, StoreStatus, StreamInfo, StreamList,
        StreamPage, SweepNotices, SwitchError, SwitchProjection, TablesError, Waiting,
    },
};
use umbel_persistence::{Extras, Log, News, ReadModels, SubjectKey, Upkeep};

use super::{Rigged, lost, take};

impl Log for Rigged {
    fn append(
        &self,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            self.groups.send_modify(|(came, _)| *came += 1);
            self.shut.subscribe().wait_for(|shut| !shut).await.unwrap();
            self.groups.send_modify(|(_, through)| *through += 1);
            if take(&self.intrusions) {
                self.inner.append(vec![self.intruder()], now).await;
            }
            if take(&self.refused) && self.refused.load(Ordering::SeqCst) == 0 {
                let refusal = StoreError::Unavailable { reason: "told to refuse".into() };
                return group.iter().map(|_| Err(refusal.clone().into())).collect();
            }
            let settling = |append: &Append| {
                self.settling_refused.load(Ordering::SeqCst)
                    && append.command.is_none()
                    && !append.done.is_empty()
            };
            if let [append] = group.as_slice()
                && settling(append)
            {
                return vec![Err(StoreError::Unavailable { reason: "told not to settle".into() }.into())];
            }
            if group.iter().any(settling) {
                let mut outcomes = Vec::new();
                for append in group {
                    outcomes.extend(self.append(vec![append], now).await);
                }
                return outcomes;
            }
            let outcomes = self.inner.append(group, now).await;
            if take(&self.lost) { outcomes.iter().map(|_| Err(lost().into())).collect() } else { outcomes }
        })
    }

    fn news(&self) -> BoxStream<'static, News> {
        self.inner.news()
    }

    fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        Box::pin(async move {
            let mut page = self.inner.read_stream(request).await?;
            if self.empty_pages.load(Ordering::SeqCst) {
                page.events.clear();
            }
            Ok(page)
        })
    }

    fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        self.page_limit.send_replace(request.limit);
        self.inner.read_all(request)
    }

    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<RecordedEvent>, StoreError>> {
        self.inner.find_event(id)
    }

    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>> {
        self.inner.stream_info(stream)
    }

    fn list_streams(&self, request: ListStreams) -> BoxFuture<'_, Result<StreamList, StoreError>> {
        self.inner.list_streams(request)
    }

    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>> {
        self.inner.find_command(id)
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        self.inner.status()
    }
}

impl ReadModels for Rigged {
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        self.document_reads.fetch_add(1, Ordering::SeqCst);
        self.inner.get_documents(keys)
    }

    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>> {
        self.inner.query_documents(query)
    }

    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>> {
        self.inner.load_checkpoint(projection)
    }

    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(async move {
            let saved = self.inner.save_projection(request).await;
            if take(&self.lost_saves) { Err(lost().into()) } else { saved }
        })
    }

    fn load_documents(&self, request: LoadDocuments) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        self.inner.load_documents(request)
    }

    fn open_projection(&self, request: OpenProjection) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        self.inner.open_projection(request)
    }

    fn open_tables(&self, request: OpenTables) -> BoxFuture<'_, Result<Vec<Generation>, TablesError>> {
        self.inner.open_tables(request)
    }

    fn save_tables(&self, request: SaveTables) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(async move {
            let saved = self.inner.save_tables(request).await;
            if take(&self.lost_saves) { Err(lost().into()) } else { saved }
        })
    }

    fn query_tables(&self, request: QueryTables) -> BoxFuture<'_, Result<Vec<Json>, TablesError>> {
        self.inner.query_tables(request)
    }

    fn list_projections(
        &self,
        request: ListProjections,
    ) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        self.inner.list_projections(request)
    }

    fn switch_projection(&self, request: SwitchProjection) -> BoxFuture<'_, Result<(), SwitchError>> {
        Box::pin(async move {
            if *self.switches_held.borrow() {
                return Err(StoreError::Unavailable { reason: "told not to switch".into() }.into());
            }
            let switched = self.inner.switch_projection(request).await;
            if take(&self.lost_saves) { Err(lost().into()) } else { switched }
        })
    }

    fn remove_retired(&self, request: RemoveRetired) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.inner.remove_retired(request)
    }

    fn claim_live(&self, request: ClaimLive) -> BoxFuture<'_, Result<Position, StoreError>> {
        self.inner.claim_live(request)
    }
}

impl Upkeep for Rigged {
    fn link(&self, request: LinkEvents, now: Timestamp) -> BoxFuture<'_, Result<Version, LinkError>> {
        self.inner.link(request, now)
    }

    fn perform_step(&self, request: Perform, now: Timestamp) -> BoxFuture<'_, Result<Step, PerformError>> {
        self.inner.perform_step(request, now)
    }

    fn find_subject_keys(
        &self,
        subjects: Vec<Subject>,
    ) -> BoxFuture<'_, Result<Vec<Option<SubjectKey>>, StoreError>> {
        self.inner.find_subject_keys(subjects)
    }

    fn create_subject_keys(
        &self,
        keys: Vec<(Subject, [u8; 32])>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubjectKey>, StoreError>> {
        self.inner.create_subject_keys(keys, now)
    }

    fn find_subjects(
        &self,
        stream: StreamName,
        behind: Version,
        through: Version,
    ) -> BoxFuture<'_, Result<Vec<Subject>, StoreError>> {
        self.inner.find_subjects(stream, behind, through)
    }

    fn verify(&self) -> BoxFuture<'_, Result<Vec<Finding>, StoreError>> {
        self.inner.verify()
    }
}

impl Extras for Rigged {
    fn load_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        self.inner.load_snapshot(stream)
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, StoreError>> {
        if take(&self.snapshots_refused) {
            return Box::pin(async { Err(StoreError::Unavailable { reason: "told to refuse".into() }) });
        }
        self.inner.save_snapshot(snapshot)
    }

    fn delete_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.inner.delete_snapshot(stream)
    }

    fn list_snapshots(&self, request: ListSnapshots) -> BoxFuture<'_, Result<Vec<Snapshot>, StoreError>> {
        self.inner.list_snapshots(request)
    }

    fn read_outbox(&self, request: ReadOutbox) -> BoxFuture<'_, Result<Vec<Waiting>, StoreError>> {
        self.inner.read_outbox(request)
    }

    fn read_due(&self, request: ReadDue) -> BoxFuture<'_, Result<DuePage, StoreError>> {
        self.inner.read_due(request)
    }

    fn find_work(&self, request: FindWork) -> BoxFuture<'_, Result<Option<Waiting>, StoreError>> {
        self.inner.find_work(request)
    }

    fn clear_outbox(&self, request: ClearOutbox) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.clear_outbox(request)
    }

    fn keep_notices(&self, request: KeepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            self.batches.lock().unwrap().push(request.notices.len());
            self.notices_shut.subscribe().wait_for(|shut| !shut).await.unwrap();
            if take(&self.notices_refused) {
                return Err(StoreError::Unavailable { reason: "told to refuse".into() });
            }
            let kept = self.inner.keep_notices(request).await;
            if take(&self.lost_keeps) { Err(lost()) } else { kept }
        })
    }

    fn list_notices(&self, request: ListNotices) -> BoxFuture<'_, Result<Vec<KeptNotice>, StoreError>> {
        self.inner.list_notices(request)
    }

    fn sweep_notices(&self, request: SweepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.sweep_notices(request)
    }
}
