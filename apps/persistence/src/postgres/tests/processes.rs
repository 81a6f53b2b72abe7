//! What processes tell each other of what they run: how often that is written.

use std::sync::Arc;

use umbel_core::{
    store::{Listener, Process, TellProcess},
    subscription::NodeId,
};
use uuid::Uuid;

use super::support::{adapter, client, schema, written_by};
use crate::{Subscriptions, postgres::Postgres};

const HOUR_MS: u64 = 3_600_000;

async fn tell(adapter: &Arc<Postgres>, node: u128, names: &[&str], lease_ms: u64) -> Vec<String> {
    let listeners = names.iter().map(|&name| Listener { name: name.into(), events: Vec::new() }).collect();
    let process = Process { node: NodeId(Uuid::from_u128(node)), listeners, reach: None };
    let request = TellProcess { process, lease_ms };
    let others = adapter.tell_process(request, umbel_bus::edge::now()).await.unwrap();
    others.into_iter().flat_map(|process| process.listeners).map(|listener| listener.name).collect()
}

/// SC-06: what is told again and is kept for long enough is not written again, nor is anything by a process that runs nothing; what changed is
/// at once, and so is what would be forgotten before it has been told twice more.
#[tokio::test]
async fn what_is_kept_already_is_not_written_again() {
    let schema = schema();
    let (adapter, client) = (adapter(&schema).await, client(schema.url()).await);
    let (table, mut written) = (format!("{}.processes", schema.name()), Vec::new());
    for (names, lease_ms, writes) in [
        (&["a.one"][..], 10 * HOUR_MS, true),
        (&["a.one"], 10 * HOUR_MS, false),
        // Nearly ten hours are left: more than two thirds of thirteen, and less than those of sixteen.
        (&["a.one"], 13 * HOUR_MS, false),
        (&["a.one"], 16 * HOUR_MS, true),
        (&["a.one", "b.two"], 16 * HOUR_MS, true),
        (&["a.one", "b.two"], 16 * HOUR_MS, false),
    ] {
        assert_eq!(tell(&adapter, 1, names, lease_ms).await, [""; 0]);
        assert_eq!(tell(&adapter, 2, &[], lease_ms).await, names, "the other learns it in any case");
        let now = written_by(&client, &table).await;
        assert_eq!(written.last() != Some(&now), writes, "{names:?} for {lease_ms}");
        written.push(now);
    }
}
