//! The store protocol as data: what can be asked of the store, and how it may answer.
//!
//! The bus carries these requests, `umbel-persistence` answers them. [`plan`] holds the one decision every
//! adapter shares: which appends of a group succeed.

mod append;
mod documents;
mod error;
pub mod plan;
mod read;

pub use append::{
    Append, AppendError, Appended, ClaimName, Claims, CommandRecord, InvalidAppend, Limits, StreamAppend,
};
pub use documents::{
    DocumentPage, GetDocuments, LoadCheckpoint, QueryDocuments, SaveProjection, SaveProjectionError,
};
pub use error::StoreError;
pub use read::{
    AllPage, FindCommand, GetStatus, GetStreamInfo, ReadAll, ReadError, ReadStream, StoreStatus, StreamInfo,
    StreamPage,
};
