//! Streams as the last group of appends left them, so that the next one need not look them up.
//!
//! Others may write to the same file: SQLite counts, for each connection, what others commit, and what is known is known for one count.
//! Within a transaction that writes nobody else commits, so what was true when it began is so until it ends.

use std::collections::HashMap;

use rusqlite::Connection;
use umbel_core::{StreamName, store::plan::StreamState};

use crate::sqlite::sql::DATA_VERSION;

/// Streams that are remembered at most: some 2 MB.
const REMEMBERED_MAX: usize = 10_000;

/// What the writer knows of streams.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct KnownStreams {
    of: HashMap<StreamName, StreamState>,
    /// What others had committed when it was true.
    data_version: Option<i64>,
}

impl KnownStreams {
    /// What happens now may change streams otherwise than by appending.
    pub(in crate::sqlite) fn forget(&mut self) {
        self.of.clear();
        self.data_version = None;
    }

    /// Takes what is known into a transaction that appends. Until that is [committed](Self::committed), nothing is known for the
    /// next one.
    pub(super) fn enter(&mut self, transaction: &Connection) -> rusqlite::Result<i64> {
        let now: i64 = transaction.prepare_cached(DATA_VERSION)?.query_row([], |row| row.get(0))?;
        if self.data_version.take() != Some(now) {
            self.of.clear();
        }
        Ok(now)
    }

    pub(super) fn get(&self, stream: &StreamName) -> Option<&StreamState> {
        self.of.get(stream)
    }

    /// The transaction that was entered at this count is committed, or has changed nothing, and left these streams so.
    pub(super) fn committed(
        &mut self,
        entered: i64,
        streams: impl IntoIterator<Item = (StreamName, StreamState)>,
    ) {
        if self.of.len() > REMEMBERED_MAX {
            self.of.clear();
        }
        self.of.extend(streams);
        self.data_version = Some(entered);
    }
}
