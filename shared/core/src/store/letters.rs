//! Dead letters: events that a subscription could not handle, and those of the same key that wait behind them.
//!
//! The letters of a key are a queue. Its first is *due* when somebody asked for it to be tried again, or when nothing is wrong with
//! it: it only waited for one that is gone now. So what waits behind a letter follows by itself once that is handled or
//! discarded, up to the next one that has failed.
//!
//! An error's text, and data that an operator has edited, are kept as they are, and may say something about a person. They are no part
//! of the log: forgetting a subject does not reach them, discarding the letter does.

use serde::{Deserialize, Serialize};

use crate::{
    event_name::EventName,
    id::EventId,
    json::Json,
    message::Request,
    store::{Lease, StoreError},
    subscription::{Key, SettledLetter, SubscriptionName},
    time::Timestamp,
    version::{Place, Position},
};

/// Bytes that are kept of an error; a longer one is cut.
pub const ERROR_MAX_BYTES: usize = 4096;

/// Bytes that are kept of a key's words; longer ones are cut. The key itself is not.
pub const KEY_MAX_BYTES: usize = 1024;

/// What went wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The last error, in words; [`ERROR_MAX_BYTES`] of it are kept.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it failed first.
    pub first_at: Timestamp,
    /// When it failed last.
    pub last_at: Timestamp,
}

/// An event that becomes a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// Of which partition and lease.
    pub lease: Lease,
    /// Its place in what the subscription follows.
    pub place: Place,
    /// Its key.
    pub key: Key,
    /// Its key in words; [`KEY_MAX_BYTES`] of them are kept.
    pub key_text: String,
    /// The event.
    pub event_id: EventId,
    /// Its place in the log.
    pub position: Position,
    /// What kind of event it is.
    pub event_name: EventName,
    /// Why; `None` when it only waits behind another one of its key.
    pub failure: Option<Failure>,
}

/// Keeps dead letters, each once. The letters of a partition whose lease has another epoch by now are refused; the answer names
/// these partitions.
#[derive(Clone, Debug)]
pub struct ParkLetters {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// The letters.
    pub letters: Vec<NewLetter>,
}

/// Asks which keys of a partition have dead letters.
#[derive(Clone, Debug)]
pub struct ReadParkedKeys {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// Of which partition.
    pub partition: u32,
}

/// Asks for letters that are due, one of each key, the oldest first.
#[derive(Clone, Debug)]
pub struct TakeLetters {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// Of which partitions.
    pub partitions: Vec<u32>,
    /// How many at most.
    pub limit: u32,
}

/// Records what became of letters that were tried again: those that are done are removed, those that failed again keep their
/// place and wait for the next request. The same again changes nothing.
#[derive(Clone, Debug)]
pub struct SettleLetters {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// What became of them.
    pub settled: Vec<SettledLetter>,
}

/// What [`SettleLetters`] led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LettersSettled {
    /// Keys, with their partitions, that have no letters any more.
    pub free: Vec<(u32, Key)>,
    /// Partitions whose lease has another epoch by now: nothing of them was recorded.
    pub refused: Vec<u32>,
}

/// Which dead letters are meant. What is `None` does not restrict; everything else must hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LetterFilter {
    /// Of this subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionName>,
    /// At this place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// With this key, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With this event name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_name: Option<EventName>,
    /// Behind this place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Place>,
    /// At this place or before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Place>,
    /// Whose error contains this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_contains: Option<String>,
    /// Whether it has failed, or only waits behind another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<bool>,
    /// Whether somebody asked for it to be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<bool>,
}

/// A page of dead letters, sorted by subscription and place. It counts nothing; see [`CountLetters`].
#[derive(Clone, Debug)]
pub struct ListLetters {
    /// Which.
    pub filter: LetterFilter,
    /// Only those behind this one.
    pub after: Option<(SubscriptionName, Place)>,
    /// How many at most.
    pub limit: u32,
}

