//! Upcasting: old shapes of events become what is written today, step by step, before anybody sees them.

use std::{
    any::Any,
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    event::{DecodeError, Decoded, EncodedEvent, Event, EventType, Lineage, RecordedEvent, lineage::find},
    event_name::EventName,
    id::EventId,
    metadata::Metadata,
    payload::{Payload, PayloadError},
    version::Position,
};

/// Steps that the upcasters of one recorded event may take together. Who needs more has upcasters that lead back to where they
/// began: the event cannot be read then.
pub const UPCAST_STEPS_MAX: u32 = 10_000;

/// Makes of an event in one shape what it is in the next: see [`Event::UPCASTERS`]. A pure function.
pub type Upcaster = fn(&Old<'_>) -> Result<Upcast, UpcastFailure>;

/// Why an upcaster cannot; `?` and `.into()` make it of any error, or of text.
pub type UpcastFailure = Box<dyn Error + Send + Sync>;

/// An event in an old shape, at hand of the upcaster of this shape.
#[derive(Debug)]
pub struct Old<'a> {
    recorded: &'a RecordedEvent,
    event_type: &'a EventType,
    data: &'a Payload,
}

/// What an old event has become: none, one, or several events, in order.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Upcast(Vec<(EventType, Payload)>);

/// An old event that could not be brought to its newest shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "event {event} at position {position} is a {event_type}, and the upcaster of {step} fails: {cause}; mend it, and start anew"
)]
pub struct UpcastError {
    /// Which event.
    pub event: EventId,
    /// Where it is.
    pub position: Position,
    /// What the log holds.
    pub event_type: EventType,
    /// The shape that cannot be brought to the next one.
    pub step: EventType,
    /// Why.
    pub cause: String,
}

impl<'a> Old<'a> {
    /// The event as it is recorded: when, where, in which context. What it holds may be older than what is at hand.
    #[must_use]
    pub const fn recorded(&self) -> &'a RecordedEvent {
        self.recorded
    }

    /// The context of the event.
    #[must_use]
    pub const fn metadata(&self) -> &'a Metadata {
        &self.recorded.metadata
    }

    /// The shape at hand, by the name that it has today.
    #[must_use]
    pub const fn event_type(&self) -> &'a EventType {
        self.event_type
    }

    /// The data in the shape at hand.
    #[must_use]
    pub const fn payload(&self) -> &'a Payload {
        self.data
    }

    /// The JSON data, as a type that has the old shape.
    ///
    /// # Errors
    /// When they have it not.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.data.decode()
    }

    /// The JSON data, field by field.
    ///
    /// # Errors
    /// When they are no object.
    pub fn fields(&self) -> Result<Map<String, Value>, PayloadError> {
        self.data.decode()
    }

    /// It becomes this, in the next shape.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn next<T: Serialize + ?Sized>(&self, data: &T) -> Result<Upcast, UpcastFailure> {
        Ok(self.next_payload(Payload::json(data)?))
    }

    /// The same for events with a coding of their own.
    pub fn next_payload(&self, data: Payload) -> Upcast {
        let EventType { name, schema } = self.event_type;
        Upcast(vec![(EventType { name: name.clone(), schema: schema.saturating_add(1) }, data)])
    }

    /// The same data are right in the next shape, too.
    pub fn unchanged(&self) -> Upcast {
        self.next_payload(self.data.clone())
    }
}

impl Upcast {
    /// It becomes nothing: nobody sees it any more.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Behind what it becomes already, an event of another name in its shape of this version. This may be an old shape, too: it is
    /// brought to the newest by the upcasters of that name. So what is written here stays right when that name moves on.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn and<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        schema: u32,
        data: &T,
    ) -> Result<Self, UpcastFailure> {
        self.0.push((EventType { name: EventName::known(name), schema }, Payload::json(data)?));
        Ok(self)
    }

    /// Behind what it becomes already, this event, in its newest shape.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    pub fn and_event<E: Event>(mut self, event: &E) -> Result<Self, UpcastFailure> {
        let EncodedEvent { event_type, data, .. } = EncodedEvent::of(event)?;
        self.0.push((event_type, data));
        Ok(self)
    }
}

