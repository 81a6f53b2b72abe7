//! Writing documents with their index entries, within a transaction that holds more.

use std::collections::BTreeSet;

use rusqlite::{Transaction, params};
use umbel_core::document::DocumentWrite;

use crate::sqlite::sql::{
    DELETE_DOCUMENT, DELETE_DOCUMENT_INDEX, INSERT_DOCUMENT_INDEX, NOTE_SHAPE, PUT_DOCUMENT,
};

/// Writes documents, in order, into collections with a generation's suffix behind their names.
pub(in crate::sqlite) fn write_documents<'a>(
    transaction: &Transaction<'_>,
    writes: impl IntoIterator<Item = &'a DocumentWrite>,
    suffix: &str,
) -> rusqlite::Result<()> {
    let mut shapes = BTreeSet::new();
    for DocumentWrite { collection, key, body, entries } in writes {
        let collection = format!("{collection}{suffix}");
        transaction.prepare_cached(DELETE_DOCUMENT_INDEX)?.execute(params![collection, key])?;
        let Some(body) = body else {
            transaction.prepare_cached(DELETE_DOCUMENT)?.execute(params![collection, key])?;
            continue;
        };
        transaction.prepare_cached(PUT_DOCUMENT)?.execute(params![collection, key, body.as_str()])?;
        let mut insert = transaction.prepare_cached(INSERT_DOCUMENT_INDEX)?;
        for entry in entries {
            insert.execute(params![collection, entry.index, entry.key.as_bytes(), key])?;
        }
        let indexes: BTreeSet<_> = entries.iter().map(|entry| entry.index.as_str()).collect();
        shapes.insert((collection, indexes));
    }
    for (collection, indexes) in shapes {
        let indexes = serde_json::Value::from_iter(indexes).to_string();
        transaction.prepare_cached(NOTE_SHAPE)?.execute(params![collection, indexes])?;
    }
    Ok(())
}
