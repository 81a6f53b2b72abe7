//! One suite for all stores: what an adapter promises, case by case, as plain async functions.
//!
//! Every case gets a fresh, empty store and panics when the store breaks a promise.
//! [`store_conformance!`](crate::store_conformance) turns them into one `#[test]` per case. The suite knows no
//! adapter: whoever has one implements [`StoreUnderTest`] for it. The ids in the cases' comments are those of
//! the project's list of behaviours.

#![allow(clippy::unwrap_used, reason = "a case is a test: a failed one panics")]

mod acts;
mod build;
mod cases;
mod log;
mod model;
mod oracle;
mod run;
mod subscribing;

pub mod append;
pub mod archive;
pub mod audit;
pub mod chunks;
pub mod claims;
pub mod commands;
pub mod concurrency;
pub mod document_pages;
pub mod documents;
pub mod generations;
pub mod health;
pub mod inline;
pub mod leases;
pub mod letters;
pub mod links;
pub mod notices;
pub mod outbox;
pub mod pages;
pub mod payloads;
pub mod personal;
pub mod projections;
pub mod read;
pub mod removal;
pub mod selectors;
pub mod snapshots;
pub mod streams;
pub mod subscriptions;
pub mod tags;
pub mod truncation;

pub use acts::random_acts_agree_with_the_oracle;
pub use build::{
    Events, Item, archive, command, delete, exact, items, link, position, positions, put, stream, truncate,
    version,
};
pub use log::{
    check_log, check_log_with_holes, read_log, read_log_backward, read_log_matching, read_log_with_holes,
    read_whole_stream,
};
pub use model::random_appends_agree_with_the_planner;
pub use run::run;

use std::future::Future;

use umbel_core::{
    CommandId, Json, Position, Request, StreamName,
    document::{DocumentKey, DocumentQuery},
    store::{
        AllPage, Append, AppendError, Appended, ClaimLive, ClearOutbox, CountLetters, DeleteSnapshot,
        DocumentPage, FindCommand, FindEvent, FindWork, GetDocuments, GetStatus, GetStreamInfo, KeepLeases,
        KeepNotices, LinkEvents, ListClaims, ListLetters, ListNotices, ListProjections, ListQueues,
        ListSnapshots, ListStreams, ListSubscriptions, LoadCheckpoint, LoadDocuments, LoadSnapshot,
        NoteBegun, NoteResetsTold, OpenProjection, OpenSubscription, ParkLetters, Perform, QueryDocuments,
        ReadAll, ReadDue, ReadError, ReadOutbox, ReadParkedKeys, ReadStream, RemoveRetired, SaveCheckpoints,
        SaveProjection, SaveProjectionError, SaveSnapshot, SettleLetters, StoreError, StoreStatus,
        StreamInfo, StreamPage, SweepNotices, SwitchProjection, TakeLetters, VerifyStore,
    },
};

/// How many events one append to a store under test may hold: the default setting.
pub const APPEND_MAX_EVENTS: usize = 10_000;

/// How many bytes of data and metadata an event may have in a store under test: the default setting.
pub const PAYLOAD_MAX_BYTES: usize = 1 << 20;

/// How many bytes of data and metadata a page of a store under test may have. Less than the default setting, so that few events
/// fill a page; an event as large as allowed is larger.
pub const PAGE_MAX_BYTES: usize = 256 << 10;

/// Something that answers one kind of store request.
pub trait Asked<R: Request> {
    /// The answer. Appends come from many tasks at once; the implementation groups them as the store actor would.
    fn ask(&self, request: R) -> impl Future<Output = Result<R::Answer, R::Error>> + Send;
}

macro_rules! store_under_test {
    ($($request:ident),+ $(,)?) => {
        /// A store as the suite sees it: whatever answers all its requests. Its limits are the default ones, but
        /// for [`PAGE_MAX_BYTES`], and hard removal is allowed in it.
        ///
        /// The methods are short names of the requests that most cases use.
        pub trait StoreUnderTest: Send + Sync + 'static $(+ Asked<$request>)+ {
            /// See [`Append`].
            fn append(&self, append: Append) -> impl Future<Output = Result<Appended, AppendError>> + Send {
                self.ask(append)
            }

            /// See [`ReadStream`].
            fn read_stream(
                &self,
                request: ReadStream,
            ) -> impl Future<Output = Result<StreamPage, ReadError>> + Send {
                self.ask(request)
            }

            /// See [`ReadAll`].
            fn read_all(&self, request: ReadAll) -> impl Future<Output = Result<AllPage, StoreError>> + Send {
                self.ask(request)
            }

            /// See [`GetStreamInfo`].
            fn stream_info(
                &self,
                stream: StreamName,
            ) -> impl Future<Output = Result<StreamInfo, ReadError>> + Send {
                self.ask(GetStreamInfo { stream })
            }

            /// See [`FindCommand`].
            fn find_command(
                &self,
                id: CommandId,
            ) -> impl Future<Output = Result<Option<Appended>, StoreError>> + Send {
                self.ask(FindCommand { id })
            }

            /// See [`GetDocuments`].
            fn get_documents(
                &self,
                keys: Vec<DocumentKey>,
            ) -> impl Future<Output = Result<Vec<Option<Json>>, StoreError>> + Send {
                self.ask(GetDocuments { keys })
            }

            /// See [`QueryDocuments`].
            fn query_documents(
                &self,
                query: DocumentQuery,
            ) -> impl Future<Output = Result<DocumentPage, StoreError>> + Send {
                self.ask(QueryDocuments(query))
            }

            /// See [`LoadCheckpoint`].
            fn load_checkpoint(
                &self,
                projection: String,
            ) -> impl Future<Output = Result<Position, StoreError>> + Send {
                self.ask(LoadCheckpoint { projection })
            }

            /// See [`SaveProjection`].
            fn save_projection(
                &self,
                request: SaveProjection,
            ) -> impl Future<Output = Result<(), SaveProjectionError>> + Send {
                self.ask(request)
            }

            /// See [`GetStatus`].
            fn status(&self) -> impl Future<Output = Result<StoreStatus, StoreError>> + Send {
                self.ask(GetStatus)
            }
        }

        impl<T: Send + Sync + 'static $(+ Asked<$request>)+> StoreUnderTest for T {}
    };
}

store_under_test! {
    Append, ReadStream, ReadAll, FindEvent, GetStreamInfo, ListStreams, ListClaims, FindCommand, GetStatus,
    GetDocuments, QueryDocuments, LoadCheckpoint, SaveProjection, LoadDocuments,
    OpenProjection, ListProjections, SwitchProjection, RemoveRetired, ClaimLive,
    LinkEvents, Perform, VerifyStore,
    LoadSnapshot, SaveSnapshot, DeleteSnapshot, ListSnapshots,
    ReadOutbox, ReadDue, ListQueues, FindWork, ClearOutbox, KeepNotices, ListNotices, SweepNotices,
    OpenSubscription, KeepLeases, SaveCheckpoints, NoteBegun, NoteResetsTold, ListSubscriptions,
    ParkLetters, ReadParkedKeys, TakeLetters, SettleLetters, ListLetters, CountLetters,
}
