//! What becomes of messages.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use umbel_bus::{AskError, Consistency, Delivery, DispatchError, Dispatched, Outcome, Refusal, Returned};
use umbel_core::{
    EncodedEvent, EventName, EventType, ExpectedVersion, Gap, Json, Payload, Position, StreamName,
    StreamNameError, Tags, Version, metadata::MetadataError, personal::Subject,
};

use super::{NotAValue, shown};

/// A [`Delivery`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireDelivery {
    Answered(Json),
    NotAnswered(QueryFailure),
    CarriedOut { dispatched: WireDispatched, awaits: Option<WireConsistency> },
    NotCarriedOut { failure: CommandFailure, awaits: Option<WireConsistency> },
}

/// An [`AskError`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QueryFailure {
    NoHandler { query: String },
    Unavailable { reason: String, retry_after_ms: u64 },
    Timeout { query: String },
    Failed { reason: String },
}

/// A [`DispatchError`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommandFailure {
    Rejected(Json),
    Halted { by: String, reason: String },
    WrongVersion { expected: ExpectedVersion, actual: Version },
    NoVersion,
    Gone { stream: StreamName },
    MetadataNoMap { found: String },
    MetadataNoJson { reason: String },
    MetadataKey { key: String },
    Conflict { attempts: u32 },
    NotYetVisible { position: Position, waiting_for: Vec<String>, reply: Json },
    BadIdentity { command: String, id: String, reason: NameFailure },
    Incomplete { stream: StreamName, first: Version, last: Version },
    NoHandler { command: String },
    Undecodable { command: String, reason: String },
    Unavailable { reason: String, retry_after_ms: u64 },
    Timeout { command: String, nothing_stored: bool },
    Failed { reason: String },
}

/// A [`StreamNameError`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NameFailure {
    Empty,
    Reserved(String),
    TooLong(usize),
    NotPrintable(String),
}

/// A [`Consistency`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireConsistency {
    Eventual,
    Strong,
    Named(Vec<String>),
}

/// A [`Dispatched`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WireDispatched {
    reply: Json,
    position: Option<Position>,
    version: Option<Version>,
    events: Option<Vec<EventName>>,
    repeated: bool,
    returned: Option<WireReturned>,
}

/// A [`Returned`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct WireReturned {
    events: Vec<WireEvent>,
    /// In a list, since a state may be written as `null`.
    state: Option<[Json; 1]>,
}

/// An [`EncodedEvent`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct WireEvent {
    name: EventName,
    schema: u32,
    data: WireData,
    subject: Option<Subject>,
    tags: Tags,
}

/// A [`Payload`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireData {
    Json(Json),
    Base64(String),
}

impl From<Delivery> for WireDelivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Query(Ok(answer)) => Self::Answered(answer),
            Delivery::Query(Err(error)) => Self::NotAnswered(error.into()),
            Delivery::Command { answer, awaits } => {
                let awaits = awaits.map(Into::into);
                match *answer {
                    Ok(dispatched) => Self::CarriedOut { dispatched: dispatched.into(), awaits },
                    Err(error) => Self::NotCarriedOut { failure: error.into(), awaits },
                }
            }
        }
    }
}

impl TryFrom<WireDelivery> for Delivery {
    type Error = NotAValue;

    fn try_from(delivery: WireDelivery) -> Result<Self, NotAValue> {
        Ok(match delivery {
            WireDelivery::Answered(answer) => Self::Query(Ok(answer)),
            WireDelivery::NotAnswered(failure) => Self::Query(Err(failure.into())),
            WireDelivery::CarriedOut { dispatched, awaits } => {
                let answer = Box::new(Ok(dispatched.try_into()?));
                Self::Command { answer, awaits: awaits.map(Into::into) }
            }
            WireDelivery::NotCarriedOut { failure, awaits } => {
                Self::Command { answer: Box::new(Err(failure.into())), awaits: awaits.map(Into::into) }
            }
        })
    }
}

impl From<AskError> for QueryFailure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NoHandler { query } => Self::NoHandler { query: query.to_owned() },
            AskError::Unavailable { reason, retry_after } => {
                Self::Unavailable { reason, retry_after_ms: millis(retry_after) }
            }
            AskError::Timeout { query } => Self::Timeout { query: query.to_owned() },
            AskError::Failed { reason } => Self::Failed { reason },
        }
    }
}

