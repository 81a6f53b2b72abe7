//! Events: facts with a stable name and a schema version, before and after they are recorded.

mod decoded;
mod line;
mod lineage;
mod upcast;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

use crate::{
    event_name::EventName,
    id::EventId,
    metadata::Metadata,
    names::{EVENT_NAME_MAX_BYTES, NameError, check_event_name},
    payload::{Payload, PayloadError},
    personal::{Subject, holds_personal_data},
    stream::StreamName,
    tags::Tags,
    time::Timestamp,
    version::{Position, Version},
};

pub use decoded::{Decoded, IntoIter};
pub(crate) use lineage::version_behind;
pub use lineage::{Lineage, Names, count_names};
pub use umbel_derive::Event;
pub(crate) use upcast::words;
pub use upcast::{Old, UPCAST_STEPS_MAX, Upcast, UpcastError, UpcastFailure, Upcaster};

/// A fact of the domain: one struct per kind of event.
///
/// Its name and shape are a wire format. A changed shape gets the next [`Event::SCHEMA`], and an upcaster that makes the new shape of
/// the old one, which stays readable for ever. The guide to evolution has examples.
///
/// A derive implements it for events without a [`subject`](Event::subject), [`tags`](Event::tags) or a coding of their own:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use umbel_core::{Event, Lineage, Upcast};
///
/// #[derive(Debug, Serialize, Deserialize, Event)]
/// #[event(name = "bank.opened", schema = 2, upcasters = [|old| old.next(&old.data::<String>()?)], formerly = ["bank.made"])]
/// struct Opened(String);
///
/// #[derive(Debug, Serialize, Deserialize, Event)]
/// #[event(name = "bank.paid_in", succeeds = [RETIRED])]
/// struct PaidIn { cents: u64 }
///
/// const RETIRED: Lineage = Lineage::retired("bank.paid", &[|old| Upcast::nothing().and("bank.paid_in", 1, &old.data::<u64>()?)]);
///
/// assert_eq!((Opened::NAME, Opened::SCHEMA, Opened::UPCASTERS.len(), Opened::FORMERLY), ("bank.opened", 2, 1, &["bank.made"][..]));
/// assert_eq!((PaidIn::NAME, PaidIn::SCHEMA, PaidIn::SUCCEEDS.len()), ("bank.paid_in", 1, 1));
/// ```
///
/// ```compile_fail
/// #[derive(Debug, serde::Serialize, serde::Deserialize, umbel_core::Event)]
/// struct HasNoName;
/// ```
pub trait Event: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// Stable wire name, `app.happened`.
    const NAME: &'static str;
    /// Version of the shape, from 1.
    const SCHEMA: u32 = 1;
    /// What each older shape has become in the next one: the first makes version 2 of version 1, and so on, one for each version
    /// before [`Event::SCHEMA`] - else it does not compile. They are pure, are never changed once the version they lead to is
    /// written, and may lead to no event, or to several, also of other names.
    const UPCASTERS: &'static [Upcaster] = &[];
    /// Names it had before. Its versions count on over a change of name. Logs hold what was written under them for ever.
    const FORMERLY: &'static [&'static str] = &[];
    /// Other kinds, or retired names, whose upcasters lead to events of this one: who reads this kind reads those, too, as far as
    /// they become it.
    const SUCCEEDS: &'static [Lineage] = &[];

    /// Whose personal data its [`Personal`](crate::Personal) fields are. `None`, the default, when it has none.
    fn subject(&self) -> Option<Subject> {
        None
    }

    /// By what events of several streams are found together: see [`tags`](crate::tags). None, the default, costs nothing.
    fn tags(&self) -> Tags {
        Tags::none()
    }

    /// What the log keeps of it: JSON, unless the type has a binary coding of its own.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    fn to_payload(&self) -> Result<Payload, PayloadError> {
        Payload::json(self)
    }

    /// The counterpart of [`Event::to_payload`].
    ///
    /// # Errors
    /// When the payload does not have the type's shape.
    fn from_payload(payload: &Payload) -> Result<Self, PayloadError> {
        payload.decode()
    }
}

