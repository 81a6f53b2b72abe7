//! Documents by collection and key, with their index entries beside them. A query looks at every one.

use std::collections::BTreeMap;

use umbel_core::{
    Json,
    document::{Direction, DocumentQuery, DocumentWrite, Filter, IndexEntry, IndexKey, Order, Test},
    store::DocumentPage,
};

/// All collections.
#[derive(Debug, Default)]
pub(super) struct Documents {
    collections: BTreeMap<String, BTreeMap<String, Stored>>,
}

#[derive(Debug)]
struct Stored {
    body: Json,
    entries: Vec<IndexEntry>,
}

impl Documents {
    /// A document of the collection by this name, whichever name its key has for it.
    pub(super) fn get(&self, collection: &str, key: &str) -> Option<Json> {
        let stored = self.collections.get(collection)?.get(key)?;
        Some(stored.body.clone())
    }

    pub(super) fn clear(&mut self, collection: &str) {
        self.collections.remove(collection);
    }

    /// Writes into the collection of this name, with a generation's suffix behind it.
    pub(super) fn write(&mut self, write: &DocumentWrite, suffix: &str) {
        let collection = self.collections.entry(format!("{}{suffix}", write.collection)).or_default();
        match &write.body {
            Some(body) => {
                let stored = Stored { body: body.clone(), entries: write.entries.clone() };
                collection.insert(write.key.clone(), stored);
            }
            None => {
                collection.remove(&write.key);
            }
        }
    }

    /// A page of the collection by this name.
    pub(super) fn query(&self, collection: &str, query: &DocumentQuery) -> DocumentPage {
        let all = self.collections.get(collection).into_iter().flatten();
        let holds = |stored: &Stored| query.filters.iter().all(|filter| stored.satisfies(filter));
        let mut matches: Vec<_> = all.filter(|(_, stored)| holds(stored)).collect();
        // In key order already, and the sort is stable: equal entries stay sorted by key.
        if let Some(Order { index, direction }) = &query.order {
            matches.sort_by(|(_, a), (_, b)| {
                let order = a.order_key(index).cmp(&b.order_key(index));
                if *direction == Direction::Forward { order } else { order.reverse() }
            });
        }
        let total = u64::try_from(matches.len()).unwrap_or(u64::MAX);
        let documents = matches
            .into_iter()
            .skip(usize::try_from(query.offset).unwrap_or(usize::MAX))
            .take(usize::try_from(query.limit).unwrap_or(usize::MAX))
            .map(|(key, stored)| (key.clone(), stored.body.clone()))
            .collect();
        DocumentPage { documents, total, unserved: None }
    }
}

impl Stored {
    fn keys<'a>(&'a self, index: &'a str) -> impl Iterator<Item = &'a IndexKey> {
        self.entries.iter().filter(move |entry| entry.index == index).map(|entry| &entry.key)
    }

    fn satisfies(&self, filter: &Filter) -> bool {
        self.keys(&filter.index).any(|key| match &filter.test {
            Test::In(keys) => keys.contains(key),
            Test::Range { from, to } => {
                from.as_ref().is_none_or(|from| key >= from) && to.as_ref().is_none_or(|to| key <= to)
            }
        })
    }

    /// What the document is sorted by; one without an entry (an empty list) comes before all others.
    fn order_key<'a>(&'a self, index: &'a str) -> Option<&'a IndexKey> {
        self.keys(index).min()
    }
}
