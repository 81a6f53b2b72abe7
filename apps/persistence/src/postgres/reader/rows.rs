//! Events from the rows that statements answer with, made of each row as it arrives: the server goes on sending meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;
use umbel_core::{
    EventId, EventName, EventType, Metadata, Payload, Position, RecordedEvent, StreamName, Subject, Tag,
    Version, document::Direction, store::StoreError,
};

use super::{Gather, Param, Reader, is_lost, outlet::Tap};
use crate::{
    page::Room,
    postgres::{
        pool::Abandoned,
        types::{JsonOut, PgTimestamp},
    },
};

/// Where an event's columns are, from its position on, in the order of `{columns}`.
const VERSION: usize = 1;
const EVENT_ID: usize = 2;
const KIND: usize = 3;
const RECORDED_AT: usize = 4;
const CORRELATION_ID: usize = 5;
const CAUSATION_ID: usize = 6;
const SUBJECT: usize = 7;
const TAGS: usize = 8;
const DATA: usize = 9;
const BYTES: usize = 10;
const METADATA: usize = 11;
const STREAM: usize = 12;
/// How many there are: where further columns begin.
pub(super) const COLUMNS: usize = 13;

/// Events that a page is expected to hold, for which there is room from the start. Larger ones grow.
const EXPECTED: usize = 256;

/// Bytes of rows that are received although the page has no room for them: as many as cost less than a new connection.
const DRAINED_MAX_BYTES: usize = 4 << 20;

/// Where a statement has its events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    /// The column of the position. The row that has none there tells what is not about one event.
    pub(super) first: usize,
    /// The column of the link's version, if there are links.
    pub(super) linked_at: Option<usize>,
}

/// The rows of a statement about events, as far as there is room for them.
pub(super) struct EventRows<'a> {
    reader: &'a Reader,
    columns: Columns,
    pub(super) room: Room,
    /// Bytes of rows that there was no room for.
    drained: usize,
    /// The row that comes before the events: what there is to know of the log, or the stream, as it was read.
    pub(super) first: Option<Row>,
    /// The events. Their names are still to come: an event is large, so it is made once, where it stays.
    pub(super) events: Vec<RecordedEvent>,
    /// Their streams and kinds.
    numbers: Vec<Numbers>,
    /// What stands for the names until then.
    nameless: (StreamName, EventType),
    damage: Option<String>,
    /// Where the first ones go before all are there.
    pub(super) tap: Option<Tap<'a>>,
}

/// The stream and the kind of an event.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    stream: i64,
    kind: i32,
}

impl Reader {
    /// Runs a statement about events.
    pub(super) async fn query_events(
        &self,
        sql: &str,
        params: &[Param<'_>],
        columns: Columns,
        room: Room,
    ) -> Result<EventRows<'_>, StoreError> {
        self.query_page(sql, params, columns, room, None).await
    }

