//! Pages of one stream.

use tokio_postgres::Row;
use umbel_core::{
    RecordedEvent, Version,
    document::Direction,
    store::{Parts, ReadError, ReadStream, StreamPage},
};

use super::{
    Param, Reader,
    outlet::{Outlet, Tap},
    pace::{Place, Size},
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
        self.read_stream_by(request, None).await
    }

    /// The same, with the first events handed over as they come.
    pub(in crate::postgres) async fn read_stream_in_parts(
        &self,
        request: ReadStream,
        parts: Parts,
    ) -> Result<StreamPage, ReadError> {
        let mut outlet = Some(Outlet::new(parts)).filter(|_| request.direction == Direction::Forward);
        self.read_stream_by(request, outlet.as_mut()).await
    }

    async fn read_stream_by(
        &self,
        request: ReadStream,
        mut outlet: Option<&mut Outlet>,
    ) -> Result<StreamPage, ReadError> {
        let (stream, direction, asked) = (request.stream.clone(), request.direction, request.limit);
        let limit = self.pace.limit(&Place::in_stream(&stream, request.from, direction), asked);
        let mut request = ReadStream { limit, ..request };
        // Each further round takes another stream that was deleted just then.
        let page = loop {
            if let Some(page) = self.try_read_stream(&request, outlet.as_deref_mut()).await? {
                break page;
            }
            // What was handed over stays so.
            let last = outlet.as_ref().and_then(|outlet| outlet.last);
            request.from = last.map(|last| Version::new(last).next()).or(request.from);
        };
        let handed = outlet.as_ref().map_or(Size::default(), |outlet| outlet.handed);
        let last = page.events.last().map(RecordedEvent::version_read);
        if let Some(last) = last.or_else(|| outlet?.last.map(Version::new)) {
            let read = Size::of(&page.events).and(handed);
            self.pace.learn(read, asked, || Place::behind_version(&stream, last, direction));
        }
        Ok(page)
    }

    /// A page; none if events of it were removed before their names were known. What stands behind them is to be read then,
    /// for a page that is short, or empty, is taken for the end of its stream.
    async fn try_read_stream(
        &self,
        request: &ReadStream,
        outlet: Option<&mut Outlet>,
    ) -> Result<Option<StreamPage>, ReadError> {
        let not_found = || ReadError::StreamNotFound(request.stream.clone());
        let (lowest, highest) = match request.direction {
            Direction::Forward => (request.from.unwrap_or(Version::START), Version::MAX),
            Direction::Backward => (Version::START, request.from.unwrap_or(Version::MAX)),
        };
        let (lowest, highest, limit) = (lowest.to_i64(), highest.to_i64(), i64::from(request.limit));
        let params: [Param<'_>; 4] = [&request.stream.as_str(), &lowest, &highest, &limit];
        let text = |text: &str| text.replace("{sorted}", sorted(request.direction));

        let tap = outlet.map(|outlet| Tap::new(outlet, |event| event.version_read().get()));
        let own = tap.map(|tap| {
            tap.if_page(|row, first| {
                let stream = Stream::of(row);
                stream.is_shown() && stream.holds_from(Some(first), request)
            })
        });
        let statement = text(&self.statements.read_stream);
        let mut rows = self.query_page(&statement, &params, OWN, self.room(), own).await?;
        rows.put_in_order(request.direction, |event| event.version)?;
        let mut stream = rows.first.as_ref().map(Stream::of).ok_or_else(not_found)?;
        if stream.deleted {
            return Err(ReadError::StreamDeleted(request.stream.clone()));
        }
        if stream.version == Version::START {
            return Err(not_found());
        }
        if !rows.has_handed_over() && !stream.is_whole(&rows, request) {
            let whole = rows.tap.map(|tap| tap.if_page(|row, _| Stream::of(row).is_shown()));
            let statement = text(&self.statements.read_stream_whole);
            rows = self.query_page(&statement, &params, WHOLE, self.room(), whole).await?;
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

    /// Whether there is anything to be read of it.
    fn is_shown(&self) -> bool {
        !self.deleted && self.version > Version::START
    }

    /// Whether a page of events that are not in the archive misses none: a plain stream has each of its versions once,
    /// and what is in the archive is older than what is not.
    fn is_whole(&self, rows: &EventRows<'_>, request: &ReadStream) -> bool {
        match request.direction {
            Direction::Forward => self.holds_from(rows.events.first(), request),
            Direction::Backward => {
                let full = rows.room.is_full() || u32::try_from(rows.events.len()) == Ok(request.limit);
                let last = rows.events.last();
                let reaches = last.is_some_and(|last| full || last.version == self.first_version);
                self.plain && (self.archived_to == 0 || reaches)
            }
        }
    }

    /// The same going forward, by its first event.
    fn holds_from(&self, first: Option<&RecordedEvent>, request: &ReadStream) -> bool {
        let from = request.from.unwrap_or(Version::START).max(self.first_version);
        let reaches = from > self.version || first.is_some_and(|first| first.version == from);
        self.plain && (self.archived_to == 0 || reaches)
    }
}
