//! The store protocol as data: what can be asked of the store, and how it may answer.
//!
//! The bus carries these requests, `umbel-persistence` answers them. [`plan`] holds the one decision every
//! adapter shares: which appends of a group succeed.

mod append;
mod claims;
mod documents;
mod error;
mod generations;
mod inline;
mod invalid;
mod letters;
mod link;
mod notices;
mod outbox;
mod parts;
pub mod plan;
mod processes;
mod read;
mod removal;
pub mod resolution;
mod selector;
mod snapshot;
mod streams;
mod subscriptions;
mod tables;
mod upkeep;
mod verify;

pub use append::{
    Append, AppendCondition, AppendError, Appended, ClaimName, Claims, CommandRecord, Limits, Stored,
    StreamAppend,
};
pub use claims::{Claim, ListClaims};
pub use documents::{
    DocumentPage, GetDocuments, LoadCheckpoint, QueryDocuments, SaveProjection, SaveProjectionError,
};
pub use error::StoreError;
pub use generations::{
    ClaimLive, Generation, ListProjections, LoadDocuments, OpenProjection, Phase, RemoveRetired, SwitchError,
    SwitchProjection, rebuilt,
};
pub use inline::{DocumentChange, InlineChanges};
pub use invalid::InvalidAppend;
pub use letters::{
    CountLetters, ERROR_MAX_BYTES, Failure, KEY_MAX_BYTES, Letter, LetterFilter, LettersSettled, ListLetters,
    NewLetter, ParkLetters, ReadParkedKeys, SettleLetters, TakeLetters,
};
pub use link::{LinkError, LinkEvents};
pub use notices::{KeepNotices, KeptNotice, ListNotices, Recorded, SweepNotices};
pub use outbox::{
    ClearOutbox, DuePage, FindWork, ListQueues, OutboxEntry, QueueInfo, ReadDue, ReadOutbox, Waiting,
};
pub use parts::{Parts, ReadInParts};
pub use processes::{Listener, Process, Reach, TellProcess};
pub use read::{
    AllPage, FindCommand, FindEvent, GetStatus, GetStreamInfo, ReadAll, ReadError, ReadStream, StoreStatus,
    StreamInfo, StreamPage,
};
pub use removal::{Removing, Step, Turn};
pub use selector::Selector;
pub use snapshot::{
    DeleteSnapshot, ListSnapshots, LoadSnapshot, SaveSnapshot, Snapshot, SnapshotError, State,
};
pub use streams::{ListStreams, StreamList, StreamPlace, StreamSort};
pub use subscriptions::{
    Checkpoint, KeepLeases, LEASE_MAX_MS, Lease, LeaseState, Leases, ListSubscriptions, NoteBegun,
    NoteResetsTold, OpenError, OpenSubscription, PARTITIONS_MAX, PartitionState, SOURCE_MAX_BYTES,
    SaveCheckpoints, SubscriptionState,
};
pub use tables::{OpenTables, QueryTables, SaveTables, TablesError};
pub use upkeep::{Act, ActRecord, Perform, PerformError, Performed, Removal};
pub use verify::{FINDINGS_MAX_PER_RULE, Finding, Rule, VerifyStore};
