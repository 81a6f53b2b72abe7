//! Tags: what events are found by beside their streams.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::json;
use umbel_core::{Position, Tag, TagItem, Tags, store::AppendCondition};

use crate::sqlite::sql::{FIND_TAGGED, INSERT_TAGS};

/// The tags as a JSON list, `None` when there are none.
pub(super) fn list(tags: &Tags) -> rusqlite::Result<Option<String>> {
    if tags.is_empty() {
        return Ok(None);
    }
    let list = serde_json::to_string(tags);
    list.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// An item of a query, as statements take it.
pub(super) fn item(item: &TagItem) -> String {
    let tags: Vec<_> = item.tags.iter().map(Tag::as_str).collect();
    let names = (!item.names.is_empty()).then(|| item.names.iter().map(|name| &**name).collect::<Vec<_>>());
    json!({ "tags": tags, "names": names }).to_string()
}

pub(super) fn write(
    transaction: &Transaction<'_>,
    position: Position,
    kind: i64,
    list: &str,
) -> rusqlite::Result<()> {
    transaction.prepare_cached(INSERT_TAGS)?.execute(params![position.to_i64(), kind, list])?;
    Ok(())
}

/// The first event behind the condition's position that its query is about.
pub(super) fn first_met(
    connection: &Connection,
    AppendCondition { query, after }: &AppendCondition,
) -> rusqlite::Result<Option<Position>> {
    let mut statement = connection.prepare_cached(FIND_TAGGED)?;
    let mut first = None;
    for one in query.items() {
        let found = statement.query_row(params![after.to_i64(), item(one)], |row| row.get(0)).optional()?;
        first = [first, found.map(Position::from_i64)].into_iter().flatten().min();
    }
    Ok(first)
}
