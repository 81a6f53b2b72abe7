//! Meets the processes that are counted on, before anybody has a message for them: so that it shows at once who is not reached, and why,
//! and so that one who was not is found again though nobody asks it anything.

use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{MissedTickBehavior, interval};
use umbel_bus::{Bus, Peer, PeerView, Reached};
use umbel_core::subscription::NodeId;

use crate::peers::Peers;

/// The pause between attempts to reach those that are not reached.
const EVERY: Duration = Duration::from_secs(1);

/// How long one whose connection was closed as idle counts as reached.
const IDLE_FOR: Duration = Duration::from_secs(30);

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

/// One that this process does not need need not be reached. One that was idle for long may not be reached any more.
fn is_to_be_met(view: &PeerView) -> bool {
    let is_due = match view.contact.reached {
        Reached::Connected => false,
        Reached::Idle => view.contact.since.is_none_or(|since| since.elapsed() >= IDLE_FOR),
        Reached::Untried | Reached::Away | Reached::Refused => true,
    };
    is_due && !view.counted_on.is_empty()
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;
    use umbel_bus::Contact;
    use uuid::Uuid;

    use super::*;

    /// LK-14: who is counted on is met unless it is reached, and again when nothing was heard of it for long.
    #[test]
    fn who_is_not_known_to_be_reached_is_met() {
        let view = |reached, idle_for: Duration, counted_on: &[&str]| PeerView {
            peer: Peer { node: NodeId(Uuid::from_u128(7)), address: "10.0.0.7:4100".into() },
            contact: Contact { reached, since: Instant::now().checked_sub(idle_for), ..Contact::default() },
            counted_on: counted_on.iter().map(|&name| name.to_owned()).collect(),
        };
        let to_be_met = |reached, idle_for| {
            assert!(!is_to_be_met(&view(reached, idle_for, &[])), "{reached:?}");
            is_to_be_met(&view(reached, idle_for, &["a.b"]))
        };
        for (reached, expected) in [
            (Reached::Untried, true),
            (Reached::Away, true),
            (Reached::Refused, true),
            (Reached::Connected, false),
            (Reached::Idle, false),
        ] {
            assert_eq!(to_be_met(reached, Duration::ZERO), expected, "{reached:?}");
        }
        assert!(to_be_met(Reached::Idle, IDLE_FOR) && !to_be_met(Reached::Connected, IDLE_FOR));
    }
}
