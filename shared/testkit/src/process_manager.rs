//! Given what an instance was told, when this happens, then it orders that: tests of process managers without a store.
//!
//! ```ignore
//! given::<Fulfilment>("order-1", [placed()])
//!     .when(paid())
//!     .then([ordered(Ship { order: "order-1".into() })])
//!     .ends();
//! ```
//!
//! What becomes of a command that is refused or fails, as [`on_error`](ProcessManager::on_error) says, is told behind it:
//!
//! ```ignore
//! given_nothing::<Fulfilment>("order-1")
//!     .when(placed())
//!     .then([ordered(Reserve { item: 7 })])
//!     .refused::<Reserve>(&OutOfStock)
//!     .then_instead([ordered(Cancel {})]);
//! ```
//!
//! Promises: everything goes through [`route`](ProcessManager::route) and the decision that a host takes, strictness and all; events,
//! commands and the state are compared by what is stored, so a state that only works in memory fails here. The time is the same in every
//! run.

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

mod failing;

use std::{fmt::Display, marker::PhantomData, time::Duration};

use serde_json::Value;
use umbel_core::{
    Command, Cue, EventId, EventSet, Metadata, Position, ProcessManager, RecordedEvent, StreamName,
    Timestamp, Version,
    process_manager::{
        Cause, Decision, File, Interest, Memory, Order, Origin, Settled, Step, Task, Trouble, decide, settle,
        upgrade_or_decode,
    },
};
use uuid::Uuid;

pub use self::failing::{Failed, Unhandled};
use self::failing::{Progress, Told};
use crate::aggregate::{NOW, over_the_wire};

/// An instance with a past.
#[must_use]
pub struct Given<P> {
    instance: String,
    file: Option<File>,
    /// How many events there were.
    told: u128,
    manager: PhantomData<fn() -> P>,
}

/// An instance that was told something, and nothing said about the outcome yet.
#[must_use]
pub struct When<P: ProcessManager> {
    told: Told,
    /// What was known before.
    before: Option<File>,
    outcome: Result<Option<File>, Trouble<P::Error>>,
}

/// An instance whose commands were as expected.
pub struct Then<P> {
    told: Told,
    file: Option<File>,
    progress: Progress,
    manager: PhantomData<fn() -> P>,
}

/// The instance with this id, to which these events happened, in order; their commands are carried out.
#[track_caller]
pub fn given<P: ProcessManager>(
    instance: &str,
    past: impl IntoIterator<Item = impl Into<P::Event>>,
) -> Given<P> {
    let given = Given { instance: instance.into(), file: None, told: 0, manager: PhantomData };
    past.into_iter().fold(given, |given: Given<P>, event| {
        let (told, instance) = (given.told + 1, given.instance.clone());
        let When { told: Told { cause, .. }, outcome, .. } = given.when(event);
        let file = outcome.unwrap_or_else(|trouble| panic!("the past: {}", words(&trouble)));
        let settled = file.map(|file| match settle(&file, cause, &Settled::Done, cause) {
            Ok(Some(Decision { file, .. })) => file,
            Ok(None) => Some(file),
            Err(error) => panic!("the past: {error}"),
        });
        Given { instance, file: settled.flatten(), told, manager: PhantomData }
    })
}

/// The instance with this id, of which nobody has heard.
pub fn given_nothing<P: ProcessManager>(instance: &str) -> Given<P> {
    Given { instance: instance.into(), file: None, told: 0, manager: PhantomData }
}

/// A command as it is ordered.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "a test writes a command here, and not a reference to one")]
pub fn ordered<C: Command>(command: C) -> (String, Value) {
    let body = serde_json::to_value(&command);
    (C::NAME.to_owned(), body.unwrap_or_else(|error| panic!("{command:?} cannot be encoded: {error}")))
}

impl<P: ProcessManager> Given<P> {
    /// This event happens.
    #[track_caller]
    pub fn when(self, event: impl Into<P::Event>) -> When<P> {
        let event = over_the_wire(&event.into());
        let recorded = recorded(&event, self.told + 1);
        let route = P::route(&event, &recorded);
        let named = route.interests().iter().find(|interest| interest.instance == self.instance);
        let Some(Interest { step, strict, .. }) = named else {
            panic!("{event:?} does not concern {}; it concerns {:?}", self.instance, route.interests())
        };
        let origin = Origin::from(&recorded);
        let task = task::<P>(Cue::Event(&event), Some(&recorded), origin, *step, *strict);
        self.decide(&task)
    }

    /// This timer runs out.
    #[track_caller]
    pub fn when_timer(self, name: &str) -> When<P> {
        let timer = self.file.as_ref().and_then(|file| file.timers.get(name));
        let Some(timer) = timer else { panic!("no timer {name:?} of {} runs", self.instance) };
        let origin = timer.origin.clone();
        self.decide(&task::<P>(Cue::Timer(name), None, origin, Step::Continue, false))
    }

