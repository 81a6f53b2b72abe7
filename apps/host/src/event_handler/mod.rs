//! Durable subscriptions at work, in push form: handlers that are called for each event, or for batches of them.
//!
//! A handler is a consumer, or several, of the subscription with its name; see [`subscribe`](crate::subscribe) for what that
//! promises. It is called at least once for each event it listens to, in order for each key, and says itself, or lets its policy say,
//! what becomes of an event that it cannot handle. Whatever its code does, a panic included, ends in one of these verdicts.

mod consumer;
mod context;
mod failure;
mod options;
mod run;
mod worker;

use std::{fmt::Display, future::Future};

use umbel_core::EventSet;

pub use context::{HandlerContext, HandlerStart};
pub use failure::{Cause, Failure, Memory, Verdict};
pub use options::{FailurePolicy, HandlerOptions, Pauses};

pub(crate) use worker::{STRONG_CHECKPOINT_MS, batch_worker, worker};

/// Events in, side effects out, at least once each.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use umbel_core::{Event, events};
/// use umbel_host::{App, EventHandler, HandlerContext, HandlerStart};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Opened { owner: String }
/// impl Event for Opened { const NAME: &'static str = "bank.opened"; }
///
/// events! { enum Welcomed { Opened(Opened) } }
///
/// struct Welcome { sent: u64 }
///
/// impl EventHandler for Welcome {
///     const NAME: &'static str = "bank.welcome";
///     type Event = Welcomed;
///     type Error = std::io::Error;
///
///     async fn init(_: &HandlerStart) -> Result<Self, Self::Error> {
///         Ok(Self { sent: 0 })
///     }
///
///     async fn handle(&mut self, event: Welcomed, context: &HandlerContext) -> Result<(), Self::Error> {
///         let Welcomed::Opened(Opened { owner }) = event;
///         println!("welcome, {owner} (position {})", context.recorded().position);
///         self.sent += 1;
///         Ok(())
///     }
/// }
///
/// let app = App::new("bank").handler::<Welcome>();
/// ```
pub trait EventHandler: Sized + 'static {
    /// Stable name, `app.handler`; its checkpoints and dead letters are kept under it.
    const NAME: &'static str;
    /// Whether callers that ask for strong consistency wait for it.
    const STRONG: bool = false;
    /// The events it wants. Others are not even read.
    type Event: EventSet;
    /// Why it cannot handle an event.
    type Error: Display;

    /// How it is run.
    #[must_use]
    fn options() -> HandlerOptions {
        HandlerOptions::default()
    }

    /// What it is when it begins: when its worker starts, after it has panicked, and when its subscription was reset. Each of several concurrent consumers has one of
    /// its own.
    fn init(start: &HandlerStart) -> impl Future<Output = Result<Self, Self::Error>>;

    /// Handles an event, in its newest shape. Where upcasters make several of one that was recorded, it is called for each, in order; if one
    /// of them fails, those before it come again with it. What it remembers in `self` is there for the next one.
    fn handle(
        &mut self,
        event: Self::Event,
        context: &HandlerContext,
    ) -> impl Future<Output = Result<(), Self::Error>>;

    /// What becomes of an event that it could not handle. `memory` is what it noted of this event before. Unless overridden, the
    /// options or the settings say. If it panics the policy decides, too.
    #[must_use]
    fn on_error(failure: &Failure<'_, Self::Error>, memory: &mut Memory) -> Verdict {
        let _unused = memory;
        failure.policy.clone()
    }
}

/// A handler that takes several events at a time. Its batches are bounded by [`HandlerOptions::batch`].
pub trait BatchHandler: EventHandler {
    /// Handles events, in order for each key, at least one. They are handled together, or not at all: after an error or a panic each of
    /// them is handled alone by [`EventHandler::handle`], so that the one at fault is found and the others do not suffer.
    fn handle_batch(
        &mut self,
        batch: Vec<(Self::Event, HandlerContext)>,
    ) -> impl Future<Output = Result<(), Self::Error>>;
}
