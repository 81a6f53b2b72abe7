//! The vault: between the store's actors and the adapter, seals the personal data of events and opens it again.
//!
//! An event with a subject is kept with its [`Personal`](umbel_core::Personal) values encrypted by a key of that subject; the rest of
//! its JSON text stays as it was written. A binary payload with a subject is sealed whole. Read again, the values are as they
//! were, or, once the key is gone, forgotten: `{"$forgotten":true}` in the value's place, or as the whole data of an event that was
//! binary.
//!
//! What an append leaves beside its events, for process managers and schedules, is sealed in the same way where it says whose it is.
//!
//! Promises: no adapter sees personal data of a subject, nor any that is said to be nobody's; appends and pages without subjects cost one look at each event; a
//! sealed value that was changed or put elsewhere makes reading fail as [`StoreError::Corrupt`] instead of yielding anything;
//! so does one whose key was lost without its subject having been forgotten, since nobody consented to that.

mod beside;
mod cipher;
mod keys;
mod snapshots;
mod text;
mod trial;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine};
use tokio::sync::Mutex;
use umbel_bus::edge;
use umbel_core::{
    EventId, Json, NewEvent, Payload, RecordedEvent, Subject, Timestamp,
    personal::{FORGOTTEN_KEY, KNOWN_KEY, SEALED_KEY},
    store::{
        Act, Append, AppendError, Appended, InvalidAppend, LetterFilter, ListLetters, Perform, PerformError,
        Performed, StoreError,
    },
    subscription::SubscriptionName,
    version::Place as LetterPlace,
};

pub(crate) use self::trial::tried;
use self::{
    beside::Body,
    cipher::{Cipher, Closed, Place},
    keys::{Found, Keys},
    text::{Mark, Marked, marked, may_be_marked, replaced},
};
use crate::{adapter::Adapter, steps::to_the_end};

/// How long a subject's key is used without asking for it again, and so how long one that another process dropped may
/// still be used here: long enough to serve the projections that read the same page.
const REMEMBERED: Duration = Duration::from_secs(2);

/// What a sealed binary payload begins with.
const SEALED_BYTES: &[u8] = b"\0$sealed\0";

/// Seals and opens, in front of an adapter.
pub(crate) struct Vault {
    adapter: Arc<dyn Adapter>,
    keys: Keys,
    /// Held by the removal that is under way.
    removing: Arc<Mutex<()>>,
}

/// What of an append is to be sealed.
#[derive(Default)]
struct Drafts<'a> {
    events: Vec<Draft<'a>>,
    beside: Vec<Body<'a>>,
}

/// An event to be sealed.
struct Draft<'a> {
    event: &'a mut NewEvent,
    subject: Subject,
    personal: Part,
}

/// What of an event's data is personal, or sealed.
enum Part {
    /// These values of its JSON.
    Values(Json, Vec<Marked>),
    /// All of its bytes.
    All(Arc<[u8]>),
}

impl Vault {
    pub(crate) fn new(adapter: Arc<dyn Adapter>) -> Self {
        Self::remembering(adapter, REMEMBERED)
    }

    /// One that uses a key for so long without asking for it again.
    fn remembering(adapter: Arc<dyn Adapter>, time: Duration) -> Self {
        Self { keys: Keys::new(Arc::clone(&adapter), time), adapter, removing: Arc::default() }
    }