impl From<QueryFailure> for AskError {
    fn from(failure: QueryFailure) -> Self {
        match failure {
            QueryFailure::NoHandler { query } => Self::NoHandler { query: shown(&query) },
            QueryFailure::Unavailable { reason, retry_after_ms } => {
                Self::Unavailable { reason, retry_after: Duration::from_millis(retry_after_ms) }
            }
            QueryFailure::Timeout { query } => Self::Timeout { query: shown(&query) },
            QueryFailure::Failed { reason } => Self::Failed { reason },
        }
    }
}

impl From<DispatchError<Json>> for CommandFailure {
    fn from(error: DispatchError<Json>) -> Self {
        match error {
            DispatchError::Rejected(rejection) => Self::Rejected(rejection),
            DispatchError::Refused(Refusal::Halted { by, reason }) => {
                Self::Halted { by: by.to_owned(), reason }
            }
            DispatchError::Refused(Refusal::WrongVersion { expected, actual }) => {
                Self::WrongVersion { expected, actual }
            }
            DispatchError::Refused(Refusal::NoVersion) => Self::NoVersion,
            DispatchError::Refused(Refusal::Gone { stream }) => Self::Gone { stream },
            DispatchError::Refused(Refusal::Metadata(error)) => match error {
                MetadataError::NoMap { found } => Self::MetadataNoMap { found: found.to_owned() },
                MetadataError::NoJson(reason) => Self::MetadataNoJson { reason },
                MetadataError::Key { key } => Self::MetadataKey { key },
            },
            DispatchError::Conflict { attempts } => Self::Conflict { attempts },
            DispatchError::NotYetVisible { position, waiting_for, reply } => {
                Self::NotYetVisible { position, waiting_for, reply }
            }
            DispatchError::BadIdentity { command, id, reason } => {
                Self::BadIdentity { command: command.to_owned(), id, reason: reason.into() }
            }
            DispatchError::Incomplete(Gap { stream, first, last }) => {
                Self::Incomplete { stream, first, last }
            }
            DispatchError::NoHandler { command } => Self::NoHandler { command: command.into_owned() },
            DispatchError::Undecodable { command, reason } => {
                Self::Undecodable { command: command.to_owned(), reason }
            }
            DispatchError::Unavailable { reason, retry_after } => {
                Self::Unavailable { reason, retry_after_ms: millis(retry_after) }
            }
            DispatchError::Timeout { command, outcome } => Self::Timeout {
                command: command.to_owned(),
                nothing_stored: outcome == Outcome::NothingStored,
            },
            DispatchError::Failed { reason } => Self::Failed { reason },
        }
    }
}

impl From<CommandFailure> for DispatchError<Json> {
    fn from(failure: CommandFailure) -> Self {
        match failure {
            CommandFailure::Rejected(rejection) => Self::Rejected(rejection),
            CommandFailure::Halted { by, reason } => {
                Self::Refused(Refusal::Halted { by: shown(&by), reason })
            }
            CommandFailure::WrongVersion { expected, actual } => {
                Self::Refused(Refusal::WrongVersion { expected, actual })
            }
            CommandFailure::NoVersion => Self::Refused(Refusal::NoVersion),
            CommandFailure::Gone { stream } => Self::Refused(Refusal::Gone { stream }),
            CommandFailure::MetadataNoMap { found } => {
                Self::Refused(Refusal::Metadata(MetadataError::NoMap { found: shown(&found) }))
            }
            CommandFailure::MetadataNoJson { reason } => {
                Self::Refused(Refusal::Metadata(MetadataError::NoJson(reason)))
            }
            CommandFailure::MetadataKey { key } => {
                Self::Refused(Refusal::Metadata(MetadataError::Key { key }))
            }
            CommandFailure::Conflict { attempts } => Self::Conflict { attempts },
            CommandFailure::NotYetVisible { position, waiting_for, reply } => {
                Self::NotYetVisible { position, waiting_for, reply }
            }
            CommandFailure::BadIdentity { command, id, reason } => {
                Self::BadIdentity { command: shown(&command), id, reason: reason.into() }
            }
            CommandFailure::Incomplete { stream, first, last } => {
                Self::Incomplete(Gap { stream, first, last })
            }
            CommandFailure::NoHandler { command } => Self::NoHandler { command: command.into() },
            CommandFailure::Undecodable { command, reason } => {
                Self::Undecodable { command: shown(&command), reason }
            }
            CommandFailure::Unavailable { reason, retry_after_ms } => {
                Self::Unavailable { reason, retry_after: Duration::from_millis(retry_after_ms) }
            }
            CommandFailure::Timeout { command, nothing_stored } => Self::Timeout {
                command: shown(&command),
                outcome: if nothing_stored { Outcome::NothingStored } else { Outcome::Unknown },
            },
            CommandFailure::Failed { reason } => Self::Failed { reason },
        }
    }
}

