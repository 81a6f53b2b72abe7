//! Durable subscriptions at work, in push form: handlers that are called for each event, or for batches of them.
//!
//! A handler is a consumer, or several, of the subscription with its name; see [`subscribe`](crate::subscribe) for what that
//! promises. It is called at least once for each event it listens to, in order for each key, and says itself, or lets its policy say,
//! what becomes of an event that it cannot handle. Whatever its code does, a panic included, ends in one of these verdicts.

mod commits;
mod consumer;
mod context;
mod failure;
mod options;
mod resets;
mod run;
mod worker;

use std::{fmt::Display, future::Future, sync::Arc};

use umbel_core::{EventSet, RecordedEvent};

pub use context::{HandlerContext, HandlerStart};
pub(crate) use failure::AppPolicy;
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
/// #[derive(Clone, Debug, Serialize, Deserialize, Event)]
/// #[event(name = "bank.opened")]
/// struct Opened { owner: String }
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
    /// Whether [`Self::after_commit`] is called. If so, events are kept in memory until their checkpoint is saved.
    const AFTER_COMMIT: bool = false;
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

    /// Called when its subscription was reset, before the first event that comes after that and before it begins anew by [`Self::init`]: to
    /// undo what it did, such as to empty a table that it has filled. `resets` says how often the subscription was reset by now, the same
    /// number to all that are called for one reset.
    ///
    /// Each of several concurrent consumers is called, in each process that has some, when its own next event comes; by then another one may
    /// have handled what comes again. What they share is marked by `resets`, or the handler has one partition and one consumer.
    ///
    /// It is stored that one of them was called. So those of a process that begins are called, too, if nobody was since the reset, such as
    /// when all processes were down; and not if somebody was, also where the others' processes ended before their turn. Each is called at
    /// least once for each reset, or once for several: after a crash before that is stored once more.
    ///
    /// # Errors
    /// Why that is not possible. Then its worker fails, and it is called again before anything is handled.
    fn before_reset(&mut self, resets: u64) -> impl Future<Output = Result<(), Self::Error>> {
        let _unused = resets;
        std::future::ready(Ok(()))
    }

    /// Called once it is stored that it has handled these events, in order, if [`Self::AFTER_COMMIT`] says so: none of them comes again
    /// unless the subscription is reset. For what must not be told too early and may be missed, such as telling others that a thing is
    /// done for good.
    ///
    /// It is called at most once each time that an event was handled: what fails between the save and the call loses the call, and so
    /// does a lost lease or [a panic](Self::init); what was skipped or parked calls nothing. A dead letter counts as soon as it is handled,
    /// though that may have to be said again. The next event waits for it; a panic is logged.
    fn after_commit(&mut self, events: Vec<Arc<RecordedEvent>>) -> impl Future<Output = ()> {
        let _unused = events;
        std::future::ready(())
    }

    /// What becomes of an event that it could not handle. `memory` is what it noted of this event before. Unless overridden, the
    /// options, the app ([`App::on_failure`](crate::App::on_failure)) or the settings say. If it panics the policy decides, too.
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