    /// The same with an outlet for its first events, if there is one. A lost connection is replaced once; if something was handed
    /// over by then, the page ends behind it, as if there were no more room.
    pub(super) async fn query_page<'a>(
        &'a self,
        sql: &str,
        params: &[Param<'_>],
        columns: Columns,
        room: Room,
        tap: Option<Tap<'a>>,
    ) -> Result<EventRows<'a>, StoreError> {
        let mut rows = EventRows::new(self, columns, room, tap);
        let mut answered = self.try_gather(sql, params, Abandoned::Cancel, &mut rows).await?;
        if answered.as_ref().is_err_and(is_lost) && !rows.has_handed_over() {
            rows = EventRows::new(self, columns, room, rows.tap);
            answered = self.try_gather(sql, params, Abandoned::Cancel, &mut rows).await?;
        }
        match answered {
            Err(error) if is_lost(&error) && rows.has_handed_over() => rows.room.close(),
            answered => answered.map_err(|error| self.target.explain(&error))?,
        }
        match &rows.damage {
            None => Ok(rows),
            Some(what) => {
                Err(StoreError::Corrupt { reason: format!("PostgreSQL at {}: {what}", self.target.place()) })
            }
        }
    }

    /// The events of rows with their names, but for those that were removed since they were read: names come from a
    /// statement of its own. So how far a page looked is told by what was read, and not by what is left of it.
    pub(super) async fn named(&self, rows: EventRows<'_>) -> Result<Vec<RecordedEvent>, StoreError> {
        let EventRows { mut events, numbers, .. } = rows;
        let streams: Vec<i64> = numbers.iter().map(|numbers| numbers.stream).collect();
        let kinds: Vec<i32> = numbers.iter().map(|numbers| numbers.kind).collect();
        let (streams, kinds) = (self.stream_names(&streams).await?, self.event_types(&kinds).await?);
        let mut nameless = Vec::new();
        for ((event, stream), event_type) in events.iter_mut().zip(streams).zip(kinds) {
            let Some(stream) = stream else {
                nameless.push(event.position.to_i64());
                continue;
            };
            event.stream = stream;
            event.event_type = event_type.ok_or_else(|| StoreError::Corrupt {
                reason: format!(
                    "PostgreSQL at {}: event {}: its kind has no row",
                    self.target.place(),
                    event.position
                ),
            })?;
        }
        if !nameless.is_empty() {
            self.make_sure_they_are_gone(&nameless).await?;
            let gone: BTreeSet<_> = nameless.into_iter().collect();
            events.retain(|event| !gone.contains(&event.position.to_i64()));
        }
        Ok(events)
    }

    /// Gives events their names, if all are known.
    fn name_known(&self, events: &mut [RecordedEvent], numbers: &[Numbers]) -> bool {
        let streams: Vec<i64> = numbers.iter().map(|numbers| numbers.stream).collect();
        let kinds: Vec<i32> = numbers.iter().map(|numbers| numbers.kind).collect();
        let (streams, kinds) = (self.names.get(&streams), self.kinds.get(&kinds));
        for ((event, stream), kind) in events.iter_mut().zip(streams).zip(kinds) {
            let (Some(stream), Some(kind)) = (stream, kind) else { return false };
            event.stream = stream;
            event.event_type = kind;
        }
        true
    }

    /// A stream that has no row any more was deleted for good, and its events with it.
    async fn make_sure_they_are_gone(&self, positions: &Vec<i64>) -> Result<(), StoreError> {
        let there = self.query(&self.statements.find_positions, &[positions]).await?;
        let Some(first) = there.first().map(|row| row.get::<_, i64>(0)) else { return Ok(()) };
        let reason = format!(
            "PostgreSQL at {}: event {first}: its stream has no row; `umbel store verify` lists all that is wrong",
            self.target.place()
        );
        Err(StoreError::Corrupt { reason })
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
            self.kinds.insert(row.get(0), EventType { name: row.get::<_, &str>(1).into(), schema });
        }
        Ok(self.kinds.get(ids))
    }
}

impl<'a> EventRows<'a> {
    fn new(reader: &'a Reader, columns: Columns, room: Room, tap: Option<Tap<'a>>) -> Self {
        let nameless = (StreamName::all(), EventType { name: EventName::known(""), schema: 0 });
        let (events, numbers) = (Vec::with_capacity(EXPECTED), Vec::with_capacity(EXPECTED));
        Self { reader, columns, room, drained: 0, first: None, events, numbers, nameless, damage: None, tap }
    }

    /// Whether some of the events are not here any more.
    pub(super) fn has_handed_over(&self) -> bool {
        self.tap.as_ref().is_some_and(Tap::has_handed_over)
    }

    /// The last place of the page so far, if it is not here any more.
    pub(super) fn last_handed_over(&self) -> Option<u64> {
        self.tap.as_ref().filter(|tap| tap.has_handed_over()).and_then(Tap::last)
    }

    /// Makes sure that events are in the order of a key. They are, as plans go; SQL promises it only for a sort of its own,
    /// which would cost more than the rest of the page.
    ///
    /// # Errors
    /// When they are not and the page had no room for some: those may belong before others that it has. And when they belong before
    /// what was handed over.
    pub(super) fn put_in_order<K: Ord>(
        &mut self,
        direction: Direction,
        key: fn(&RecordedEvent) -> K,
    ) -> Result<(), StoreError> {
        let precedes = |one: &RecordedEvent, other: &RecordedEvent| match direction {
            Direction::Forward => key(one) <= key(other),
            Direction::Backward => key(one) >= key(other),
        };
        if !self.events.is_sorted_by(precedes) {
            if self.room.is_full() {
                let reason = "PostgreSQL sent a page out of order and it was too large to be sorted here; \
                              lower store.page_size_max or raise store.page_max_bytes";
                return Err(StoreError::Failed { reason: reason.to_owned() });
            }
            let numbers = std::mem::take(&mut self.numbers);
            let mut rows: Vec<_> = std::mem::take(&mut self.events).into_iter().zip(numbers).collect();
            rows.sort_by_key(|(event, _)| key(event));
            if direction == Direction::Backward {
                rows.reverse();
            }
            (self.events, self.numbers) = rows.into_iter().unzip();
        }
        if self.tap.as_ref().is_some_and(|tap| !tap.follow(&self.events)) {
            let reason = "PostgreSQL sent a page out of order, and its first part is handed over; try again";
            return Err(StoreError::Failed { reason: reason.to_owned() });
        }
        Ok(())
    }
}

