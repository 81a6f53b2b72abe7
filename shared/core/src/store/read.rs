//! Reading the log.

use serde::Serialize;

use crate::{
    document::Direction,
    event::RecordedEvent,
    id::{CommandId, EventId},
    message::Request,
    store::{Appended, Selector, StoreError},
    stream::StreamName,
    time::Timestamp,
    version::{Position, Version},
};

/// Reads a page of one stream.
#[derive(Clone, Debug)]
pub struct ReadStream {
    /// Which stream.
    pub stream: StreamName,
    /// The first version wanted. `None` begins at the stream's first event, or at its last when going backward.
    pub from: Option<Version>,
    /// Which way.
    pub direction: Direction,
    /// How many events at most; the store's own page limit applies too.
    pub limit: u32,
}

/// Reads a page of the log of all streams, in position order.
#[derive(Clone, Debug)]
pub struct ReadAll {
    /// The first position wanted. `None` begins at the log's first event, or at its last when going backward.
    pub from: Option<Position>,
    /// Which way.
    pub direction: Direction,
    /// How many events at most; the store's own page limit applies too.
    pub limit: u32,
    /// Which events. The database selects, not the reader.
    pub selector: Selector,
}

/// Reads one event by its id.
#[derive(Clone, Copy, Debug)]
pub struct FindEvent {
    /// Its id.
    pub id: EventId,
}

/// Asks about one stream, or about the log of all streams ([`StreamName::all`]).
#[derive(Clone, Debug)]
pub struct GetStreamInfo {
    /// Which stream.
    pub stream: StreamName,
}

/// Asks whether a command was carried out before; the answer has its reply in [`Appended::repeated`].
#[derive(Clone, Copy, Debug)]
pub struct FindCommand {
    /// Its id.
    pub id: CommandId,
}

/// Asks how the store is.
#[derive(Clone, Copy, Debug)]
pub struct GetStatus;

/// A page of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamPage {
    /// The events, in the order asked for. Empty beyond the end.
    pub events: Vec<RecordedEvent>,
    /// Version of the stream's last event, at least that of the last event here.
    pub version: Version,
}

/// A page of the log of all streams.
#[derive(Clone, Debug, PartialEq)]
pub struct AllPage {
    /// The events, in the order asked for.
    pub events: Vec<RecordedEvent>,
    /// Going forward: everything up to here was looked at, so the next page begins behind it even when a
    /// filter let nothing through. Going backward: everything down to here was looked at, so the next page begins
    /// before it; at 1 or less nothing is left.
    pub scanned_to: Position,
    /// The log's last position when the page was read.
    pub head: Position,
}

/// What there is to know of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamInfo {
    /// Its name.
    pub stream: StreamName,
    /// Version of its last event; for the log of all streams the number of its last position.
    pub version: Version,
    /// Version of the first event that reading it still shows; greater than 1 after it was truncated.
    pub first_version: Version,
    /// When its first event was recorded. For the log of all streams: when the store was created, if it knows.
    pub created_at: Timestamp,
    /// When it was soft-deleted, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    /// Which adapter: `sqlite`, `postgres` or `memory`.
    pub adapter: &'static str,
    /// Where: a path, or host, database and schema; never a password.
    pub location: String,
    /// The log's last position.
    pub head: Position,
    /// Everything up to here is in the archive; the start when nothing is.
    pub archived_to: Position,
}

/// Why a stream could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing was ever appended to it.
    #[error("stream {0} does not exist")]
    StreamNotFound(StreamName),
    /// It was deleted; its events remain in the log of all streams.
    #[error("stream {0} was deleted")]
    StreamDeleted(StreamName),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Request for ReadStream {
    const NAME: &'static str = "store.read_stream";
    type Answer = StreamPage;
    type Error = ReadError;
}

impl Request for ReadAll {
    const NAME: &'static str = "store.read_all";
    type Answer = AllPage;
    type Error = StoreError;
}

impl Request for FindEvent {
    const NAME: &'static str = "store.find_event";
    type Answer = Option<RecordedEvent>;
    type Error = StoreError;
}

impl Request for GetStreamInfo {
    const NAME: &'static str = "store.get_stream_info";
    type Answer = StreamInfo;
    type Error = ReadError;
}

impl Request for FindCommand {
    const NAME: &'static str = "store.find_command";
    type Answer = Option<Appended>;
    type Error = StoreError;
}

impl Request for GetStatus {
    const NAME: &'static str = "store.get_status";
    type Answer = StoreStatus;
    type Error = StoreError;
}
