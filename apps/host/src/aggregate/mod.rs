//! Aggregates as actors: one host per kind, one actor per live instance.
//!
//! The host routes a command to its instance by identity and makes instances come and go; the instance keeps
//! state and version in memory and decides one command at a time; [`carry_out`] is what it does, without the
//! actor around it, on a [`cell`]. [`fold`] is the state that both this and [`replay`] work on.

mod carry_out;
mod caution;
mod cell;
mod flight;
mod fold;
mod host;
mod inline;
mod instance;
mod naming;
mod replay;
mod stay;

pub(crate) use host::worker;
pub use replay::{StateError, state_at, state_at_from_snapshot};
