//! Events from rows. All statements that read whole events select the same columns.

use rusqlite::{Connection, OptionalExtension, Params, Row, types::Type, types::ValueRef};
use umbel_core::{
    EventId, EventType, Json, Metadata, Payload, Position, RecordedEvent, StreamName, Subject, Tag,
    Timestamp, Version,
};
use uuid::Uuid;

use crate::{
    page::Room,
    sqlite::sql::{READ_EVENT, READ_PLACE, Table},
};

/// The column of the subject.
const SUBJECT: usize = 9;
/// The column of the tags.
const TAGS: usize = 10;
/// The column of the application's own metadata.
const METADATA: usize = 11;
/// The column of JSON data, and behind it that of bytes.
const DATA: usize = 12;

/// All events that a statement finds, as far as there is room for them.
pub(super) fn events(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    room: &mut Room,
) -> rusqlite::Result<Vec<RecordedEvent>> {
    let mut statement = connection.prepare_cached(sql)?;
    as_fit(statement.query_map(parameters, event)?, room)
}

/// Events up to the first that there is no room for.
fn as_fit(
    events: impl Iterator<Item = rusqlite::Result<RecordedEvent>>,
    room: &mut Room,
) -> rusqlite::Result<Vec<RecordedEvent>> {
    // A failure is no page's end.
    let fits = |event: &rusqlite::Result<RecordedEvent>| {
        event.as_ref().map_or(true, |event| room.takes(event.len_bytes()))
    };
    events.take_while(fits).collect()
}

/// The event with this id, wherever it is.
pub(in crate::sqlite) fn read_event(
    connection: &Connection,
    id: EventId,
) -> rusqlite::Result<Option<RecordedEvent>> {
    for table in [Table::Log, Table::Archive] {
        let mut statement = connection.prepare_cached(&table.of(READ_EVENT))?;
        if let Some(found) = statement.query_row([id.0.as_bytes()], event).optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The events at these positions of a table, in their order, as far as there is room for them.
pub(super) fn at(
    connection: &Connection,
    table: Table,
    positions: &[Position],
    room: &mut Room,
) -> rusqlite::Result<Vec<RecordedEvent>> {
    let mut statement = connection.prepare_cached(&table.of(READ_PLACE))?;
    let read = |position: &Position| statement.query_row([position.to_i64()], event);
    as_fit(positions.iter().map(read), room)
}

fn event(row: &Row<'_>) -> rusqlite::Result<RecordedEvent> {
    let id = |column| row.get::<_, Option<[u8; 16]>>(column).map(|bytes| bytes.map(Uuid::from_bytes));
    let text = |column| row.get_ref(column)?.as_str().map_err(|error| not_text(column, error));
    let maybe_text = |column| row.get_ref(column)?.as_str_or_null().map_err(|error| not_text(column, error));
    let tags = maybe_text(TAGS)?.map(serde_json::from_str::<Vec<String>>).transpose();
    let tags = tags.map_err(|error| not_text(TAGS, error))?.unwrap_or_default();
    let custom = maybe_text(METADATA)?.map(serde_json::from_str).transpose();
    Ok(RecordedEvent {
        position: Position::from_i64(row.get(0)?),
        stream: StreamName::from_store(text(1)?),
        version: Version::from_i64(row.get(2)?),
        id: EventId(Uuid::from_bytes(row.get(3)?)),
        event_type: EventType { name: text(4)?.into(), schema: row.get(5)? },
        recorded_at: Timestamp::from_micros(row.get(6)?),
        data: match row.get_ref(DATA)? {
            ValueRef::Null => Payload::Binary(row.get_ref(DATA + 1)?.as_blob()?.into()),
            _ => Json::from_store(text(DATA)?).into(),
        },
        subject: maybe_text(SUBJECT)?.map(Subject::from_store),
        tags: tags.into_iter().map(Tag::from_store).collect(),
        metadata: Metadata {
            correlation_id: id(7)?,
            causation_id: id(8)?,
            custom: custom.map_err(|error| not_text(METADATA, error))?.unwrap_or_default(),
        },
        linked_at: None,
    })
}

fn not_text(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
