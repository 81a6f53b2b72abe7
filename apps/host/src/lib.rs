//! Runs what a domain app declares as supervised actors, alone or as an umbrella.
//!
//! Owns the [`App`] declaration and the hosts behind it: an actor per live aggregate, an actor per projection, an
//! actor per query and per command handler, a runner per subscription with its consumers, who carries out scheduled commands. A domain author writes pure functions and a declaration; locks,
//! retries, checkpoints, restarts and shutdown live here.
//!
//! Promises:
//! - commands to one aggregate are decided one at a time, on state that was true when the append succeeded;
//! - an event's effect on a projection's documents happens exactly once;
//! - an event reaches each handler at least once, in order for each key, and is handled, skipped or kept as a dead letter before the
//!   handler's checkpoint passes it;
//! - a command that was planned for later has its effect once, whichever node carries it out and whoever dies meanwhile;
//! - what a process manager makes of an event is stored once, whatever crashes, and its commands are carried out once;
//! - nothing waits without a bound: mailboxes, work in flight, retries and caches have limits in the settings.
//!
//! Knows nothing about any domain app or database.

mod aggregate;
mod app;
mod boundary;
pub mod control;
mod deciding;
mod event_handler;
mod exit;
mod handler;
mod handling;
mod ids;
mod inline;
mod kept;
mod listening;
mod process_manager;
mod projection;
mod read_models;
mod recorder;
mod schedule;
mod settings;
mod standalone;
mod subscription;
mod tenancy;
mod umbrella;

pub use aggregate::{StateError, state_at, state_at_from_snapshot};
pub use app::{App, DeclaredTwice};
pub use event_handler::{
    BatchHandler, Cause, EventHandler, Failure, FailurePolicy, HandlerContext, HandlerOptions, HandlerStart,
    Memory, Pauses, Verdict,
};
pub use exit::{ExitStatus, Failed, OrExit, conclude};
pub use handling::Handling;
pub use listening::Listening;
pub use projection::Committed;
pub use read_models::{Found, ReadModels};
pub use schedule::ScheduleSettings;
pub use settings::HostSettings;
pub use standalone::{overview, standalone};
pub use subscription::{
    AckError, Batch, Delivered, OnFailure, SubscribeError, Subscriber, Subscription, SubscriptionSettings,
    SubscriptionView, subscribe, subscriptions,
};
pub use tenancy::{Tenancy, TenancyError};
pub use umbrella::{Foundation, RunError, StopSignals, TreeView, Umbrella};

pub use umbel_bus::{
    AllPast, AskError, Bus, Consistency, Cron, DispatchError, DispatchOptions, Dispatched, Done, GetTree,
    Halt, Middleware, Outcome, Passage, Recurrence, Refusal, Returned, Returning, ScheduleError, ScheduleId,
    ScheduleOptions, When, recurring_id, topics,
};

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/scheduling.md")]
struct GuideToScheduling;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/subscriptions.md")]
struct GuideToSubscriptions;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/process-managers.md")]
struct GuideToProcessManagers;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/dynamic-consistency-boundaries.md")]
struct GuideToBoundaries;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/commands-and-aggregates.md")]
struct GuideToCommandsAndAggregates;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/projections.md")]
struct GuideToProjections;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/tenants.md")]
struct GuideToTenants;
