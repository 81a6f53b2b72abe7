//! What an app wants called after a projection has committed: at most once for each event, and for live events only.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::time::timeout;
use umbel_bus::Bus;
use umbel_core::{EventSet, Position, Projection, RecordedEvent, store::ClaimLive};

use super::follower::Follower;

/// What is called, with its type erased.
pub(crate) type Hook<E> = Arc<dyn Fn(Committed<E>) -> LocalBoxFuture<'static, ()> + Send + Sync>;

/// Live events whose effect on a projection's documents was just committed.
#[derive(Clone, Debug)]
pub struct Committed<E> {
    /// Where to publish, ask and dispatch.
    pub bus: Bus,
    /// The events, in their order.
    pub events: Vec<(E, RecordedEvent)>,
}

impl<P: Projection> Follower<P> {
    /// Calls the hook for those of these events that are live and that nobody has claimed: another node, or another generation that follows
    /// the same events. What fails between the commit and the call loses the call, so it happens at most once.
    pub(super) async fn after_commit(&self, events: Vec<RecordedEvent>) {
        let (Some(hook), Some(last)) = (&self.hook, events.last()) else { return };
        let claim = ClaimLive { projection: P::NAME.to_owned(), through: last.position };
        let claimed = match self.store.claim_live(claim).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(projection = P::NAME, %error, "the hook was not called: its events could not be claimed");
                return;
            }
        };
        let events = unclaimed::<P::Event>(events, claimed);
        if events.is_empty() {
            return;
        }
        let committed = Committed { bus: self.bus.clone(), events };
        let Ok(called) = catch_unwind(AssertUnwindSafe(|| hook(committed))) else {
            tracing::error!(projection = P::NAME, "the hook panicked");
            return;
        };
        match timeout(self.settings.projection_hook(), AssertUnwindSafe(called).catch_unwind()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!(projection = P::NAME, "the hook panicked"),
            Err(_) => tracing::error!(
                projection = P::NAME,
                "the hook was given up: host.projection_hook_ms is over"
            ),
        }
    }
}

/// The events behind what was claimed before. They were decoded once already, so none fails.
fn unclaimed<E: EventSet>(events: Vec<RecordedEvent>, claimed: Position) -> Vec<(E, RecordedEvent)> {
    let new = events.into_iter().filter(|event| event.position > claimed);
    let decoded = new.filter_map(|recorded| Some((recorded.decode::<E>().ok()?, recorded)));
    decoded
        .flat_map(|(decoded, recorded)| decoded.into_iter().map(move |event| (event, recorded.clone())))
        .collect()
}
