//! Pages of selected events. Each way to find them costs what it finds, and looks at a bounded part of the log:
//!
//! * events that a query by tags is about by the index of tags, see [`tags`](super::tags);
//! * a conversation, or what a message led to, whatever else is asked, by looking at a short range, and where it is too
//!   rare for that, by its own index;
//! * a time by the spans that it overlaps;
//! * names and categories by looking at a short range, too, and else by what lists them by kind, span by span.

use tokio_postgres::Row;
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{AllPage, ReadAll, Selector, StoreError},
};
use uuid::Uuid;

use super::{
    Param, Reader,
    all::{BEHIND, EVENT, Found, HEAD, Part, Range, Whole},
    sorted,
};
use crate::{
    page::Room,
    postgres::{SPAN, types::PgTimestamp},
};

/// Spans that one page looks through.
const SPANS_MAX: i64 = 32;
/// Kinds whose lists one page merges. Of more, events are looked at one by one.
const KINDS_MAX: i64 = 1024;
/// Positions that one page looks at then.
const SCAN_MAX: u64 = 100_000;
/// Events of a conversation that one statement gathers at most. Of more, a shorter part of the log is asked for.
const CANDIDATES_MAX: i64 = 20_000;
/// By how much it is shorter. Not less than [`CANDIDATES_MAX`] positions, of which there cannot be too many.
const SHORTER: u64 = 16;
/// A range of so many positions for each event asked for is looked at before the index is. Half a page in it is good
/// enough: reading on is cheaper than merging.
const DENSE: u64 = 4;

/// A selector as parameters.
pub(super) struct Selection<'a> {
    names: Option<Vec<&'a str>>,
    categories: Option<Vec<&'a str>>,
    recorded_from: Option<PgTimestamp>,
    recorded_until: Option<PgTimestamp>,
    /// The columns that say which conversation, as many as there are ids.
    conversation: Vec<&'static str>,
    pub(super) conversation_ids: Vec<Uuid>,
    pub(super) direction: Direction,
}

impl Reader {
    pub(super) async fn select(&self, request: &ReadAll) -> Result<AllPage, StoreError> {
        let selection = Selection::of(&request.selector, request.direction);
        let from = match request.direction {
            Direction::Forward => request.from.unwrap_or(Position::START).max(Position::new(1)),
            Direction::Backward => request.from.unwrap_or(Position::MAX).min(self.status().await?.head),
        };
        let limit = request.limit;
        let scan = if let Some(query) = &request.selector.tags {
            return self.select_tags(&selection, query, from, limit).await;
        } else if !selection.conversation_ids.is_empty() {
            self.select_conversation(&selection, from, limit).await
        } else if selection.recorded_from.is_some() || selection.recorded_until.is_some() {
            return self.select_time(&selection, from, limit).await;
        } else {
            self.select_kinds(&selection, from, limit).await
        };
        let (range, Part { head, found, events, cut_at, .. }) = scan?;
        let scanned_to = cut_at.unwrap_or_else(|| range.scanned_to(request.direction, found, limit, head));
        Ok(AllPage { events, scanned_to, head })
    }

