//! The five sides of a store, each request handed on between two looks.

use futures_util::{future::BoxFuture, stream::BoxStream};
use umbel_core::{
    CommandId, EventId, Json, Position, RecordedEvent, StreamName, Subject, Timestamp, Version,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, Claim, ClaimLive, ClearOutbox, CountLetters, DocumentPage,
        DuePage, FindWork, Finding, Generation, KeepLeases, KeepNotices, KeptNotice, Leases, Letter,
        LettersSettled, LinkError, LinkEvents, ListClaims, ListLetters, ListNotices, ListProjections,
        ListQueues, ListSnapshots, ListStreams, ListSubscriptions, LoadDocuments, NoteBegun, NoteResetsTold,
        OpenError, OpenProjection, OpenSubscription, OpenTables, ParkLetters, Parts, Perform, PerformError,
        Process, QueryTables, QueueInfo, ReadAll, ReadDue, ReadError, ReadOutbox, ReadParkedKeys, ReadStream,
        RemoveRetired, SaveCheckpoints, SaveProjection, SaveProjectionError, SaveTables, SettleLetters,
        Snapshot, Step, StoreError, StoreStatus, StreamInfo, StreamList, StreamPage, SubscriptionState,
        SweepNotices, SwitchError, SwitchProjection, TablesError, TakeLetters, TellProcess, Waiting,
    },
    subscription::Key,
};
use umbel_persistence::{Extras, Log, News, ReadModels, Stride, SubjectKey, Subscriptions, Upkeep};

use super::{Intercept, Intercepted};

/// Makes of a table of requests the sides of the store, and [`Call`]. What a side has besides follows its requests.
macro_rules! sides {
    ($(side $side:ident {
        $($call:ident $({ $($field:ident: $kind:ty = $of:expr),+ })? =
            $method:ident($($name:ident: $type:ty),*) -> $answer:ty, $error:ty;)*
    } $(also { $($more:tt)* })?)+) => {
        /// A request to a store, by the name of what the adapter is asked to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Call {
            /// `read_stream`, at once or in parts.
            ReadStream,
            /// `read_all`, at once or in parts.
            ReadAll {
                /// Events that were asked for.
                limit: u32,
            },
            $($(
                #[doc = concat!("`", stringify!($method), "`.")]
                $call $({ $(
                    #[doc = concat!("`", stringify!($of), "`.")]
                    $field: $kind
                ),+ })?,
            )*)+
        }

        $(impl<I: Intercept> $side for Intercepted<I> {
            $(fn $method(&self, $($name: $type),*) -> BoxFuture<'_, Result<$answer, $error>> {
                Box::pin(async move {
                    let call = Call::$call $({ $($field: $of),+ })?;
                    self.by.before(call).await?;
                    let answer = self.inner.$method($($name),*).await;
                    self.by.after(call)?;
                    answer
                })
            })*

            $($($more)*)?
        })+
    };
}

