//! What ends its owners: events that were begun and of which nobody lived to say how it ended.

use std::collections::BTreeMap;

use crate::version::Place;

/// How many are noted of one partition at most. Each owner that dies adds one; the first of the log give way to those behind them.
const BEGUN_MAX: usize = 32;

/// Leases of a partition that have to run out one after the other, with nothing done meanwhile, before its next owner is careful. One
/// that does is nothing unusual: a process was killed, or paused.
const CAREFUL_FROM: u64 = 2;

/// What is known of the owners of a partition that gave nothing back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// How many leases have run out and were taken over, one after the other, since the checkpoint moved.
    pub leases: u64,
    /// What they had begun while they were careful.
    pub begun: Begun,
}

/// It was begun so often, and nobody lived to say how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it was begun {0} times without a word of how it ended; look whether it ends its process or blocks its thread"
)]
pub struct Lost(pub u32);

/// By place, how often an event was begun without a word of how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun(BTreeMap<u64, u32>);

impl Abandoned {
    /// Whether the events of the partition may be what ends its owners: then they are begun one by one, and that is noted before.
    #[must_use]
    pub const fn wants_care(&self) -> bool {
        self.leases >= CAREFUL_FROM
    }
}

impl Begun {
    /// An event is begun; how often it was before.
    pub fn begin(&mut self, place: Place) -> u32 {
        let times = self.0.entry(place.get()).or_default();
        let before = *times;
        *times = times.saturating_add(1);
        while self.0.len() > BEGUN_MAX {
            let other = self.0.keys().copied().find(|other| *other != place.get());
            other.and_then(|other| self.0.remove(&other));
        }
        before
    }

    /// It ended, one way or another.
    pub fn end(&mut self, place: Place) {
        self.0.remove(&place.get());
    }

    /// As it is kept: JSON, or nothing where nothing was begun.
    #[must_use]
    pub fn to_store(&self) -> Option<String> {
        // A map of numbers is always JSON.
        serde_json::to_string(&self.0).ok().filter(|_| !self.0.is_empty())
    }

    /// As it was kept. What cannot be read is as if nothing had been begun: at worst an event is begun once more too often.
    #[must_use]
    pub fn from_store(kept: Option<&str>) -> Self {
        Self(kept.and_then(|kept| serde_json::from_str(kept).ok()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EH-16: what is begun again and again is counted, what has ended is not, and what is kept is bounded.
    #[test]
    fn what_has_not_ended_is_counted() {
        let mut begun = Begun::default();
        let at = Place::new;
        assert_eq!([begun.begin(at(1)), begun.begin(at(2)), begun.begin(at(2))], [0, 0, 1]);
        begun.end(at(1));
        assert_eq!([begun.begin(at(1)), begun.begin(at(2))], [0, 2]);
        assert_eq!(Begun::from_store(begun.to_store().as_deref()), begun);
        assert_eq!(Begun::default().to_store(), None);
        assert_eq!([None, Some(""), Some("[]")].map(Begun::from_store), [(); 3].map(|()| Begun::default()));
        for place in 1..=100 {
            begun.end(at(1));
            assert_eq!(begun.begin(at(place + 2)), 0);
        }
        assert_eq!(begun.0.len(), BEGUN_MAX);
        assert_eq!(begun.begin(at(102)), 1, "the last of them is known");
        assert_eq!(begun.begin(at(1)), 0, "as is what comes before it");
        assert_eq!(begun.begin(at(1)), 1);
    }

    /// EH-16: one lease that runs out is no reason to be careful.
    #[test]
    fn care_is_taken_after_the_second_lease_that_ran_out() {
        let wants = |leases| Abandoned { leases, begun: Begun::default() }.wants_care();
        assert_eq!([0, 1, 2, 3].map(wants), [false, false, true, true]);
    }
}
