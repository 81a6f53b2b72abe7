//! For tests only. For apps: given/when/then of aggregates, boundaries, projections and process managers, golden samples of events and of commands that wait. With the feature `stores`, for
//! stores: the conformance suite, a judge, a PostgreSQL of one's own.
//!
//! A whole umbrella for a test is `umbel-testing`'s.

#[cfg(feature = "stores")]
pub mod checker;
#[cfg(feature = "stores")]
pub mod conformance;
#[cfg(feature = "stores")]
pub mod postgres;

pub mod aggregate;
pub mod boundary;
pub mod golden;
pub mod process_manager;
pub mod projection;

mod plans;
