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

    /// However many nodes come and go: after a few rounds each partition has an owner and nothing moves any more.
    #[test]
    fn it_comes_to_rest() {
        for partitions in 1..10_u32 {
            for members in 1..6_u128 {
                let nodes: Vec<_> = (1..=members).map(|node| NodeId(Uuid::from_u128(node))).collect();
                let mut owners = vec![Some(nodes[0]); usize::try_from(partitions).unwrap()];
                let mut moved = true;
                for _ in 0..2 * partitions {
                    moved = false;
                    for node in &nodes {
                        let at = |partition: u32| usize::try_from(partition).unwrap();
                        let mine: Vec<_> =
                            (0..partitions).filter(|one| owners[at(*one)] == Some(*node)).collect();
                        let stand = stand(u32::try_from(nodes.len()).unwrap(), &owners);
                        let plan = plan(*node, partitions, &stand, &owned(&mine));
                        moved |= plan != Plan::default();
                        plan.give_back.iter().for_each(|one| owners[at(*one)] = None);
                        plan.claim.iter().for_each(|one| owners[at(*one)] = Some(*node));
                    }
                }
                assert!(
                    !moved && owners.iter().all(Option::is_some),
                    "{partitions} for {members}: {owners:?}"
                );
            }
        }
    }
}
