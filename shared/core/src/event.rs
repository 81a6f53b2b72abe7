//! Events: facts with a stable name and a schema version, before and after they are recorded.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

use crate::{
    id::EventId,
    json::{Json, JsonError},
    metadata::Metadata,
    stream::StreamName,
    time::Timestamp,
    version::{Position, Version},
};

/// A fact of the domain: one struct per kind of event.
///
/// Its name and shape are a wire format. A changed shape gets the next [`Event::SCHEMA`]; the old one stays
/// readable for ever.
pub trait Event: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// Stable wire name, `app.happened`.
    const NAME: &'static str;
    /// Version of the shape, from 1.
    const SCHEMA: u32 = 1;
}

/// Several kinds of event seen as one type: what an aggregate evolves by, what a projection listens to.
/// [`events!`](crate::events) writes it.
pub trait EventSet: fmt::Debug + Sized + Send + 'static {
    /// Names of all kinds in the set.
    const NAMES: &'static [&'static str];

    /// The value if the event is of this set, `None` if its name is not in it.
    ///
    /// # Errors
    /// When the name is of the set but the schema version is unknown or the data does not have its shape.
    fn decode(event_type: &EventType, data: &Json) -> Result<Option<Self>, DecodeError>;

    /// The wire form.
    ///
    /// # Errors
    /// When the value has no JSON form.
    fn encode(&self) -> Result<(EventType, Json), JsonError>;
}

/// Name and schema version of an event; written `articles.published/2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType {
    /// Stable wire name.
    pub name: Cow<'static, str>,
    /// Version of the shape, from 1.
    pub schema: u32,
}

/// An event about to be appended.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Made once by the writer and kept over retries, so that a retry is recognised.
    pub id: EventId,
    /// Name and schema version.
    pub event_type: EventType,
    /// The fact.
    pub data: Json,
    /// Its context.
    pub metadata: Metadata,
}

/// An event in the log. It never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Place in the log of all streams.
    pub position: Position,
    /// The stream it was appended to.
    pub stream: StreamName,
    /// Place in that stream.
    pub version: Version,
    /// The writer's id for it.
    pub id: EventId,
    /// Name and schema version.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When the store took it. Order is by position, never by this.
    pub recorded_at: Timestamp,
    /// The fact.
    pub data: Json,
    /// Its context.
    pub metadata: Metadata,
}

/// A recorded event that this program cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer (or no longer supported) version of the app.
    #[error("event type {event_type} has a schema version this program does not know (it knows {known})")]
    UnknownSchema {
        /// What the log holds.
        event_type: EventType,
        /// What this program was built with.
        known: u32,
    },
    /// The data does not have the shape its type promises.
    #[error("data of {event_type} cannot be read: {reason}")]
    Malformed {
        /// What the log holds.
        event_type: EventType,
        /// What is wrong, and where.
        reason: JsonError,
    },
}

/// Text that is no `name/schema`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an event type; write it like articles.published/1")]
pub struct EventTypeError(String);

impl EventType {
    /// The type of a kind of event.
    #[must_use]
    pub const fn of<E: Event>() -> Self {
        Self { name: Cow::Borrowed(E::NAME), schema: E::SCHEMA }
    }
}

impl NewEvent {
    /// Wraps one event for an append.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn of<E: Event>(id: EventId, event: &E, metadata: Metadata) -> Result<Self, JsonError> {
        Ok(Self { id, event_type: EventType::of::<E>(), data: Json::encode(event)?, metadata })
    }
}

impl RecordedEvent {
    /// The event as one of a set, or `None` if it is not of it.
    ///
    /// # Errors
    /// See [`EventSet::decode`].
    pub fn decode<S: EventSet>(&self) -> Result<Option<S>, DecodeError> {
        S::decode(&self.event_type, &self.data)
    }
}

/// Decodes one kind of event; [`events!`](crate::events) calls it for the kind whose name matched.
///
/// # Errors
/// See [`EventSet::decode`].
pub fn decode_one<E: Event>(event_type: &EventType, data: &Json) -> Result<E, DecodeError> {
    if event_type.schema != E::SCHEMA {
        return Err(DecodeError::UnknownSchema { event_type: event_type.clone(), known: E::SCHEMA });
    }
    data.decode().map_err(|reason| DecodeError::Malformed { event_type: event_type.clone(), reason })
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.schema)
    }
}

