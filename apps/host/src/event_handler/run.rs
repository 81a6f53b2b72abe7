//! One call of a handler's code: whatever it does, there is an outcome.

use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt;
use umbel_core::{DecodeError, Decoded};
use umbel_supervision::describe_panic;

use super::{BatchHandler, Cause, EventHandler, Failure, HandlerContext, Memory, Verdict, failure::Policy};
use crate::subscription::Delivered;

/// Why an event was not handled.
pub(super) enum Trouble<E> {
    Error(E),
    Panicked(String),
    Unreadable(DecodeError),
    Lost(u32),
}

impl<E> Trouble<E> {
    pub(super) fn cause(&self) -> Cause<'_, E> {
        match self {
            Self::Error(error) => Cause::Error(error),
            Self::Panicked(message) => Cause::Panicked(message),
            Self::Unreadable(error) => Cause::Unreadable(error),
            Self::Lost(times) => Cause::Lost(*times),
        }
    }
}

/// Has one event handled.
pub(super) async fn handle<H: EventHandler>(
    handler: &mut H,
    event: H::Event,
    context: &HandlerContext,
) -> Result<(), Trouble<H::Error>> {
    // Called within the future, so that a panic before its first pause is caught, too.
    let handled = AssertUnwindSafe(async { handler.handle(event, context).await }).catch_unwind().await;
    settle(handled)
}

/// Has a batch handled.
pub(super) async fn handle_batch<H: BatchHandler>(
    handler: &mut H,
    batch: Vec<(H::Event, HandlerContext)>,
) -> Result<(), Trouble<H::Error>> {
    let handled = AssertUnwindSafe(async { handler.handle_batch(batch).await }).catch_unwind().await;
    settle(handled)
}

fn settle<E>(handled: std::thread::Result<Result<(), E>>) -> Result<(), Trouble<E>> {
    match handled {
        Ok(handled) => handled.map_err(Trouble::Error),
        Err(panic) => Err(Trouble::Panicked(describe_panic(&*panic))),
    }
}

/// What the event is to the handler: one of its events as a rule, none or several if it has an old shape.
pub(super) fn decode<H: EventHandler>(delivered: &Delivered) -> Result<Decoded<H::Event>, Trouble<H::Error>> {
    match catch_unwind(AssertUnwindSafe(|| delivered.event.decode::<H::Event>())) {
        Ok(decoded) => decoded.map_err(Trouble::Unreadable),
        Err(panic) => Err(Trouble::Panicked(describe_panic(&*panic))),
    }
}

/// What the handler says becomes of an event, and the error in words.
pub(super) fn judge<H: EventHandler>(
    delivered: &Delivered,
    trouble: &Trouble<H::Error>,
    policy: &Policy,
    memory: &mut Memory,
) -> (Verdict, String) {
    let Delivered { event, attempt, letter, .. } = delivered;
    let told = |error: &dyn Fn() -> String| {
        // Even the words for an error are the handler's code.
        catch_unwind(AssertUnwindSafe(error)).unwrap_or_else(|panic| describe_panic(&*panic))
    };
    let error = told(&|| trouble.cause().to_string());
    let (recorded, attempt, letter) = (&**event, *attempt, *letter);
    let by_settings = if matches!(trouble, Trouble::Lost(_)) { policy.said.of_lost() } else { policy.said };
    let said = by_settings.verdict(recorded.id.0, attempt, &error);
    let cause: Cause<'_, dyn Display> = match trouble {
        Trouble::Error(error) => Cause::Error(error),
        Trouble::Panicked(message) => Cause::Panicked(message),
        Trouble::Unreadable(error) => Cause::Unreadable(error),
        Trouble::Lost(times) => Cause::Lost(*times),
    };
    let failure = Failure { handler: H::NAME, recorded, attempt, letter, cause, policy: said };
    let (by_policy, besides) = policy.verdict(&failure);
    let error = besides.map_or_else(|| error.clone(), |besides| format!("{error}; {besides}"));
    let (cause, policy) = (trouble.cause(), by_policy.clone());
    let failure = Failure { handler: H::NAME, recorded, attempt, letter, cause, policy };
    match catch_unwind(AssertUnwindSafe(|| H::on_error(&failure, memory))) {
        Ok(verdict) => (verdict, error),
        Err(panic) => {
            let message = describe_panic(&*panic);
            (by_policy, format!("{error}; on_error panicked over it: {message}"))
        }
    }
}