    async fn select_conversation(
        &self,
        selection: &Selection<'_>,
        from: Position,
        limit: u32,
    ) -> Result<(Range, Part), StoreError> {
        if let Some(enough) = self.look_near(selection, from, limit).await? {
            return Ok(enough);
        }
        let text = self.statements.select_conversation.replace("{sorted}", sorted(selection.direction));
        let mut range = Range::beginning_at(from, u64::MAX, selection.direction);
        loop {
            let (first, last, count) = (range.first.to_i64(), range.last.to_i64(), i64::from(limit));
            let mut params = selection.params(&first, &last, &count).to_vec();
            params.push(&CANDIDATES_MAX);
            let text = text.replace("{conversation}", &selection.condition(params.len()));
            params.extend(selection.conversation_ids.iter().map(|id| -> Param<'_> { id }));
            let rows = self.query_events(&text, &params, EVENT, self.room()).await?;
            let there = |row: &Row| (Position::from_i64(row.get(HEAD)), row.get(BEHIND));
            let (head, too_many) = rows.first.as_ref().map_or((Position::START, false), there);
            if !too_many {
                return Ok((range, self.part(rows, selection.direction).await?));
            }
            let part = range.within(Range { first: Position::new(1), last: head });
            let shorter = part.last.get().saturating_sub(part.first.get()) / SHORTER;
            let shorter = shorter.max(CANDIDATES_MAX.unsigned_abs());
            range = Range::beginning_at(from, shorter, selection.direction);
        }
    }

    /// Looks at a short range; nothing if too little is found there, though there is more behind it.
    async fn look_near(
        &self,
        selection: &Selection<'_>,
        from: Position,
        limit: u32,
    ) -> Result<Option<(Range, Part)>, StoreError> {
        let near = Range::beginning_at(from, DENSE * u64::from(limit), selection.direction);
        let part = self.scan(selection, near, limit, self.room()).await?;
        let is_end = match selection.direction {
            Direction::Forward => near.last >= part.head,
            Direction::Backward => near.first <= Position::new(1),
        };
        let is_enough = part.cut_at.is_some()
            || u64::try_from(2 * part.found.count).is_ok_and(|twice| twice >= u64::from(limit));
        Ok((is_end || is_enough).then_some((near, part)))
    }

    async fn select_kinds(
        &self,
        selection: &Selection<'_>,
        from: Position,
        limit: u32,
    ) -> Result<(Range, Part), StoreError> {
        if let Some(enough) = self.look_near(selection, from, limit).await? {
            return Ok(enough);
        }
        let range = Range::beginning_at(from, u64::MAX, selection.direction);
        let text = kinds_text(&self.statements.select_kinds, selection.direction);
        let (first, last, count) = (range.first.to_i64(), range.last.to_i64(), i64::from(limit));
        let params: [Param<'_>; 7] =
            [&first, &last, &selection.names, &selection.categories, &KINDS_MAX, &count, &self.lists_max];
        let rows = self.log_rows(&text, selection.whole(range, limit), &params, self.room(), None).await?;
        let kinds = rows.first.as_ref().map_or(0, |row| row.get(BEHIND));
        if kinds > KINDS_MAX {
            let range = Range::beginning_at(from, SCAN_MAX, selection.direction);
            return Ok((range, self.scan(selection, range, limit, self.room()).await?));
        }
        let cut: Option<i64> = rows.first.as_ref().and_then(|row| row.get(BEHIND + 1));
        let range = cut.map_or(range, |first| {
            let span = Position::from_i64(first);
            match selection.direction {
                Direction::Forward => Range { last: span.plus(SPAN - 1), ..range },
                Direction::Backward => Range { first: span, ..range },
            }
        });
        Ok((range, self.part(rows, selection.direction).await?))
    }

    /// Looks at the spans that the time overlaps, in order, until there are enough events or spans.
    async fn select_time(
        &self,
        selection: &Selection<'_>,
        from: Position,
        limit: u32,
    ) -> Result<AllPage, StoreError> {
        let direction = selection.direction;
        let (head, ranges, looked_at) = self.overlapping(selection, from).await?;
        let (mut found, mut events) = (Found::default(), Vec::<RecordedEvent>::new());
        let (mut cut, mut room) = (None, self.room());
        for range in ranges {
            let missing = limit - u32::try_from(found.count).unwrap_or(limit);
            if missing == 0 || cut.is_some() {
                break;
            }
            let part = self.scan(selection, range, missing, room).await?;
            room = part.room;
            cut = room.is_full().then(|| part.cut_at.unwrap_or_else(|| range.before(direction)));
            found = found.and(part.found);
            events.extend(part.events);
        }
        let scanned_to = cut.unwrap_or_else(|| looked_at.scanned_to(direction, found, limit, head));
        Ok(AllPage { events, scanned_to, head })
    }

    /// The log's head, the ranges to look at, in order, and the part of the log that they stand for.
    async fn overlapping(
        &self,
        selection: &Selection<'_>,
        from: Position,
    ) -> Result<(Position, Vec<Range>, Range), StoreError> {
        let direction = selection.direction;
        let all = Range::beginning_at(from, u64::MAX, direction);
        let lowest = Position::new(all.first.get().saturating_sub(SPAN - 1));
        let text = self.statements.find_spans.replace("{sorted}", sorted(direction));
        let params: [Param<'_>; 5] = [
            &lowest.to_i64(),
            &all.last.to_i64(),
            &selection.recorded_from,
            &selection.recorded_until,
            &SPANS_MAX,
        ];
        let rows = self.query(&text, &params).await?;
        let head = Position::from_i64(rows.first().map_or(0, |row| row.get(0)));
        let firsts = rows.iter().filter_map(|row| row.get::<_, Option<i64>>(1)).map(Position::from_i64);
        let mut ranges: Vec<_> = firsts.map(|first| Range { first, last: first.plus(SPAN - 1) }).collect();
        let is_end = i64::try_from(ranges.len()).is_ok_and(|count| count < SPANS_MAX);
        let open = Range { first: Position::new(head.get() / SPAN * SPAN).next(), last: head };
        let looked_at = match (direction, ranges.last()) {
            (Direction::Forward, Some(last)) if !is_end => Range { last: last.last, ..all },
            (Direction::Backward, Some(last)) if !is_end => Range { first: last.first, ..all },
            _ => all,
        };
        match direction {
            Direction::Forward if is_end => ranges.push(open),
            Direction::Forward => {}
            Direction::Backward => ranges.insert(0, open),
        }
        let ranges = joined(ranges.into_iter().map(|range| range.within(all)));
        Ok((head, ranges, looked_at))
    }

    /// Looks at each event of a range until there are enough that are selected.
    async fn scan(
        &self,
        selection: &Selection<'_>,
        range: Range,
        limit: u32,
        room: Room,
    ) -> Result<Part, StoreError> {
        let text = self.statements.select_range.replace("{sorted}", sorted(selection.direction));
        let (first, last, limit) = (range.first.to_i64(), range.last.to_i64(), i64::from(limit));
        let mut params = selection.params(&first, &last, &limit).to_vec();
        let text = text.replace("{conversation}", &selection.condition(params.len()));
        params.extend(selection.conversation_ids.iter().map(|id| -> Param<'_> { id }));
        let rows = self.log_rows(&text, Whole::From(range.first), &params, room, None).await?;
        self.part(rows, selection.direction).await
    }
}

impl<'a> Selection<'a> {
    fn of(selector: &'a Selector, direction: Direction) -> Self {
        let texts = |texts: &'a Option<std::sync::Arc<[String]>>| {
            texts.as_deref().map(|texts| texts.iter().map(String::as_str).collect())
        };
        let conversation =
            [("correlation_id", selector.correlation_id), ("causation_id", selector.causation_id)];
        let (conversation, conversation_ids) =
            conversation.into_iter().filter_map(|(column, id)| Some((column, id?))).unzip();
        Self {
            names: texts(&selector.names),
            categories: texts(&selector.categories),
            recorded_from: selector.recorded_from.map(PgTimestamp),
            recorded_until: selector.recorded_until.map(PgTimestamp),
            conversation,
            conversation_ids,
            direction,
        }
    }

    /// The condition on the conversation, whose parameters are behind so many others.
    pub(super) fn condition(&self, params: usize) -> String {
        let columns = self.conversation.iter().zip(params + 1..);
        let conditions: Vec<_> = columns.map(|(column, number)| format!("{column} = ${number}")).collect();
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }

    /// The parameters of `select_range.sql`, but for those of the conversation.
    pub(super) fn params<'b>(&'b self, first: &'b i64, last: &'b i64, limit: &'b i64) -> [Param<'b>; 7] {
        [first, last, &self.names, &self.categories, &self.recorded_from, &self.recorded_until, limit]
    }

    fn whole(&self, range: Range, limit: u32) -> Whole {
        match self.direction {
            Direction::Forward => Whole::From(range.first),
            Direction::Backward => Whole::Full(limit),
        }
    }
}

impl Range {
    /// So many positions, from one on.
    pub(super) fn beginning_at(from: Position, count: u64, direction: Direction) -> Self {
        match direction {
            Direction::Forward => {
                Self { first: from, last: Position::new(from.get().saturating_add(count).saturating_sub(1)) }
            }
            Direction::Backward => {
                let first = Position::new(from.get().saturating_sub(count).saturating_add(1));
                Self { first, last: from }
            }
        }
    }

    fn within(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }
}

/// The statement `select_kinds` for a direction.
pub(in crate::postgres) fn kinds_text(template: &str, direction: Direction) -> String {
    let (nearest, farthest, nearer, open) = match direction {
        Direction::Forward => {
            let is_open = "(SELECT count(*) FROM listed) < $6 AND (SELECT first_position FROM cut) IS NULL";
            ("min", "max", "least", is_open)
        }
        Direction::Backward => ("max", "min", "greatest", "true"),
    };
    let text = template.replace("{sorted}", sorted(direction)).replace("{open}", open);
    text.replace("{nearest}", nearest).replace("{farthest}", farthest).replace("{nearer}", nearer)
}

/// Neighbours as one, without those that hold nothing.
fn joined(ranges: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges.filter(|range| range.first <= range.last) {
        match joined.last_mut() {
            Some(before) if before.last.next() == range.first => before.last = range.last,
            Some(before) if range.last.next() == before.first => before.first = range.first,
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> Range {
        Range { first: Position::new(first), last: Position::new(last) }
    }

    #[test]
    fn a_range_goes_either_way_and_stays_in_the_log() {
        let at = |from, count, direction| Range::beginning_at(Position::new(from), count, direction);
        assert_eq!(at(5, 3, Direction::Forward), range(5, 7));
        assert_eq!(at(5, 3, Direction::Backward), range(3, 5));
        assert_eq!(at(5, 9, Direction::Backward), range(1, 5));
        assert_eq!(at(5, u64::MAX, Direction::Forward).last, Position::MAX);
        assert_eq!(at(0, 9, Direction::Backward), range(1, 0));
    }

    #[test]
    fn neighbours_are_joined_either_way() {
        let ranges = [range(1, 4), range(5, 8), range(13, 12), range(17, 20)];
        assert_eq!(joined(ranges.into_iter()), [range(1, 8), range(17, 20)]);
        assert_eq!(joined(ranges.into_iter().rev()), [range(17, 20), range(1, 8)]);
    }
}
