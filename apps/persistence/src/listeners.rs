//! What the processes on one store run that others wait for: told by each every now and then, and when it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use umbel_bus::{Bus, edge};
use umbel_core::{
    Timestamp,
    store::{Listener, TellListeners},
    subscription::NodeId,
};
use umbel_supervision::Stopping;

use crate::{adapter::Adapter, settings::StoreSettings};

/// So many times the interval a process is believed: so that one that is slow, or whose word was lost, is not taken for gone. The word
/// itself need not be written while two thirds of that are left.
const LEASE_FACTOR: u64 = 5;

/// How long the last word of a process that stops may take. What is not said runs out by itself.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What processes have told, for stores that one process has to itself; and until when it is believed.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<NodeId, (Timestamp, Vec<Listener>)>>);

impl Told {
    /// Keeps what a node tells; what the others have told.
    pub(crate) fn tell(&self, request: TellListeners, now: Timestamp) -> Vec<Listener> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = i64::try_from(request.lease_ms).unwrap_or(i64::MAX).saturating_mul(1000);
        let until = Timestamp::from_micros(now.as_micros().saturating_add(lease));
        told.remove(&request.node);
        told.retain(|_, (until, _)| *until > now);
        let others = told.values().flat_map(|(_, listeners)| listeners.clone()).collect();
        if !request.listeners.is_empty() {
            told.insert(request.node, (until, request.listeners));
        }
        others
    }
}

/// Tells what this process runs and learns what others do, at once when something begins or ends here and after each interval, until told
/// to stop. Then it takes its word back, so that nobody waits for what is gone.
pub(crate) async fn tell(adapter: &dyn Adapter, settings: &StoreSettings, bus: &Bus, stopping: Stopping) {
    let node = NodeId(edge::fresh_id());
    let every = settings.listeners_interval();
    let lease_ms = settings.listeners_interval_ms.saturating_mul(LEASE_FACTOR);
    let mut routes = bus.changes_of_routes();
    loop {
        routes.borrow_and_update();
        let listeners = bus.listeners();
        let request = TellListeners { node, listeners: listeners.clone(), lease_ms };
        match adapter.tell_listeners(request, edge::now()).await {
            Ok(others) => bus.announce_listeners(merged(others)),
            Err(error) => tracing::debug!(%error, "what other processes run is not known anew"),
        }
        let changed = async {
            while routes.changed().await.is_ok() {
                if bus.listeners() != listeners {
                    return;
                }
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = sleep(every) => {}
            () = changed => {}
            () = stopping.clone() => break,
        }
    }
    let request = TellListeners { node, listeners: Vec::new(), lease_ms };
    drop(timeout(LAST_WORD, adapter.tell_listeners(request, edge::now())).await);
}

/// Each once, though several processes run it, maybe in several versions: with all events that one of them listens to.
fn merged(listeners: Vec<Listener>) -> Vec<Listener> {
    let mut by_name = BTreeMap::<_, BTreeSet<_>>::new();
    for Listener { name, events } in listeners {
        by_name.entry(name).or_default().extend(events);
    }
    by_name
        .into_iter()
        .map(|(name, events)| Listener { name, events: events.into_iter().collect() })
        .collect()
}
