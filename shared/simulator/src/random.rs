//! Chance from a seed: splitmix64.

/// A sequence of numbers that a seed determines. Each concern has a sequence of its own, so that what one draws more or less
/// changes nothing for the others.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

/// The sequences of a run, one for each concern.
#[derive(Clone, Debug)]
pub(crate) struct Chances {
    /// How large everything is, and which faults there are.
    pub(crate) shape: Random,
    /// Which of the things that are due at the same moment comes first.
    pub(crate) order: Random,
    /// How long things take.
    pub(crate) delays: Random,
    /// What breaks, and when.
    pub(crate) faults: Random,
    /// What is appended, and what is waited for.
    pub(crate) clients: Random,
    /// How consumers fare.
    pub(crate) consumers: Random,
    /// What operators do.
    pub(crate) operators: Random,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most.saturating_sub(least) + 1)
    }

    /// The same for small numbers.
    pub(crate) fn small(&mut self, least: u32, most: u32) -> u32 {
        u32::try_from(self.between(least.into(), most.into())).unwrap_or(most)
    }

    /// One of so many, from 0. Of none: 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// Whether something happens that happens so often in a thousand times.
    pub(crate) fn happens(&mut self, per_mille: u32) -> bool {
        self.next() % 1000 < u64::from(per_mille)
    }
}

impl Chances {
    pub(crate) fn new(seed: u64) -> Self {
        let mut seeds = Random::new(seed);
        let mut one = || Random::new(seeds.next());
        Self {
            shape: one(),
            order: one(),
            delays: one(),
            faults: one(),
            clients: one(),
            consumers: one(),
            operators: one(),
        }
    }
}