impl FromStr for EventType {
    type Err = EventTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, schema) = text.rsplit_once('/').ok_or_else(|| EventTypeError(text.into()))?;
        match schema.parse() {
            Ok(schema) if schema > 0 && !name.is_empty() => Ok(Self { name: name.to_owned().into(), schema }),
            _ => Err(EventTypeError(text.into())),
        }
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Declares an enum of event kinds and implements [`EventSet`] for it, with `From` for every kind.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use umbel_core::{Event, EventSet, events};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// pub struct Opened { pub owner: String }
/// impl Event for Opened { const NAME: &'static str = "bank.opened"; }
///
/// events! {
///     /// What happens to an account.
///     #[derive(Clone)]
///     pub enum AccountEvent { Opened(Opened) }
/// }
///
/// let (event_type, data) = AccountEvent::from(Opened { owner: "Ada".into() }).encode().unwrap();
/// assert_eq!(event_type.to_string(), "bank.opened/1");
/// assert!(matches!(AccountEvent::decode(&event_type, &data), Ok(Some(AccountEvent::Opened(_)))));
/// ```
#[macro_export]
macro_rules! events {
    ($(#[$meta:meta])* $vis:vis enum $set:ident { $($(#[$kind_meta:meta])* $kind:ident($event:ty)),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug)]
        $vis enum $set {
            $(
                #[doc = concat!("See [`", stringify!($event), "`].")]
                $(#[$kind_meta])*
                $kind($event),
            )+
        }

        impl $crate::EventSet for $set {
            const NAMES: &'static [&'static str] = &[$(<$event as $crate::Event>::NAME),+];

            fn decode(
                event_type: &$crate::EventType,
                data: &$crate::Json,
            ) -> ::std::result::Result<::std::option::Option<Self>, $crate::DecodeError> {
                $(
                    if event_type.name == <$event as $crate::Event>::NAME {
                        return $crate::event::decode_one::<$event>(event_type, data).map(Self::$kind).map(Some);
                    }
                )+
                Ok(None)
            }

            fn encode(
                &self,
            ) -> ::std::result::Result<($crate::EventType, $crate::Json), $crate::json::JsonError> {
                match self {
                    $(Self::$kind(event) => {
                        Ok(($crate::EventType::of::<$event>(), $crate::Json::encode(event)?))
                    })+
                }
            }
        }

        $(
            impl ::std::convert::From<$event> for $set {
                fn from(event: $event) -> Self {
                    Self::$kind(event)
                }
            }
        )+
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Opened {
        owner: String,
    }
    impl Event for Opened {
        const NAME: &'static str = "bank.opened";
        const SCHEMA: u32 = 2;
    }

    events! {
        #[derive(PartialEq)]
        enum Bank { Opened(Opened) }
    }

    #[test]
    fn decodes_its_own_kinds_only() {
        let (event_type, data) = Bank::from(Opened { owner: "Ada".into() }).encode().unwrap();
        assert_eq!(Bank::decode(&event_type, &data), Ok(Some(Bank::Opened(Opened { owner: "Ada".into() }))));
        assert_eq!(Bank::decode(&"bank.closed/1".parse().unwrap(), &data), Ok(None));
    }

    #[test]
    fn says_why_it_cannot_read_an_event() {
        let data = Json::parse(r#"{"owner":1}"#).unwrap();
        let newer = Bank::decode(&"bank.opened/3".parse().unwrap(), &data).unwrap_err();
        assert!(newer.to_string().contains("bank.opened/3"), "{newer}");
        let malformed = Bank::decode(&"bank.opened/2".parse().unwrap(), &data).unwrap_err();
        assert!(matches!(malformed, DecodeError::Malformed { .. }), "{malformed}");
    }

    #[test]
    fn a_type_is_written_with_its_schema_version() {
        let event_type: EventType = "a/b/12".parse().unwrap();
        assert_eq!((event_type.name.as_ref(), event_type.schema), ("a/b", 12));
        assert_eq!(event_type.to_string(), "a/b/12");
        for wrong in ["", "a", "a/", "/1", "a/0", "a/x"] {
            assert!(wrong.parse::<EventType>().is_err(), "{wrong}");
        }
    }
}
