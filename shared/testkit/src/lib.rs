//! For tests only: given/when/then, the store conformance suite, a PostgreSQL of one's own.

pub mod conformance;
pub mod postgres;

pub mod aggregate;
pub mod projection;
