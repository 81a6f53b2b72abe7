//! What is in the log, what is to come into it, and what a test writes there itself.

use std::{future::Future, panic::Location};

use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use umbel_bus::edge;
use umbel_core::{
    Event, EventId, EventSet, ExpectedVersion, Json, Lineage, Metadata, NewEvent, Position, RecordedEvent,
    StreamName,
    document::Direction,
    store::{Append, ReadAll, Selector},
};

use crate::umbrella::{TestUmbrella, failed};

/// Events per page.
const PAGE: u32 = 500;

/// An event of the log, in its newest shape.
#[derive(Clone, Debug)]
pub struct Received<E> {
    /// The event.
    pub event: E,
    /// As it is recorded: its place, time and metadata.
    pub recorded: RecordedEvent,
}

impl TestUmbrella {
    /// The first event of this kind that is as wanted, from the start of the log; waits for it.
    ///
    /// # Panics
    /// When none comes within the patience; it says which others of its kind there are.
    #[track_caller]
    pub fn wait_for_event<E: Event>(&self, wanted: impl Fn(&E) -> bool) -> impl Future<Output = Received<E>> {
        self.wait_for_event_after(Position::START, wanted)
    }

    /// The same behind a position, such as that of a [dispatched](TestUmbrella::dispatch) command.
    ///
    /// # Panics
    /// See [`Self::wait_for_event`].
    #[track_caller]
    pub fn wait_for_event_after<E: Event>(
        &self,
        after: Position,
        wanted: impl Fn(&E) -> bool,
    ) -> impl Future<Output = Received<E>> {
        let at = Location::caller();
        async move {
            let deadline = Instant::now() + self.patience;
            let (mut head, mut others, mut from) = (self.bus.head(), Vec::new(), after);
            loop {
                head.borrow_and_update();
                let (found, to) = self.read_kind::<E>(from, at).await;
                for one in found {
                    if wanted(&one.event) {
                        return one;
                    }
                    others.push(format!("{:?} at {}", one.event, one.recorded.position));
                }
                from = to;
                if timeout_at(deadline, head.changed()).await.is_err() {
                    let others = if others.is_empty() { "none at all".to_owned() } else { others.join(", ") };
                    let waited = self.patience;
                    failed(at, &format!("no such {} within {waited:?}; there is: {others}", E::NAME));
                }
            }
        }
    }

    /// There is no event of this kind that is as told, and once all is [settled](TestUmbrella::settled) none has come.
    ///
    /// # Panics
    /// When there is.
    #[track_caller]
    pub fn assert_no_event<E: Event>(&self, unwanted: impl Fn(&E) -> bool) -> impl Future<Output = ()> {
        let (at, settled) = (Location::caller(), self.settled());
        async move {
            settled.await;
            let (found, _) = self.read_kind::<E>(Position::START, at).await;
            if let Some(one) = found.into_iter().find(|one| unwanted(&one.event)) {
                failed(at, &format!("there is {:?} at {}", one.event, one.recorded.position));
            }
        }
    }

    /// These two events come, and belong to one conversation: they have the same correlation id, as what was caused by one request has.
    ///
    /// # Panics
    /// When one does not come within the patience, or they have nothing to do with each other.
    #[track_caller]
    pub fn assert_correlated<A: Event, B: Event>(
        &self,
        is_a: impl Fn(&A) -> bool,
        is_b: impl Fn(&B) -> bool,
    ) -> impl Future<Output = (Received<A>, Received<B>)> {
        let at = Location::caller();
        let (a, b) = (self.wait_for_event(is_a), self.wait_for_event(is_b));
        async move {
            let (a, b) = (a.await, b.await);
            let id_of = |recorded: &RecordedEvent| recorded.metadata.correlation_id;
            let (of_a, of_b) = (id_of(&a.recorded), id_of(&b.recorded));
            if of_a.is_none() || of_a != of_b {
                let (a, b) = (&a.event, &b.event);
                failed(at, &format!("not correlated: {a:?} is of {of_a:?}, {b:?} is of {of_b:?}"));
            }
            (a, b)
        }
    }

