//! What the writer remembers of streams, so that a known stream costs an append no lookup.
//!
//! Never trusted blindly: `append_group` verifies under the log's lock what a plan took from here. What the cache
//! knows for certain is when that is needless: an entry is *exact* as long as nobody else has written since.

use std::{collections::HashMap, mem};

use umbel_core::{StreamName, Version};

/// Streams in each of the two generations. At some 150 bytes each the cache stays within 10 MB.
const GENERATION_MAX: usize = 32_768;

/// A stream as last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its id.
    pub(super) key: i64,
    /// Its version.
    pub(super) version: Version,
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

/// The memory: two generations, of which the older one is dropped when the younger one is full.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: HashMap<StreamName, Entry>,
    old: HashMap<StreamName, Entry>,
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
        if let Some(entry) = self.young.get(stream) {
            return Some(*entry);
        }
        let entry = self.old.remove(stream)?;
        self.insert(stream.clone(), entry);
        Some(entry)
    }

    /// Whether the entry is exact if the log still stands at the mark.
    pub(super) fn is_exact(&self, entry: Entry) -> bool {
        entry.seen >= self.alone_since
    }

    /// Remembers a stream as it was read, or written, just now.
    ///
    /// A read outside the lock may be newer than the mark. Then the log no longer stands at the mark, and the next
    /// group finds that out before it relies on the entry.
    pub(super) fn remember(&mut self, stream: StreamName, key: i64, version: Version) {
        let seen = self.mark.map_or(0, |mark| mark.head);
        self.insert(stream, Entry { key, version, seen });
    }

    /// Notes a transaction of our own that began under the lock at `base` and left the log at `mark`. To be called
    /// before its streams are remembered.
    pub(super) fn advance(&mut self, base: i64, mark: Mark) {
        if self.mark.map(|mark| mark.head) != Some(base) {
            self.alone_since = base;
        }
        if self.mark.map(|mark| mark.revision) != Some(mark.revision) {
            self.young.clear();
            self.old.clear();
        }
        self.mark = Some(mark);
    }

    fn insert(&mut self, stream: StreamName, entry: Entry) {
        if self.young.len() >= GENERATION_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(stream, entry);
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
        cache.remember(stream(1), 1, Version::new(2));
        cache.advance(12, mark(13));
        let entry = cache.get(&stream(1)).unwrap();
        assert!(cache.is_exact(entry), "we alone wrote 13");
        cache.advance(14, mark(15));
        assert!(!cache.is_exact(entry), "somebody else wrote 14");
        cache.remember(stream(1), 1, Version::new(3));
        let entry = cache.get(&stream(1)).unwrap();
        assert!(cache.is_exact(entry));
    }

    #[test]
    fn a_changed_stream_row_empties_it() {
        let mut cache = Cache::default();
        cache.advance(0, mark(1));
        cache.remember(stream(1), 1, Version::new(1));
        cache.advance(1, Mark { head: 2, revision: 1 });
        assert_eq!(cache.get(&stream(1)), None);
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let mut cache = Cache::default();
        for number in 0..GENERATION_MAX * 3 {
            cache.remember(stream(number), 1, Version::START);
            cache.get(&stream(0));
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION_MAX);
        assert!(cache.get(&stream(0)).is_some());
        assert!(cache.get(&stream(1)).is_none());
    }
}
