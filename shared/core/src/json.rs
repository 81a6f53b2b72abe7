//! JSON text as the log keeps it: encoded once, shared without copying, decoded straight into the reader's type.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::Error as _};
use serde_json::value::RawValue;

/// One JSON document as text. Clones share the text.
///
/// Kept as text and not as a tree because an event is encoded once and decoded straight into a typed value;
/// a tree in between would cost an allocation per field on every read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

/// A value that cannot be written as JSON, or text that is not the JSON somebody expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl Json {
    /// Encodes a value.
    ///
    /// # Errors
    /// When the value has no JSON form, such as a map whose keys are not strings.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        serde_json::to_string(value).map(|text| Self(text.into())).map_err(JsonError::from)
    }

    /// Decodes into the reader's type.
    ///
    /// # Errors
    /// When the text is not JSON, or not of that shape; the message says where.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_str(&self.0).map_err(JsonError::from)
    }

    /// Takes text from outside, checking that it is one JSON document.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, JsonError> {
        let text = text.into();
        serde_json::from_str::<&RawValue>(&text)?;
        Ok(Self(text))
    }

    /// Takes text that a store checked when it was written. A wrong one shows as an error of [`Json::decode`].
    #[must_use]
    pub fn from_store(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Length of the text in bytes: what the payload limit counts.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer)?.get().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_and_decodes_it() {
        let json = Json::parse(r#"{"b": 1, "a": "ü"}"#).unwrap();
        assert_eq!(json.as_str(), r#"{"b": 1, "a": "ü"}"#);
        assert_eq!(json.decode::<serde_json::Value>().unwrap()["a"], "ü");
    }

    #[test]
    fn refuses_what_is_not_one_document() {
        assert!(Json::parse("{").is_err());
        assert!(Json::parse("1 2").is_err());
        assert!(Json::encode(&1).unwrap().decode::<String>().unwrap_err().to_string().contains("string"));
    }

    #[test]
    fn nests_as_raw_json() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Line {
            data: Json,
        }
        let text = r#"{"data":{"n":1.50}}"#;
        let line: Line = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&line).unwrap(), text);
    }
}
