//! Umbrellas for tests, and a store that does as it is told.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{future::BoxFuture, stream::BoxStream};
use tokio::sync::watch;
use umbel_bus::{Bus, BusSettings};
use umbel_core::{
    CommandId, EventId, ExpectedVersion, Json, Metadata, NewEvent, Position, RecordedEvent, StreamName,
    Subject, Timestamp, Version,
    document::{Direction, DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, ClaimLive, ClearOutbox, DocumentPage, DuePage, FindWork,
        Finding, Generation, KeepNotices, KeptNotice, LinkError, LinkEvents, ListNotices, ListProjections,
        ListSnapshots, ListStreams, LoadDocuments, OpenProjection, OpenTables, Perform, PerformError,
        Performed, Phase, QueryTables, ReadAll, ReadDue, ReadError, ReadOutbox, ReadStream, RemoveRetired,
        SaveProjection, SaveProjectionError, SaveTables, Snapshot, StoreError, StoreStatus, StreamInfo,
        StreamList, StreamPage, SweepNotices, SwitchError, SwitchProjection, TablesError, Waiting,
    },
};
use umbel_host::{App, HostSettings};
use umbel_persistence::{
    Adapter, Extras, Log, News, ReadModels, StoreSettings, SubjectKey, Upkeep, memory::Memory,
};
use umbel_supervision::{Backoff, Group, Intensity, Outcome, Policy, Supervisor};

use crate::{
    bank::{self, Balance, Deposited, GetBalance},
    rigging::Rigging,
};

/// A deadline that no test reaches unless something is wrong.
pub(crate) const AMPLE: Duration = Duration::from_secs(30);
/// A deadline that passes while a test waits for it.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// One umbrella.
pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) supervisor: Supervisor,
}

/// A store, the one in memory unless said otherwise, with a door before the appends and events of others behind it.
pub(crate) struct Rigged {
    pub(crate) inner: Arc<dyn Adapter>,
    /// While shut, appends wait.
    shut: watch::Sender<bool>,
    /// Groups of appends that came so far, and of these those that were let through.
    groups: watch::Sender<(u32, u32)>,
    /// So many groups to come are preceded by somebody else's deposit to the account "contested".
    intrusions: AtomicU32,
    /// What is stored then instead of that deposit, each time with other ids.
    intruder: Mutex<Option<Append>>,
    /// So many groups to come are stored, and their answers lost.
    lost: AtomicU32,
    /// The group with this number among those to come is refused.
    refused: AtomicU32,
    /// So many saved projections to come are stored, and their answers lost.
    lost_saves: AtomicU32,
    /// The limit of the last read of the log.
    page_limit: watch::Sender<u32>,
    /// While held, switches of projections wait.
    switches_held: watch::Sender<bool>,
    /// Whether pages of streams come without their events.
    empty_pages: AtomicBool,
    /// While shut, notices are not taken: asking waits.
    notices_shut: watch::Sender<bool>,
    /// So many requests to keep notices to come are refused.
    notices_refused: AtomicU32,
    /// So many requests to keep notices to come are carried out, and their answers lost.
    lost_keeps: AtomicU32,
    /// How many notices each request brought.
    batches: Mutex<Vec<usize>>,
    /// So many snapshots to come are refused.
    snapshots_refused: AtomicU32,
    /// Whether appends are refused that only end what an instance of a process manager had to do.
    settling_refused: AtomicBool,
    /// How often documents were read.
    document_reads: AtomicU32,
    pub(crate) subscriptions: Rigging,
}

/// Runs a test on an actix system of its own, whose threads end with it.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let system = actix::System::new();
    system.block_on(async {
        tokio::time::timeout(AMPLE, test).await.expect("the test hangs");
        actix::System::current().stop();
    });
    system.run().unwrap();
}

pub(crate) fn policy() -> Policy {
    let backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(5) };
    let intensity = Intensity { max_restarts: 1000, within: AMPLE };
    Policy { backoff, intensity, ..Policy::default() }
}

