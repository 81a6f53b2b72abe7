//! The floor of reading: one bare statement on one connection, its rows stepped through, and nothing made of them or only the
//! value that their data says.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use umbel_core::{Position, StreamName, store::StoreError};

use super::Scratch;
use crate::{postgres, settings::StoreUrl, sqlite};

/// Steps through the events of a scratch store. Clones use the same connection, one after the other.
#[derive(Clone)]
pub struct Scan(Arc<dyn Step>);

/// Which events are stepped through.
#[derive(Clone, Debug)]
pub enum Rows {
    /// The log in order, up to this position.
    To(Position),
    /// One stream in order.
    Stream(StreamName),
    /// Those at these positions, in order: the least that selecting them by anything else can come to.
    At(Arc<[Position]>),
}

/// Makes of an event's data what its reader wants of it, and drops that; says whether it could.
pub type Decode = fn(&[u8]) -> bool;

/// What was stepped through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Rows.
    pub rows: u64,
    /// Bytes in their columns, as the database hands them over.
    pub bytes: u64,
    /// Rows whose data was decoded.
    pub decoded: u64,
}

/// Steps through rows.
pub(crate) trait Step: Send + Sync {
    fn step(&self, rows: Rows, decode: Option<Decode>) -> BoxFuture<'_, Result<Scanned, StoreError>>;
}

impl Scan {
    /// Connects to a scratch place whose store has been opened before; `None` in memory, where no statement is.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn open(scratch: &Scratch) -> Result<Option<Self>, StoreError> {
        Ok(match scratch.address() {
            StoreUrl::Memory => None,
            StoreUrl::Sqlite(path) => Some(Self(Arc::new(sqlite::floor::Scanner::open(path)?))),
            StoreUrl::Postgres(url) => {
                let scanner = postgres::floor::Scanner::open(url, &scratch.settings().schema).await?;
                Some(Self(Arc::new(scanner)))
            }
        })
    }

    /// Steps through these events, and decodes their data if told how.
    ///
    /// # Errors
    /// What the database says.
    pub async fn read(&self, rows: Rows, decode: Option<Decode>) -> Result<Scanned, StoreError> {
        self.0.step(rows, decode).await
    }
}

impl Scanned {
    /// One more row, with its data.
    pub(crate) fn count(&mut self, bytes: u64, data: Option<&[u8]>, decode: Option<Decode>) {
        self.rows += 1;
        self.bytes += bytes;
        self.decoded += u64::from(decode.zip(data).is_some_and(|(decode, data)| decode(data)));
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scan")
    }
}
