//! The subjects' keys: found, created when first needed, and remembered for a moment.
//!
//! A key that another process dropped is used here for that moment at most. One that this process drops is not used any more
//! once that is done: while it is being done, and for ever if nobody learns how it ended, nothing is remembered of that subject.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use umbel_core::{Subject, Timestamp, store::StoreError};

use super::cipher::{Cipher, random};
use crate::adapter::{Adapter, SubjectKey};

/// Keys remembered at most.
const REMEMBERED_MAX: usize = 4096;

/// A subject's key; `None` of one that was forgotten.
pub(super) type Key = Option<Arc<Cipher>>;

/// Keys by subject.
pub(super) type Found = HashMap<Subject, Key>;

/// Finds keys in the store.
pub(super) struct Keys {
    adapter: Arc<dyn Adapter>,
    /// How long a key is remembered.
    time: Duration,
    memory: Mutex<Memory>,
}

/// What is remembered.
#[derive(Default)]
struct Memory {
    keys: HashMap<Subject, (Key, Instant)>,
    /// Subjects that are being forgotten: a key of theirs that was read meanwhile may be gone by now.
    leaving: HashSet<Subject>,
    /// Counts those who have left: what was asked for before the last of them is not remembered.
    left: u64,
}

impl Keys {
    pub(super) fn new(adapter: Arc<dyn Adapter>, time: Duration) -> Self {
        Self { adapter, time, memory: Mutex::default() }
    }

    /// The keys of these subjects. Those who have none are missing in the answer.
    pub(super) async fn find(&self, subjects: HashSet<Subject>) -> Result<Found, StoreError> {
        let (mut found, unknown, left) = self.memory().recall(subjects);
        if !unknown.is_empty() {
            let keys = self.adapter.find_subject_keys(unknown.clone()).await?;
            let keys = unknown.into_iter().zip(keys).filter_map(|(subject, key)| Some((subject, key?)));
            self.learn(&mut found, keys, left)?;
        }
        Ok(found)
    }

    /// The keys of these subjects, created for those who have none.
    pub(super) async fn find_or_create(
        &self,
        subjects: HashSet<Subject>,
        now: Timestamp,
    ) -> Result<Found, StoreError> {
        let mut found = self.find(subjects.clone()).await?;
        let left = self.memory().left;
        let fresh = |subject: Subject| Ok((subject, random()?));
        let missing = subjects.into_iter().filter(|subject| !found.contains_key(subject));
        let missing = missing.map(fresh).collect::<Result<Vec<_>, StoreError>>()?;
        if !missing.is_empty() {
            let keys = self.adapter.create_subject_keys(missing.clone(), now).await?;
            let keys = missing.into_iter().map(|(subject, _)| subject).zip(keys);
            self.learn(&mut found, keys, left)?;
        }
        Ok(found)
    }

    /// A subject is about to be forgotten. To be followed by [`Keys::has_left`] when the outcome is known.
    pub(super) fn leaves(&self, subject: &Subject) {
        let mut memory = self.memory();
        memory.keys.remove(subject);
        memory.leaving.insert(subject.clone());
    }

    /// It is known whether the subject was forgotten; the store knows how it ended.
    pub(super) fn has_left(&self, subject: &Subject) {
        let mut memory = self.memory();
        memory.leaving.remove(subject);
        // One who tried at the same time and failed may have let it be remembered again.
        memory.keys.remove(subject);
        memory.left += 1;
    }

    /// # Errors
    /// When a key is none.
    fn learn(
        &self,
        found: &mut Found,
        keys: impl Iterator<Item = (Subject, SubjectKey)>,
        asked_at: u64,
    ) -> Result<(), StoreError> {
        let mut memory = self.memory();
        let (is_current, until) = (memory.left == asked_at, Instant::now() + self.time);
        for (subject, key) in keys {
            let key = match key {
                SubjectKey::Known(key) => Some(Arc::new(Cipher::new(&key))),
                SubjectKey::Forgotten => None,
                SubjectKey::Damaged => return Err(damaged(&subject)),
            };
            if is_current && !memory.leaving.contains(&subject) {
                memory.make_room();
                memory.keys.insert(subject.clone(), (key.clone(), until));
            }
            found.insert(subject, key);
        }
        Ok(())
    }

    /// A panic while the lock was held can only come from exhausted memory; each change is whole.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn damaged(subject: &Subject) -> StoreError {
    StoreError::Corrupt {
        reason: format!(
            "the key of {subject} is damaged: it has not 256 bits; restore the table subject_keys from a backup, or give the data up with \
             `umbel store forget {subject}`"
        ),
    }
}

impl Memory {
    /// What is remembered of these subjects, who the others are, and when this was asked.
    fn recall(&self, subjects: HashSet<Subject>) -> (Found, Vec<Subject>, u64) {
        let (mut found, mut unknown, now) = (Found::new(), Vec::new(), Instant::now());
        for subject in subjects {
            match self.keys.get(&subject) {
                Some((key, until)) if now < *until => drop(found.insert(subject, key.clone())),
                _ => unknown.push(subject),
            }
        }
        (found, unknown, self.left)
    }

    fn make_room(&mut self) {
        if self.keys.len() >= REMEMBERED_MAX {
            let now = Instant::now();
            self.keys.retain(|_, (_, until)| now < *until);
            if self.keys.len() >= REMEMBERED_MAX {
                self.keys.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{
        EventId, Metadata,
        store::{Act, Perform},
    };
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(0);

    /// Given a key that was read while its subject was being forgotten, it serves who asked, and nobody after.
    #[tokio::test]
    async fn a_key_read_while_its_subject_leaves_is_not_remembered() {
        let adapter: Arc<dyn Adapter> = Arc::new(crate::memory::Memory::new());
        let keys = Keys::new(Arc::clone(&adapter), Duration::from_secs(1000));
        let ada = Subject::new("ada").unwrap();
        let asked = || HashSet::from([ada.clone()]);
        keys.find_or_create(asked(), NOW).await.unwrap();
        keys.leaves(&ada);
        assert!(keys.find(asked()).await.unwrap()[&ada].is_some());
        let act = Act::ForgetSubject { subject: ada.clone() };
        let forget = Perform { id: EventId(Uuid::from_u128(1)), act, metadata: Metadata::default() };
        adapter.perform(forget, NOW).await.unwrap();
        keys.has_left(&ada);
        assert!(keys.find(asked()).await.unwrap()[&ada].is_none());
    }

    /// The same, given that it was asked for before that, and answered after.
    #[tokio::test]
    async fn a_key_asked_for_before_its_subject_left_is_not_remembered() {
        let keys = Keys::new(Arc::new(crate::memory::Memory::new()), Duration::from_secs(1000));
        let bob = Subject::new("bob").unwrap();
        let asked_at = keys.memory().left;
        keys.leaves(&bob);
        keys.has_left(&bob);
        let mut found = Found::new();
        keys.learn(&mut found, [(bob.clone(), SubjectKey::Known([1; 32]))].into_iter(), asked_at).unwrap();
        assert!(found[&bob].is_some());
        assert!(!keys.find(HashSet::from([bob.clone()])).await.unwrap().contains_key(&bob));
    }
}
