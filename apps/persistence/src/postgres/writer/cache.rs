//! What the writer remembers of streams, so that a known stream costs an append no lookup.
//!
//! Never trusted blindly: `append_group` verifies under the log's lock what a plan took from here. What the cache
//! knows for certain is when that is needless: an entry is *exact* as long as nobody else has written since.

use umbel_core::{StreamName, Version};

use crate::postgres::recent::Recent;

/// Streams in each of the two generations. At some 150 bytes each the cache stays within 10 MB.
const GENERATION_MAX: usize = 32_768;

/// A stream as last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its id.
    pub(super) key: i64,
    /// Its version.
    pub(super) version: Version,
    /// Whether its version is just that of its last event; else nobody may guess it.
    pub(super) plain: bool,
    /// The log's head when the version was that for certain.
    seen: i64,
}

/// Where the log stood after our last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Its position.
    pub(super) head: i64,
    /// Its count of changes to streams.
    pub(super) revision: i64,
}

/// The memory.
#[derive(Debug)]
pub(super) struct Cache {
    streams: Recent<StreamName, Entry>,
    mark: Option<Mark>,
    /// From here to the mark nobody else wrote.
    alone_since: i64,
}

impl Cache {
    /// `None` until the log was seen once on this connection.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// What is remembered of a stream.
    pub(super) fn get(&mut self, stream: &StreamName) -> Option<Entry> {
        self.streams.get(stream).copied()
    }

    /// Whether the entry is exact if the log still stands at the mark.
    pub(super) fn is_exact(&self, entry: Entry) -> bool {
        entry.seen >= self.alone_since
    }

    /// Remembers a stream as it was read, or written, just now.
    ///
    /// A read outside the lock may be newer than the mark. Then the log no longer stands at the mark, and the next
    /// group finds that out before it relies on the entry.
    pub(super) fn remember(&mut self, stream: StreamName, key: i64, version: Version, plain: bool) {
        let seen = self.mark.map_or(0, |mark| mark.head);
        self.streams.insert(stream, Entry { key, version, plain, seen });
    }

    /// Moves a stream on to what was written just now, if it is remembered.
    pub(super) fn moved(&mut self, stream: &StreamName, key: i64, version: Version) -> bool {
        let seen = self.mark.map_or(0, |mark| mark.head);
        let entry = self.streams.get(stream).filter(|entry| entry.key == key);
        entry.map(|entry| (entry.version, entry.seen) = (version, seen)).is_some()
    }

    /// Notes a transaction of our own that began under the lock at `base` and left the log at `mark`. To be called
    /// before its streams are remembered.
    pub(super) fn advance(&mut self, base: i64, mark: Mark) {
        if self.mark.map(|mark| mark.head) != Some(base) {
            self.alone_since = base;
        }
        if self.mark.map(|mark| mark.revision) != Some(mark.revision) {
            self.streams.clear();
        }
        self.mark = Some(mark);
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { streams: Recent::new(GENERATION_MAX), mark: None, alone_since: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(number: usize) -> StreamName {
        StreamName::new(format!("s-{number}")).unwrap()
    }

    fn mark(head: i64) -> Mark {
        Mark { head, revision: 0 }
    }

    #[test]
    fn an_entry_is_exact_until_somebody_else_writes() {
        let mut cache = Cache::default();
        cache.advance(10, mark(12));
        cache.remember(stream(1), 1, Version::new(2), true);
        cache.advance(12, mark(13));
        let entry = cache.get(&stream(1)).unwrap();
        assert!(cache.is_exact(entry), "we alone wrote 13");
        cache.advance(14, mark(15));
        assert!(!cache.is_exact(entry), "somebody else wrote 14");
        cache.remember(stream(1), 1, Version::new(3), true);
        let entry = cache.get(&stream(1)).unwrap();
        assert!(cache.is_exact(entry));
    }

    #[test]
    fn a_changed_stream_row_empties_it() {
        let mut cache = Cache::default();
        cache.advance(0, mark(1));
        cache.remember(stream(1), 1, Version::new(1), true);
        cache.advance(1, Mark { head: 2, revision: 1 });
        assert_eq!(cache.get(&stream(1)), None);
    }
}