impl From<StreamNameError> for NameFailure {
    fn from(error: StreamNameError) -> Self {
        match error {
            StreamNameError::Empty => Self::Empty,
            StreamNameError::Reserved(name) => Self::Reserved(name),
            StreamNameError::TooLong(length) => Self::TooLong(length),
            StreamNameError::NotPrintable(name) => Self::NotPrintable(name),
        }
    }
}

impl From<NameFailure> for StreamNameError {
    fn from(failure: NameFailure) -> Self {
        match failure {
            NameFailure::Empty => Self::Empty,
            NameFailure::Reserved(name) => Self::Reserved(name),
            NameFailure::TooLong(length) => Self::TooLong(length),
            NameFailure::NotPrintable(name) => Self::NotPrintable(name),
        }
    }
}

impl From<Consistency> for WireConsistency {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Eventual => Self::Eventual,
            Consistency::Strong => Self::Strong,
            Consistency::Named(names) => Self::Named(names),
        }
    }
}

impl From<WireConsistency> for Consistency {
    fn from(consistency: WireConsistency) -> Self {
        match consistency {
            WireConsistency::Eventual => Self::Eventual,
            WireConsistency::Strong => Self::Strong,
            WireConsistency::Named(names) => Self::Named(names),
        }
    }
}

impl From<Dispatched<Json>> for WireDispatched {
    fn from(dispatched: Dispatched<Json>) -> Self {
        let Dispatched { reply, position, version, events, repeated, returned } = dispatched;
        let returned = returned.map(|returned| {
            let Returned { events, state } = *returned;
            WireReturned {
                events: events.into_iter().map(Into::into).collect(),
                state: state.map(|state| [state]),
            }
        });
        Self { reply, position, version, events, repeated, returned }
    }
}

impl TryFrom<WireDispatched> for Dispatched<Json> {
    type Error = NotAValue;

    fn try_from(dispatched: WireDispatched) -> Result<Self, NotAValue> {
        let WireDispatched { reply, position, version, events, repeated, returned } = dispatched;
        let returned = returned.map(|WireReturned { events, state }| {
            let events = events.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
            Ok(Box::new(Returned { events, state: state.map(|[state]| state) }))
        });
        Ok(Self { reply, position, version, events, repeated, returned: returned.transpose()? })
    }
}

impl From<EncodedEvent> for WireEvent {
    fn from(event: EncodedEvent) -> Self {
        let EncodedEvent { event_type: EventType { name, schema }, data, subject, tags } = event;
        let data = match data {
            Payload::Json(json) => WireData::Json(json),
            Payload::Binary(bytes) => WireData::Base64(BASE64_STANDARD.encode(bytes)),
        };
        Self { name, schema, data, subject, tags }
    }
}

impl TryFrom<WireEvent> for EncodedEvent {
    type Error = NotAValue;

    fn try_from(event: WireEvent) -> Result<Self, NotAValue> {
        let WireEvent { name, schema, data, subject, tags } = event;
        let data = match data {
            WireData::Json(json) => Payload::Json(json),
            WireData::Base64(text) => {
                let bytes = BASE64_STANDARD.decode(text);
                let bytes = bytes.map_err(|error| NotAValue(format!("the data of {}: {error}", &*name)))?;
                Payload::Binary(Arc::from(bytes))
            }
        };
        Ok(Self { event_type: EventType { name, schema }, data, subject, tags })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
