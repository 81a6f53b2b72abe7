//! Events from the rows that statements answer with.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;
use umbel_core::{
    EventId, EventType, Metadata, Payload, Position, RecordedEvent, StreamName, Subject, Version,
    store::StoreError,
};

use super::Reader;
use crate::postgres::types::{JsonOut, PgTimestamp};

/// Where an event's columns are, from its position on, in the order of `{columns}`.
const VERSION: usize = 1;
const EVENT_ID: usize = 2;
const KIND: usize = 3;
const RECORDED_AT: usize = 4;
const CORRELATION_ID: usize = 5;
const CAUSATION_ID: usize = 6;
const SUBJECT: usize = 7;
const DATA: usize = 8;
const BYTES: usize = 9;
const METADATA: usize = 10;
const STREAM: usize = 11;
/// How many there are: where further columns begin.
pub(super) const COLUMNS: usize = 12;

impl Reader {
    /// The events of a page, whose columns begin at `first`. A row without a position stands for an empty page.
    pub(super) async fn events(&self, rows: &[Row], first: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let filled = || rows.iter().filter(|row| row.get::<_, Option<i64>>(first).is_some());
        let streams: Vec<i64> = filled().map(|row| row.get(first + STREAM)).collect();
        let kinds: Vec<i32> = filled().map(|row| row.get(first + KIND)).collect();
        let (streams, kinds) = (self.stream_names(&streams).await?, self.event_types(&kinds).await?);
        let mut events = Vec::with_capacity(rows.len());
        for ((row, stream), event_type) in filled().zip(streams).zip(kinds) {
            // A stream without a row was hard-deleted since the page was read, and its events with it.
            let Some(stream) = stream else { continue };
            let position = Position::from_i64(row.get(first));
            let damaged = |what: String| StoreError::Corrupt {
                reason: format!("PostgreSQL at {}: event {position}: {what}", self.target.place()),
            };
            let event_type = event_type.ok_or_else(|| damaged("its kind has no row".into()))?;
            events.push(recorded_event(row, first, position, stream, event_type).map_err(damaged)?);
        }
        Ok(events)
    }

    async fn stream_names(&self, ids: &[i64]) -> Result<Vec<Option<StreamName>>, StoreError> {
        let names = self.names.get(ids);
        if names.iter().all(Option::is_some) {
            return Ok(names);
        }
        for row in self.query(&self.statements.name_streams, &[&unknown(ids, &names)]).await? {
            self.names.insert(row.get(0), StreamName::from_store(row.get::<_, &str>(1)));
        }
        Ok(self.names.get(ids))
    }

    async fn event_types(&self, ids: &[i32]) -> Result<Vec<Option<EventType>>, StoreError> {
        let types = self.kinds.get(ids);
        if types.iter().all(Option::is_some) {
            return Ok(types);
        }
        for row in self.query(&self.statements.name_kinds, &[&unknown(ids, &types)]).await? {
            let schema = u32::try_from(row.get::<_, i32>(2)).unwrap_or(0);
            self.kinds.insert(row.get(0), EventType { name: row.get::<_, String>(1).into(), schema });
        }
        Ok(self.kinds.get(ids))
    }
}

/// A page has few streams, and few kinds, more often than many: each is asked for once.
fn unknown<K: Copy + Ord, V>(ids: &[K], values: &[Option<V>]) -> Vec<K> {
    let unknown = ids.iter().zip(values).filter_map(|(id, value)| value.is_none().then_some(*id));
    unknown.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Columns by place: this runs for every event read.
fn recorded_event(
    row: &Row,
    first: usize,
    position: Position,
    stream: StreamName,
    event_type: EventType,
) -> Result<RecordedEvent, String> {
    let wrong = |error: tokio_postgres::Error| crate::postgres::error::describe(&error);
    let PgTimestamp(recorded_at) = row.try_get(first + RECORDED_AT).map_err(wrong)?;
    let data = match row.try_get::<_, Option<JsonOut>>(first + DATA).map_err(wrong)? {
        Some(JsonOut(json)) => Payload::Json(json),
        None => Payload::Binary(row.try_get::<_, &[u8]>(first + BYTES).map_err(wrong)?.into()),
    };
    let custom = match row.try_get::<_, Option<JsonOut>>(first + METADATA).map_err(wrong)? {
        Some(JsonOut(custom)) => custom.decode().map_err(|error| format!("metadata: {error}"))?,
        None => BTreeMap::new(),
    };
    let subject = row.try_get::<_, Option<&str>>(first + SUBJECT).map_err(wrong)?;
    Ok(RecordedEvent {
        position,
        stream,
        version: Version::from_i64(row.try_get(first + VERSION).map_err(wrong)?),
        id: EventId(row.try_get(first + EVENT_ID).map_err(wrong)?),
        event_type,
        recorded_at,
        data,
        subject: subject.map(Subject::from_store),
        linked_at: None,
        metadata: Metadata {
            correlation_id: row.try_get(first + CORRELATION_ID).map_err(wrong)?,
            causation_id: row.try_get(first + CAUSATION_ID).map_err(wrong)?,
            custom,
        },
    })
}
