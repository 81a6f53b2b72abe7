//! The floor of reading on SQLite: a bare statement, its columns looked at, and at most the data decoded.

use std::path::Path;

use futures_util::future::BoxFuture;
use rusqlite::{Connection, Params, types::ValueRef};
use umbel_core::store::StoreError;

use crate::{
    floor::{Decode, Rows, Scanned, Step},
    sqlite::{schema, worker::Workers},
};

const ALL: &str = include_str!("scan_all.sql");
const STREAM: &str = include_str!("scan_stream.sql");
const AT: &str = include_str!("scan_at.sql");

/// The column that holds an event's data.
const DATA: &str = "data";

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

fn scan(connection: &Connection, rows: &Rows, decode: Option<Decode>) -> rusqlite::Result<Scanned> {
    match rows {
        Rows::To(last) => count(connection, ALL, [last.to_i64()], decode),
        Rows::Stream(name) => count(connection, STREAM, [name.as_str()], decode),
        Rows::At(positions) => {
            let positions: Vec<_> = positions.iter().map(ToString::to_string).collect();
            count(connection, AT, [format!("[{}]", positions.join(","))], decode)
        }
    }
}

fn count(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    decode: Option<Decode>,
) -> rusqlite::Result<Scanned> {
    let mut statement = connection.prepare_cached(sql)?;
    let (columns, data_at) = (statement.column_count(), statement.column_index(DATA)?);
    let mut scanned = Scanned::default();
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let (mut bytes, mut data) = (0, None);
        for column in 0..columns {
            bytes += match row.get_ref(column)? {
                ValueRef::Null => 0,
                ValueRef::Integer(_) | ValueRef::Real(_) => size_of::<i64>(),
                ValueRef::Text(raw) | ValueRef::Blob(raw) => {
                    if column == data_at {
                        data = Some(raw);
                    }
                    raw.len()
                }
            };
        }
        scanned.count(u64::try_from(bytes).unwrap_or(u64::MAX), data, decode);
    }
    Ok(scanned)
}

impl Step for Scanner {
    fn step(&self, rows: Rows, decode: Option<Decode>) -> BoxFuture<'_, Result<Scanned, StoreError>> {
        Box::pin(super::run(&self.reader, move |connection| scan(connection, &rows, decode)))
    }
}
