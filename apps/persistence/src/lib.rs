//! The store actor and its adapters: SQLite, PostgreSQL, memory.
//!
//! The only crate that names a database client. Knows nothing about any domain app.

mod adapter;
mod part;
mod reader;
mod settings;
mod writer;

#[cfg(test)]
mod conformance;

pub mod floor;
pub mod memory;
pub mod postgres;
pub mod sqlite;

pub use adapter::Adapter;
pub use part::{group, group_over, open, open_existing};
pub use settings::{StoreSettings, StoreUrl, StoreUrlError};
