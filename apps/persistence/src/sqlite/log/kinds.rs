//! Numbers of kinds. Once committed, a kind keeps its number for ever, whoever wrote it; so the writer remembers them
//! and an event costs no statement for its kind.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use umbel_core::EventType;

use crate::sqlite::sql::{FIND_KIND, INSERT_KIND};

/// At most about so many kinds are remembered. More are only in a store whose streams have no categories, but each a
/// name of its own.
const REMEMBERED_MAX: usize = 10_000;

/// What the writer knows of kinds.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Kinds {
    /// Those that are in the file.
    committed: Numbers,
    /// Those that the present transaction met first.
    met: Numbers,
}

/// By category and event type.
#[derive(Debug, Default)]
struct Numbers {
    of: HashMap<String, HashMap<EventType, i64>>,
    count: usize,
}

impl Kinds {
    /// The number of a kind, which is new if nobody has it yet.
    pub(super) fn number(
        &mut self,
        connection: &Connection,
        category: &str,
        event_type: &EventType,
    ) -> rusqlite::Result<i64> {
        let known = self.committed.get(category, event_type).or_else(|| self.met.get(category, event_type));
        if let Some(number) = known {
            return Ok(number);
        }
        let kind = params![category, &*event_type.name, event_type.schema];
        let found = connection.prepare_cached(FIND_KIND)?.query_row(kind, |row| row.get(0)).optional()?;
        let number = match found {
            Some(number) => number,
            None => connection.prepare_cached(INSERT_KIND)?.insert(kind)?,
        };
        self.met.insert(category.to_owned(), event_type.clone(), number);
        Ok(number)
    }

    /// Of a transaction that was not committed, nobody knows what it met.
    pub(in crate::sqlite) fn forget_uncommitted(&mut self) {
        self.met = Numbers::default();
    }

    /// The transaction was committed.
    pub(in crate::sqlite) fn committed(&mut self) {
        if self.committed.count + self.met.count > REMEMBERED_MAX {
            self.committed = Numbers::default();
        }
        for (category, types) in std::mem::take(&mut self.met).of {
            for (event_type, number) in types {
                self.committed.insert(category.clone(), event_type, number);
            }
        }
    }
}

impl Numbers {
    fn get(&self, category: &str, event_type: &EventType) -> Option<i64> {
        self.of.get(category)?.get(event_type).copied()
    }

    fn insert(&mut self, category: String, event_type: EventType, number: i64) {
        self.of.entry(category).or_default().insert(event_type, number);
        self.count += 1;
    }
}
