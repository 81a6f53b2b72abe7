//! Aggregates as actors: one host per kind, one actor per live instance.
//!
//! The host routes a command to its instance by identity and makes instances come and go; the instance keeps
//! state and version in memory and carries out one command at a time; [`cell`] is what it does, without the
//! actor around it.

mod cell;
mod host;
mod instance;

pub(crate) use host::worker;
