//! Bloom filters over ids: whether some thousand events may hold one, told by ten bits for each id.
//!
//! A filter never misses an id that it was made of, and says so of fewer than one in a hundred others. Filters are stored: what
//! [`hash`] and [`bits`] do is part of the format and never changes.

use uuid::Uuid;

/// Room for each distinct id.
const BITS_PER_ID: usize = 10;
/// How many bits each id sets: with ten for each id, seven find the fewest others.
const PROBES: u8 = 7;
/// Smaller ones would hold up what is promised only on average.
const BYTES_MIN: usize = 16;

/// A filter as it is stored: its bits, the lowest of each byte first. One of no ids has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter<B>(B);

impl Filter<Vec<u8>> {
    /// Of these ids; it does not matter how often each comes.
    pub(crate) fn of(ids: impl IntoIterator<Item = Uuid>) -> Self {
        let mut hashes: Vec<_> = ids.into_iter().map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.is_empty() {
            return Self(Vec::new());
        }
        let mut bytes = vec![0; (hashes.len() * BITS_PER_ID).div_ceil(8).max(BYTES_MIN)];
        let count = bytes.len() * 8;
        for (byte, mask) in hashes.into_iter().flat_map(|hash| bits(hash, count)) {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte |= mask;
            }
        }
        Self(bytes)
    }

    /// What is stored.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<B: AsRef<[u8]>> Filter<B> {
    /// One that was stored.
    pub(crate) const fn stored(bytes: B) -> Self {
        Self(bytes)
    }

    /// Whether it was perhaps made of this id; if not, then certainly not.
    pub(crate) fn may_hold(&self, id: Uuid) -> bool {
        let bytes = self.0.as_ref();
        let is_set = |(byte, mask)| bytes.get(byte).is_some_and(|byte| byte & mask != 0);
        bits(hash(id), bytes.len() * 8).all(is_set)
    }
}

/// The bits of an id among so many: the byte of each, and its place therein. None of none.
fn bits(hash: u64, count: usize) -> impl Iterator<Item = (usize, u8)> {
    let step = mix(hash) | 1;
    (0..PROBES).map(move |probe| {
        let spot = hash.wrapping_add(step.wrapping_mul(probe.into()));
        // The fraction of the way through all bits that it is of the way through all numbers.
        let bit = usize::try_from((u128::from(spot) * wide(count)) >> 64).unwrap_or(usize::MAX);
        (bit / 8, 1 << (bit % 8))
    })
}

fn wide(count: usize) -> u128 {
    u128::try_from(count).unwrap_or(u128::MAX)
}

/// Ids are not evenly spread: those of version 7 begin with a time, and a test's are counted.
fn hash(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    mix(mix(high.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ low)
}

/// Spreads each bit over all of them: the end of `splitmix64`.
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Builder;

    use super::*;

    /// The `number`th id of a kind of which programs make many: counted, random, or of version 7 within a few milliseconds.
    fn id(kind: u8, number: u64) -> Uuid {
        let random = mix(mix(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        match kind {
            0 => Uuid::from_u128(number.into()),
            1 => Uuid::from_u128(u128::from(number) << 64),
            2 => Uuid::from_u64_pair(mix(random), random),
            _ => {
                let mut bytes = [0; 10];
                bytes[2..].copy_from_slice(&random.to_le_bytes());
                Builder::from_unix_timestamp_millis(1_790_000_000_000 + number / 64, &bytes).into_uuid()
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a filter is made of, it says of each that it may be there, also once it was stored.
        #[test]
        fn nothing_is_missed(ids in prop::collection::vec(any::<u128>(), 0..500), few in 0..3_u8, count in 0..3000_u64) {
            let ids: Vec<_> = ids.into_iter().map(Uuid::from_u128).chain((0..count).map(|number| id(few, number))).collect();
            let filter = Filter::of(ids.iter().copied());
            prop_assert!(ids.iter().all(|id| filter.may_hold(*id)));
            let stored = filter.into_bytes();
            prop_assert_eq!(stored.is_empty(), ids.is_empty());
            let filter = Filter::stored(&stored);
            prop_assert!(ids.iter().all(|id| filter.may_hold(*id)));
        }

        /// The same ids lead to the same filter, in any order and however often.
        #[test]
        fn order_and_number_do_not_matter(ids in prop::collection::vec(0..50_u128, 0..100)) {
            let filter = |ids: &[u128]| Filter::of(ids.iter().copied().map(Uuid::from_u128));
            let mut sorted = ids.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(filter(&ids), filter(&sorted));
        }
    }

    /// Of a hundred other ids fewer than one is said to be there, whichever kind they are of and however many are. Single small
    /// filters may find more, which is why several are asked.
    #[test]
    fn few_others_are_found_in_vain() {
        const OTHERS: u64 = 40_000;
        for (kind, count) in (0..4).flat_map(|kind| [1, 7, 50, 1000, 4096, 8192].map(|count| (kind, count))) {
            let filters = (8192 / count).min(40);
            let found: usize = (0..filters)
                .map(|first| {
                    let filter = Filter::of((0..count).map(|number| id(kind, first * count + number)));
                    let others =
                        (0..OTHERS / filters).map(|number| id(kind, 1_000_000 + first * OTHERS + number));
                    others.filter(|other| filter.may_hold(*other)).count()
                })
                .sum();
            assert!(
                found < 400 && (found > 0 || count < 1000),
                "{found} of {OTHERS} beside {count} of kind {kind}"
            );
        }
    }

    #[test]
    fn a_filter_of_nothing_holds_nothing() {
        let none = Filter::of([]);
        assert!((0..100).all(|number| !none.may_hold(id(0, number))));
        assert_eq!(none.into_bytes(), Vec::<u8>::new());
    }

    /// The format: filters that were stored once are read for ever.
    #[test]
    fn a_stored_filter_is_read_by_every_version() {
        let stored = Filter::of([1, 2].map(Uuid::from_u128)).into_bytes();
        assert_eq!(stored, [0, 32, 16, 64, 1, 0, 130, 0, 8, 128, 64, 4, 0, 1, 2, 36]);
    }
}