sides! {
    side Log {
        FindEvent = find_event(id: EventId) -> Option<RecordedEvent>, StoreError;
        StreamInfo = stream_info(stream: StreamName) -> StreamInfo, ReadError;
        ListStreams = list_streams(request: ListStreams) -> StreamList, StoreError;
        ListClaims = list_claims(request: ListClaims) -> Vec<Claim>, StoreError;
        FindCommand = find_command(id: CommandId) -> Option<Appended>, StoreError;
        Status = status() -> StoreStatus, StoreError;
    } also {
        fn append(
            &self,
            group: Vec<Append>,
            now: Timestamp,
        ) -> BoxFuture<'_, Vec<Result<Appended, AppendError>>> {
            self.by.append(&*self.inner, group, now)
        }

        fn attend(&self) -> BoxFuture<'_, ()> {
            self.inner.attend()
        }

        fn news(&self) -> BoxStream<'static, News> {
            self.inner.news()
        }

        fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
            Box::pin(self.stream_page(|| self.inner.read_stream(request)))
        }

        fn read_stream_in_parts(
            &self,
            request: ReadStream,
            parts: Parts,
        ) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
            Box::pin(self.stream_page(|| self.inner.read_stream_in_parts(request, parts)))
        }

        fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>> {
            Box::pin(self.log_page(request.limit, || self.inner.read_all(request)))
        }

        fn read_all_in_parts(
            &self,
            request: ReadAll,
            parts: Parts,
        ) -> BoxFuture<'_, Result<AllPage, StoreError>> {
            Box::pin(self.log_page(request.limit, || self.inner.read_all_in_parts(request, parts)))
        }
    }

    side ReadModels {
        GetDocuments = get_documents(keys: Vec<DocumentKey>) -> Vec<Option<Json>>, StoreError;
        QueryDocuments = query_documents(query: DocumentQuery) -> DocumentPage, StoreError;
        LoadCheckpoint = load_checkpoint(projection: String) -> Position, StoreError;
        SaveProjection = save_projection(request: SaveProjection) -> (), SaveProjectionError;
        LoadDocuments = load_documents(request: LoadDocuments) -> Vec<Option<Json>>, StoreError;
        OpenProjection = open_projection(request: OpenProjection) -> Vec<Generation>, StoreError;
        OpenTables = open_tables(request: OpenTables) -> Vec<Generation>, TablesError;
        SaveTables = save_tables(request: SaveTables) -> (), SaveProjectionError;
        QueryTables = query_tables(request: QueryTables) -> Vec<Json>, TablesError;
        ListProjections = list_projections(request: ListProjections) -> Vec<Generation>, StoreError;
        SwitchProjection = switch_projection(request: SwitchProjection) -> (), SwitchError;
        RemoveRetired = remove_retired(request: RemoveRetired) -> bool, StoreError;
        ClaimLive = claim_live(request: ClaimLive) -> Position, StoreError;
    }

    side Upkeep {
        Link = link(request: LinkEvents, now: Timestamp) -> Version, LinkError;
        Perform = perform_step(request: Perform, now: Timestamp) -> Step, PerformError;
        Removals = removals() -> Vec<Perform>, StoreError;
        FindSubjectKeys = find_subject_keys(subjects: Vec<Subject>) -> Vec<Option<SubjectKey>>, StoreError;
        CreateSubjectKeys =
            create_subject_keys(keys: Vec<(Subject, [u8; 32])>, now: Timestamp) -> Vec<SubjectKey>, StoreError;
        FindSubjects =
            find_subjects(stream: StreamName, behind: Version, through: Version) -> Vec<Subject>, StoreError;
        Verify = verify_by(stride: Stride) -> Vec<Finding>, StoreError;
    }

    side Extras {
        LoadSnapshot = load_snapshot(stream: StreamName) -> Option<Snapshot>, StoreError;
        SaveSnapshot = save_snapshot(snapshot: Snapshot) -> bool, StoreError;
        DeleteSnapshot = delete_snapshot(stream: StreamName) -> bool, StoreError;
        ListSnapshots = list_snapshots(request: ListSnapshots) -> Vec<Snapshot>, StoreError;
        ReadOutbox = read_outbox(request: ReadOutbox) -> Vec<Waiting>, StoreError;
        ReadDue = read_due(request: ReadDue) -> DuePage, StoreError;
        ListQueues = list_queues(request: ListQueues) -> Vec<QueueInfo>, StoreError;
        FindWork = find_work(request: FindWork) -> Option<Waiting>, StoreError;
        ClearOutbox = clear_outbox(request: ClearOutbox) -> u64, StoreError;
        KeepNotices { notices: usize = request.notices.len() } =
            keep_notices(request: KeepNotices) -> u64, StoreError;
        ListNotices = list_notices(request: ListNotices) -> Vec<KeptNotice>, StoreError;
        OldestWork = oldest_work(now: Timestamp) -> Option<Timestamp>, StoreError;
        SweepCommands = sweep_commands(before: Timestamp) -> u64, StoreError;
        SweepNotices = sweep_notices(request: SweepNotices) -> u64, StoreError;
    }

    side Subscriptions {
        OpenSubscription =
            open_subscription(request: OpenSubscription, now: Timestamp) -> SubscriptionState, OpenError;
        KeepLeases = keep_leases(request: KeepLeases, now: Timestamp) -> Leases, StoreError;
        SaveCheckpoints = save_checkpoints(request: SaveCheckpoints) -> Vec<u32>, StoreError;
        NoteBegun = note_begun(request: NoteBegun) -> bool, StoreError;
        NoteResetsTold { told: u64 = request.told } =
            note_resets_told(request: NoteResetsTold) -> Option<u64>, StoreError;
        ListSubscriptions =
            list_subscriptions(request: ListSubscriptions, now: Timestamp) -> Vec<SubscriptionState>, StoreError;
        TellProcess = tell_process(request: TellProcess, now: Timestamp) -> Vec<Process>, StoreError;
        ParkLetters = park_letters(request: ParkLetters, now: Timestamp) -> Vec<u32>, StoreError;
        ReadParkedKeys = read_parked_keys(request: ReadParkedKeys) -> Vec<Key>, StoreError;
        TakeLetters = take_letters(request: TakeLetters) -> Vec<Letter>, StoreError;
        SettleLetters = settle_letters(request: SettleLetters) -> LettersSettled, StoreError;
        ListLetters = list_letters(request: ListLetters) -> Vec<Letter>, StoreError;
        CountLetters = count_letters(request: CountLetters) -> u64, StoreError;
        SweepLetters = sweep_letters(limit: u32) -> u64, StoreError;
    }
}

impl<I: Intercept> Intercepted<I> {
    async fn stream_page<'a>(
        &'a self,
        read: impl FnOnce() -> BoxFuture<'a, Result<StreamPage, ReadError>> + Send,
    ) -> Result<StreamPage, ReadError> {
        self.by.before(Call::ReadStream).await?;
        let page = read().await;
        self.by.after(Call::ReadStream)?;
        page.map(|page| self.by.page(page))
    }

    async fn log_page<'a>(
        &'a self,
        limit: u32,
        read: impl FnOnce() -> BoxFuture<'a, Result<AllPage, StoreError>> + Send,
    ) -> Result<AllPage, StoreError> {
        self.by.before(Call::ReadAll { limit }).await?;
        let page = read().await;
        self.by.after(Call::ReadAll { limit })?;
        page
    }
}
