//! Keys: which events must be handled in order, and by which partition.

use serde::{Deserialize, Serialize};

/// A partition key as a number: events of one key are handled in order, one after the other.
///
/// It is a hash of a text. Two texts with the same hash count as one key, which costs them some concurrency and nothing else.
/// Stores keep it with dead letters, so the hash never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(u64);

impl Key {
    /// The key of a text: FNV-1a with 64 bits, then the finalizer of splitmix64, which spreads similar texts over all bits.
    #[must_use]
    pub fn of(text: &str) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let hash = text.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(hash ^ (hash >> 31))
    }

    /// The partition it falls into, of so many: 0 for the first.
    #[must_use]
    pub fn partition(self, partitions: u32) -> u32 {
        u32::try_from(self.0 % u64::from(partitions.max(1))).unwrap_or(0)
    }

    /// As databases keep it.
    #[must_use]
    pub const fn to_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// From a database.
    #[must_use]
    pub const fn from_i64(number: i64) -> Self {
        Self(number.cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored keys must stay what they are.
    #[test]
    fn the_hash_never_changes() {
        let stored = ["", "a", "account-0190f5e2"].map(|text| Key::of(text).to_i64());
        assert_eq!(stored, [-780_787_492_076_525_413, 198_367_012_849_983_736, 4_386_202_303_310_710_566]);
        let spread: std::collections::BTreeSet<_> =
            (0..1000).map(|number| Key::of(&format!("account-{number}")).partition(8)).collect();
        assert_eq!(spread.len(), 8);
        assert_eq!(Key::from_i64(Key::of("a").to_i64()), Key::of("a"));
    }
}
