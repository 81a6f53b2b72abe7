//! The list of streams.

use crate::{
    document::Direction,
    message::Request,
    store::{StoreError, StreamInfo},
    stream::StreamName,
    time::Timestamp,
};

/// Lists streams page by page: the log of all streams (`$all`), live and soft-deleted ones; not the hard-deleted.
///
/// By name and by time a page is found by an index, behind the one before it, however many streams there are. Sorting by version, which
/// each append changes, looks at every stream once and has one page: the first in that order.
#[derive(Clone, Debug, Default)]
pub struct ListStreams {
    /// Only streams whose names contain this, case and all.
    pub search: Option<String>,
    /// Only streams of this category, which sorted by name are found by the index, however many others there are.
    pub category: Option<String>,
    /// The order; streams that are equal in it come by name, the same way.
    pub sort: StreamSort,
    /// Which way.
    pub direction: Direction,
    /// Only what comes behind this place of the order, whose stream need not be there: the next page behind the last stream of
    /// the one before, found without looking at what it skips. Sorted by version nothing does: there is one page.
    pub behind: Option<StreamPlace>,
    /// How many to skip, which are looked at.
    pub offset: u64,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

/// A place in a list of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlace {
    /// The stream's name.
    pub stream: StreamName,
    /// When it was created or deleted, where the list is sorted by that; `None` is never.
    pub at: Option<Timestamp>,
}

/// What a list of streams is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamSort {
    /// By name, bytewise.
    #[default]
    Name,
    /// By the version of the last event. Only one page.
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

impl StreamSort {
    /// The place of a stream in this order.
    #[must_use]
    pub fn place(self, info: &StreamInfo) -> StreamPlace {
        let at = match self {
            Self::Name | Self::Version => None,
            Self::CreatedAt => Some(info.created_at),
            Self::DeletedAt => info.deleted_at,
        };
        StreamPlace { stream: info.stream.clone(), at }
    }
}

impl Request for ListStreams {
    const NAME: &'static str = "store.list_streams";
    type Answer = StreamList;
    type Error = StoreError;
}