pub(crate) fn settings() -> HostSettings {
    HostSettings { projection_poll_ms: 10, projection_look_ms: 20, ..HostSettings::default() }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(&Arc::new(Rigged::default())).await
    }

    pub(crate) async fn over(store: &Arc<Rigged>) -> Self {
        Self::with(store, &[bank::app()], settings()).await
    }

    pub(crate) async fn with(store: &Arc<Rigged>, apps: &[App], host: HostSettings) -> Self {
        Self::on(Bus::new(BusSettings::default()), store, apps, host).await
    }

    pub(crate) async fn on(bus: Bus, store: &Arc<Rigged>, apps: &[App], host: HostSettings) -> Self {
        let store_settings =
            StoreSettings { poll_interval_ms: 10, allow_hard_removal: true, ..StoreSettings::default() };
        let store = umbel_persistence::group_over(Arc::clone(store) as _, &store_settings, &bus, policy());
        let root = Group::new("test", policy()).child(umbel_bus::worker(&bus)).child(store);
        let root = apps.iter().fold(root, |root, app| root.child(app.group(&bus, &host, policy())));
        let supervisor = Supervisor::start(root);
        supervisor.tree().wait_until_up(AMPLE).await.unwrap();
        Self { bus, supervisor }
    }

    pub(crate) async fn stop(self) {
        assert_eq!(self.supervisor.shut_down().await, Outcome::Stopped);
    }

    /// The balance as the read model has it.
    pub(crate) async fn balance(&self, account: &str) -> Option<Balance> {
        self.bus.ask(GetBalance { account: account.into() }).await.unwrap()
    }

    /// All events of an account.
    pub(crate) async fn history(&self, account: &str) -> Vec<RecordedEvent> {
        let stream = StreamName::of("account", account).unwrap();
        let request = ReadStream { stream, from: None, direction: Direction::Forward, limit: 4096 };
        match self.bus.store().read_stream(request).await {
            Ok(page) => page.events,
            Err(ReadError::StreamNotFound(_)) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until the projection has passed this position.
    pub(crate) async fn passed(&self, projection: &str, position: Position) {
        loop {
            let found = self.bus.progress().into_iter().find(|progress| progress.name == projection);
            if let Some(mut progress) = found
                && progress.stand.position.wait_for(|reached| *reached >= position).await.is_ok()
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until readers get what the generation of this checkpoint has.
    pub(crate) async fn serves(&self, projection: &str, checkpoint: &str) {
        while self.phase(projection, checkpoint).await != Some(Phase::Serving) {
            pause().await;
        }
    }

    /// What the generation of a checkpoint is there for.
    pub(crate) async fn phase(&self, projection: &str, checkpoint: &str) -> Option<Phase> {
        let listed = ListProjections { projection: Some(projection.into()) };
        let kept = self.bus.store().list_projections(listed).await.unwrap();
        kept.iter().find(|one| one.checkpoint() == checkpoint).map(|one| one.phase)
    }

    pub(crate) async fn head(&self) -> Position {
        self.bus.store().status().await.unwrap().head
    }

    /// Appends a deposit behind the aggregate's back.
    pub(crate) async fn deposit_behind_its_back(&self, account: &str, amount: i64) -> Position {
        self.bus.store().append(foreign_deposit(account, amount)).await.unwrap().last_position.unwrap()
    }
}

/// Between two looks at what nobody tells of.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// A deposit that somebody else appends, whatever the version.
pub(crate) fn foreign_deposit(account: &str, amount: i64) -> Append {
    let event =
        NewEvent::of(EventId(umbel_bus::edge::fresh_id()), &Deposited { amount }, Metadata::default())
            .unwrap();
    Append::to_stream(StreamName::of("account", account).unwrap(), ExpectedVersion::Any, vec![event])
}

impl Default for Rigged {
    fn default() -> Self {
        Self::over(Arc::new(Memory::new()))
    }
}

impl Rigged {
    pub(crate) fn over(inner: Arc<dyn Adapter>) -> Self {
        Self {
            inner,
            shut: watch::Sender::default(),
            groups: watch::Sender::default(),
            intrusions: AtomicU32::default(),
            intruder: Mutex::default(),
            lost: AtomicU32::default(),
            refused: AtomicU32::default(),
            lost_saves: AtomicU32::default(),
            page_limit: watch::Sender::default(),
            switches_held: watch::Sender::default(),
            empty_pages: AtomicBool::default(),
            notices_shut: watch::Sender::default(),
            notices_refused: AtomicU32::default(),
            lost_keeps: AtomicU32::default(),
            batches: Mutex::default(),
            snapshots_refused: AtomicU32::default(),
            settling_refused: AtomicBool::default(),
            document_reads: AtomicU32::default(),
            subscriptions: Rigging::default(),
        }
    }

    /// Makes appends wait.
    pub(crate) fn shut(&self) {
        self.shut.send_replace(true);
    }

    /// Lets appends through again.
    pub(crate) fn open(&self) {
        self.shut.send_replace(false);
    }

    /// Waits until a group of appends waits.
    pub(crate) async fn waits(&self) {
        self.groups.subscribe().wait_for(|(came, through)| came > through).await.unwrap();
    }

    /// How many groups of appends were let through.
    pub(crate) fn groups(&self) -> u32 {
        self.groups.borrow().1
    }

    pub(crate) fn intrude(&self, times: u32) {
        self.intrusions.store(times, Ordering::SeqCst);
    }

    pub(crate) fn intrude_with(&self, append: Append, times: u32) {
        *self.intruder.lock().unwrap() = Some(append);
        self.intrude(times);
    }

    fn intruder(&self) -> Append {
        let Some(mut append) = self.intruder.lock().unwrap().clone() else {
            return foreign_deposit("contested", 1);
        };
        let events = append.streams.iter_mut().flat_map(|stream| &mut stream.events);
        events.for_each(|event| event.id = EventId(umbel_bus::edge::fresh_id()));
        append
    }

    pub(crate) fn lose_answers(&self, times: u32) {
        self.lost.store(times, Ordering::SeqCst);
    }

    pub(crate) fn refuse_nth(&self, number: u32) {
        self.refused.store(number, Ordering::SeqCst);
    }

    /// Makes switches of projections wait, or lets them through.
    pub(crate) fn hold_switches(&self, hold: bool) {
        self.switches_held.send_replace(hold);
    }

    /// The limit of the last read of the log.
    pub(crate) fn page_limit(&self) -> watch::Receiver<u32> {
        self.page_limit.subscribe()
    }

    pub(crate) fn empty_pages(&self, empty: bool) {
        self.empty_pages.store(empty, Ordering::SeqCst);
    }

    /// Makes notices wait.
    pub(crate) fn shut_for_notices(&self, shut: bool) {
        self.notices_shut.send_replace(shut);
    }

    pub(crate) fn refuse_notices(&self, times: u32) {
        self.notices_refused.store(times, Ordering::SeqCst);
    }

    pub(crate) fn lose_keeps(&self, times: u32) {
        self.lost_keeps.store(times, Ordering::SeqCst);
    }

    /// How many notices each request brought.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }

    pub(crate) fn refuse_snapshots(&self, times: u32) {
        self.snapshots_refused.store(times, Ordering::SeqCst);
    }

    pub(crate) fn snapshots_to_refuse(&self) -> u32 {
        self.snapshots_refused.load(Ordering::SeqCst)
    }

    /// Makes the store refuse what ends the commands of a process manager's instance.
    pub(crate) fn refuse_settling(&self, refused: bool) {
        self.settling_refused.store(refused, Ordering::SeqCst);
    }

    pub(crate) fn document_reads(&self) -> u32 {
        self.document_reads.load(Ordering::SeqCst)
    }

    pub(crate) fn lose_saves(&self, times: u32) {
        self.lost_saves.store(times, Ordering::SeqCst);
    }
}

/// Whether one is left, and takes it.
pub(crate) fn take(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

pub(crate) fn lost() -> StoreError {
    StoreError::OutcomeUnknown { reason: "the test lost the answer".into() }
}

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
            self.switches_held.subscribe().wait_for(|held| !held).await.unwrap();
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

    fn perform(&self, request: Perform, now: Timestamp) -> BoxFuture<'_, Result<Performed, PerformError>> {
        self.inner.perform(request, now)
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
