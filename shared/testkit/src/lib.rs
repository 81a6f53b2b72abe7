//! For tests only: given/when/then, the store conformance suite, a judge of stores, a PostgreSQL of one's own.

pub mod checker;
pub mod conformance;
pub mod postgres;

pub mod aggregate;
pub mod boundary;
pub mod process_manager;
pub mod projection;
