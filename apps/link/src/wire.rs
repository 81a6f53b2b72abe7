//! What travels on a connection between two processes that have greeted each other, as serde writes it. Pure.
//!
//! Every field of a message and of its answer has a form here, so that a message means the same to an owner in another process. Deadlines
//! are milliseconds on the connection's own clock, which both sides start when they have greeted each other: so they need not agree on
//! the time, and what lay in a buffer for long is not taken for fresh. A clock that stood still, as that of a machine that was suspended, is
//! noticed by the first message that comes too late for the one side only; then a new connection is made, with new clocks.
//!
//! A change of these forms is another [`VERSION`](crate::greeting::VERSION) of the protocol.

mod answer;
mod parcel;

use serde::{Deserialize, Serialize};

pub(crate) use answer::WireDelivery;
pub(crate) use parcel::WireParcel;

/// What the one who has connected sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    /// A message, to be answered under this number.
    Request { id: u64, deadline_ms: u64, parcel: WireParcel },
    /// Is somebody there?
    Ping,
}

/// What the other one sends back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answered {
    /// What became of the message of that number.
    Answer { id: u64, delivery: WireDelivery },
    /// It was not begun, and here is why. Another process may be tried.
    Refused { id: u64, reason: String },
    /// It came after its deadline, as this side's clock has it, and was not begun.
    TooLate { id: u64 },
    /// This process takes no more on this connection, since it stops or since the connection was idle: what it has begun it still answers, more it does not begin.
    Leaving,
    /// Somebody is.
    Pong,
}

/// A form that a value cannot be made of, though it is JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotAValue(pub(crate) String);

/// A name of another process as the program's own types hold it: in errors, where it only is shown.
fn shown(name: &str) -> &'static str {
    umbel_bus::names::lasting(name).unwrap_or("of another process")
}

#[cfg(test)]
mod tests;
