//! Reading the log.

use std::collections::BTreeSet;

use tokio_postgres::Row;
use umbel_core::{
    CommandId, EventId, Metadata, Position, RecordedEvent, StreamName, Version,
    document::Direction,
    store::{
        AllPage, Appended, ReadAll, ReadError, ReadStream, StoreError, StoreStatus, StreamInfo, StreamPage,
    },
};

use super::Reader;
use crate::postgres::{
    types::{JsonOut, PgTimestamp},
    writer::recorded_command,
};

/// How many positions one page looks through for events of certain types. Bounds the work of one request when the
/// types are rare; the reader goes on behind [`AllPage::scanned_to`].
const SCAN_MAX: u64 = 100_000;

/// Where the statements that read the log have the stream's id.
const STREAM_COLUMN: usize = 11;

impl Reader {
    pub(in crate::postgres) async fn read_stream(
        &self,
        request: ReadStream,
    ) -> Result<StreamPage, ReadError> {
        let stream = request.stream;
        let (sql, from) = match request.direction {
            Direction::Forward => (&self.statements.read_stream_forward, Version::START),
            Direction::Backward => (&self.statements.read_stream_backward, Version::MAX),
        };
        let from = request.from.unwrap_or(from).to_i64();
        let rows = self.query(sql, &[&stream.as_str(), &from, &i64::from(request.limit)]).await?;
        let Some(first) = rows.first() else { return Err(ReadError::StreamNotFound(stream)) };
        if first.get("deleted") {
            return Err(ReadError::StreamDeleted(stream));
        }
        let version = Version::from_i64(first.get("stream_version"));
        if version == Version::START {
            return Err(ReadError::StreamNotFound(stream));
        }
        let events = self.events(&rows, 2, |_| Some(stream.clone()))?;
        Ok(StreamPage { events, version })
    }

    pub(in crate::postgres) async fn read_all(&self, request: ReadAll) -> Result<AllPage, StoreError> {
        let names: Option<Vec<&str>> =
            request.names.as_deref().map(|names| names.iter().map(String::as_str).collect());
        match request.direction {
            Direction::Forward => self.read_forward(request.from, request.limit, names).await,
            Direction::Backward => self.read_backward(request.from, request.limit, names).await,
        }
    }

    async fn read_forward(
        &self,
        from: Option<Position>,
        limit: u32,
        names: Option<Vec<&str>>,
    ) -> Result<AllPage, StoreError> {
        let first = from.unwrap_or(Position::START).max(Position::START.next());
        let before = Position::new(first.get() - 1);
        let span = if names.is_some() { SCAN_MAX } else { u64::from(limit) };
        let end = before.plus(span);
        let rows = match &names {
            None => self.query(&self.statements.read_all_forward, &[&first.to_i64(), &end.to_i64()]).await,
            Some(names) => {
                let sql = &self.statements.read_all_forward_of_types;
                self.query(sql, &[&first.to_i64(), &end.to_i64(), names, &i64::from(limit)]).await
            }
        }?;
        let (head, events) = self.page(&rows).await?;
        let full = u32::try_from(events.len()) == Ok(limit);
        let scanned_to = match events.last() {
            Some(last) if full => last.position,
            None if limit == 0 => before,
            _ => head.min(end),
        };
        Ok(AllPage { events, scanned_to, head })
    }

    async fn read_backward(
        &self,
        from: Option<Position>,
        limit: u32,
        names: Option<Vec<&str>>,
    ) -> Result<AllPage, StoreError> {
        let from = from.unwrap_or(Position::MAX);
        let span = if names.is_some() { SCAN_MAX } else { u64::MAX };
        let (last, count) = (from.to_i64(), i64::from(limit));
        let rows = match &names {
            None => self.query(&self.statements.read_all_backward, &[&last, &count]).await,
            Some(names) => {
                let (sql, span) = (&self.statements.read_all_backward_of_types, Position::new(span).to_i64());
                self.query(sql, &[&last, &count, names, &span]).await
            }
        }?;
        let (head, events) = self.page(&rows).await?;
        let to = from.min(head);
        let full = u32::try_from(events.len()) == Ok(limit);
        let scanned_to = if full {
            events.last().map_or(to.next(), |event| event.position)
        } else {
            Position::new(to.get().saturating_sub(span)).next().min(to)
        };
        Ok(AllPage { events, scanned_to, head })
    }

