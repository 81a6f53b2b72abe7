//! JSON text as the log keeps it: encoded once, shared without copying, decoded straight into the reader's type.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::Error as _};
use serde_json::value::RawValue;

/// Objects and lists nested deeper than this cannot be decoded: where `serde_json` stops, so that no text exhausts the stack.
pub const DEPTH_MAX: usize = 127;

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

    /// Whether objects and lists in it are nested deeper than this. Text that is no JSON counts by its brackets.
    #[must_use]
    pub fn is_deeper_than(&self, limit: usize) -> bool {
        let bytes = self.0.as_bytes();
        // As a rule there are fewer brackets than that, in strings and all; counting bytes is all it costs then.
        if bytes.len() <= limit || openings(bytes) <= limit {
            return false;
        }
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for byte in bytes {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = in_string,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => {
                    depth += 1;
                    if depth > limit {
                        return true;
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        false
    }

    /// Length of the text in bytes: what the payload limit counts.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }
}

/// How many brackets open in this text, in strings and all. Up to 255 fit into a byte, so that many bytes are counted at once.
fn openings(text: &[u8]) -> usize {
    // The two differ in one bit, and no other byte becomes one of them by it.
    let is_opening = |byte: &u8| u8::from(byte | (b'[' ^ b'{') == b'{');
    text.chunks(usize::from(u8::MAX)).map(|chunk| usize::from(chunk.iter().map(is_opening).sum::<u8>())).sum()
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
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What is not deeper than the limit can be decoded, what is cannot.
    #[test]
    fn what_is_too_deep_cannot_be_decoded() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"]\"[":"#, "}]")] {
            for times in [1, 63, 64, 126, 127, 128, 100_000] {
                let text = open.repeat(times) + "1" + &close.repeat(times);
                let json = Json::parse(text).unwrap();
                assert_eq!(json.is_deeper_than(DEPTH_MAX), json.decode::<Value>().is_err(), "{times} {open}");
            }
        }
    }

    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
            Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = || "[\\[\\]{}\"\\\\a]{0,6}";
        let leaf = prop_oneof![Just(Value::Null), text().prop_map(Value::from)];
        leaf.prop_recursive(6, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(text(), inner, 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// The depth of the text is that of the value, whatever its strings hold and however it is spaced.
        #[test]
        fn depth_is_counted_in_the_text(value in any_value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let (json, depth) = (Json::parse(text.unwrap()).unwrap(), depth(&value));
            for limit in 0..8 {
                prop_assert_eq!(json.is_deeper_than(limit), depth > limit);
            }
        }
    }

    #[test]
    fn keeps_the_text_and_decodes_it() {
        let json = Json::parse(r#"{"b": 1, "a": "ü"}"#).unwrap();
        assert_eq!(json.as_str(), r#"{"b": 1, "a": "ü"}"#);
        assert_eq!(json.decode::<Value>().unwrap()["a"], "ü");
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