    /// The adapter behind it, for everything that holds no personal data.
    pub(crate) fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.adapter
    }

    /// Seals a group of appends and stores it. An append that cannot be sealed is refused by itself. What the adapter
    /// stores again after it lost a connection is what was sealed the first time.
    pub(crate) async fn append(
        &self,
        mut group: Vec<Append>,
        now: Timestamp,
    ) -> Vec<Result<Appended, AppendError>> {
        if !group.iter().any(may_be_personal) {
            return self.adapter.append(group, now).await;
        }
        let sealed = self.seal(&mut group, now).await;
        let fine = group.into_iter().zip(&sealed).filter(|(_, sealed)| sealed.is_ok());
        let fine: Vec<_> = fine.map(|(append, _)| append).collect();
        let stored = if fine.is_empty() { Vec::new() } else { self.adapter.append(fine, now).await };
        let mut stored = stored.into_iter();
        let missing = || Err(StoreError::Failed { reason: "an append has no outcome".into() }.into());
        let outcome =
            |sealed: Result<(), AppendError>| sealed.and_then(|()| stored.next().unwrap_or_else(missing));
        sealed.into_iter().map(outcome).collect()
    }

    /// Opens what is sealed in these events.
    ///
    /// # Errors
    /// When a sealed value is damaged, or the keys cannot be read.
    pub(crate) async fn open<'a>(
        &self,
        events: impl IntoIterator<Item = &'a mut RecordedEvent>,
    ) -> Result<(), StoreError> {
        let sealed = |event: &'a mut RecordedEvent| {
            let (subject, part) = (event.subject.clone()?, sealed_part(&event.data)?);
            Some((event, subject, part))
        };
        let sealed: Vec<_> = events.into_iter().filter_map(sealed).collect();
        if sealed.is_empty() {
            return Ok(());
        }
        let keys = self.keys.find(sealed.iter().map(|(_, subject, _)| subject.clone()).collect()).await?;
        for (event, subject, part) in sealed {
            let Some(key) = keys.get(&subject) else { return Err(lost_key(event, &subject)) };
            event.data = opened(event, &subject, &part, key.as_deref())?;
        }
        Ok(())
    }

    /// Does an act. A subject that it forgets is forgotten here as well.
    pub(crate) async fn perform(&self, request: Perform, now: Timestamp) -> Result<Performed, PerformError> {
        if let Act::EditLetter { subscription, place, data: Some(_) } = &request.act {
            self.check_edit(subscription, *place).await?;
        }
        if request.act.is_hard() {
            return self.remove(request).await;
        }
        let Act::ForgetSubject { subject } = request.act.clone() else {
            return self.adapter.perform(request, now).await;
        };
        self.keys.leaves(&subject);
        let performed = self.adapter.perform(request, now).await;
        if !matches!(performed, Err(PerformError::Store(StoreError::OutcomeUnknown { .. }))) {
            self.keys.has_left(&subject);
        }
        performed
    }

    /// Removes for good. Once it has begun it goes on to its end, whoever still waits for it: a removal may take many steps, and longer than
    /// a caller's patience. Of those of this process one goes after the other, so that who asks again takes no step beside the first.
    pub(crate) async fn remove(&self, request: Perform) -> Result<Performed, PerformError> {
        let turn = Arc::clone(&self.removing).lock_owned().await;
        let adapter = Arc::clone(&self.adapter);
        let removing = tokio::spawn(async move {
            let _turn = turn;
            to_the_end(&*adapter, request, edge::now).await
        });
        removing.await.unwrap_or_else(|error| {
            Err(StoreError::OutcomeUnknown { reason: format!("it did not come to its end: {error}") }.into())
        })
    }

    /// Whether the data of a letter may be replaced: only those of an event without a subject. A letter that is not there is for
    /// the adapter to refuse.
    async fn check_edit(
        &self,
        subscription: &SubscriptionName,
        place: LetterPlace,
    ) -> Result<(), PerformError> {
        let filter = LetterFilter {
            subscription: Some(subscription.clone()),
            place: Some(place),
            ..LetterFilter::default()
        };
        let letters = self.adapter.list_letters(ListLetters { filter, after: None, limit: 1 }).await?;
        let Some(letter) = letters.first() else { return Ok(()) };
        let refused = |reason: String| Err(PerformError::DataRefused { reason });
        match self.adapter.find_event(letter.event_id).await? {
            None => refused("its event is gone; discard it".into()),
            Some(RecordedEvent { subject: Some(subject), .. }) => refused(format!(
                "its event has the subject {subject}, whose personal data must not be kept in the clear; repair it by an event of \
                 its own"
            )),
            Some(_) => Ok(()),
        }
    }

    /// Seals what is personal in these appends; for each of them, whether it may be stored.
    async fn seal(&self, group: &mut [Append], now: Timestamp) -> Vec<Result<(), AppendError>> {
        let drafts: Vec<_> = group.iter_mut().map(drafts).collect();
        let subjects: HashSet<_> = drafts.iter().flatten().flat_map(Drafts::subjects).collect();
        let keys = self.keys.find_or_create(subjects, now).await;
        let seal = |drafts: Result<Drafts<'_>, AppendError>| match (drafts?, &keys) {
            (drafts, _) if drafts.is_empty() => Ok(()),
            (_, Err(error)) => Err(error.clone().into()),
            (drafts, Ok(keys)) => drafts.seal(keys),
        };
        drafts.into_iter().map(seal).collect()
    }
}