/// What is still to be brought to the newest shape, and the shape that an upcaster has made it of.
type ToDo = (EventType, Payload, Option<EventType>);

/// What a recorded event is to a reader of these kinds. `read` makes a value of an event that has the newest shape, if the reader
/// wants it.
pub(super) fn upcast<T>(
    recorded: &RecordedEvent,
    lineages: &[Lineage],
    read: impl Fn(&EventType, &Payload) -> Result<Option<T>, DecodeError>,
) -> Result<Decoded<T>, DecodeError> {
    if find(lineages, &recorded.event_type.name).is_none() {
        return Ok(Decoded::nothing());
    }
    let mut events = Vec::new();
    let (mut steps, mut to_do) = (0_u32, vec![(recorded.event_type.clone(), recorded.data.clone(), None)]);
    while let Some((event_type, data, made_of)) = to_do.pop() {
        let Some((lineage, own)) = find(lineages, &event_type.name) else { continue };
        let at_hand = EventType { name: lineage.known_name(), schema: event_type.schema };
        let Some(upcaster) = lineage.upcaster(at_hand.schema) else {
            let known = lineage.newest();
            if at_hand.schema == lineage.schema() && !lineage.is_retired() {
                let value = read(&at_hand, &data).map_err(|error| blamed(recorded, made_of, error))?;
                events.extend(value);
            } else if own || lineage.is_retired() || at_hand.schema < lineage.schema() {
                let error = DecodeError::UnknownSchema { event_type, known };
                return Err(blamed(recorded, made_of, error));
            }
            // Of what is succeeded only old shapes matter: newer ones are followed by events of their own.
            continue;
        };
        steps += 1;
        let old = Old { recorded, event_type: &at_hand, data: &data };
        let made =
            take_step(upcaster, &old, lineage, steps).map_err(|cause| failed(recorded, &at_hand, cause))?;
        let made = made.0.into_iter().map(|(event_type, data)| (event_type, data, Some(at_hand.clone())));
        to_do.extend(made.collect::<Vec<ToDo>>().into_iter().rev());
    }
    Ok(events.into_iter().collect())
}

/// What the upcaster makes of it. Each step leads one version up.
fn take_step(upcaster: Upcaster, old: &Old<'_>, lineage: &Lineage, steps: u32) -> Result<Upcast, String> {
    if steps > UPCAST_STEPS_MAX {
        return Err(format!(
            "it takes more than {UPCAST_STEPS_MAX} steps; does an upcaster lead back to where it began?"
        ));
    }
    let made = match catch_unwind(AssertUnwindSafe(|| upcaster(old))) {
        Ok(made) => made.map_err(|error| error.to_string())?,
        Err(panic) => return Err(format!("it panicked: {}", words(&*panic))),
    };
    let next = old.event_type.schema.saturating_add(1);
    for (event_type, _) in made.0.iter().filter(|(event_type, _)| *event_type.name == *lineage.name()) {
        if event_type.schema != next {
            return Err(format!("it leads to {event_type}; a step leads one version up"));
        }
        if lineage.is_retired() && next == lineage.schema() {
            return Err(format!("it leads to {event_type}, of a name that is retired"));
        }
    }
    Ok(made)
}

/// The error of reading what an upcaster has made is that of the upcaster.
fn blamed(recorded: &RecordedEvent, made_of: Option<EventType>, error: DecodeError) -> DecodeError {
    match made_of {
        Some(step) => failed(recorded, &step, format!("what it leads to: {error}")),
        None => error,
    }
}

fn failed(recorded: &RecordedEvent, step: &EventType, cause: String) -> DecodeError {
    DecodeError::Upcast(Box::new(UpcastError {
        event: recorded.id,
        position: recorded.position,
        event_type: recorded.event_type.clone(),
        step: step.clone(),
        cause,
    }))
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
#[path = "upcast_tests.rs"]
mod tests;
