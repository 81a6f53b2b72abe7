//! Going through the candidates of a selection in reading order, as far as a page's budget reaches.

use std::{cmp::Reverse, collections::BinaryHeap};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Rows, types::Value};
use umbel_core::{Position, document::Direction};

use super::{
    listing::{self, Listing},
    range::Range,
    selection::Selection,
};
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

/// A part of the log that is gone through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) table: Table,
    pub(super) range: Range,
    /// Whether all of it is in spans that say where the events of each kind are.
    pub(super) is_listed: bool,
}

/// Goes through a part. The candidates of each key come in order; of their next ones, the nearest is taken each time.
pub(super) fn walk(
    connection: &Connection,
    selection: &Selection,
    part: Part,
    direction: Direction,
    budget: &mut Budget,
) -> rusqlite::Result<Walked> {
    if budget.is_spent() {
        return Ok(Walked { stopped_at: Some(None), ..Walked::default() });
    }
    let Part { table, range, is_listed } = part;
    if let Some(kinds) = selection.kinds().filter(|_| is_listed) {
        let mut statements = prepared(connection, listing::sql(direction), kinds.len())?;
        let mut cursors = Cursors::new(direction);
        for (statement, kind) in statements.iter_mut().zip(kinds) {
            cursors.add(Cursor::Listed(Listing::new(statement, *kind, range, direction)?))?;
        }
        budget.look(KEY_COST * kinds.len().saturating_sub(1));
        return follow(cursors, Check::new(connection, selection, table)?, 1, budget);
    }
    let keys = selection.keys();
    let mut statements = prepared(connection, &selection.sql(table, direction), keys.len())?;
    let mut cursors = Cursors::new(direction);
    budget.look(KEY_COST * keys.len().saturating_sub(1));
    for (statement, key) in statements.iter_mut().zip(keys) {
        let parameters = selection.parameters(range.low.to_i64(), range.high.to_i64(), key);
        cursors.add(Cursor::Found(statement.query(parameters)?))?;
    }
    if !selection.passes_over() {
        return follow(cursors, None, 1, budget);
    }
    // All of it is looked at, unless the page is full before. It is short, so the budget may be overdrawn.
    let walked = follow(cursors, None, 0, budget)?;
    budget.look(range.len());
    Ok(walked)
}

fn prepared<'a>(
    connection: &'a Connection,
    sql: &str,
    count: usize,
) -> rusqlite::Result<Vec<CachedStatement<'a>>> {
    (0..count).map(|_| connection.prepare_cached(sql)).collect()
}

/// Takes what is wanted of what comes, each at the cost of so many looks.
fn follow(
    mut cursors: Cursors<'_>,
    mut check: Option<Check<'_>>,
    cost: usize,
    budget: &mut Budget,
) -> rusqlite::Result<Walked> {
    let mut walked = Walked::default();
    while let Some((position, mut is_wanted)) = cursors.take()? {
        // Several keys may lead to one event, such as two tags of it.
        while let Some(again) = cursors.take_if(position)? {
            is_wanted |= again;
        }
        if let Some(check) = check.as_mut().filter(|_| is_wanted) {
            is_wanted = check.holds(position)?;
        }
        if is_wanted {
            walked.wanted.push(position);
            budget.room -= 1;
        }
        budget.look(cost);
        if budget.is_spent() {
            walked.stopped_at = Some(Some(position));
            break;
        }
    }
    Ok(walked)
}

/// What is still to be checked of a candidate that a list leads to.
struct Check<'a> {
    selection: &'a Selection,
    statement: CachedStatement<'a>,
}

impl<'a> Check<'a> {
    /// `None` when there is nothing to be checked.
    fn new(
        connection: &'a Connection,
        selection: &'a Selection,
        table: Table,
    ) -> rusqlite::Result<Option<Self>> {
        let sql = selection.check_sql(table);
        sql.map(|sql| Ok(Self { selection, statement: connection.prepare_cached(&sql)? })).transpose()
    }

    /// An event that is not there is damage, which reading it tells.
    fn holds(&mut self, position: Position) -> rusqlite::Result<bool> {
        let at = position.to_i64();
        let parameters = self.selection.parameters(at, at, Value::Null);
        let found = self.statement.query_row(parameters, |row| row.get::<_, Option<bool>>(1)).optional()?;
        Ok(found.is_none_or(|holds| holds.unwrap_or(false)))
    }
}

/// What leads to candidates, in order.
enum Cursor<'a> {
    /// Rows of positions, with whether they are wanted.
    Found(Rows<'a>),
    /// What spans say of a kind.
    Listed(Listing<'a>),
}

impl Cursor<'_> {
    fn next(&mut self) -> rusqlite::Result<Option<(Position, bool)>> {
        match self {
            Self::Listed(listing) => Ok(listing.next()?.map(|position| (position, true))),
            Self::Found(rows) => {
                let Some(row) = rows.next()? else { return Ok(None) };
                let is_wanted = row.get::<_, Option<bool>>(1)?.unwrap_or(false);
                Ok(Some((Position::from_i64(row.get(0)?), is_wanted)))
            }
        }
    }
}

/// What comes next of each key: its order, its position, whether it is wanted, and whose it is.
type Next = (Reverse<i64>, Position, bool, usize);

struct Cursors<'a> {
    direction: Direction,
    all: Vec<Cursor<'a>>,
    /// The nearest on top.
    next: BinaryHeap<Next>,
}

impl<'a> Cursors<'a> {
    const fn new(direction: Direction) -> Self {
        Self { direction, all: Vec::new(), next: BinaryHeap::new() }
    }

    fn add(&mut self, cursor: Cursor<'a>) -> rusqlite::Result<()> {
        self.all.push(cursor);
        self.step(self.all.len() - 1)
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
        let next = self.all.get_mut(cursor).map(Cursor::next).transpose()?.flatten();
        if let Some((position, is_wanted)) = next {
            let order = position.to_i64();
            let order = if self.direction == Direction::Forward { order } else { -order };
            self.next.push((Reverse(order), position, is_wanted, cursor));
        }
        Ok(())
    }
}

impl Budget {
    pub(super) const fn new(room: usize) -> Self {
        Self { room, looks: LOOKS_MAX }
    }

    const fn look(&mut self, looks: usize) {
        self.looks = self.looks.saturating_sub(looks);
    }

    const fn is_spent(&self) -> bool {
        self.room == 0 || self.looks == 0
    }
}
