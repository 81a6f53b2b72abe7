//! Meets the processes that are counted on, before anybody has a message for them: so that it shows at once who is not reached, and why,
//! and so that one who was not is found again though nobody asks it anything.

use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{MissedTickBehavior, interval};
use umbel_bus::{Bus, Peer, PeerView};
use umbel_core::subscription::NodeId;

use crate::peers::Peers;

/// The pause between attempts to reach those that are not reached.
const EVERY: Duration = Duration::from_secs(1);

/// Meets them, and forgets those that are gone, for as long as it is polled.
pub(crate) async fn keep(peers: Arc<Peers>, bus: Bus) -> Infallible {
    let mut changed = bus.peers_changed();
    let mut again = interval(EVERY);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut meetings, mut under_way) = (FuturesUnordered::new(), HashSet::new());
    loop {
        tokio::select! {
            Some(node) = meetings.next(), if !meetings.is_empty() => {
                under_way.remove(&node);
                continue;
            }
            Ok(()) = changed.changed() => {}
            _ = again.tick() => {}
        }
        let views = bus.peers();
        peers.forget_but(&views.iter().map(|view| view.peer.node).collect::<Vec<_>>());
        for PeerView { peer, .. } in views.into_iter().filter(is_to_be_met) {
            if under_way.insert(peer.node) {
                meetings.push(met(&peers, peer));
            }
        }
    }
}

async fn met(peers: &Peers, peer: Peer) -> NodeId {
    peers.meet(&peer).await;
    peer.node
}

/// One that this process does not need need not be reached.
fn is_to_be_met(view: &PeerView) -> bool {
    !view.counted_on.is_empty() && !view.contact.reached.is_reached()
}
