//! The bus: typed messages between apps that do not know each other.
//!
//! Owns the routing table (who answers which message), the transient topics, and the verbs of the [`Bus`]
//! handle: dispatch a command, ask a query, publish a notice, talk to the store.
//!
//! Promises:
//! - every send has a deadline, every queue an end, every failure a type that says what the caller can do;
//! - a send reads an immutable snapshot of the routes and goes straight to the owner's mailbox: it queues behind
//!   nobody, the bus actor included;
//! - handles survive restarts: a message whose owner died before opening it goes to the next owner;
//! - a message stays a typed value; nothing is serialised within a process;
//! - a message that nobody here owns goes to a process that does, if there is a carrier, and means the same there.
//!
//! Knows nothing about any app, any database, or how a component is run.

mod actor;
mod alone;
mod ask;
mod carried;
mod clock;
mod commons;
mod cron;
mod dispatch;
pub mod edge;
mod elsewhere;
mod encoded;
mod envelope;
#[cfg(feature = "faults")]
mod fault;
mod gate;
mod handle;
mod middleware;
pub mod names;
mod peers;
mod returning;
mod routes;
mod schedule;
mod settings;
mod store;
mod tail;
mod tally;
pub mod topics;
mod tree;
mod visible;
mod waits;

#[cfg(test)]
mod tests;

pub use actor::{BusActor, worker};
pub use alone::alone;
pub use ask::{Ask, AskError};
pub use carried::{Carrier, Delivery, Errand, NotCarried, Parcel};
pub use clock::Clock;
pub use cron::{AllPast, Cron, CronError};
pub use dispatch::{Dispatch, DispatchContext, DispatchError, DispatchOptions, Dispatched, Outcome};
pub use elsewhere::{Kind, Peer};
pub use encoded::EncodedAnswer;
pub use envelope::{Answered, Envelope, SendError};
#[cfg(feature = "faults")]
pub use fault::InjectPanic;
pub use gate::Gate;
pub use handle::Bus;
pub use middleware::{Done, Failed, Halt, Middleware, Passage};
pub use peers::{Contact, PeerView, Reached, Whereabouts};
pub use returning::{Refusal, Returned, Returning};
pub use routes::{Progress, RouteError, RouteSet, Stand};
pub use schedule::{Recurrence, ScheduleError, ScheduleId, ScheduleOptions, recurring_id};
pub use settings::{BusSettings, at_least_one};
pub use store::{Replay, Store, SubscriptionView};
pub use tail::{Moment, PageBounds, Removing, Tail};
pub use tally::{Ending, Tallied};
pub use topics::{Subscriber, Topics};
pub use tree::GetTree;
pub use umbel_core::schedule::When;
pub use visible::Consistency;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/topics.md")]
struct GuideToTopics;
