//! Pages of the log of all streams.
//!
//! What is behind `log.archived_to` is in `events` alone. So a page is asked of that table as long as it can be whole;
//! what says that it is not comes with the page, from the same snapshot, and then both tables are asked.

use std::sync::atomic::Ordering;

use tokio_postgres::Row;
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{AllPage, Parts, ReadAll, StoreError},
};

use super::{
    Param, Reader,
    outlet::{Outlet, Tap},
    pace::{Place, Size},
    rows::{COLUMNS, Columns, EventRows},
};
use crate::page::Room;

/// Where the log's columns are in every statement that reads pages of it, and where the event's begin.
pub(super) const HEAD: usize = 0;
const ARCHIVED_TO: usize = 1;
pub(super) const EVENT: Columns = Columns { first: 2, linked_at: None };
/// Behind them, where a statement has more to say.
pub(super) const BEHIND: usize = EVENT.first + COLUMNS;

/// Positions from the first to the last, both included; none when the last is before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: Position,
    pub(super) last: Position,
}

/// Which events of `events` make a page of the log whole.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whole {
    /// All from this position on are looked at, and none before it.
    From(Position),
    /// The page goes backward until it has so many.
    Full(u32),
}

/// What was read of a part of the log.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) head: Position,
    pub(super) found: Found,
    /// What was found, without what was removed since.
    pub(super) events: Vec<RecordedEvent>,
    /// The last position that there was room for, if there was none for another one.
    pub(super) cut_at: Option<Position>,
    pub(super) room: Room,
}

/// How many events were found in a part of the log, and the last of them in reading order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) count: usize,
    pub(super) last: Option<Position>,
}

impl Reader {
    pub(in crate::postgres) async fn read_all(&self, request: ReadAll) -> Result<AllPage, StoreError> {
        self.read_all_by(request, None).await
    }

    /// The same, with the first events handed over as they come.
    pub(in crate::postgres) async fn read_all_in_parts(
        &self,
        request: ReadAll,
        parts: Parts,
    ) -> Result<AllPage, StoreError> {
        self.read_all_by(request, Some(&mut Outlet::new(parts))).await
    }

    async fn read_all_by(
        &self,
        request: ReadAll,
        mut outlet: Option<&mut Outlet>,
    ) -> Result<AllPage, StoreError> {
        let (direction, asked) = (request.direction, request.limit);
        let limit = self.pace.limit(&Place::in_log(request.from, direction), asked);
        let page = self.read_page(ReadAll { limit, ..request }, outlet.as_deref_mut()).await?;
        let handed = outlet.map_or(Size::default(), |outlet| outlet.handed);
        let read = Size::of(&page.events).and(handed);
        self.pace.learn(read, asked, || Place::behind(page.scanned_to, direction));
        Ok(page)
    }

    async fn read_page(&self, request: ReadAll, outlet: Option<&mut Outlet>) -> Result<AllPage, StoreError> {
        if !request.selector.is_all() {
            return self.select(&request).await;
        }
        match request.direction {
            Direction::Forward => self.read_forward(request.from, request.limit, outlet).await,
            Direction::Backward => self.read_backward(request.from, request.limit).await,
        }
    }

