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

impl Metadata {
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

    /// The entries are an object themselves.
    #[test]
    fn depth_counts_the_object_of_all_entries() {
        let metadata = Metadata::default().with("a", 1).with("b", json!([{"c": []}]));
        let depths: Vec<_> = (1..6).map(|limit| metadata.is_deeper_than(limit)).collect();
        assert_eq!(depths, [true, true, true, false, false]);
        assert!(metadata.custom_json().unwrap().unwrap().is_deeper_than(3));
    }
}
