//! JSON that says itself whose personal data it holds: for what is kept beside the events, where nothing else would say it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

use super::Subject;
use crate::json::{Json, JsonError};

/// The key of the one entry of the JSON object that such a value is kept as: its subject and the value.
pub const OWNED_KEY: &str = "$owned";

/// What every such object begins with, as it is written.
const BEGINNING: &str = r#"{"$owned":"#;

/// A JSON value, and whose its [`Personal`](super::Personal) values are: what a process manager remembers, a command that waits.
///
/// Without a subject it is written as the value alone. With one it is an object that names the subject, within which the store seals what
/// is personal, as in events; once the subject is forgotten, those values read as forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    json: Json,
    subject: Option<Subject>,
}

/// The written form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "$owned")]
    owned: (Option<Subject>, Json),
}

impl Owned {
    /// A value, and whose personal data it holds.
    #[must_use]
    pub const fn new(json: Json, subject: Option<Subject>) -> Self {
        Self { json, subject }
    }

    /// The value.
    #[must_use]
    pub const fn json(&self) -> &Json {
        &self.json
    }

    /// Whose personal data it holds.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.json.as_str()
    }

    /// Decodes the value into the reader's type.
    ///
    /// # Errors
    /// See [`Json::decode`].
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        self.json.decode()
    }
}

impl From<Json> for Owned {
    fn from(json: Json) -> Self {
        Self::new(json, None)
    }
}

impl Serialize for Owned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Something of the same look must not be taken for what is written here.
        if self.subject.is_none() && !self.json.as_str().starts_with(BEGINNING) {
            return self.json.serialize(serializer);
        }
        Wire { owned: (self.subject.clone(), self.json.clone()) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        if !json.as_str().starts_with(BEGINNING) {
            return Ok(json.into());
        }
        let Wire { owned: (subject, json) } = json.decode().map_err(D::Error::custom)?;
        Ok(Self { json, subject })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_its_subject_and_is_itself_without_one() {
        let ada = Subject::new("ada").unwrap();
        let json = |text: &str| Json::parse(text).unwrap();
        for (owned, text) in [
            (Owned::from(json(r#"{"a":1.50}"#)), r#"{"a":1.50}"#),
            (Owned::new(json("[1]"), Some(ada)), r#"{"$owned":["ada",[1]]}"#),
            // What only looks like one is not taken for one.
            (Owned::from(json(r#"{"$owned":["ada",2]}"#)), r#"{"$owned":[null,{"$owned":["ada",2]}]}"#),
        ] {
            assert_eq!(Json::encode(&owned).unwrap().as_str(), text);
            assert_eq!(json(text).decode::<Owned>().unwrap(), owned);
        }
        assert!(json(r#"{"$owned":"ada"}"#).decode::<Owned>().is_err());
    }
}
