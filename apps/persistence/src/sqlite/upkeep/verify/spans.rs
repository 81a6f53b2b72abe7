//! Whether what spans say of kinds and conversations is true: what a span would say now, by its events, beside what it says.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use umbel_core::Position;

use crate::{
    filter::Filter,
    sqlite::{
        log::{Contents, Offsets, Span, log},
        sql::{HEAD, VERIFY_FILTER, VERIFY_KIND_AT, VERIFY_LISTINGS, VERIFY_NEXT_POSITION},
    },
};

/// How many of the places that spans tell of are looked at in one transaction.
const STEP: usize = 1000;

/// Whether spans lead to their events: so many findings at most. Each span is looked at in a transaction of its own; of a log without its
/// row nothing is known.
pub(super) fn look(
    connection: &mut Connection,
    limit: usize,
    findings: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let mut behind = Position::START;
    while has_row(connection)? && findings.len() < limit {
        let snapshot = connection.transaction()?;
        let Some(span) = next_closed(&snapshot, behind)? else { break };
        look_at(&snapshot, span, findings)?;
        behind = span.last();
    }
    Ok(())
}

/// Whether something leads to events of a kind where no span has any, as [`look`] goes through spans.
pub(super) fn look_for_strays(
    connection: &mut Connection,
    limit: usize,
    findings: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let mut behind = (i64::MIN, i64::MIN);
    while has_row(connection)? && findings.len() < limit {
        let snapshot = connection.transaction()?;
        let Some(last) = some_strays(&snapshot, behind, findings)? else { break };
        behind = last;
    }
    Ok(())
}

fn has_row(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(connection.query_row(HEAD, [], |_| Ok(())).optional()?.is_some())
}

/// The next span with events in it, if the log has passed it.
fn next_closed(snapshot: &Transaction<'_>, behind: Position) -> rusqlite::Result<Option<Span>> {
    let head = log(snapshot)?.head;
    let position = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
    let next = snapshot.prepare_cached(VERIFY_NEXT_POSITION)?.query_row([behind.to_i64()], position)?;
    let span = next.map(|next| Span::of(Position::from_i64(next)));
    Ok(span.filter(|span| span.last() <= head))
}

/// Whether the span leads to its events.
fn look_at(snapshot: &Transaction<'_>, span: Span, findings: &mut Vec<String>) -> rusqlite::Result<()> {
    let Contents { kinds, ids, .. } = Contents::read(snapshot, span)?;
    let first = span.first();
    for (kind, offsets) in kinds {
        if Offsets::find(snapshot, kind, span)? != Some(offsets) {
            findings.push(format!(
                "the span from position {first} does not tell where its events of kind {kind} are"
            ));
        }
    }
    let stored = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
    match snapshot.prepare_cached(VERIFY_FILTER)?.query_row([first.to_i64()], stored).optional()? {
        None => findings.push(format!("the span from position {first} has no filter of its conversations")),
        Some(stored) => {
            let filter = Filter::stored(stored);
            if let Some(missed) = ids.into_iter().find(|id| !filter.may_hold(*id)) {
                let what = format!(
                    "the filter of the span from position {first} misses the conversation or cause {missed}"
                );
                findings.push(what);
            }
        }
    }
    Ok(())
}

/// Whether it is to closed spans that kinds lead, and to events of theirs; the last one that was looked at. That a span leads to all its
/// events of a kind and to no others was found out before, if it has one: so the first is enough.
fn some_strays(
    snapshot: &Transaction<'_>,
    behind: (i64, i64),
    findings: &mut Vec<String>,
) -> rusqlite::Result<Option<(i64, i64)>> {
    let mut statement = snapshot.prepare_cached(VERIFY_LISTINGS)?;
    let mut kind_at = snapshot.prepare_cached(VERIFY_KIND_AT)?;
    let mut rows = statement.query(params![behind.0, behind.1, i64::try_from(STEP).unwrap_or(i64::MAX)])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (kind, first): (i64, i64) = (row.get(0)?, row.get(1)?);
        last = Some((kind, first));
        let span = Span::of(Position::from_i64(first));
        let position = Offsets::of(row.get_ref(2)?.as_blob_or_null()?.unwrap_or_default())
            .next()
            .map(|offset| span.at(offset));
        let found = match position.filter(|_| span.first().to_i64() == first) {
            Some(position) => kind_at
                .query_row([position.to_i64()], |row| row.get::<_, i64>(0))
                .optional()?
                .filter(|_| Span::of(position) == span),
            None => None,
        };
        let is_closed = || next_closed(snapshot, Position::new(span.first().get() - 1));
        if found != Some(kind) || is_closed()? != Some(span) {
            findings.push(format!(
                "something leads to events of kind {kind} from position {first} on, where no span has any"
            ));
        }
    }
    Ok(last)
}
