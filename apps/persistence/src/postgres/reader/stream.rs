//! Pages of one stream.

use tokio_postgres::Row;
use umbel_core::{
    RecordedEvent, Version,
    document::Direction,
    store::{ReadError, ReadStream, StreamPage},
};

use super::{
    Param, Reader,
    pace::Place,
    rows::{COLUMNS, Columns, EventRows},
    sorted,
};

/// Where a plain stream's events are, and where those of one with links.
const OWN: Columns = Columns { first: 5, linked_at: None };
const WHOLE: Columns = Columns { linked_at: Some(OWN.first + COLUMNS), ..OWN };

/// What comes with every page.
struct Stream {
    deleted: bool,
    plain: bool,
    first_version: Version,
    version: Version,
    archived_to: i64,
}

impl Reader {
    pub(in crate::postgres) async fn read_stream(
        &self,
        request: ReadStream,
    ) -> Result<StreamPage, ReadError> {
        let (stream, direction, asked) = (request.stream.clone(), request.direction, request.limit);
        let limit = self.pace.limit(&Place::in_stream(&stream, request.from, direction), asked);
        let request = ReadStream { limit, ..request };
        // Each further round takes another stream that was deleted just then.
        let page = loop {
            if let Some(page) = self.try_read_stream(&request).await? {
                break page;
            }
        };
        if let Some(last) = page.events.last().map(RecordedEvent::version_read) {
            self.pace.learn(&page.events, asked, || Place::behind_version(&stream, last, direction));
        }
        Ok(page)
    }

    /// A page; none if events of it were removed before their names were known. What stands behind them is to be read then,
    /// for a page that is short, or empty, is taken for the end of its stream.
    async fn try_read_stream(&self, request: &ReadStream) -> Result<Option<StreamPage>, ReadError> {
        let not_found = || ReadError::StreamNotFound(request.stream.clone());
        let (lowest, highest) = match request.direction {
            Direction::Forward => (request.from.unwrap_or(Version::START), Version::MAX),
            Direction::Backward => (Version::START, request.from.unwrap_or(Version::MAX)),
        };
        let (lowest, highest, limit) = (lowest.to_i64(), highest.to_i64(), i64::from(request.limit));
        let params: [Param<'_>; 4] = [&request.stream.as_str(), &lowest, &highest, &limit];
        let text = |text: &str| text.replace("{sorted}", sorted(request.direction));

        let mut rows =
            self.query_events(&text(&self.statements.read_stream), &params, OWN, self.room()).await?;
        rows.put_in_order(request.direction, |event| event.version)?;
        let mut stream = rows.first.as_ref().map(Stream::of).ok_or_else(not_found)?;
        if stream.deleted {
            return Err(ReadError::StreamDeleted(request.stream.clone()));
        }
        if stream.version == Version::START {
            return Err(not_found());
        }
        if !stream.is_whole(&rows, request) {
            rows = self
                .query_events(&text(&self.statements.read_stream_whole), &params, WHOLE, self.room())
                .await?;
            stream = rows.first.as_ref().map(Stream::of).ok_or_else(not_found)?;
        }
        let found = rows.events.len();
        let events = self.named(rows).await?;
        Ok((events.len() == found).then_some(StreamPage { events, version: stream.version }))
    }
}

impl Stream {
    fn of(row: &Row) -> Self {
        Self {
            deleted: row.get(0),
            plain: row.get(1),
            first_version: Version::from_i64(row.get(2)),
            version: Version::from_i64(row.get(3)),
            archived_to: row.get(4),
        }
    }

    /// Whether a page of events that are not in the archive misses none: a plain stream has each of its versions once,
    /// and what is in the archive is older than what is not.
    fn is_whole(&self, rows: &EventRows, request: &ReadStream) -> bool {
        let (first, last) = (rows.events.first(), rows.events.last());
        let reaches = match request.direction {
            Direction::Forward => {
                let from = request.from.unwrap_or(Version::START).max(self.first_version);
                from > self.version || first.is_some_and(|first| first.version == from)
            }
            Direction::Backward => {
                let full = rows.room.is_full() || u32::try_from(rows.events.len()) == Ok(request.limit);
                last.is_some_and(|last| full || last.version == self.first_version)
            }
        };
        self.plain && (self.archived_to == 0 || reaches)
    }
}
