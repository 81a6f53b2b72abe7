//! News between processes: how far the log goes, by NOTIFY and LISTEN.
//!
//! A hint and no more. Whoever misses one looks at the log some time later; whoever gets one twice, or late, knows already.
//! So nothing of it is part of an append: the announcer speaks after the commit, on a connection for reading.
//!
//! Only numbers travel, and each schema has a channel of its own: no name can be taken for anything else.

mod announcer;
mod listener;

use ring::digest::{SHA256, digest};

pub(super) use self::{announcer::Announcer, listener::Listener};
use crate::postgres::sql::Schema;

/// What the server takes as the name of a channel, in bytes.
const CHANNEL_MAX: usize = 63;

/// The channel of a schema, the same in every process, and that of no other schema.
pub(super) fn channel(schema: &Schema) -> String {
    let plain = format!("umbel:{}", schema.name());
    if plain.len() <= CHANNEL_MAX {
        return plain;
    }
    // 128 bits tell them apart; the first character behind the colon is none that a schema's name begins with.
    let digest = digest(&SHA256, schema.name().as_bytes());
    let begin = digest.as_ref().first_chunk().copied().unwrap_or_default();
    format!("umbel:#{:032x}", u128::from_be_bytes(begin))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// OP-04: however long the names of two schemas are, and however alike, their channels differ and the server takes them.
    #[test]
    fn every_schema_has_a_channel_of_its_own() {
        let long = "x".repeat(62);
        let names = [
            "umbel",
            "a_1",
            "a_2",
            &"x".repeat(57),
            &"x".repeat(58),
            &format!("{long}a"),
            &format!("{long}b"),
        ];
        let channels: HashSet<_> = names.iter().map(|name| channel(&Schema::new(name).unwrap())).collect();
        assert_eq!(channels.len(), names.len());
        assert!(channels.iter().all(|name| name.len() <= CHANNEL_MAX && !name.contains('"')), "{channels:?}");
        assert!(channels.contains("umbel:a_1"));
    }
}
