//! How far a subscription has come, as one of its nodes can say.

use std::collections::BTreeMap;

use crate::{Place, store::LeaseState};

/// What a node knows of how far all partitions of a subscription have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Everything up to here is done, as far as the node knows.
    pub least: Place,
    /// Whether other nodes do a part of the work: then the stored checkpoints may be further than the node knows.
    pub elsewhere: bool,
}

impl Reach {
    /// By how far the node has come with its own partitions, and by the checkpoints that the others had when it last asked for leases: of these,
    /// `leases` tells all partitions there are; none before the node has asked.
    pub fn of(own: impl IntoIterator<Item = (u32, Place)>, leases: &[LeaseState]) -> Self {
        let own: BTreeMap<_, _> = own.into_iter().collect();
        let foreign = || leases.iter().filter(|state| !own.contains_key(&state.partition));
        let reached = foreign().map(|state| state.checkpoint).chain(own.values().copied());
        let elsewhere = own.is_empty() || foreign().next().is_some();
        Self { least: reached.min().unwrap_or_default(), elsewhere }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(checkpoints: &[u64]) -> Vec<LeaseState> {
        let state = |(partition, place): (u32, &u64)| LeaseState {
            partition,
            epoch: 1,
            owner: None,
            checkpoint: Place::new(*place),
            handled: Place::default(),
            letters: 0,
            due: false,
            abandoned: Default::default(),
        };
        (0..).zip(checkpoints).map(state).collect()
    }

    #[test]
    fn own_partitions_count_as_they_are_and_others_as_they_are_stored() {
        let own = |places: &[(u32, u64)]| {
            places.iter().map(|(number, place)| (*number, Place::new(*place))).collect()
        };
        for (own, stored, least, elsewhere) in [
            (own(&[]), &[][..], 0, true),
            (own(&[]), &[4, 5], 4, true),
            (own(&[(0, 9), (1, 8)]), &[4, 5], 8, false),
            (own(&[(0, 9)]), &[4, 5], 5, true),
            (own(&[(1, 3)]), &[4, 5], 3, true),
        ] {
            let own: Vec<_> = own;
            let reach = Reach::of(own.clone(), &leases(stored));
            assert_eq!(reach, Reach { least: Place::new(least), elsewhere }, "{own:?} of {stored:?}");
        }
    }
}