    /// All events of the log that are of this set, in order.
    ///
    /// # Panics
    /// When one cannot be read.
    #[track_caller]
    pub fn events<S: EventSet>(&self) -> impl Future<Output = Vec<S>> {
        let at = Location::caller();
        async move {
            let names = S::NAMES;
            let (recorded, _) = self.read(names, Position::START, at).await;
            let mut events = Vec::new();
            for one in recorded {
                match one.decode::<S>() {
                    Ok(decoded) => events.extend(decoded),
                    Err(error) => failed(at, &error),
                }
            }
            events
        }
    }

    /// Appends an event, as somebody else would who is not under test. Returns its position.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn append<E: Event>(&self, stream: &str, event: &E) -> impl Future<Output = Position> {
        let at = Location::caller();
        let new = NewEvent::of(EventId(edge::fresh_id()), event, of_its_own())
            .unwrap_or_else(|error| failed(at, &format!("{event:?} cannot be encoded: {error}")));
        self.append_new(stream, new, at)
    }

    /// Appends an event in a shape of the past, as a program of then has: its type, such as `bank.opened/1`, and its data as JSON.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn append_old(
        &self,
        stream: &str,
        event_type: &str,
        data: impl Into<Value>,
    ) -> impl Future<Output = Position> {
        let at = Location::caller();
        let event_type = event_type.parse().unwrap_or_else(|error| failed(at, &error));
        let data = Json::encode(&data.into()).unwrap_or_else(|error| failed(at, &error)).into();
        let (id, metadata) = (EventId(edge::fresh_id()), of_its_own());
        self.append_new(
            stream,
            NewEvent { id, event_type, data, subject: None, tags: umbel_core::Tags::none(), metadata },
            at,
        )
    }

    fn append_new(
        &self,
        stream: &str,
        event: NewEvent,
        at: &'static Location<'static>,
    ) -> impl Future<Output = Position> {
        let stream = StreamName::new(stream).unwrap_or_else(|error| failed(at, &error));
        async move {
            let append = Append::to_stream(stream, ExpectedVersion::Any, vec![event]);
            match self.store().append(append).await {
                Ok(appended) => appended.last_position.unwrap_or_default(),
                Err(error) => failed(at, &error),
            }
        }
    }

    /// Events of a kind behind a position, and how far was read.
    async fn read_kind<E: Event>(&self, after: Position, at: &Location<'_>) -> (Vec<Received<E>>, Position) {
        let (recorded, to) = self.read(&Lineage::of::<E>().names(), after, at).await;
        let mut received = Vec::new();
        for recorded in recorded {
            match recorded.decode_as::<E>() {
                Ok(events) => {
                    let one = |event| Received { event, recorded: recorded.clone() };
                    received.extend(events.into_iter().map(one));
                }
                Err(error) => failed(at, &error),
            }
        }
        (received, to)
    }

    /// Recorded events of these names behind a position, and how far was read.
    async fn read(
        &self,
        names: &[&'static str],
        after: Position,
        at: &Location<'_>,
    ) -> (Vec<RecordedEvent>, Position) {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let selector = Selector { names: Some(names), ..Selector::all() };
        let (mut events, mut to) = (Vec::new(), after);
        loop {
            let (from, selector) = (Some(to.next()), selector.clone());
            let request = ReadAll { from, direction: Direction::Forward, limit: PAGE, selector };
            let page = match self.store().read_all(request).await {
                Ok(page) => page,
                Err(error) => failed(at, &error),
            };
            events.extend(page.events);
            to = page.scanned_to.max(to);
            if to >= page.head {
                return (events, to);
            }
        }
    }
}

/// A conversation of its own, as every dispatch has one.
fn of_its_own() -> Metadata {
    Metadata { correlation_id: Some(edge::fresh_id()), ..Metadata::default() }
}
