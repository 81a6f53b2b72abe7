//! Tags: what events are found by beside their streams.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::json;
use umbel_core::{Position, Tag, TagItem, Tags, store::AppendCondition};

use crate::sqlite::sql::{COUNT_TAGGED, FIND_TAGGED, INSERT_TAGS};

/// Events that are counted of each tag of an item: one that more have is not called rare.
const RARE_MAX: i64 = 250;

/// The tags as a JSON list, `None` when there are none.
pub(super) fn list(tags: &Tags) -> rusqlite::Result<Option<String>> {
    if tags.is_empty() {
        return Ok(None);
    }
    let list = serde_json::to_string(tags);
    list.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// An item of a query, as statements take it.
fn item(one: &TagItem) -> String {
    in_order(one, &one.tags.iter().map(Tag::as_str).collect::<Vec<_>>())
}

/// The same with the rarest of its tags first, among whose events the others are looked for.
pub(super) fn led_by_the_rarest(connection: &Connection, one: &TagItem) -> rusqlite::Result<String> {
    let mut tags: Vec<_> = one.tags.iter().map(Tag::as_str).collect();
    if tags.len() > 1 {
        let mut statement = connection.prepare_cached(COUNT_TAGGED)?;
        let mut count =
            |tag| Ok((statement.query_row(params![tag, RARE_MAX], |row| row.get::<_, i64>(0))?, tag));
        let mut counted = tags.into_iter().map(&mut count).collect::<rusqlite::Result<Vec<_>>>()?;
        // Where none is rare they keep their order.
        counted.sort_by_key(|(count, _)| *count);
        tags = counted.into_iter().map(|(_, tag)| tag).collect();
    }
    Ok(in_order(one, &tags))
}

fn in_order(item: &TagItem, tags: &[&str]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Given an item whose tags many events have, but for one, then that one leads.
    #[test]
    fn the_rarest_tag_leads() {
        let connection = Connection::open_in_memory().unwrap();
        let table =
            "CREATE TABLE event_tags (tag TEXT, position INTEGER, PRIMARY KEY (tag, position)) WITHOUT ROWID";
        connection.execute_batch(table).unwrap();
        for (tag, count) in [("a:1", 1000), ("b:1", 300), ("c:1", 20), ("d:1", 3)] {
            for position in 0..count {
                connection.execute("INSERT INTO event_tags VALUES (?1, ?2)", params![tag, position]).unwrap();
            }
        }
        let tags =
            |names: &str| names.chars().fold(Tags::none(), |tags, name| tags.and(&name.to_string(), 1));
        for (names, expected) in [("a", "a"), ("ab", "ab"), ("abc", "cab"), ("abcd", "dcab"), ("ae", "ea")] {
            let led = led_by_the_rarest(&connection, &TagItem::tagged(tags(names))).unwrap();
            let expected: Vec<_> = expected.chars().map(|name| format!("{name}:1")).collect();
            assert_eq!(led, json!({ "tags": expected, "names": null }).to_string());
        }
    }
}
