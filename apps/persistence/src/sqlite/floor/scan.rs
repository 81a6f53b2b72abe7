//! The floor of reading on SQLite: a bare statement, its columns looked at and not decoded.

use std::path::Path;

use futures_util::future::BoxFuture;
use rusqlite::{Connection, Params, types::ValueRef};
use umbel_core::store::StoreError;

use crate::{
    floor::{Rows, Scanned, Step},
    sqlite::{schema, worker::Workers},
};

const ALL: &str = include_str!("scan_all.sql");
const STREAM: &str = include_str!("scan_stream.sql");
const AT: &str = include_str!("scan_at.sql");

/// A thread with a connection set up as the store's readers.
pub(crate) struct Scanner {
    reader: Workers,
}

impl Scanner {
    pub(crate) fn open(store: &Path) -> Result<Self, StoreError> {
        let connection = schema::open_reader(store)?;
        Ok(Self { reader: super::start("sqlite-scan", connection)? })
    }
}

fn scan(connection: &Connection, rows: &Rows) -> rusqlite::Result<Scanned> {
    match rows {
        Rows::All => count(connection, ALL, []),
        Rows::Stream(name) => count(connection, STREAM, [name.as_str()]),
        Rows::At(positions) => {
            let positions: Vec<_> = positions.iter().map(ToString::to_string).collect();
            count(connection, AT, [format!("[{}]", positions.join(","))])
        }
    }
}

fn count(connection: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<Scanned> {
    let mut statement = connection.prepare_cached(sql)?;
    let (columns, mut scanned) = (statement.column_count(), Scanned::default());
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let mut bytes = 0;
        for column in 0..columns {
            bytes += match row.get_ref(column)? {
                ValueRef::Null => 0,
                ValueRef::Integer(_) | ValueRef::Real(_) => size_of::<i64>(),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
            };
        }
        scanned.count(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
    Ok(scanned)
}

impl Step for Scanner {
    fn step(&self, rows: Rows) -> BoxFuture<'_, Result<Scanned, StoreError>> {
        Box::pin(super::run(&self.reader, move |connection| scan(connection, &rows)))
    }
}