/// Several kinds of event seen as one type: what an aggregate evolves by, what a projection listens to.
/// [`events!`](crate::events) writes it.
pub trait EventSet: fmt::Debug + Sized + Send + 'static {
    /// The kinds in the set, each with its past.
    const KINDS: &'static [Lineage];
    /// Every name under which logs may hold events that are of this set, or become some of it: also those that kinds had before.
    const NAMES: &'static [&'static str];

    /// The value, if the event is one of this set in its newest shape and under its newest name. [`RecordedEvent::decode`] is
    /// for events from a log, which may be older than that.
    ///
    /// # Errors
    /// When the data does not have the shape that its type promises.
    fn decode(event_type: &EventType, data: &Payload) -> Result<Option<Self>, DecodeError>;

    /// The wire form.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    fn encode(&self) -> Result<EncodedEvent, PayloadError>;
}

/// An event in its wire form, before it has an id and a context.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedEvent {
    /// Name and schema version.
    pub event_type: EventType,
    /// The fact.
    pub data: Payload,
    /// Whose personal data it holds.
    pub subject: Option<Subject>,
    /// By what it is found.
    pub tags: Tags,
}

/// Name and schema version of an event; written `articles.published/2`. A name is 1 to 250 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType {
    /// Stable wire name.
    pub name: EventName,
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
    pub data: Payload,
    /// Whose personal data it holds, if any: [`Personal`](crate::Personal) values in it are kept encrypted.
    pub subject: Option<Subject>,
    /// By what it is found, whatever its stream.
    pub tags: Tags,
    /// Its context.
    pub metadata: Metadata,
}

/// An event in the log. It never changes.
#[derive(Clone, Debug, PartialEq)]
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
    pub event_type: EventType,
    /// When the store took it. Order is by position, never by this.
    pub recorded_at: Timestamp,
    /// The fact.
    pub data: Payload,
    /// Whose personal data it holds, if any.
    pub subject: Option<Subject>,
    /// By what it is found, whatever its stream.
    pub tags: Tags,
    /// Its context.
    pub metadata: Metadata,
    /// Its place in the stream that was read, if that is not its own but holds a link to it.
    pub linked_at: Option<Version>,
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
        reason: PayloadError,
    },
    /// It has an old shape, of which the newest cannot be made.
    #[error(transparent)]
    Upcast(Box<UpcastError>),
}

/// Text that is no `name/schema`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventTypeError {
    /// It has not this form, or no version from 1 to 2,147,483,647.
    #[error("{0:?} is not an event type; write it like articles.published/1")]
    Form(String),
    /// Its name is none.
    #[error("the name of an event type is 1 to {EVENT_NAME_MAX_BYTES} bytes without control characters: {0}")]
    Name(NameError),
}

impl EventType {
    /// The type of a kind of event.
    #[must_use]
    pub const fn of<E: Event>() -> Self {
        Self { name: EventName::known(E::NAME), schema: E::SCHEMA }
    }

    /// Whether all stores can keep the name: 1 to 250 bytes without control characters, as a stream's.
    pub(crate) fn check_name(&self) -> Result<(), NameError> {
        check_event_name(&self.name)
    }

    /// Whether all stores can keep the version of the shape.
    pub(crate) fn has_schema(&self) -> bool {
        self.schema > 0 && i32::try_from(self.schema).is_ok()
    }
}

impl NewEvent {
    /// Wraps one event for an append.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    pub fn of<E: Event>(id: EventId, event: &E, metadata: Metadata) -> Result<Self, PayloadError> {
        Ok(Self::new(id, EncodedEvent::of(event)?, metadata))
    }

    /// Gives an encoded event its id and context.
    #[must_use]
    pub fn new(id: EventId, event: EncodedEvent, metadata: Metadata) -> Self {
        let EncodedEvent { event_type, data, subject, tags } = event;
        Self { id, event_type, data, subject, tags, metadata }
    }

    /// What the payload limit counts: bytes of data and metadata.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.data.len_bytes() + self.metadata.custom_len_bytes()
    }
}

impl EncodedEvent {
    /// The wire form of one event.
    ///
    /// # Errors
    /// When the value cannot be encoded, or holds personal data of nobody, which would be stored for all to read.
    pub fn of<E: Event>(event: &E) -> Result<Self, PayloadError> {
        let (data, subject) = (event.to_payload()?, event.subject());
        if subject.is_none() && holds_personal_data(&data) {
            return Err(PayloadError::NoSubject);
        }
        Ok(Self { event_type: EventType::of::<E>(), data, subject, tags: event.tags() })
    }
}

