//! Which partitions to claim and which to give back: a pure decision.
//!
//! At the end every node owns the partitions divided by the members, rounded down or up. How many may have one more than others follows
//! from the counts, and so do those who may: whoever has more than others now, and of those who have as many the lower id. All nodes
//! see the same counts and name the same. A node claims only what nobody has, and nothing that those need who have too little; it
//! gives back only what is beyond its share: once the shares are even nothing moves any more, however often the nodes look.

use std::collections::BTreeMap;

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
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mine = owned.len();
    let mut others: BTreeMap<NodeId, usize> = BTreeMap::new();
    for owner in leases.partitions.iter().filter_map(|state| state.owner).filter(|owner| *owner != node) {
        *others.entry(owner).or_default() += 1;
    }
    // A store that knows of fewer members than there are owners has just not counted some of them.
    let members = count(leases.members).max(others.len() + 1);
    let (least, with_more) = (count(partitions) / members, count(partitions) % members);
    let before_me = |(other, has): &(&NodeId, &usize)| **has > mine || (**has == mine && **other < node);
    let has_more = others.iter().filter(before_me).count() < with_more;
    let share = if has_more { least + 1 } else { least };
    let mut plan = Plan::default();
    if mine > share {
        let mut order: Vec<_> = owned.to_vec();
        // What is being given back already goes first: who wavers gives back nothing. Then what is idle.
        order.sort_by_key(|one| (!one.draining, !one.idle, u32::MAX - one.partition));
        plan.give_back.extend(order.iter().take(mine - share).map(|one| one.partition));
    }
    let free = leases.partitions.iter().filter(|state| {
        let ours = || owned.iter().any(|one| one.partition == state.partition);
        state.owner.is_none() && state.partition < partitions && !ours()
    });
    let mut free: Vec<_> = free.map(|state| state.partition).collect();
    // Members who own nothing are not among the owners.
    let without = members - 1 - others.len();
    let needed = others.values().map(|has| least.saturating_sub(*has)).sum::<usize>() + without * least;
    let most = least + usize::from(with_more > 0);
    // Beyond that is for whoever comes first: the one whose turn it would be may be on its way out.
    let spare = free.len().saturating_sub(needed);
    let wanted = least.saturating_sub(mine).max(spare.min(most.saturating_sub(mine)));
    // Nodes that look at the same moment begin at different ones.
    let shift = usize::try_from(node.0.as_u128() % u128::from(partitions.max(1))).unwrap_or(0);
    if !free.is_empty() {
        let shift = shift % free.len();
        free.rotate_left(shift);
    }
    plan.claim.extend(free.into_iter().take(wanted));
    plan
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{store::LeaseState, version::Place};

    const ME: NodeId = NodeId(Uuid::nil());
    const YOU: NodeId = NodeId(Uuid::max());

    fn stand(members: u32, owners: &[Option<NodeId>]) -> Leases {
        let state = |(partition, owner)| LeaseState {
            partition,
            epoch: 1,
            owner,
            checkpoint: Place::START,
            handled: Place::START,
            letters: 0,
            due: false,
            abandoned: Default::default(),
        };
        let partitions = (0..).zip(owners.iter().copied()).map(state).collect();
        Leases { members, partitions, ..Leases::default() }
    }

    fn owned(partitions: &[u32]) -> Vec<Owned> {
        partitions
            .iter()
            .map(|partition| Owned { partition: *partition, draining: false, idle: false })
            .collect()
    }

    #[test]
    fn a_node_claims_what_is_free_up_to_its_share() {
        for (members, owners, mine, claim) in [
            (1, vec![None; 4], vec![], vec![0, 1, 2, 3]),
            (0, vec![None; 4], vec![], vec![0, 1, 2, 3]),
            (2, vec![None; 4], vec![], vec![0, 1]),
            (3, vec![None; 4], vec![], vec![0, 1]),
            (4, vec![None; 4], vec![], vec![0]),
            (9, vec![None; 4], vec![], vec![0]),
            (2, vec![Some(ME), None, Some(YOU), None], vec![0], vec![1]),
            (2, vec![Some(ME), Some(ME), Some(YOU), None], vec![0, 1], vec![]),
            (2, vec![Some(YOU); 4], vec![], vec![]),
            // What the store does not know yet to be given back is ours still.
            (1, vec![None; 4], vec![0, 1], vec![2, 3]),
        ] {
            let plan = plan(ME, 4, &stand(members, &owners), &owned(&mine));
            assert_eq!(plan, Plan { claim, give_back: Vec::new() }, "{members} members, {owners:?}");
        }
    }

    #[test]
    fn nodes_that_look_at_the_same_moment_claim_from_different_ends() {
        let free = stand(2, &[None; 4]);
        assert_eq!(plan(NodeId(Uuid::from_u128(4)), 4, &free, &[]).claim, [0, 1]);
        assert_eq!(plan(NodeId(Uuid::from_u128(2)), 4, &free, &[]).claim, [2, 3]);
        assert_eq!(plan(NodeId(Uuid::from_u128(3)), 4, &free, &[]).claim, [3, 0]);
    }

    #[test]
    fn what_is_beyond_the_share_is_given_back_and_no_more() {
        let all = stand(2, &[Some(ME); 4]);
        assert_eq!(plan(ME, 4, &all, &owned(&[0, 1, 2, 3])).give_back, [3, 2]);
        let mut mine = owned(&[0, 1, 2, 3]);
        mine[0].idle = true;
        assert_eq!(plan(ME, 4, &all, &mine).give_back, [0, 3]);
        mine[1].draining = true;
        assert_eq!(plan(ME, 4, &all, &mine).give_back, [1, 0]);
        assert_eq!(plan(ME, 4, &stand(3, &[Some(ME); 4]), &owned(&[0, 1, 2])).give_back, [2]);
        assert_eq!(plan(ME, 4, &stand(1, &[Some(ME); 4]), &mine), Plan::default());
    }
}