/// Whether some of it is to be sealed, or refused. Most appends are not.
fn may_be_personal(append: &Append) -> bool {
    let mut events = append.streams.iter().flat_map(|stream| &stream.events);
    events.any(|event| event.subject.is_some() || may_hold_personal(&event.data))
        || beside::names_subjects(append)
}

/// One look at data that hold no personal value, as most do.
fn may_hold_personal(data: &Payload) -> bool {
    data.as_json().is_ok_and(|json| may_be_marked(json.as_str(), KNOWN_KEY))
}

/// What would be kept for all to read, as nobody said whose it is.
fn check_nobodys(event: &NewEvent) -> Result<(), InvalidAppend> {
    let Payload::Json(json) = &event.data else { return Ok(()) };
    let holds = may_hold_personal(&event.data)
        && marked(json.as_str()).iter().any(|value| value.mark == Mark::Personal);
    if holds { Err(InvalidAppend::NoSubject(event.id)) } else { Ok(()) }
}

/// What of an append holds something personal.
fn drafts(append: &mut Append) -> Result<Drafts<'_>, AppendError> {
    let Append { streams, documents, outbox, .. } = append;
    let mut drafts = Vec::new();
    for event in streams.iter_mut().flat_map(|stream| &mut stream.events) {
        let Some(subject) = event.subject.clone() else {
            check_nobodys(event)?;
            continue;
        };
        let personal = match &event.data {
            Payload::Json(json) => {
                let values = marked(json.as_str());
                // It would be taken for what the vault has sealed, and nobody could read the event any more.
                if values.iter().any(|value| value.mark == Mark::Sealed) {
                    return Err(InvalidAppend::Sealed(event.id).into());
                }
                Part::Values(json.clone(), values)
            }
            Payload::Binary(bytes) => Part::All(Arc::clone(bytes)),
        };
        if !personal.is_empty() {
            drafts.push(Draft { event, subject, personal });
        }
    }
    Ok(Drafts { events: drafts, beside: beside::drafts(documents, outbox)? })
}

impl Drafts<'_> {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.beside.is_empty()
    }

    fn subjects(&self) -> Vec<Subject> {
        let beside = self.beside.iter().flat_map(|body| body.subjects.iter().cloned());
        self.events.iter().map(|draft| draft.subject.clone()).chain(beside).collect()
    }

    fn seal(self, keys: &Found) -> Result<(), AppendError> {
        self.events.into_iter().try_for_each(|draft| draft.seal(keys))?;
        Ok(self.beside.into_iter().try_for_each(|body| body.seal(keys))?)
    }
}

impl Draft<'_> {
    fn seal(self, keys: &Found) -> Result<(), AppendError> {
        let Self { event, subject, personal } = self;
        let Some(key) = keys.get(&subject) else {
            return Err(no_key().into());
        };
        let Some(key) = key.as_deref() else { return Err(AppendError::SubjectForgotten { subject }) };
        event.data = sealed(event.id, &personal, key)?;
        Ok(())
    }
}

