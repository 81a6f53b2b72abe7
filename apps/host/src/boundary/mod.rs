//! Boundaries as actors: one host per kind, which keeps nothing in memory.
//!
//! [`attempt`] is what is done for one command, without the actor around it. Of those in this process that ask for the same
//! events, one is decided at a time, see [`turns`]; what other processes do is told by the append's condition.

mod attempt;
mod host;
mod turns;

pub(crate) use host::worker;
