//! Going through the candidates of a selection in reading order, as far as a page's budget reaches.

use std::{cmp::Reverse, collections::BinaryHeap};

use rusqlite::{Connection, Rows};
use umbel_core::{Position, document::Direction};

use super::{range::Range, selection::Selection};
use crate::sqlite::sql::Table;

/// How many candidates one page looks at, at most. Without a bound a page of rare events would read the whole log and
/// time out, time and again; so it comes back early, perhaps empty, with how far it looked.
const LOOKS_MAX: usize = 20_000;
/// What beginning to go through the events of one key costs, counted in candidates.
const KEY_COST: usize = 16;

/// What a page may still hold and look at.
#[derive(Debug)]
pub(super) struct Budget {
    room: usize,
    looks: usize,
}

/// What going through a range led to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// The positions that are wanted, in reading order.
    pub(super) wanted: Vec<Position>,
    /// When the budget ended before the range: the last position looked at, `None` inside for not even the first.
    pub(super) stopped_at: Option<Option<Position>>,
}

/// Goes through a range. The candidates of each key come in order; of their next ones, the nearest is taken each time.
pub(super) fn walk(
    connection: &Connection,
    selection: &Selection,
    table: Table,
    range: Range,
    direction: Direction,
    budget: &mut Budget,
) -> rusqlite::Result<Walked> {
    let (keys, sql) = (selection.keys(), selection.sql(table, direction));
    let mut walked = Walked::default();
    if budget.is_spent() {
        return Ok(Walked { stopped_at: Some(None), ..walked });
    }
    budget.looks = budget.looks.saturating_sub(KEY_COST * keys.len().saturating_sub(1));
    let statements = keys.iter().map(|_| connection.prepare_cached(&sql));
    let mut statements = statements.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut cursors = Cursors { direction, rows: Vec::new(), next: BinaryHeap::new() };
    for (statement, key) in statements.iter_mut().zip(keys) {
        let parameters = selection.parameters(range.low.to_i64(), range.high.to_i64(), key);
        cursors.add(statement.query(parameters)?)?;
    }
    while let Some((position, mut is_wanted)) = cursors.take()? {
        // Several keys may lead to one event, such as two tags of it.
        while let Some(again) = cursors.take_if(position)? {
            is_wanted |= again;
        }
        if is_wanted {
            walked.wanted.push(position);
            budget.room -= 1;
        }
        budget.looks = budget.looks.saturating_sub(1);
        if budget.is_spent() {
            walked.stopped_at = Some(Some(position));
            break;
        }
    }
    Ok(walked)
}

/// What comes next of each key: its order, its position, whether it is wanted, and whose it is.
type Next = (Reverse<i64>, Position, bool, usize);

struct Cursors<'a> {
    direction: Direction,
    rows: Vec<Rows<'a>>,
    /// The nearest on top.
    next: BinaryHeap<Next>,
}

impl<'a> Cursors<'a> {
    fn add(&mut self, rows: Rows<'a>) -> rusqlite::Result<()> {
        self.rows.push(rows);
        self.step(self.rows.len() - 1)
    }

    /// The nearest of all.
    fn take(&mut self) -> rusqlite::Result<Option<(Position, bool)>> {
        let Some((_, position, is_wanted, cursor)) = self.next.pop() else { return Ok(None) };
        self.step(cursor)?;
        Ok(Some((position, is_wanted)))
    }

    /// Whether it is wanted, if the nearest of all is at this position.
    fn take_if(&mut self, position: Position) -> rusqlite::Result<Option<bool>> {
        let is_there = self.next.peek().is_some_and(|(_, next, ..)| *next == position);
        if is_there { Ok(self.take()?.map(|(_, is_wanted)| is_wanted)) } else { Ok(None) }
    }

    fn step(&mut self, cursor: usize) -> rusqlite::Result<()> {
        let Some(row) = self.rows.get_mut(cursor).map(Rows::next).transpose()?.flatten() else {
            return Ok(());
        };
        let position: i64 = row.get(0)?;
        let order = if self.direction == Direction::Forward { position } else { -position };
        let is_wanted = row.get::<_, Option<bool>>(1)?.unwrap_or(false);
        self.next.push((Reverse(order), Position::from_i64(position), is_wanted, cursor));
        Ok(())
    }
}

impl Budget {
    pub(super) const fn new(room: usize) -> Self {
        Self { room, looks: LOOKS_MAX }
    }

    const fn is_spent(&self) -> bool {
        self.room == 0 || self.looks == 0
    }
}