    /// The head and the events of a page of the log.
    async fn page(&self, rows: &[Row]) -> Result<(Position, Vec<RecordedEvent>), StoreError> {
        let head = Position::from_i64(rows.first().map_or(0, |row| row.get(0)));
        let ids: Vec<i64> = rows.iter().filter_map(|row| row.get(STREAM_COLUMN)).collect();
        let mut names = self.names.get(&ids).into_iter();
        if names.as_slice().iter().any(Option::is_none) {
            // A page has few streams more often than many: each is asked for once.
            let unknown = ids.iter().zip(names).filter_map(|(id, name)| name.is_none().then_some(*id));
            let unknown: Vec<_> = unknown.collect::<BTreeSet<_>>().into_iter().collect();
            for row in self.query(&self.statements.name_streams, &[&unknown]).await? {
                self.names.insert(row.get(0), StreamName::from_store(row.get::<_, &str>(1)));
            }
            names = self.names.get(&ids).into_iter();
        }
        let events = self.events(rows, 1, |_| names.next().flatten())?;
        Ok((head, events))
    }

    pub(in crate::postgres) async fn stream_info(&self, stream: StreamName) -> Result<StreamInfo, ReadError> {
        let rows = self.query(&self.statements.stream_info, &[&stream.as_str()]).await?;
        let Some(row) = rows.first() else { return Err(ReadError::StreamNotFound(stream)) };
        let PgTimestamp(created_at) = row.get("created_at");
        let deleted_at = row.get::<_, Option<PgTimestamp>>("deleted_at").map(|PgTimestamp(at)| at);
        let version = Version::from_i64(row.get("version"));
        if version == Version::START && deleted_at.is_none() {
            return Err(ReadError::StreamNotFound(stream));
        }
        Ok(StreamInfo { stream, version, created_at, deleted_at })
    }

    pub(in crate::postgres) async fn find_command(
        &self,
        id: CommandId,
    ) -> Result<Option<Appended>, StoreError> {
        let rows = self.query(&self.statements.find_commands, &[&vec![id.0]]).await?;
        Ok(rows.first().map(|row| recorded_command(row).1))
    }

    pub(in crate::postgres) async fn status(&self) -> Result<StoreStatus, StoreError> {
        let rows = self.query(&self.statements.status, &[]).await?;
        let head = Position::from_i64(rows.first().map_or(0, |row| row.get("position")));
        Ok(StoreStatus { adapter: "postgres", location: self.target.place().to_owned(), head })
    }

    /// The events of a page, whose columns begin at `first`. A row without a position stands for an empty page.
    fn events(
        &self,
        rows: &[Row],
        first: usize,
        mut stream: impl FnMut(&Row) -> Option<StreamName>,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(position) = row.get::<_, Option<i64>>(first) else { continue };
            let damaged = |what: String| StoreError::Corrupt {
                reason: format!("PostgreSQL at {}: event {position}: {what}", self.target.place()),
            };
            let stream = stream(row).ok_or_else(|| damaged("its stream has no row".into()))?;
            events.push(recorded_event(row, first, position, stream).map_err(damaged)?);
        }
        Ok(events)
    }
}

/// Columns by place, in the order the statements have: this runs for every event read.
fn recorded_event(
    row: &Row,
    first: usize,
    position: i64,
    stream: StreamName,
) -> Result<RecordedEvent, String> {
    let wrong = |error: tokio_postgres::Error| crate::postgres::error::describe(&error);
    let PgTimestamp(recorded_at) = row.try_get(first + 5).map_err(wrong)?;
    let JsonOut(data) = row.try_get(first + 8).map_err(wrong)?;
    let custom = match row.try_get::<_, Option<JsonOut>>(first + 9).map_err(wrong)? {
        Some(JsonOut(custom)) => custom.decode().map_err(|error| format!("metadata: {error}"))?,
        None => std::collections::BTreeMap::new(),
    };
    let schema = row.try_get::<_, i32>(first + 4).map_err(wrong)?;
    let name: String = row.try_get(first + 3).map_err(wrong)?;
    Ok(RecordedEvent {
        position: Position::from_i64(position),
        stream,
        version: Version::from_i64(row.try_get(first + 1).map_err(wrong)?),
        id: EventId(row.try_get(first + 2).map_err(wrong)?),
        event_type: umbel_core::EventType {
            name: name.into(),
            schema: u32::try_from(schema).map_err(|_| format!("schema version {schema}"))?,
        },
        recorded_at,
        data,
        metadata: Metadata {
            correlation_id: row.try_get(first + 6).map_err(wrong)?,
            causation_id: row.try_get(first + 7).map_err(wrong)?,
            custom,
        },
    })
}