impl RecordedEvent {
    /// What it is to a reader of this set: one event as a rule; none when it is not of it; and of an old shape whatever the upcasters
    /// make of it, none, one or several, in order.
    ///
    /// # Errors
    /// When its name is of the set and its schema version is not known, its data do not have the shape, or an upcaster fails.
    pub fn decode<S: EventSet>(&self) -> Result<Decoded<S>, DecodeError> {
        match S::decode(&self.event_type, &self.data)? {
            Some(event) => Ok(event.into()),
            None => upcast::upcast(self, S::KINDS, S::decode),
        }
    }

    /// The same for one kind of event.
    ///
    /// # Errors
    /// See [`Self::decode`].
    pub fn decode_as<E: Event>(&self) -> Result<Decoded<E>, DecodeError> {
        let read = |event_type: &EventType, data: &Payload| match *event_type.name == *E::NAME {
            true if event_type.schema == E::SCHEMA => decode_one::<E>(event_type, data).map(Some),
            _ => Ok(None),
        };
        match read(&self.event_type, &self.data)? {
            Some(event) => Ok(event.into()),
            None => upcast::upcast(self, &[Lineage::of::<E>()], read),
        }
    }

    /// Its place in the stream that was read: its own version, or the link's.
    #[must_use]
    pub fn version_read(&self) -> Version {
        self.linked_at.unwrap_or(self.version)
    }

    /// What limits count: bytes of data and metadata.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.data.len_bytes() + self.metadata.custom_len_bytes()
    }

    /// The same event as it was before it was recorded: to append it to another log.
    #[must_use]
    pub fn into_new(self) -> NewEvent {
        let Self { id, event_type, data, subject, tags, metadata, .. } = self;
        NewEvent { id, event_type, data, subject, tags, metadata }
    }
}

/// Decodes one kind of event; [`events!`](crate::events) calls it for the kind whose name and schema version matched.
///
/// # Errors
/// See [`EventSet::decode`].
pub fn decode_one<E: Event>(event_type: &EventType, data: &Payload) -> Result<E, DecodeError> {
    E::from_payload(data).map_err(|reason| DecodeError::Malformed { event_type: event_type.clone(), reason })
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.schema)
    }
}

impl FromStr for EventType {
    type Err = EventTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || EventTypeError::Form(text.into());
        let (name, schema) = text.rsplit_once('/').ok_or_else(form)?;
        let event_type = Self { name: name.into(), schema: schema.parse().map_err(|_| form())? };
        if name.is_empty() || !event_type.has_schema() {
            return Err(form());
        }
        event_type.check_name().map_err(EventTypeError::Name)?;
        Ok(event_type)
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
/// #[derive(Clone, Debug, Serialize, Deserialize, Event)]
/// #[event(name = "bank.opened")]
/// pub struct Opened { pub owner: String }
///
/// events! {
///     /// What happens to an account.
///     #[derive(Clone)]
///     pub enum AccountEvent { Opened(Opened) }
/// }
///
/// let encoded = AccountEvent::from(Opened { owner: "Ada".into() }).encode().unwrap();
/// assert_eq!(encoded.event_type.to_string(), "bank.opened/1");
/// let decoded = AccountEvent::decode(&encoded.event_type, &encoded.data);
/// assert!(matches!(decoded, Ok(Some(AccountEvent::Opened(_)))));
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
            const KINDS: &'static [$crate::event::Lineage] = &[$($crate::event::Lineage::of::<$event>()),+];
            const NAMES: &'static [&'static str] = {
                const KINDS: &[$crate::event::Lineage] = <$set as $crate::EventSet>::KINDS;
                const NAMES: &$crate::event::Names<{ $crate::event::count_names(KINDS) }> =
                    &$crate::event::Names::of(KINDS);
                NAMES.get()
            };

            fn decode(
                event_type: &$crate::EventType,
                data: &$crate::Payload,
            ) -> ::std::result::Result<::std::option::Option<Self>, $crate::DecodeError> {
                $(
                    if event_type.schema == <$event as $crate::Event>::SCHEMA
                        && event_type.name == <$event as $crate::Event>::NAME
                    {
                        return $crate::event::decode_one::<$event>(event_type, data).map(Self::$kind).map(Some);
                    }
                )+
                Ok(None)
            }

            fn encode(&self) -> ::std::result::Result<$crate::EncodedEvent, $crate::PayloadError> {
                match self {
                    $(Self::$kind(event) => $crate::EncodedEvent::of(event),)+
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
mod tests;
