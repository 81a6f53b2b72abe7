//! The list of streams.

use crate::{
    document::Direction,
    message::Request,
    store::{StoreError, StreamInfo},
    stream::StreamName,
};

/// Lists streams page by page: the log of all streams (`$all`), live and soft-deleted ones; not the hard-deleted.
///
/// Sorting by version or by time looks at every matching stream; by name it does not.
#[derive(Clone, Debug, Default)]
pub struct ListStreams {
    /// Only streams whose names contain this, case and all.
    pub search: Option<String>,
    /// The order; streams that are equal in it come by name.
    pub sort: StreamSort,
    /// Which way.
    pub direction: Direction,
    /// Only streams whose names come behind this one, whatever the order: before it when the direction is backward. Sorted by
    /// name, that is the next page behind the last stream of the one before, found without looking at what it skips.
    pub behind: Option<StreamName>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

/// What a list of streams is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamSort {
    /// By name, bytewise.
    #[default]
    Name,
    /// By the version of the last event.
    Version,
    /// By when it was created.
    CreatedAt,
    /// By when it was deleted; the living come last forward, first backward.
    DeletedAt,
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamList {
    /// The streams, in the order asked for.
    pub streams: Vec<StreamInfo>,
    /// How many match, whatever the page; not counted (which looks at every stream) for what is behind a stream.
    pub total: Option<u64>,
}

impl Request for ListStreams {
    const NAME: &'static str = "store.list_streams";
    type Answer = StreamList;
    type Error = StoreError;
}