/// Asks how many dead letters are meant. It looks at each of them, so whoever shows pages asks once.
#[derive(Clone, Debug)]
pub struct CountLetters {
    /// Which.
    pub filter: LetterFilter,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// Of which partition.
    pub partition: u32,
    /// Its place in what the subscription follows.
    pub place: Place,
    /// Its key.
    #[serde(skip)]
    pub key: Key,
    /// Its key in words.
    #[serde(rename = "key")]
    pub key_text: String,
    /// The event.
    pub event_id: EventId,
    /// Its place in the log.
    pub position: Position,
    /// What kind of event it is.
    pub event_name: EventName,
    /// Why; `None` when it only waits behind another one of its key.
    pub failure: Option<Failure>,
    /// When it became a dead letter.
    pub parked_at: Timestamp,
    /// Whether somebody asked for it to be tried again.
    pub retry: bool,
    /// Whether its event had been done with before it was parked, and came again after a reset.
    pub replay: bool,
    /// What is handed to the handler instead of the event's data, if an operator has edited it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<Json>,
}

impl NewLetter {
    /// As stores keep it: without what is too long or what a database cannot hold.
    #[must_use]
    pub fn cut(self) -> Self {
        let (key_text, failure) = (cut(self.key_text, KEY_MAX_BYTES), self.failure.map(Failure::cut));
        Self { key_text, failure, ..self }
    }
}

impl Failure {
    /// As stores keep it; see [`NewLetter::cut`].
    #[must_use]
    pub fn cut(self) -> Self {
        Self { error: cut(self.error, ERROR_MAX_BYTES), ..self }
    }
}

impl LetterFilter {
    /// With its texts as stores keep those of letters; see [`NewLetter::cut`].
    #[must_use]
    pub fn cut(self) -> Self {
        let key = self.key.map(|key| cut(key, KEY_MAX_BYTES));
        let error_contains = self.error_contains.map(|text| text.replace('\0', REPLACEMENT));
        Self { key, error_contains, ..self }
    }

    /// Whether a letter is meant.
    #[must_use]
    pub fn matches(&self, letter: &Letter) -> bool {
        let Self { subscription, place, key, event_name, after, through, error_contains, failed, asked } =
            self;
        let has_error = |text: &String| letter.failure.as_ref().is_some_and(|one| one.error.contains(text));
        subscription.as_ref().is_none_or(|name| *name == letter.subscription)
            && place.is_none_or(|place| place == letter.place)
            && key.as_ref().is_none_or(|key| *key == letter.key_text)
            && event_name.as_ref().is_none_or(|name| *name == letter.event_name)
            && after.is_none_or(|after| letter.place > after)
            && through.is_none_or(|through| letter.place <= through)
            && error_contains.as_ref().is_none_or(has_error)
            && failed.is_none_or(|failed| failed == letter.failure.is_some())
            && asked.is_none_or(|asked| asked == letter.retry)
    }

    /// The same of those that somebody asked for, or of the others.
    #[must_use]
    pub fn asked(&self, asked: bool) -> Self {
        Self { asked: Some(asked), ..self.clone() }
    }
}

impl Letter {
    /// Whether it is to be handled, once it is the first of its key.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.retry || self.failure.is_none()
    }
}

/// What stands for a character that databases do not hold.
const REPLACEMENT: &str = "\u{fffd}";

/// The beginning of a text, in whole characters, without NUL, which PostgreSQL does not hold.
pub(crate) fn cut(mut text: String, max_bytes: usize) -> String {
    if text.contains('\0') {
        text = text.replace('\0', REPLACEMENT);
    }
    let end = (0..=max_bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// The answer names the partitions that were refused.
impl Request for ParkLetters {
    const NAME: &'static str = "store.park_letters";
    type Answer = Vec<u32>;
    type Error = StoreError;
}

impl Request for ReadParkedKeys {
    const NAME: &'static str = "store.read_parked_keys";
    type Answer = Vec<Key>;
    type Error = StoreError;
}

impl Request for TakeLetters {
    const NAME: &'static str = "store.take_letters";
    type Answer = Vec<Letter>;
    type Error = StoreError;
}

impl Request for SettleLetters {
    const NAME: &'static str = "store.settle_letters";
    type Answer = LettersSettled;
    type Error = StoreError;
}

impl Request for ListLetters {
    const NAME: &'static str = "store.list_letters";
    type Answer = Vec<Letter>;
    type Error = StoreError;
}

impl Request for CountLetters {
    const NAME: &'static str = "store.count_letters";
    type Answer = u64;
    type Error = StoreError;
}
