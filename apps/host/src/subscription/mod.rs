//! Durable subscriptions at work, in pull form: [`subscribe`] and take batches.
//!
//! The protocol is [`Machine`](umbel_core::subscription::Machine)'s. For each name and process a runner carries out what it says: reads
//! the log, keeps leases and checkpoints, hands events to consumers over bounded queues. Whatever goes wrong with the store is told to
//! the machine, which tries again in its own time; when a runner itself crashes its consumers are told, and whoever subscribes
//! next begins anew at the checkpoint.

mod care;
mod consumers;
mod effects;
mod held;
mod registry;
mod runner;
mod settings;
mod spec;
mod subscriber;
mod view;

pub use registry::{SubscribeError, subscribe, subscriptions};
pub use settings::{OnFailure, SubscriptionSettings};
pub use spec::Subscription;
pub use subscriber::{AckError, Batch, Delivered, Subscriber};
pub use view::SubscriptionView;

pub(crate) use care::Careful;
pub(crate) use consumers::Taken;
pub(crate) use effects::head;
pub(crate) use held::Follower;
pub(crate) use registry::Registry;
pub(crate) use spec::millis;
pub(crate) use subscriber::Link;
pub(crate) use view::{Saved, Told};
