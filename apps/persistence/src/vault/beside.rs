//! What is kept beside the events and says itself whose it is: what process managers remember, and commands that wait.
//!
//! Such a body holds objects that name a subject ([`Owned`](umbel_core::personal::Owned)); the personal values within are sealed with its
//! key, each for its place in this body. Somebody who is forgotten already refuses nothing here, other than in events: the values are kept
//! as forgotten, and the process goes on.

use base64::prelude::{BASE64_STANDARD, Engine};
use umbel_core::{
    Json, Subject,
    document::{DocumentKey, DocumentQuery, DocumentWrite},
    personal::{FORGOTTEN_KEY, KNOWN_KEY, OWNED_KEY, SEALED_KEY},
    process_manager,
    store::{Append, AppendError, DocumentPage, InvalidAppend, OutboxEntry, StoreError, Waiting},
};

use super::{
    Vault,
    cipher::{Closed, Place},
    keys::{Found, Key},
    no_key,
    text::{Mark, marked, owned, replaced},
};

/// A body with something to be sealed or opened.
pub(super) struct Body<'a> {
    /// Of its first sealed value.
    place: Place,
    body: &'a mut Json,
    /// Whose values are to be sealed or opened.
    pub(super) subjects: Vec<Subject>,
}

impl Vault {
    /// Documents by key, opened.
    pub(crate) async fn get_documents(
        &self,
        keys: Vec<DocumentKey>,
    ) -> Result<Vec<Option<Json>>, StoreError> {
        let is_process = |key: &DocumentKey| key.collection == process_manager::COLLECTION;
        if !keys.iter().any(is_process) {
            return self.adapter.get_documents(keys).await;
        }
        let mut documents = self.adapter.get_documents(keys.clone()).await?;
        let found = keys.iter().zip(&mut documents).filter(|(key, _)| is_process(key));
        let found = found
            .filter_map(|(key, body)| Some((Place::of_document(key.collection, &key.key), body.as_mut()?)));
        self.open_bodies(found.collect()).await?;
        Ok(documents)
    }

    /// Opens a page of documents.
    pub(crate) async fn open_page(
        &self,
        query: &DocumentQuery,
        page: &mut DocumentPage,
    ) -> Result<(), StoreError> {
        if query.collection != process_manager::COLLECTION {
            return Ok(());
        }
        let place = |key: &str| Place::of_document(process_manager::COLLECTION, key);
        self.open_bodies(page.documents.iter_mut().map(|(key, body)| (place(key), body)).collect()).await
    }

    /// Opens entries of the outbox.
    pub(crate) async fn open_work(
        &self,
        waiting: impl IntoIterator<Item = &mut Waiting>,
    ) -> Result<(), StoreError> {
        let entries = waiting.into_iter().map(|waiting| &mut waiting.entry);
        self.open_bodies(entries.map(|entry| (Place::of_entry(entry.id), &mut entry.body)).collect()).await
    }

    async fn open_bodies(&self, bodies: Vec<(Place, &mut Json)>) -> Result<(), StoreError> {
        let bodies = bodies.into_iter().filter_map(|(place, body)| Body::with(Mark::Sealed, place, body));
        let bodies: Vec<_> = bodies.collect();
        if bodies.is_empty() {
            return Ok(());
        }
        let keys =
            self.keys.find(bodies.iter().flat_map(|body| body.subjects.iter().cloned()).collect()).await?;
        bodies.into_iter().try_for_each(|body| body.open(&keys))
    }
}

/// Whether anything beside the events names a subject.
pub(super) fn names_subjects(append: &Append) -> bool {
    let documents = append.documents.iter().filter(|write| write.collection == process_manager::COLLECTION);
    let bodies = documents.filter_map(|write| write.body.as_ref());
    bodies.chain(append.outbox.iter().map(|entry| &entry.body)).any(may_name_subjects)
}

/// What is to be sealed beside the events.
pub(super) fn drafts<'a>(
    documents: &'a mut [DocumentWrite],
    outbox: &'a mut [OutboxEntry],
) -> Result<Vec<Body<'a>>, AppendError> {
    let documents = documents.iter_mut().filter(|write| write.collection == process_manager::COLLECTION);
    let documents = documents.filter_map(|DocumentWrite { collection, key, body, .. }| {
        Some((format!("document {key} of {collection}"), Place::of_document(collection, key), body.as_mut()?))
    });
    let entries = outbox.iter_mut().map(|OutboxEntry { id, body, .. }| {
        (format!("entry {id} of the outbox"), Place::of_entry(*id), body)
    });
    let mut drafts = Vec::new();
    for (what, place, body) in documents.chain(entries).filter(|(_, _, body)| may_name_subjects(body)) {
        // It would be taken for what the vault has sealed, and nobody could read it any more.
        if !subjects(body, Mark::Sealed).is_empty() {
            return Err(InvalidAppend::SealedBeside { what }.into());
        }
        drafts.extend(Body::with(Mark::Personal, place, body));
    }
    Ok(drafts)
}

