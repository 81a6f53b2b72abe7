//! The store actor and its adapters: SQLite, PostgreSQL, memory.
//!
//! The only crate that names a database client. Knows nothing about any domain app.

mod adapter;
mod answer;
mod caution;
mod copies;
mod filter;
mod gathering;
mod objects;
mod page;
mod part;
mod processes;
mod reader;
mod settings;
mod steps;
mod sweeper;
mod tenants;
mod vault;
mod vouching;
mod walk;
mod watcher;
mod went_back;
mod writer;

#[cfg(test)]
mod conformance;

pub mod admin;
pub mod floor;
pub mod memory;
pub mod postgres;
pub mod sqlite;

pub use adapter::{
    Adapter, Exchanged, Extras, Log, Looked, News, ReadModels, Stride, SubjectKey, Subscriptions, Upkeep,
};
pub use part::{group, group_over, open, open_existing, quiet_group_over};
pub use settings::{StoreSettings, StoreUrl, StoreUrlError};
pub use tenants::{Tenant, Tenants};
