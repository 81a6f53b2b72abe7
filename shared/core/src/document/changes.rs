//! The changes a projection makes, as data and pure functions over the documents they touch.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    document::{Collection, Document, IndexEntry, index},
    json::{Json, JsonError},
    tables::Sql,
};

/// Names one document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentKey {
    /// The collection.
    pub collection: &'static str,
    /// The key within it.
    pub key: String,
}

/// One document as it is to be stored: the protocol's form, with its index entries computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentWrite {
    /// The collection.
    pub collection: String,
    /// The key within it.
    pub key: String,
    /// The new body; `None` deletes.
    pub body: Option<Json>,
    /// All index entries of the new body; they replace those of the old.
    pub entries: Vec<IndexEntry>,
}

type Apply = Box<dyn FnOnce(Option<Json>) -> Result<Option<Json>, JsonError> + Send>;

struct Change {
    key: DocumentKey,
    indexes: &'static [&'static str],
    /// Whether it leads to the same whatever there was.
    is_blind: bool,
    apply: Apply,
}

/// An ordered list of changes. A projection fills it; its host loads [`Changes::keys_to_load`] and applies it.
#[derive(Default)]
pub struct Changes {
    changes: Vec<Change>,
    statements: Vec<Sql>,
}

impl Changes {
    /// Stores a document, whether or not there was one.
    pub fn put<D: Document>(&mut self, key: impl Into<String>, document: D) {
        self.push::<D>(key, true, Box::new(move |_old| Json::encode(&document).map(Some)));
    }

    /// Changes a document in place; does nothing when there is none.
    pub fn update<D: Document>(
        &mut self,
        key: impl Into<String>,
        change: impl FnOnce(&mut D) + Send + 'static,
    ) {
        self.modify(key, move |old: Option<D>| {
            old.map(|mut document| {
                change(&mut document);
                document
            })
        });
    }

    /// Deletes a document if there is one.
    pub fn delete<D: Document>(&mut self, key: impl Into<String>) {
        self.push::<D>(key, true, Box::new(|_old| Ok(None)));
    }

    /// The general form: the document there is, if any, becomes the one there shall be, if any.
    pub fn modify<D: Document>(
        &mut self,
        key: impl Into<String>,
        change: impl FnOnce(Option<D>) -> Option<D> + Send + 'static,
    ) {
        let apply = move |old: Option<Json>| {
            let old = old.map(|body| body.decode()).transpose()?;
            change(old).map(|document| Json::encode(&document)).transpose()
        };
        self.push::<D>(key, false, Box::new(apply));
    }

    fn push<D: Document>(&mut self, key: impl Into<String>, is_blind: bool, apply: Apply) {
        let key = DocumentKey { collection: D::COLLECTION, key: key.into() };
        self.changes.push(Change { key, indexes: Collection::of::<D>().indexes, is_blind, apply });
    }

    /// Applies a statement to the projection's tables, behind those before it.
    pub fn sql(&mut self, statement: Sql) {
        self.statements.push(statement);
    }

    /// Takes the statements, in their order. What is left are changes of documents.
    #[must_use]
    pub fn take_statements(&mut self) -> Vec<Sql> {
        std::mem::take(&mut self.statements)
    }

    /// Adds the changes of a later event behind these.
    pub fn extend(&mut self, later: Self) {
        self.changes.extend(later.changes);
        self.statements.extend(later.statements);
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.statements.is_empty()
    }

    /// The documents to load before [`Changes::apply`], each once: those of [`Self::keys`] whose first change depends on what they are.
    #[must_use]
    pub fn keys_to_load(&self) -> Vec<DocumentKey> {
        let mut known = BTreeSet::new();
        let first = self.changes.iter().filter(|change| known.insert(&change.key));
        let mut keys: Vec<_> =
            first.filter(|change| !change.is_blind).map(|change| change.key.clone()).collect();
        keys.sort();
        keys
    }

    /// The documents that it changes, each once.
    #[must_use]
    pub fn keys(&self) -> Vec<DocumentKey> {
        let mut keys: Vec<_> = self.changes.iter().map(|change| change.key.clone()).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Applies all changes in order to the loaded documents and says what to write. A document changed several
    /// times is written once.
    ///
    /// # Errors
    /// When a stored document does not have the shape its type promises, or a new one has no JSON form.
    pub fn apply(self, mut loaded: BTreeMap<DocumentKey, Json>) -> Result<Vec<DocumentWrite>, JsonError> {
        let mut touched = BTreeMap::new();
        for Change { key, indexes, apply, .. } in self.changes {
            match apply(loaded.remove(&key))? {
                Some(body) => loaded.insert(key.clone(), body),
                None => None,
            };
            touched.insert(key, indexes);
        }
        touched
            .into_iter()
            .map(|(key, indexes)| {
                let body = loaded.remove(&key);
                let entries = body.as_ref().map(|body| index::entries(body, indexes)).transpose()?;
                Ok(DocumentWrite {
                    collection: key.collection.to_owned(),
                    key: key.key,
                    body,
                    entries: entries.unwrap_or_default(),
                })
            })
            .collect()
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.changes.iter().map(|change| &change.key)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize, Document)]
    #[document(collection = "test.counters")]
    struct Counter {
        #[index]
        n: u32,
    }

    fn key(key: &str) -> DocumentKey {
        DocumentKey { collection: Counter::COLLECTION, key: key.into() }
    }

    #[test]
    fn changes_to_one_document_add_up_to_one_write() {
        let mut changes = Changes::default();
        changes.put("a", Counter { n: 1 });
        changes.update("a", |counter: &mut Counter| counter.n += 1);
        changes.update("missing", |counter: &mut Counter| counter.n += 1);
        changes.delete::<Counter>("b");
        assert_eq!(changes.keys(), [key("a"), key("b"), key("missing")]);
        assert_eq!(
            changes.keys_to_load(),
            [key("missing")],
            "what is put or deleted is so whatever there was"
        );

        let loaded = BTreeMap::from([(key("b"), Json::encode(&Counter { n: 9 }).unwrap())]);
        let writes = changes.apply(loaded).unwrap();
        let bodies: Vec<_> = writes.iter().map(|write| write.body.as_ref().map(Json::as_str)).collect();
        assert_eq!(bodies, [Some(r#"{"n":2}"#), None, None]);
        assert_eq!(writes[0].entries.len(), 1);
    }

    #[test]
    fn a_document_of_another_shape_is_an_error_and_not_overwritten() {
        let mut changes = Changes::default();
        changes.update("a", |counter: &mut Counter| counter.n += 1);
        let loaded = BTreeMap::from([(key("a"), Json::parse(r#"{"m":1}"#).unwrap())]);
        assert!(changes.apply(loaded).is_err());
    }
}
