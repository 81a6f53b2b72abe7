//! Personal data in events: fields of one subject that can be forgotten although the log never changes.
//!
//! An event declares them by type: a field is a [`Personal`], and [`Event::subject`](crate::Event::subject) names whose it is. The
//! store encrypts such fields with a key of that subject. Forgetting the subject drops the key: everything
//! else in its events stays readable, and these fields read as [`Personal::Forgotten`] from then on, in every copy and
//! backup of the log. (Crypto-shredding.)
//!
//! A binary payload of an event with a subject is personal as a whole. Once its subject is forgotten, the event's data is the JSON
//! text `{"$forgotten":true}` instead.
//!
//! What is kept beside the events names its subject itself: see [`Owned`].

mod owned;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

use crate::payload::Payload;

pub use owned::{OWNED_KEY, Owned};

/// Longest name of a subject, in bytes.
const SUBJECT_MAX_BYTES: usize = 250;

/// The key of the one entry of the JSON object that a known personal value is.
pub const KNOWN_KEY: &str = "$personal";
/// How a known personal value begins, as it is encoded here.
const KNOWN_BEGIN: &str = r#"{"$personal":"#;
/// The key of the one entry of the JSON object that the store keeps instead: the encrypted value as base64.
pub const SEALED_KEY: &str = "$sealed";
/// The key of the one entry of the JSON object that a forgotten value reads as; its value is `true`.
pub const FORGOTTEN_KEY: &str = "$forgotten";

/// Whose personal data an event holds, such as `account-0190f5e2`. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject(Arc<str>);

/// Text that names no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject is named by 1 to {SUBJECT_MAX_BYTES} bytes without control characters")]
pub struct SubjectError;

/// A field with personal data of the event's subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Personal<T> {
    /// The value.
    Known(T),
    /// Its subject was forgotten; nobody can read it any more.
    Forgotten,
}

/// Whether some of it is a known personal value. What looks like one in a text is not: there its quotes are escaped.
pub(crate) fn holds_personal_data(data: &Payload) -> bool {
    data.as_json().is_ok_and(|json| json.as_str().contains(KNOWN_BEGIN))
}

impl Subject {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// When it is empty, too long or holds a control character.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, SubjectError> {
        let name = name.into();
        let fine = !name.is_empty() && name.len() <= SUBJECT_MAX_BYTES && !name.chars().any(char::is_control);
        if fine { Ok(Self(name)) } else { Err(SubjectError) }
    }

    /// Takes a name that a store checked when it was written.
    #[must_use]
    pub fn from_store(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T> Personal<T> {
    /// The value, unless it was forgotten.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Forgotten => None,
        }
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0.as_ref().into()
    }
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => Wire { known: Some(value), forgotten: None }.serialize(serializer),
            Self::Forgotten => Wire::<T> { known: None, forgotten: Some(true) }.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Wire::deserialize(deserializer)? {
            Wire { known: Some(value), forgotten: None } => Ok(Self::Known(value)),
            Wire { known: None, forgotten: Some(true) } => Ok(Self::Forgotten),
            _ => Err(D::Error::custom(format_args!(
                "personal data is written as {{{KNOWN_KEY:?}: value}} or {{{FORGOTTEN_KEY:?}: true}}"
            ))),
        }
    }
}

/// The JSON form. `Some(None)` of an optional value is `null` under [`KNOWN_KEY`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: DeserializeOwned"))]
struct Wire<T> {
    #[serde(
        rename = "$personal",
        default = "none",
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    known: Option<T>,
    #[serde(rename = "$forgotten", default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<bool>,
}

fn none<T>() -> Option<T> {
    None
}

/// Whatever stands there is the value, `null` included.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_value_is_marked_in_json() {
        for (value, text) in [
            (Personal::Known(Some("Ada".to_owned())), r#"{"$personal":"Ada"}"#),
            (Personal::Known(None), r#"{"$personal":null}"#),
            (Personal::Forgotten, r#"{"$forgotten":true}"#),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
            assert_eq!(serde_json::from_str::<Personal<Option<String>>>(text).unwrap(), value);
        }
        for wrong in ["{}", r#""Ada""#, r#"{"$sealed":"x"}"#, r#"{"$forgotten":false}"#] {
            assert!(serde_json::from_str::<Personal<String>>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_holds_personal_data_is_seen() {
        let holds = |value: serde_json::Value| holds_personal_data(&Payload::json(&value).unwrap());
        let of = |value: &Personal<Vec<u8>>| holds(serde_json::json!({ "inner": [value] }));
        assert!(of(&Personal::Known(vec![1])) && of(&Personal::Known(Vec::new())));
        assert!(!of(&Personal::Forgotten));
        assert!(!holds(serde_json::json!({ "text": r#"{"$personal":1}"# })));
        assert!(!holds_personal_data(&Payload::Binary(KNOWN_BEGIN.as_bytes().into())));
    }

    #[test]
    fn a_subject_has_a_name() {
        assert!(Subject::new("account-1").is_ok());
        for wrong in [String::new(), "a\nb".into(), "x".repeat(251)] {
            assert_eq!(Subject::new(wrong), Err(SubjectError));
        }
    }
}
