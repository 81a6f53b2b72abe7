//! Pages of one stream.

use tokio_postgres::Row;
use umbel_core::{
    Version,
    document::Direction,
    store::{ReadError, ReadStream, StreamPage},
};

use super::{Param, Reader, rows::COLUMNS, sorted};

/// Where the event's columns begin.
const EVENT: usize = 5;
/// Behind them, where there are links.
const LINKED_AT: usize = EVENT + COLUMNS;

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
        let (lowest, highest) = match request.direction {
            Direction::Forward => (request.from.unwrap_or(Version::START), Version::MAX),
            Direction::Backward => (Version::START, request.from.unwrap_or(Version::MAX)),
        };
        let (lowest, highest, limit) = (lowest.to_i64(), highest.to_i64(), i64::from(request.limit));
        let params: [Param<'_>; 4] = [&request.stream.as_str(), &lowest, &highest, &limit];
        let text = |text: &str| text.replace("{sorted}", sorted(request.direction));

        let mut rows = self.query(&text(&self.statements.read_stream), &params).await?;
        let Some(mut stream) = rows.first().map(Stream::of) else {
            return Err(ReadError::StreamNotFound(request.stream));
        };
        if stream.deleted {
            return Err(ReadError::StreamDeleted(request.stream));
        }
        if stream.version == Version::START {
            return Err(ReadError::StreamNotFound(request.stream));
        }
        let whole = stream.is_whole(&rows, &request);
        if !whole {
            rows = self.query(&text(&self.statements.read_stream_whole), &params).await?;
            let Some(now) = rows.first().map(Stream::of) else {
                return Err(ReadError::StreamNotFound(request.stream));
            };
            stream = now;
        }
        let mut events = self.events(&rows, EVENT).await?;
        if !whole {
            for (event, row) in events.iter_mut().zip(&rows) {
                event.linked_at = row.get::<_, Option<i64>>(LINKED_AT).map(Version::from_i64);
            }
        }
        Ok(StreamPage { events, version: stream.version })
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
    fn is_whole(&self, rows: &[Row], request: &ReadStream) -> bool {
        let version = |row: Option<&Row>| row.and_then(|row| row.get::<_, Option<i64>>(EVENT + 1));
        let reaches = match request.direction {
            Direction::Forward => {
                let from = request.from.unwrap_or(Version::START).max(self.first_version);
                from > self.version || version(rows.first()) == Some(from.to_i64())
            }
            Direction::Backward => {
                // An empty page has a row, too.
                let full = u32::try_from(rows.len()) == Ok(request.limit);
                version(rows.last()).is_some_and(|last| full || last == self.first_version.to_i64())
            }
        };
        self.plain && (self.archived_to == 0 || reaches)
    }
}
