//! What processes tell each other of themselves.

use std::slice::from_ref;

use umbel_core::{
    store::{Listener, Process, Reach, TellProcess},
    subscription::NodeId,
};
use uuid::Uuid;

use crate::Adapter;

const HOUR_MS: u64 = 3_600_000;

fn listener(name: &str, events: &[&str]) -> Listener {
    Listener { name: name.into(), events: events.iter().map(|&event| event.to_owned()).collect() }
}

fn process(node: u128, listeners: &[Listener]) -> Process {
    Process { node: NodeId(Uuid::from_u128(node)), listeners: listeners.to_vec(), reach: None }
}

async fn tell(adapter: &impl Adapter, process: Process, lease_ms: u64) -> Vec<Process> {
    // The time is the store's, where it has one of its own.
    let now = umbel_bus::edge::now();
    let mut others = adapter.tell_process(TellProcess { process, lease_ms }, now).await.unwrap();
    others.sort();
    others
}

/// SC-06: what a process tells the others get, and it does not itself; what it tells anew takes the place of that.
pub(super) async fn a_process_learns_what_others_tell(adapter: impl Adapter) {
    let (one, two) = (listener("a.one", &["a.x", "a.y"]), listener("b.two", &[]));
    let both = process(1, &[one.clone(), two.clone()]);
    let second = process(2, from_ref(&two));
    assert_eq!(tell(&adapter, both.clone(), HOUR_MS).await, []);
    assert_eq!(tell(&adapter, process(2, &[]), HOUR_MS).await, from_ref(&both));
    assert_eq!(tell(&adapter, second.clone(), HOUR_MS).await, [both]);
    let first = process(1, &[one]);
    assert_eq!(tell(&adapter, first.clone(), HOUR_MS).await, from_ref(&second));
    assert_eq!(tell(&adapter, process(3, &[]), HOUR_MS).await, [first.clone(), second]);
    assert_eq!(tell(&adapter, process(2, &[]), HOUR_MS).await, [first], "it has taken its word back");
    assert_eq!(tell(&adapter, process(1, &[]), HOUR_MS).await, []);
}

/// LK-02: what a process answers, and where it is reached, travels with its word, also when nothing runs there that others wait for.
pub(super) async fn a_process_learns_where_others_are_reached(adapter: impl Adapter) {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let reach = |address: &str| Reach {
        address: address.to_owned(),
        commands: names(&["accounts.register", "accounts.\"odd\" na\u{ef}ve"]),
        queries: names(&["accounts.get_user"]),
    };
    let reached = |address| Process { reach: Some(reach(address)), ..process(1, &[]) };
    tell(&adapter, reached("127.0.0.1:4100"), HOUR_MS).await;
    assert_eq!(tell(&adapter, process(2, &[]), HOUR_MS).await, [reached("127.0.0.1:4100")]);
    tell(&adapter, reached("[::1]:4101"), HOUR_MS).await;
    assert_eq!(tell(&adapter, process(2, &[]), HOUR_MS).await, [reached("[::1]:4101")]);
    tell(&adapter, process(1, &[]), HOUR_MS).await;
    assert_eq!(tell(&adapter, process(2, &[]), HOUR_MS).await, []);
}

/// SC-06: what a process told that says nothing any more is believed for its time.
pub(super) async fn a_process_that_died_is_believed_for_its_time(adapter: impl Adapter) {
    let one = listener("a.one", &["a.x"]);
    let (first, second) = (process(1, from_ref(&one)), process(2, &[one]));
    tell(&adapter, first.clone(), HOUR_MS).await;
    tell(&adapter, second, 0).await;
    assert_eq!(tell(&adapter, process(3, &[]), HOUR_MS).await, from_ref(&first));
    tell(&adapter, first, 0).await;
    assert_eq!(tell(&adapter, process(3, &[]), HOUR_MS).await, []);
}
