//! What an app wants called after a projection has committed: at most once for each event, and for live events only.
//!
//! Events are claimed before they are committed, and called for once they are, by whoever claimed them: it matters not which node
//! commits them, nor whether its answer is lost. Each kind of event is claimed for itself, since generations by two versions of a rule
//! need not listen to the same kinds, and are not at the same place: what one of them has passed unseen is not called for.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError},
};

use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::time::timeout;
use umbel_bus::{Bus, DispatchOptions};
use umbel_core::{
    EventSet, Position, Projection, RecordedEvent,
    store::{ClaimLive, StoreError},
};

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
    projection: &'static str,
}

impl<E> Committed<E> {
    /// Options for [`Bus::dispatch_with`]. Where they ask for strong consistency, the projection is not waited for: it waits for the hook
    /// itself, before it goes on.
    #[must_use]
    pub fn options(&self) -> DispatchOptions {
        DispatchOptions::default().within(&[self.projection])
    }
}

/// Events that one generation has claimed on this node and not called for yet.
#[derive(Debug, Default)]
pub(super) struct Owed(Vec<RecordedEvent>);

impl Owed {
    /// Claims these events, which are about to be committed: those that neither another node nor another generation has claimed.
    pub(super) async fn claim<P: Projection>(
        &mut self,
        follower: &Follower<P>,
        events: Vec<RecordedEvent>,
    ) -> Result<(), StoreError> {
        let mut kinds = BTreeMap::<String, Vec<RecordedEvent>>::new();
        for event in events {
            kinds.entry(event.event_type.name.to_string()).or_default().push(event);
        }
        for (kind, events) in kinds {
            let Some(last) = events.last() else { continue };
            let claim = ClaimLive { projection: format!("{}/hook/{kind}", P::NAME), through: last.position };
            let claimed = follower.store.claim_live(claim).await?;
            self.0.extend(events.into_iter().filter(|event| event.position > claimed));
        }
        self.0.sort_by_key(|event| event.position);
        Ok(())
    }

    /// Calls the hook for those that are committed by now. What fails between the claim and the call loses the call, so it happens at most
    /// once.
    pub(super) async fn call<P: Projection>(&mut self, follower: &Follower<P>, committed: Position) {
        let due = self.due(committed);
        if !due.is_empty() {
            follower.after_commit(due).await;
        }
    }

    fn due(&mut self, committed: Position) -> Vec<RecordedEvent> {
        let due = self.0.partition_point(|event| event.position <= committed);
        self.0.drain(..due).collect()
    }
}

impl<P: Projection> Follower<P> {
    /// Takes over what a generation has claimed that will commit nothing more: the one that serves then commits it.
    pub(super) fn take_over(&self, Owed(events): Owed) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.0.extend(events);
        left.0.sort_by_key(|event| event.position);
    }

    /// Calls the hook for what was taken over, as far as it is committed by the generation that serves.
    pub(super) async fn call_for_left(&self, committed: Position) {
        let due = self.left.lock().unwrap_or_else(PoisonError::into_inner).due(committed);
        if !due.is_empty() {
            self.after_commit(due).await;
        }
    }

    async fn after_commit(&self, events: Vec<RecordedEvent>) {
        let Some(hook) = &self.hook else { return };
        let events = decoded::<P::Event>(events);
        if events.is_empty() {
            return;
        }
        let committed = Committed { bus: self.bus.clone(), events, projection: P::NAME };
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

/// What they are to the projection. They were decoded once already, so none fails.
fn decoded<E: EventSet>(events: Vec<RecordedEvent>) -> Vec<(E, RecordedEvent)> {
    let decoded = events.into_iter().filter_map(|recorded| Some((recorded.decode::<E>().ok()?, recorded)));
    decoded
        .flat_map(|(decoded, recorded)| decoded.into_iter().map(move |event| (event, recorded.clone())))
        .collect()
}
