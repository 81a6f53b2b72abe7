//! Which partitions to claim and which to give back: a pure decision.
//!
//! Every node strives for the same share, the partitions divided by the members, rounded up; so all partitions find an owner, and
//! none is taken from somebody who has no more than that. A node claims only what nobody has, and gives back only what is beyond
//! its share: once all are within it nothing moves any more, however often the nodes look.

use crate::{store::Leases, subscription::NodeId};

/// What to do after the store told how things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Partitions to claim.
    pub(super) claim: Vec<u32>,
    /// Partitions to give back, once nothing of them is in anybody's hands.
    pub(super) give_back: Vec<u32>,
}

/// What this node owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) partition: u32,
    /// Whether it is being given back already.
    pub(super) draining: bool,
    pub(super) idle: bool,
}

/// Decides for `node`, which owns `owned`.
pub(super) fn plan(node: NodeId, partitions: u32, leases: &Leases, owned: &[Owned]) -> Plan {
    // A store that knows of no member has just not counted the one that asks.
    let share = usize::try_from(partitions.div_ceil(leases.members.max(1))).unwrap_or(usize::MAX);
    let mut plan = Plan::default();
    if owned.len() > share {
        let mut order: Vec<_> = owned.to_vec();
        // What is being given back already goes first: who wavers gives back nothing. Then what is idle.
        order.sort_by_key(|one| (!one.draining, !one.idle, u32::MAX - one.partition));
        plan.give_back.extend(order.iter().take(owned.len() - share).map(|one| one.partition));
    } else {
        let free = leases.partitions.iter().filter(|state| {
            let ours = || owned.iter().any(|one| one.partition == state.partition);
            state.owner.is_none() && state.partition < partitions && !ours()
        });
        let mut free: Vec<_> = free.map(|state| state.partition).collect();
        // Nodes that look at the same moment begin at different ones.
        let shift = usize::try_from(node.0.as_u128() % u128::from(partitions.max(1))).unwrap_or(0);
        if !free.is_empty() {
            let shift = shift % free.len();
            free.rotate_left(shift);
        }
        plan.claim.extend(free.into_iter().take(share - owned.len()));
    }
    plan
}