/// One look at a text that names none, as most do.
fn may_name_subjects(body: &Json) -> bool {
    body.as_str().contains(OWNED_KEY)
}

/// Whose values with this mark are in a body.
fn subjects(body: &Json, mark: Mark) -> Vec<Subject> {
    let text = body.as_str();
    let value = |owned: super::Marked| named(text.get(owned.value)?);
    let found = owned(text).into_iter().filter_map(value);
    let has_some = |json: &Json| marked(json.as_str()).iter().any(|value| value.mark == mark);
    found.filter(|(_, json)| has_some(json)).map(|(subject, _)| subject).collect()
}

/// Subject and value, if the object names one.
fn named(value: &str) -> Option<(Subject, Json)> {
    let (subject, json) = serde_json::from_str::<(Option<Subject>, Json)>(value).ok()?;
    Some((subject?, json))
}

fn forgotten() -> String {
    format!(r#"{{"{FORGOTTEN_KEY}":true}}"#)
}

impl<'a> Body<'a> {
    fn with(mark: Mark, place: Place, body: &'a mut Json) -> Option<Self> {
        let subjects = if may_name_subjects(body) { subjects(body, mark) } else { Vec::new() };
        (!subjects.is_empty()).then_some(Self { place, body, subjects })
    }

    pub(super) fn seal(self, keys: &Found) -> Result<(), StoreError> {
        self.change(Mark::Personal, keys, |place, key, value| {
            let sealed = BASE64_STANDARD.encode(key.seal(place, value.as_bytes())?);
            Ok(format!(r#"{{"{SEALED_KEY}":"{sealed}"}}"#))
        })
    }

    fn open(self, keys: &Found) -> Result<(), StoreError> {
        self.change(Mark::Sealed, keys, |place, key, value| {
            let damaged = || StoreError::Corrupt {
                reason: "a sealed value of a process manager or a scheduled command was changed or put there"
                    .into(),
            };
            let sealed = BASE64_STANDARD.decode(value.trim_matches('"')).map_err(|_| damaged())?;
            let value = key.open(place, &sealed).map_err(|closed| match closed {
                Closed::OtherKey => lost_key(),
                Closed::Damaged => damaged(),
            })?;
            let value = String::from_utf8(value).map_err(|_| damaged())?;
            Ok(format!(r#"{{"{KNOWN_KEY}":{value}}}"#))
        })
    }

    /// Replaces the values with this mark; those of somebody forgotten become that.
    fn change(
        self,
        mark: Mark,
        keys: &Found,
        with: impl Fn(Place, &super::Cipher, &str) -> Result<String, StoreError>,
    ) -> Result<(), StoreError> {
        let Self { mut place, body, .. } = self;
        let mut change_of = |key: &Key, json: &Json| {
            let mut values = marked(json.as_str());
            values.retain(|value| value.mark == mark);
            replaced(json.as_str(), &values, |_, value| {
                // What is sealed has a place of its own, whether or not it can be opened.
                let at = place;
                place.number += usize::from(mark == Mark::Sealed || key.is_some());
                key.as_ref().map_or_else(|| Ok(forgotten()), |key| with(at, key, value))
            })
        };
        let text = replaced(body.as_str(), &owned(body.as_str()), |_, value| {
            let as_it_is = || Ok(format!(r#"{{"{OWNED_KEY}":{value}}}"#));
            let Some((subject, json)) = named(value) else { return as_it_is() };
            if !marked(json.as_str()).iter().any(|value| value.mark == mark) {
                return as_it_is();
            }
            let key =
                keys.get(&subject).ok_or_else(|| if mark == Mark::Sealed { lost_key() } else { no_key() })?;
            let changed = (subject, Json::from_store(change_of(key, &json)?));
            let failed =
                |error: umbel_core::json::JsonError| StoreError::Failed { reason: error.to_string() };
            Ok(format!(r#"{{"{OWNED_KEY}":{}}}"#, Json::encode(&changed).map_err(failed)?))
        });
        *body = Json::from_store(text?);
        Ok(())
    }
}

fn lost_key() -> StoreError {
    StoreError::Corrupt {
        reason: "the key of a subject, which something of a process manager or a scheduled command was sealed with, is lost, and the \
                 subject was not forgotten; restore the table subject_keys from a backup, or give the data up with `umbel store forget`"
            .into(),
    }
}
