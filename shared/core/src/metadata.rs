//! What travels with an event beside its data: why it happened and together with what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::json::{Json, JsonError};

/// An event's context. Everything a message leads to carries the same correlation id; the causation id names
/// the one message (command or event) that directly led to this event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The whole conversation this event belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    /// The message that caused this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// Whatever else the application wants to keep, such as who did it.
    #[serde(flatten)]
    pub custom: BTreeMap<String, Value>,
}

/// Why something cannot be the application's own entries of metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Entries have names.
    #[error("metadata is a map of entries with names, not {found}")]
    NoMap {
        /// What it is instead.
        found: &'static str,
    },
    /// It has no JSON form.
    #[error("metadata has no JSON form: {0}")]
    NoJson(String),
    /// An entry without a name, or with that of a field of its own.
    #[error("metadata may not have an entry {key:?}: {}", if key.is_empty() { "it has no name" } else { "that is a field of its own" })]
    Key {
        /// The entry's name.
        key: String,
    },
}

/// The application's own entries as the fields of a value.
///
/// # Errors
/// See [`MetadataError`].
pub fn entries_of(value: &impl Serialize) -> Result<BTreeMap<String, Value>, MetadataError> {
    let found = match serde_json::to_value(value).map_err(|error| MetadataError::NoJson(error.to_string()))? {
        Value::Object(entries) => return Ok(entries.into_iter().collect()),
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
    };
    Err(MetadataError::NoMap { found })
}

impl Metadata {
    /// Whether each of the application's own entries has a name of its own.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), MetadataError> {
        // Beside the entries stand the fields of this type, in one object.
        let wrong = |key: &&String| matches!(key.as_str(), "" | "correlation_id" | "causation_id");
        let key = self.custom.keys().find(wrong);
        key.map_or(Ok(()), |key| Err(MetadataError::Key { key: key.clone() }))
    }

    /// Metadata of something that begins a conversation.
    #[must_use]
    pub fn correlated(correlation_id: Uuid) -> Self {
        Self { correlation_id: Some(correlation_id), ..Self::default() }
    }

    /// The same, caused by the given message.
    #[must_use]
    pub fn caused_by(mut self, causation_id: Uuid) -> Self {
        self.causation_id = Some(causation_id);
        self
    }

    /// The same, with one more entry.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.custom.insert(key.into(), value.into());
        self
    }

    /// The application's own entries as JSON text, or `None` when there are none: how stores keep them.
    ///
    /// # Errors
    /// Never for entries built from JSON values.
    pub fn custom_json(&self) -> Result<Option<Json>, JsonError> {
        if self.custom.is_empty() { Ok(None) } else { Json::encode(&self.custom).map(Some) }
    }

    /// Whether the application's own entries as JSON are nested deeper than this.
    #[must_use]
    pub fn is_deeper_than(&self, limit: usize) -> bool {
        self.custom.values().any(|value| is_deeper(value, limit.saturating_sub(1)))
    }

    /// Size of the application's own entries as JSON text.
    #[must_use]
    pub fn custom_len_bytes(&self) -> usize {
        self.custom_json().ok().flatten().map_or(0, |json| json.len_bytes())
    }
}

/// Looks no deeper than the limit.
fn is_deeper(value: &Value, limit: usize) -> bool {
    let inner = |value: &Value| is_deeper(value, limit - 1);
    match value {
        Value::Array(_) | Value::Object(_) if limit == 0 => true,
        Value::Array(values) => values.iter().any(inner),
        Value::Object(values) => values.values().any(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// CM-08: given what is no map, or an entry that would pass for a field, it is refused; a map is taken.
    #[test]
    fn metadata_is_a_map_of_entries_with_names() {
        for (value, found) in [
            (json!(null), "nothing"),
            (json!(true), "a truth value"),
            (json!(1), "a number"),
            (json!("who"), "a text"),
            (json!([["who", "ada"]]), "a list"),
        ] {
            assert_eq!(entries_of(&value), Err(MetadataError::NoMap { found }));
        }
        let custom = entries_of(&json!({"who": "ada", "n": {"m": 1}})).unwrap();
        let metadata = Metadata { custom, ..Metadata::default() };
        assert_eq!((metadata.custom["who"].as_str(), metadata.check()), (Some("ada"), Ok(())));
        for key in ["", "correlation_id", "causation_id"] {
            let wrong = metadata.clone().with(key, 1);
            assert_eq!(wrong.check(), Err(MetadataError::Key { key: key.to_owned() }));
        }
    }

    /// The entries are an object themselves.
    #[test]
    fn depth_counts_the_object_of_all_entries() {
        let metadata = Metadata::default().with("a", 1).with("b", json!([{"c": []}]));
        let depths: Vec<_> = (1..6).map(|limit| metadata.is_deeper_than(limit)).collect();
        assert_eq!(depths, [true, true, true, false, false]);
        assert!(metadata.custom_json().unwrap().unwrap().is_deeper_than(3));
    }
}
