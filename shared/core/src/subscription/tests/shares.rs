//! How partitions find their owners among nodes that look and act at different times.

use uuid::Uuid;

use super::{rig::leases, world::random::Random};
use crate::{
    store::Leases,
    subscription::{
        NodeId,
        leases::{Owned, plan},
    },
};

fn stand(members: u32, owners: &[Option<NodeId>]) -> Leases {
    let mut stand = leases(u32::try_from(owners.len()).unwrap(), None, 1);
    stand.members = members;
    for (state, owner) in stand.partitions.iter_mut().zip(owners) {
        state.owner = *owner;
    }
    stand
}

/// Nodes as they look and act, each after some time: what one knows is as the store told it last.
struct Shares {
    owners: Vec<Option<NodeId>>,
    nodes: Vec<Looker>,
    given_back: usize,
}

struct Looker {
    id: NodeId,
    claims: Vec<u32>,
    draining: Vec<u32>,
    /// The answer on its way to it.
    told: Option<Vec<Option<NodeId>>>,
}

impl Shares {
    /// Partitions whose owners are as they may be after anything has happened: some of these nodes, or nobody.
    fn new(partitions: u32, nodes: u32, random: &mut Random) -> Self {
        let ids: Vec<_> = (0..nodes).map(|one| NodeId(Uuid::from_u128((one + 1).into()))).collect();
        let one_alone = random.one_in(2);
        let owner = |_| match random.below(ids.len() + 1) {
            _ if one_alone => Some(ids[0]),
            chosen => ids.get(chosen).copied(),
        };
        let owners = (0..partitions).map(owner).collect();
        let looker = |id| Looker { id, claims: Vec::new(), draining: Vec::new(), told: None };
        Self { owners, nodes: ids.into_iter().map(looker).collect(), given_back: 0 }
    }

    /// A node asks, or hears what it was answered; not everything that it gives back is idle when it asks.
    fn look(&mut self, at: usize, mut is_idle: impl FnMut() -> bool) {
        let node = &mut self.nodes[at];
        let members = u32::try_from(self.owners.len()).unwrap();
        let at = |partition: u32| usize::try_from(partition).unwrap();
        if let Some(owners) = node.told.take() {
            let mine = (0..members).filter(|one| owners[at(*one)] == Some(node.id));
            let owned = mine.map(|partition| {
                let draining = node.draining.contains(&partition);
                Owned { partition, draining, idle: is_idle() }
            });
            let owned: Vec<_> = owned.collect();
            let id = node.id;
            let stand = stand(u32::try_from(self.nodes.len()).unwrap(), &owners);
            let plan = plan(id, members, &stand, &owned);
            let node = self.nodes.iter_mut().find(|node| node.id == id).unwrap();
            (node.claims, node.draining) = (plan.claim, plan.give_back);
            return;
        }
        for partition in std::mem::take(&mut node.draining) {
            if is_idle() {
                self.owners[at(partition)] = None;
                self.given_back += 1;
            } else {
                node.draining.push(partition);
            }
        }
        for partition in std::mem::take(&mut node.claims) {
            self.owners[at(partition)].get_or_insert(node.id);
        }
        node.told = Some(self.owners.clone());
    }

    /// All look, in turn, until nothing is left to be done.
    fn come_to_rest(&mut self) {
        for _ in 0..100 {
            let before = self.owners.clone();
            for at in 0..self.nodes.len() {
                if self.nodes[at].told.is_some() {
                    self.look(at, || true);
                }
                self.look(at, || true);
                self.look(at, || true);
            }
            let done = |node: &Looker| node.claims.is_empty() && node.draining.is_empty();
            if self.owners == before && self.nodes.iter().all(done) {
                return;
            }
        }
        panic!("{:?} never rests", self.owners);
    }

    fn counts(&self) -> Vec<usize> {
        let count = |node: &Looker| self.owners.iter().filter(|owner| **owner == Some(node.id)).count();
        self.nodes.iter().map(count).collect()
    }
}

/// SU-17: however partitions are divided at first, and however late nodes act on what they were told: each node ends with its share,
/// rounded down or up, after each partition was given back a few times at most, and from then on nothing moves.
#[test]
fn shares_become_even_and_stay() {
    let mut random = Random::new(7);
    for (partitions, members) in (1..12_u32).flat_map(|one| (1..7_u32).map(move |other| (one, other))) {
        for _ in 0..40 {
            let mut shares = Shares::new(partitions, members, &mut random);
            for _ in 0..random.below(200) {
                let node = random.below(shares.nodes.len());
                shares.look(node, || random.one_in(2));
            }
            shares.come_to_rest();
            let counts = shares.counts();
            let (least, most) = (partitions / members, partitions.div_ceil(members));
            let is_even = |count: &usize| (least..=most).contains(&u32::try_from(*count).unwrap());
            assert!(counts.iter().all(is_even), "{partitions} for {members}: {counts:?}");
            assert!(shares.owners.iter().all(Option::is_some), "{partitions} for {members}: {counts:?}");
            assert!(shares.given_back <= shares.owners.len() * 2, "{} moves", shares.given_back);
            let before = (shares.owners.clone(), shares.given_back);
            for _ in 0..50 {
                shares.look(random.below(shares.nodes.len()), || true);
            }
            assert_eq!((shares.owners, shares.given_back), before);
        }
    }
}
