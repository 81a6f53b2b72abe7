//! Durable subscriptions as pure state: who is sent what, what was handled, how far a checkpoint may go.
//!
//! A subscription follows the log, or one stream, under a name. Its events fall into *partitions* by their *key*. In the whole
//! cluster a partition has one owner, by a lease with an epoch, and one checkpoint, which only the owner of that epoch moves.
//! The owner sends events to its *consumers*; each is handled, skipped or parked as a dead letter before the checkpoint passes it.
//!
//! [`Machine`] is the whole protocol: inputs in, effects out, and whoever interprets the effects reports back with further inputs.
//! An effect may fail, come late or be carried out although nobody hears of it; what holds, whatever happens:
//!
//! - every event that the subscription selects is handled at least once;
//! - events of one key are handled in their order, also over retries, crashes of consumers, and changes of owners;
//! - a checkpoint never passes an event that is neither handled, nor skipped, nor parked;
//! - an event of a key that has a dead letter waits behind it, and other keys do not wait;
//! - what waits here is bounded, whatever the consumers do.

mod begun;
mod by_place;
mod change;
mod hands;
mod key;
mod machine;
mod name;
mod options;
mod protocol;

mod consumers;
mod lane;
mod leases;
mod letters;
mod partition;
mod pending;
mod queue;
mod reach;
mod ready;

#[cfg(test)]
mod tests;

pub use begun::{Abandoned, Begun, Lost};
pub use by_place::ByPlace;
pub use change::Change;
pub use hands::{Given, Hands, Held};
pub use key::Key;
pub use machine::{Counters, Machine};
pub use name::{NodeId, SubscriptionName, SubscriptionNameError};
pub use options::{Options, Source, Start};
pub use protocol::{
    ConsumerId, Delivery, Due, Effect, Input, Item, JoinError, Millis, Parking, SettledLetter, Settling,
    Verdict,
};
pub use reach::Reach;
