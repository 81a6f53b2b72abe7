//! What processes tell each other of what they run.

use umbel_core::{
    store::{Listener, TellListeners},
    subscription::NodeId,
};
use uuid::Uuid;

use crate::Adapter;

const HOUR_MS: u64 = 3_600_000;

fn listener(name: &str, events: &[&str]) -> Listener {
    Listener { name: name.into(), events: events.iter().map(|&event| event.to_owned()).collect() }
}

async fn tell(adapter: &impl Adapter, node: u128, listeners: &[Listener], lease_ms: u64) -> Vec<Listener> {
    let (node, listeners) = (NodeId(Uuid::from_u128(node)), listeners.to_vec());
    // The time is the store's, where it has one of its own.
    let now = umbel_bus::edge::now();
    let request = TellListeners { node, listeners, lease_ms };
    let mut others = adapter.tell_listeners(request, now).await.unwrap();
    others.sort();
    others
}

fn names(listeners: Vec<Listener>) -> Vec<String> {
    listeners.into_iter().map(|listener| listener.name).collect()
}

/// SC-06: what a process tells the others get, and it does not itself; what it tells anew takes the place of that.
pub(super) async fn a_process_learns_what_others_run(adapter: impl Adapter) {
    let (one, two) = (listener("a.one", &["a.x", "a.y"]), listener("b.two", &[]));
    assert_eq!(tell(&adapter, 1, &[one.clone(), two.clone()], HOUR_MS).await, []);
    assert_eq!(tell(&adapter, 2, &[], HOUR_MS).await, [one.clone(), two.clone()]);
    assert_eq!(tell(&adapter, 2, std::slice::from_ref(&two), HOUR_MS).await, [one.clone(), two.clone()]);
    assert_eq!(names(tell(&adapter, 1, std::slice::from_ref(&one), HOUR_MS).await), ["b.two"]);
    assert_eq!(tell(&adapter, 3, &[], HOUR_MS).await, [one.clone(), two.clone()]);
    assert_eq!(names(tell(&adapter, 2, &[], HOUR_MS).await), ["a.one"], "it has taken its word back");
    assert_eq!(tell(&adapter, 1, &[], HOUR_MS).await, []);
}

/// SC-06: what a process told that says nothing any more is believed for its time.
pub(super) async fn a_process_that_died_is_believed_for_its_time(adapter: impl Adapter) {
    let one = listener("a.one", &["a.x"]);
    tell(&adapter, 1, std::slice::from_ref(&one), HOUR_MS).await;
    tell(&adapter, 2, std::slice::from_ref(&one), 0).await;
    assert_eq!(names(tell(&adapter, 3, &[], HOUR_MS).await), ["a.one"]);
    tell(&adapter, 1, &[one], 0).await;
    assert_eq!(tell(&adapter, 3, &[], HOUR_MS).await, []);
}
