//! An event's data as the log keeps it: JSON text, or bytes for event types that have a coding of their own.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::json::{Json, JsonError};

/// What an event holds. Which of the two is the business of its type. Clones share the content.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Payload {
    /// JSON text: readable by every tool.
    Json(Json),
    /// Bytes in a coding that only the event's type knows.
    Binary(Arc<[u8]>),
}

/// A payload that cannot be made, or does not have the shape somebody expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The value has no JSON form, or the text is not the JSON somebody expected.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Bytes where JSON was expected.
    #[error("it holds {len_bytes} bytes of binary data where JSON was expected")]
    NotJson {
        /// How many bytes.
        len_bytes: usize,
    },
    /// JSON where bytes were expected.
    #[error("it holds JSON where binary data was expected")]
    NotBinary,
    /// Personal data of nobody.
    #[error("it has `Personal` fields and no subject: say whose they are in `Event::subject`")]
    NoSubject,
    /// The type's own coding failed.
    #[error("{0}")]
    Coding(String),
}

impl Payload {
    /// Encodes a value as JSON.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        Ok(Self::Json(Json::encode(value)?))
    }

    /// Decodes JSON into the reader's type.
    ///
    /// # Errors
    /// When it is binary, or not of that shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        Ok(self.as_json()?.decode()?)
    }

    /// The JSON text.
    ///
    /// # Errors
    /// When it is binary.
    pub fn as_json(&self) -> Result<&Json, PayloadError> {
        match self {
            Self::Json(json) => Ok(json),
            Self::Binary(bytes) => Err(PayloadError::NotJson { len_bytes: bytes.len() }),
        }
    }

    /// The bytes.
    ///
    /// # Errors
    /// When it is JSON.
    pub fn as_binary(&self) -> Result<&[u8], PayloadError> {
        match self {
            Self::Json(_) => Err(PayloadError::NotBinary),
            Self::Binary(bytes) => Ok(bytes),
        }
    }

    /// Length in bytes: what the payload limit counts.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Json(json) => json.len_bytes(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

impl From<Json> for Payload {
    fn from(json: Json) -> Self {
        Self::Json(json)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// For people: the JSON text, or how many bytes there are.
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(json) => json.fmt(f),
            Self::Binary(bytes) => write!(f, "<{} bytes>", bytes.len()),
        }
    }
}
