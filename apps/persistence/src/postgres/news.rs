//! News between processes: how far the log goes, and that subscriptions have changed, by NOTIFY and LISTEN.
//!
//! Hints and no more. Whoever misses one looks some time later; whoever gets one twice, or late, knows already. So nothing of
//! it is part of what it tells of: the announcer speaks after the commit, on a connection for reading.
//!
//! Only numbers travel, and each schema has a channel of its own: no name can be taken for anything else.

mod announcer;
mod listener;
mod listening;

use ring::digest::{SHA256, digest};

pub(super) use self::{announcer::Announcer, listener::Listener, listening::Listening};
use umbel_core::{
    Position,
    subscription::{Change, Key},
};

use crate::{adapter::News, postgres::sql::Schema};

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

/// What stands before the key of a subscription; alone, all are meant.
const CHANGED: char = '~';

/// News as they travel: a position is a number, a subscription's key one behind a sign.
fn text(news: News) -> String {
    match news {
        News::Head(position) => position.to_string(),
        News::Changed(Change::Of(key)) => format!("{CHANGED}{}", key.to_i64()),
        News::Changed(Change::Any) => CHANGED.into(),
    }
}

/// What was heard; nothing when it is not meant for us.
fn heard(text: &str) -> Option<News> {
    match text.strip_prefix(CHANGED) {
        None => text.parse().ok().map(|position| News::Head(Position::new(position))),
        Some("") => Some(News::Changed(Change::Any)),
        Some(key) => key.parse().ok().map(|key| News::Changed(Change::Of(Key::from_i64(key)))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// SU-23: what is told is what is heard, and nothing else is.
    #[test]
    fn what_is_told_is_heard() {
        let keys = ["", "a", "articles.feed"].map(|name| News::Changed(Change::Of(Key::of(name))));
        let others = [0, 1, u64::MAX].map(|position| News::Head(Position::new(position)));
        for news in keys.into_iter().chain(others).chain([News::Changed(Change::Any)]) {
            assert_eq!(heard(&text(news)), Some(news));
        }
        for other in ["", "x", "-1", "~x", "~~", "1 2"] {
            assert_eq!(heard(other), None, "{other:?}");
        }
    }

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
