//! Recorded events as JSON: one line of an export.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{EventType, RecordedEvent};
use crate::{
    id::EventId,
    json::Json,
    metadata::Metadata,
    payload::Payload,
    personal::Subject,
    stream::StreamName,
    tags::Tags,
    time::Timestamp,
    version::{Position, Version},
};

/// The JSON form of a [`RecordedEvent`]: one line of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    position: Position,
    stream: StreamName,
    version: Version,
    id: EventId,
    #[serde(rename = "type")]
    event_type: EventType,
    recorded_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    data: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    subject: Option<Subject>,
    #[serde(skip_serializing_if = "Tags::is_empty", default)]
    tags: Tags,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    linked_at: Option<Version>,
}

impl Serialize for RecordedEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.clone();
        let (data, data_base64) = match event.data {
            Payload::Json(json) => (Some(json), None),
            Payload::Binary(bytes) => (None, Some(BASE64_STANDARD.encode(bytes))),
        };
        let Self {
            position,
            stream,
            version,
            id,
            event_type,
            recorded_at,
            subject,
            tags,
            metadata,
            linked_at,
            ..
        } = event;
        let line = Line {
            position,
            stream,
            version,
            id,
            event_type,
            recorded_at,
            data,
            data_base64,
            subject,
            tags,
            metadata,
            linked_at,
        };
        line.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RecordedEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let line = Line::deserialize(deserializer)?;
        let data = match (line.data, line.data_base64) {
            (Some(json), None) => Payload::Json(json),
            (None, Some(text)) => {
                Payload::Binary(BASE64_STANDARD.decode(text).map_err(D::Error::custom)?.into())
            }
            _ => return Err(D::Error::custom("an event has either `data` or `data_base64`")),
        };
        let Line {
            position,
            stream,
            version,
            id,
            event_type,
            recorded_at,
            subject,
            tags,
            metadata,
            linked_at,
            ..
        } = line;
        Ok(Self {
            position,
            stream,
            version,
            id,
            event_type,
            recorded_at,
            data,
            subject,
            tags,
            metadata,
            linked_at,
        })
    }
}
