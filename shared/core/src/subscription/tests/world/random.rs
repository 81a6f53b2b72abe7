//! Chance from a seed: splitmix64.

/// A sequence of numbers that a seed determines.
pub(in crate::subscription::tests) struct Random(u64);

impl Random {
    pub(in crate::subscription::tests) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below a bound, which is at least 1.
    pub(in crate::subscription::tests) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// From `least` to `most`.
    pub(in crate::subscription::tests) fn between(&mut self, least: u32, most: u32) -> u32 {
        least + u32::try_from(self.below(usize::try_from(most - least + 1).unwrap())).unwrap()
    }

    pub(in crate::subscription::tests) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}