    async fn read_forward(
        &self,
        from: Option<Position>,
        limit: u32,
        outlet: Option<&mut Outlet>,
    ) -> Result<AllPage, StoreError> {
        let first = from.unwrap_or(Position::START).max(Position::START.next());
        let before = Position::new(first.get() - 1);
        let range = Range { first, last: before.plus(limit.into()) };
        let params: [Param<'_>; 3] = [&first.to_i64(), &range.last.to_i64(), &i64::from(limit)];
        let rows = self
            .log_rows(&self.statements.read_all_forward, Whole::From(first), &params, self.room(), outlet)
            .await?;
        let Part { head, events, cut_at, .. } = self.part(rows, Direction::Forward).await?;
        let scanned_to = if limit == 0 { before } else { cut_at.unwrap_or(head.min(range.last)) };
        Ok(AllPage { events, scanned_to, head })
    }

    async fn read_backward(&self, from: Option<Position>, limit: u32) -> Result<AllPage, StoreError> {
        let from = from.unwrap_or(Position::MAX);
        let params: [Param<'_>; 2] = [&from.to_i64(), &i64::from(limit)];
        let rows = self
            .log_rows(&self.statements.read_all_backward, Whole::Full(limit), &params, self.room(), None)
            .await?;
        let Part { head, found, events, cut_at, .. } = self.part(rows, Direction::Backward).await?;
        let range = Range { first: Position::new(1), last: from.min(head) };
        let scanned_to = cut_at.unwrap_or_else(|| range.scanned_to(Direction::Backward, found, limit, head));
        Ok(AllPage { events, scanned_to, head })
    }

    /// Asks for rows of the log, of `events` alone if that makes the page whole, else of the archive, too.
    pub(super) async fn log_rows<'a>(
        &'a self,
        text: &str,
        whole: Whole,
        params: &[Param<'_>],
        room: Room,
        outlet: Option<&'a mut Outlet>,
    ) -> Result<EventRows<'a>, StoreError> {
        let known = Position::from_i64(self.archived_to.load(Ordering::Relaxed));
        let mut tap = outlet.map(|outlet| Tap::new(outlet, |event| event.position.get()));
        if whole.may_hold(known) {
            let tapped = tap.map(|tap| tap.if_page(move |row, _| whole.begins_behind(archived_to(row))));
            let rows =
                self.query_page(&text.replace("{events}", "events"), params, EVENT, room, tapped).await?;
            let archived_to = rows.first.as_ref().map_or(Position::START, archived_to);
            self.archived_to.fetch_max(archived_to.to_i64(), Ordering::Relaxed);
            if whole.holds(archived_to, &rows) {
                return Ok(rows);
            }
            tap = rows.tap;
        }
        let tapped = tap.map(|tap| tap.if_page(|_, _| true));
        self.query_page(&text.replace("{events}", "all_events"), params, EVENT, room, tapped).await
    }

    /// The head and the events of rows of the log.
    pub(super) async fn part(
        &self,
        mut rows: EventRows<'_>,
        direction: Direction,
    ) -> Result<Part, StoreError> {
        rows.put_in_order(direction, |event| event.position)?;
        let last = rows.events.last().map(|event| event.position);
        let last = last.or_else(|| rows.last_handed_over().map(Position::new));
        let cut_at = last.filter(|_| rows.room.is_full());
        let head = Position::from_i64(rows.first.as_ref().map_or(0, |row| row.get(HEAD)));
        let found = Found { count: rows.events.len(), last: rows.events.last().map(|event| event.position) };
        let room = rows.room;
        Ok(Part { head, found, events: self.named(rows).await?, cut_at, room })
    }
}

impl Whole {
    /// Whether it is worth a try, so far as is known.
    fn may_hold(self, archived_to: Position) -> bool {
        match self {
            Self::From(first) => first > archived_to,
            Self::Full(_) => true,
        }
    }

    /// Whether nothing of it is in the archive, whatever there is in `events`.
    fn begins_behind(self, archived_to: Position) -> bool {
        matches!(self, Self::From(first) if first > archived_to)
    }

    fn holds(self, archived_to: Position, rows: &EventRows<'_>) -> bool {
        match self {
            Self::From(_) => self.begins_behind(archived_to),
            Self::Full(limit) => {
                archived_to == Position::START || rows.room.is_full() || is_full(rows.events.len(), limit)
            }
        }
    }
}

impl Found {
    /// With what was found behind it.
    pub(super) fn and(self, next: Self) -> Self {
        Self { count: self.count + next.count, last: next.last.or(self.last) }
    }
}

impl Range {
    /// How far a page has looked that has not begun with this range.
    pub(super) fn before(self, direction: Direction) -> Position {
        match direction {
            Direction::Forward => Position::new(self.first.get().saturating_sub(1)),
            Direction::Backward => self.last.next(),
        }
    }

    /// How far a page looked that was looked for in this range, up to the head.
    pub(super) fn scanned_to(
        self,
        direction: Direction,
        found: Found,
        limit: u32,
        head: Position,
    ) -> Position {
        if is_full(found.count, limit) {
            return found.last.unwrap_or(self.before(direction));
        }
        match direction {
            Direction::Forward => self.last.min(head),
            Direction::Backward => self.first.min(self.last),
        }
    }
}

/// How far the log is in the archive, by a row of it.
fn archived_to(row: &Row) -> Position {
    Position::from_i64(row.get(ARCHIVED_TO))
}

fn is_full(found: usize, limit: u32) -> bool {
    u32::try_from(found) == Ok(limit)
}
