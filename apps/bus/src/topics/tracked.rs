//! A tracked event in the hands of its publisher.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use super::{
    event::Shadow,
    registry::Tracking,
    watch::{Verdict, Verdicts},
};

/// A tracked event that was published. Await it for the verdicts, which come at the latest when the event's
/// time to live is over; or drop it: the event is tracked all the same.
#[must_use = "await it for the verdicts; an event that nobody wants to know of need not be tracked"]
pub struct Tracked {
    shadow: Shadow,
    tracking: Tracking,
}

impl Tracked {
    pub(crate) const fn new(shadow: Shadow, tracking: Tracking) -> Self {
        Self { shadow, tracking }
    }

    /// The topic and the id of the event.
    #[must_use]
    pub const fn shadow(&self) -> &Shadow {
        &self.shadow
    }

    /// Waits until every subscriber has spoken or its time is over. Without subscribers there is nothing to
    /// wait for.
    pub async fn verdicts(self) -> Verdicts {
        match self.tracking {
            Tracking::Done(verdicts) => verdicts,
            // The bus sends them once; without them the bus is gone, and with it whoever could have said
            // something.
            Tracking::Pending { verdicts, subscribers } => verdicts.await.unwrap_or_else(|_| Verdicts {
                shadow: self.shadow,
                given: subscribers.into_iter().map(|id| (id, Verdict::Withdrawn)).collect(),
            }),
        }
    }
}

impl IntoFuture for Tracked {
    type Output = Verdicts;
    type IntoFuture = Pin<Box<dyn Future<Output = Verdicts> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.verdicts())
    }
}

impl std::fmt::Debug for Tracked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tracked({})", self.shadow)
    }
}