fn no_key() -> StoreError {
    StoreError::Failed { reason: "the key of a subject was neither found nor created".to_owned() }
}

impl Part {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Values(_, values) if values.is_empty())
    }
}

/// The data of an event with this part of it sealed.
fn sealed(event: EventId, part: &Part, key: &Cipher) -> Result<Payload, StoreError> {
    let seal = |number, value: &[u8]| key.seal(Place { event, number }, value);
    Ok(match part {
        Part::Values(json, values) => {
            let text = replaced(json.as_str(), values, |number, value| {
                let sealed = BASE64_STANDARD.encode(seal(number, value.as_bytes())?);
                Ok::<_, StoreError>(format!(r#"{{"{SEALED_KEY}":"{sealed}"}}"#))
            });
            Json::from_store(text?).into()
        }
        Part::All(bytes) => Payload::Binary([SEALED_BYTES, &seal(0, bytes)?].concat().into()),
    })
}

/// What is sealed in data with a subject, if anything is.
fn sealed_part(data: &Payload) -> Option<Part> {
    let part = match data {
        Payload::Json(json) => {
            let mut values = marked(json.as_str());
            values.retain(|value| value.mark == Mark::Sealed);
            Part::Values(json.clone(), values)
        }
        Payload::Binary(bytes) if bytes.starts_with(SEALED_BYTES) => Part::All(Arc::clone(bytes)),
        Payload::Binary(_) => return None,
    };
    (!part.is_empty()).then_some(part)
}

/// Whether data with a subject holds anything sealed.
pub(crate) fn is_sealed(data: &Payload) -> bool {
    sealed_part(data).is_some()
}

/// A key goes when its subject is forgotten, and that leaves a record of it; this one went in another way.
fn lost_key(event: &RecordedEvent, subject: &Subject) -> StoreError {
    let (id, position) = (event.id, event.position);
    StoreError::Corrupt {
        reason: format!(
            "the key of {subject}, which event {id} at position {position} was sealed with, is lost, and {subject} was not \
             forgotten; restore the table subject_keys from a backup, or give the data up with `umbel store forget \
             {subject}`"
        ),
    }
}

/// The data of an event with this part of it opened, or forgotten without the key.
fn opened(
    event: &RecordedEvent,
    subject: &Subject,
    part: &Part,
    key: Option<&Cipher>,
) -> Result<Payload, StoreError> {
    let damaged = || {
        let (id, position) = (event.id, event.position);
        StoreError::Corrupt {
            reason: format!("a sealed value of event {id} at position {position} was changed or put there"),
        }
    };
    let open =
        |number, sealed: &[u8]| match key.map(|key| key.open(Place { event: event.id, number }, sealed)) {
            Some(Ok(value)) => Ok(Some(value)),
            None => Ok(None),
            Some(Err(Closed::OtherKey)) => Err(lost_key(event, subject)),
            Some(Err(Closed::Damaged)) => Err(damaged()),
        };
    let forgotten = || format!(r#"{{"{FORGOTTEN_KEY}":true}}"#);
    Ok(match part {
        Part::Values(json, values) => {
            let text = replaced(json.as_str(), values, |number, value| {
                let sealed = BASE64_STANDARD.decode(value.trim_matches('"')).map_err(|_| damaged())?;
                let Some(value) = open(number, &sealed)? else { return Ok(forgotten()) };
                let value = String::from_utf8(value).map_err(|_| damaged())?;
                Ok::<_, StoreError>(format!(r#"{{"{KNOWN_KEY}":{value}}}"#))
            });
            Json::from_store(text?).into()
        }
        Part::All(bytes) => match open(0, bytes.get(SEALED_BYTES.len()..).unwrap_or_default())? {
            Some(bytes) => Payload::Binary(bytes.into()),
            None => Json::from_store(forgotten()).into(),
        },
    })
}
