//! Supervision trees for actix: a pure restart decision and the runner that obeys it.
//!
//! A tree is made of [`Worker`]s and [`Group`]s, and of [`Roster`]s, to which groups are added while it runs. A worker is a
//! *factory* of futures: each future is one incarnation of the worker, and the runner makes a new one when the old one fails. A group is a nested
//! supervisor with a thread of its own, on which its workers live, so that a thread which blocks delays its own
//! group and nobody else.
//!
//! What holds, always:
//!
//! - An exit is ordinary only if it was ordered. A worker that panics, returns an error, or just returns is judged by
//!   its [`Restart`]; its group's [`Policy`] says who else is restarted, after how long, and how often.
//! - Children start in order, each when the one before it is ready, and stop in reverse order.
//! - A failure during the very first start ends the tree with one clear cause ([`Outcome::FailedToStart`]): a port in
//!   use does not get better by trying again. Later failures are retried, within the intensity.
//! - Beyond its intensity a group stops its children and fails as a child of its parent; beyond the root's the tree
//!   ends with [`Outcome::Escalated`]. Nothing here ends the process: the binary does, with its own exit code.
//! - A panic, wherever it happens, ends no thread: it fails the worker or the actor it happens in, and the message is its
//!   cause. In a task that belongs to no worker, or in blocking work, it is logged and counted at the node whose thread it
//!   is ([`TreeNode::panics`]); [`WorkerContext::spawn`] is for tasks that shall fail their worker. The one exception is
//!   Rust's own: a panic in a `Drop` (or in an actor's `stopping` or `stopped`) *while* another one unwinds aborts the
//!   process.
//! - Each restart, abandonment and escalation is one line of the log: path, cause, how often by now.
//! - The supervisor runs on a thread of its own. It never waits for a supervised thread without a deadline, and what
//!   an abandoned incarnation reports later reaches nobody.
//! - The decision ([`decision`]) knows neither clock nor randomness; both are handed to it.
//!
//! ```no_run
//! use umbel_supervision::{Group, Outcome, Policy, Supervisor, Worker};
//!
//! actix::System::new().block_on(async {
//!     let clock = Worker::new("clock", |ctx| async move {
//!         ctx.ready();
//!         ctx.stopping().await;
//!         Ok(())
//!     });
//!     let supervisor = Supervisor::start(Group::new("umbel", Policy::default()).child(clock));
//!     println!("{}", supervisor.tree().snapshot());
//!     assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
//! });
//! ```

mod policy;
mod spec;

pub mod decision;

mod actor;
mod context;
mod panics;
mod tasks;
mod tree;

mod exit;
mod group;
mod listening;
mod roster;
mod supervisor;
mod thread;
mod worker;

#[cfg(test)]
mod tests;

pub use actor::{Drain, Tether};
pub use context::{Stopping, WorkerContext};
pub use exit::Incurable;
pub use listening::cannot_listen;
pub use panics::{describe as describe_panic, install_panic_hook};
pub use policy::{Backoff, Heartbeat, Intensity, Policy, Restart, Strategy};
pub use roster::{Roster, Taken};
pub use spec::{Child, Group, Worker};
pub use supervisor::{Outcome, Supervisor};
pub use tree::{Kind, NotUp, State, Tree, TreeNode};

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/supervision.md")]
struct GuideToSupervision;