    fn decide(self, task: &Task<'_, P::Event>) -> When<P> {
        let outcome = decide::<P>(&self.instance, self.file.as_ref(), task);
        let timer = match task.cue {
            Cue::Timer(name) => Some(name.to_owned()),
            Cue::Event(_) => None,
        };
        let (cause, recorded) = (task.origin.cause, task.recorded.cloned());
        let told = Told { instance: self.instance, cause, recorded, timer };
        When { told, before: self.file, outcome: outcome.map(|decision| decision.file) }
    }
}

impl<P: ProcessManager> When<P> {
    /// Exactly these commands are ordered, in this order; [`ordered`] makes them.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = (String, Value)>) -> Then<P> {
        let file =
            self.outcome.unwrap_or_else(|trouble| panic!("expected commands, but: {}", words(&trouble)));
        let pending = file.as_ref().and_then(|file| file.pending_of(self.told.cause));
        let orders = ordered_of(pending.map(|left| left.orders.as_slice()).unwrap_or_default());
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(orders, expected, "the commands ordered (left) are not the expected ones (right)");
        Then { told: self.told, file, progress: Progress::default(), manager: PhantomData }
    }

    /// No command is ordered.
    #[track_caller]
    pub fn then_nothing(self) -> Then<P> {
        self.then([])
    }

    /// It cannot be handled, for this reason. What becomes of it may be said of what this gives.
    #[track_caller]
    pub fn then_error(self, expected: impl Display) -> Unhandled<P> {
        let Self { told, before: file, outcome } = self;
        let Err(trouble) = outcome else { panic!("expected the error {expected}, but it was handled") };
        let unhandled = Unhandled { told, file, trouble, failures: 0, memory: Memory::new() };
        assert_eq!(unhandled.words(), expected.to_string());
        unhandled
    }
}

impl<P: ProcessManager> Then<P> {
    /// The instance has come to its end.
    #[track_caller]
    pub fn ends(self) -> Self {
        assert!(!self.file.as_ref().is_some_and(File::is_alive), "it goes on, and was expected to end");
        self
    }

    /// Exactly these timers run, by name, and for so long from now.
    #[track_caller]
    pub fn timers<const N: usize>(self, expected: [(&str, Duration); N]) -> Self {
        let running = self.file.iter().flat_map(|file| &file.timers);
        let running: Vec<(&str, Timestamp)> = running.map(|(name, timer)| (&**name, timer.due_at)).collect();
        let mut expected = expected.map(|(name, after)| (name, NOW.plus(after)));
        expected.sort_unstable();
        assert_eq!(running, expected, "the timers that run (left) are not the expected ones (right)");
        self
    }

    /// What it remembers, as it is read again.
    #[track_caller]
    pub fn state(self) -> P {
        let Some(file) = self.file.filter(File::is_alive) else { panic!("it has ended") };
        upgrade_or_decode(&file).unwrap_or_else(|error| panic!("it could not be read again: {error}"))
    }
}

fn task<'a, P: ProcessManager>(
    cue: Cue<'a, P::Event>,
    recorded: Option<&'a RecordedEvent>,
    origin: Origin,
    step: Step,
    strict: bool,
) -> Task<'a, P::Event> {
    Task { kept_as: P::NAME, cue, recorded, origin, step, strict, now: NOW, patience: Duration::ZERO }
}

/// The event as the log gives it.
#[track_caller]
fn recorded<E: EventSet>(event: &E, number: u128) -> RecordedEvent {
    let encoded = event.encode().unwrap_or_else(|error| panic!("{event:?} cannot be encoded: {error}"));
    let place = u64::try_from(number).unwrap_or(u64::MAX);
    RecordedEvent {
        position: Position::new(place),
        stream: StreamName::of("test", "1").unwrap_or_else(|error| panic!("{error}")),
        version: Version::new(place),
        id: EventId(Uuid::from_u128(number)),
        event_type: encoded.event_type,
        recorded_at: NOW,
        data: encoded.data,
        subject: encoded.subject,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
        linked_at: None,
    }
}

fn words<E: Display>(trouble: &Trouble<E>) -> String {
    cause_of(trouble).to_string()
}

/// Commands as they are compared.
fn ordered_of(orders: &[Order]) -> Vec<(String, Value)> {
    let all = orders.iter().map(|order| (order.name.clone(), order.body.decode().unwrap_or(Value::Null)));
    all.collect()
}

fn cause_of<E>(trouble: &Trouble<E>) -> Cause<'_, E> {
    match trouble {
        Trouble::Error(error) => Cause::Error(error),
        Trouble::Started => Cause::Started,
        Trouble::NotStarted => Cause::NotStarted,
        Trouble::State(reason) => Cause::State(reason),
        Trouble::Refused(reason) => Cause::Refused(reason),
    }
}

#[cfg(test)]
mod tests;