impl Gather for EventRows<'_> {
    fn add(&mut self, row: Row) {
        if self.room.is_full() {
            self.drained = self.drained.saturating_add(row.raw_size_bytes());
            return;
        }
        match self.take(&row) {
            Ok(true) => self.hand_over(),
            Ok(false) => self.first = Some(row),
            Err(what) => drop(self.damage.get_or_insert(what)),
        }
    }

    fn has_enough(&self) -> bool {
        self.drained > DRAINED_MAX_BYTES
    }
}

impl EventRows<'_> {
    /// Hands over what is here, if it is time for it.
    fn hand_over(&mut self) {
        let (Some(tap), Some(first)) = (&mut self.tap, &self.first) else { return };
        if self.damage.is_some() || !tap.takes(first, &self.events) {
            return;
        }
        if self.reader.name_known(&mut self.events, &self.numbers) {
            self.numbers.clear();
            tap.hand_over(std::mem::replace(&mut self.events, Vec::with_capacity(EXPECTED)));
        } else {
            tap.shut();
        }
    }

    /// Makes an event of a row, if there is room for it; whether it holds one. Columns by place: this runs for every event read.
    fn take(&mut self, row: &Row) -> Result<bool, String> {
        let Columns { first, linked_at } = self.columns;
        let Some(position) = row.get::<_, Option<i64>>(first) else { return Ok(false) };
        let wrong = |error: tokio_postgres::Error| {
            format!("event {position}: {}", crate::postgres::error::describe(&error))
        };
        let PgTimestamp(recorded_at) = row.try_get(first + RECORDED_AT).map_err(wrong)?;
        let data = match row.try_get::<_, Option<JsonOut>>(first + DATA).map_err(wrong)? {
            Some(JsonOut(json)) => Payload::Json(json),
            None => Payload::Binary(row.try_get::<_, &[u8]>(first + BYTES).map_err(wrong)?.into()),
        };
        let mut len_bytes = data.len_bytes();
        let custom = match row.try_get::<_, Option<JsonOut>>(first + METADATA).map_err(wrong)? {
            Some(JsonOut(custom)) => {
                len_bytes += custom.len_bytes();
                custom.decode().map_err(|error| format!("event {position}: metadata: {error}"))?
            }
            None => BTreeMap::new(),
        };
        let subject = row.try_get::<_, Option<&str>>(first + SUBJECT).map_err(wrong)?;
        let tags = row.try_get::<_, Option<Vec<&str>>>(first + TAGS).map_err(wrong)?.unwrap_or_default();
        let linked_at = linked_at.and_then(|column| row.get::<_, Option<i64>>(column));
        let version = Version::from_i64(row.try_get(first + VERSION).map_err(wrong)?);
        let id = EventId(row.try_get(first + EVENT_ID).map_err(wrong)?);
        let correlation_id = row.try_get(first + CORRELATION_ID).map_err(wrong)?;
        let causation_id = row.try_get(first + CAUSATION_ID).map_err(wrong)?;
        let stream = row.try_get(first + STREAM).map_err(wrong)?;
        let kind = row.try_get(first + KIND).map_err(wrong)?;
        if self.room.takes(len_bytes) {
            self.numbers.push(Numbers { stream, kind });
            self.events.push(RecordedEvent {
                position: Position::from_i64(position),
                stream: self.nameless.0.clone(),
                version,
                id,
                event_type: self.nameless.1.clone(),
                recorded_at,
                data,
                subject: subject.map(Subject::from_store),
                tags: tags.into_iter().map(Tag::from_store).collect(),
                metadata: Metadata { correlation_id, causation_id, custom },
                linked_at: linked_at.map(Version::from_i64),
            });
        }
        Ok(true)
    }
}

/// A page has few streams, and few kinds, more often than many: each is asked for once.
fn unknown<K: Copy + Ord, V>(ids: &[K], values: &[Option<V>]) -> Vec<K> {
    let unknown = ids.iter().zip(values).filter_map(|(id, value)| value.is_none().then_some(*id));
    unknown.collect::<BTreeSet<_>>().into_iter().collect()
}
