//! What a benchmark needs of a database beside the store itself: a scratch place that is removed afterwards, and
//! the floors, which are the least that any store of events must do.
//!
//! A floor writes the same rows with the same durability into a table with the log's columns and unique indexes,
//! and does nothing else: no versions are checked, no positions taken under a lock. What the store takes longer is
//! the price of its promises. The floor of reading steps through the store's own events, and makes nothing of them.

mod former;
mod scan;
mod scratch;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use umbel_core::{NewEvent, store::StoreError};

pub(crate) use self::{
    former::{Former, Insert},
    scan::Step,
};
pub use self::{
    scan::{Decode, Rows, Scan, Scanned},
    scratch::{Found, Scratch},
};
use crate::{postgres, settings::StoreUrl, sqlite};

/// One row for a floor's table. The caller numbers streams and versions, so that no two rows are alike.
#[derive(Clone, Debug)]
pub struct Row {
    /// The stream's number.
    pub stream_id: i64,
    /// The version in it.
    pub version: i64,
    /// Everything else.
    pub event: NewEvent,
}

/// One way to write rows. Clones write to the same table.
#[derive(Clone)]
pub struct Floor(Arc<dyn Write>);

/// The floors that a store is compared with; `None` where a store has no such thing.
#[derive(Clone, Default)]
pub struct Floors {
    /// One connection; while one transaction is in flight, all rows that wait become the next one.
    pub group_commit: Option<Floor>,
    /// A pool of 16 connections, one row per commit.
    pub single_row: Option<Floor>,
}

/// Writes the rows of one append.
pub(crate) trait Write: Send + Sync {
    fn write(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>>;
}

impl Floors {
    /// Creates the tables in a scratch place whose store has been opened before. Needs an actix system, for threads
    /// like the store's.
    ///
    /// # Errors
    /// When the database cannot be reached or does not allow it.
    pub async fn open(scratch: &Scratch) -> Result<Self, StoreError> {
        let settings = scratch.settings();
        match scratch.address() {
            StoreUrl::Memory => Ok(Self::default()),
            StoreUrl::Sqlite(path) => {
                let group_commit = sqlite::floor::group_commit(path, settings.group_max_appends).await?;
                Ok(Self { group_commit: Some(Floor(Arc::new(group_commit))), single_row: None })
            }
            StoreUrl::Postgres(url) => {
                let (group_commit, single_row) =
                    postgres::floor::open(url, &settings.schema, settings.group_max_appends).await?;
                Ok(Self {
                    group_commit: Some(Floor(Arc::new(group_commit))),
                    single_row: Some(Floor(Arc::new(single_row))),
                })
            }
        }
    }
}

impl Floor {
    /// Writes the rows of one append and returns when they are durable.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.0.write(rows).await
    }
}

impl std::fmt::Debug for Floor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Floor")
    }
}

impl std::fmt::Debug for Floors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Floors")
            .field("group_commit", &self.group_commit.is_some())
            .field("single_row", &self.single_row.is_some())
            .finish()
    }
}
