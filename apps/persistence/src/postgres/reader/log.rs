//! Reading the log.

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
        let events = self.events(&rows, 2, |_| stream.clone())?;
        Ok(StreamPage { events, version })
    }

    pub(in crate::postgres) async fn read_all(&self, request: ReadAll) -> Result<AllPage, StoreError> {
        let limit = i64::from(request.limit);
        let from = match request.direction {
            Direction::Forward => request.from.unwrap_or(Position::START).max(Position::START.next()),
            Direction::Backward => request.from.unwrap_or(Position::MAX),
        };
        let end = from.plus(SCAN_MAX - 1);
        let names: Option<Vec<&str>> =
            request.names.as_deref().map(|names| names.iter().map(String::as_str).collect());
        let first = from.to_i64();
        let rows = match (request.direction, &names) {
            (Direction::Forward, None) => {
                self.query(&self.statements.read_all_forward, &[&first, &limit]).await
            }
            (Direction::Backward, None) => {
                self.query(&self.statements.read_all_backward, &[&first, &limit]).await
            }
            (Direction::Forward, Some(names)) => {
                let sql = &self.statements.read_all_forward_of_types;
                self.query(sql, &[&first, &limit, names, &end.to_i64()]).await
            }
            (Direction::Backward, Some(names)) => {
                let sql = &self.statements.read_all_backward_of_types;
                self.query(sql, &[&first, &limit, names]).await
            }
        }?;
        let head = Position::from_i64(rows.first().map_or(0, |row| row.get("head")));
        let events = self.events(&rows, 1, |row| StreamName::from_store(row.get::<_, &str>("name")))?;
        let last = events.last().map(|event| event.position);
        let full = u32::try_from(events.len()) == Ok(request.limit);
        let scanned_to = match request.direction {
            Direction::Backward => last.unwrap_or(Position::START),
            Direction::Forward if full => last.unwrap_or(Position::new(from.get() - 1)),
            // A filter looked at a part of the log only.
            Direction::Forward if names.is_some() => head.min(end),
            Direction::Forward => head,
        };
        Ok(AllPage { events, scanned_to, head })
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
        stream: impl Fn(&Row) -> StreamName,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(position) = row.get::<_, Option<i64>>(first) else { continue };
            let damaged = |what: String| StoreError::Corrupt {
                reason: format!("PostgreSQL at {}: event {position}: {what}", self.target.place()),
            };
            let event = recorded_event(row, first, position, stream(row)).map_err(damaged)?;
            events.push(event);
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
