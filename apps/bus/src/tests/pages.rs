//! Streams of events over pages, from a store with holes in its log.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::pin,
    sync::Mutex,
};

use actix::ResponseFuture;
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use umbel_core::{
    EventId, Json, Metadata, Position, RecordedEvent, StreamName, Timestamp, Version,
    document::Direction,
    store::{
        AllPage, GetStatus, Parts, ReadAll, ReadError, ReadInParts, ReadStream, Selector, StoreError,
        StoreStatus, StreamPage,
    },
};
use uuid::Uuid;

use super::*;
use crate::Store;

/// Places that one page looks at, at most: some pages come without events.
const SCAN: u64 = 3;

/// What the store holds and has seen.
#[derive(Clone)]
pub(super) struct Log(Arc<Held>);

pub(super) struct Held {
    /// By position, with holes. Versions in the one stream are positions.
    events: Mutex<BTreeMap<u64, RecordedEvent>>,
    head: Mutex<u64>,
    asked: AtomicUsize,
    /// Answers to come that are failures.
    failures: Mutex<VecDeque<StoreError>>,
    /// So many pages are answered; further ones wait.
    allowed: watch::Sender<usize>,
    /// So many events of a page are handed over, one by one, before it is whole, or it fails.
    handed: AtomicUsize,
}

impl Log {
    pub(super) fn new(positions: impl IntoIterator<Item = u64>, head: u64) -> Self {
        let events = positions.into_iter().map(|position| (position, event(position))).collect();
        Self(Arc::new(Held {
            events: Mutex::new(events),
            head: Mutex::new(head),
            asked: AtomicUsize::new(0),
            failures: Mutex::default(),
            allowed: watch::Sender::new(usize::MAX),
            handed: AtomicUsize::new(0),
        }))
    }

    fn handing_over(self, events: usize) -> Self {
        self.0.handed.store(events, Ordering::SeqCst);
        self
    }

    /// Hands the first events over; the others.
    fn hand_over(&self, mut events: Vec<RecordedEvent>, parts: &Parts) -> Vec<RecordedEvent> {
        let rest = events.split_off(self.0.handed.load(Ordering::SeqCst).min(events.len()));
        events.into_iter().for_each(|event| parts.hand_over(vec![event]));
        rest
    }

    /// A page, with how far it looked.
    fn page(&self, from: Option<u64>, direction: Direction, limit: u32) -> (Vec<RecordedEvent>, u64, u64) {
        let (events, head) = (self.0.events.lock().unwrap(), *self.0.head.lock().unwrap());
        let limit = usize::try_from(limit).unwrap();
        let forward = direction == Direction::Forward;
        let begin = from.unwrap_or(if forward { 1 } else { head });
        let mut end =
            if forward { (begin + SCAN - 1).min(head) } else { begin.saturating_sub(SCAN - 1).max(1) };
        let range = if forward { begin..=end } else { end..=begin };
        let range = if range.is_empty() { events.range(0..0) } else { events.range(range) };
        let mut found: Vec<_> = range.map(|(_, event)| event.clone()).collect();
        if !forward {
            found.reverse();
        }
        if found.len() >= limit {
            found.truncate(limit);
            end = found.last().unwrap().position.get();
        }
        (found, end, head)
    }

    /// Waits until it may answer.
    async fn turn(&self) -> Result<(), StoreError> {
        let number = self.0.asked.fetch_add(1, Ordering::SeqCst);
        self.0.allowed.subscribe().wait_for(|allowed| number < *allowed).await.unwrap();
        self.0.failures.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }

    /// One more event.
    pub(super) fn append(&self, position: u64) {
        self.0.events.lock().unwrap().insert(position, event(position));
        *self.0.head.lock().unwrap() = position;
    }

    /// One of the answers to come is a failure.
    pub(super) fn fail(&self, error: StoreError) {
        self.0.failures.lock().unwrap().push_back(error);
    }

    pub(super) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

fn event(position: u64) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(position),
        stream: stream(),
        version: Version::new(position),
        id: EventId(Uuid::from_u128(position.into())),
        event_type: "test.happened/1".parse().unwrap(),
        recorded_at: Timestamp::from_micros(0),
        data: Json::from_store("{}").into(),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
        linked_at: None,
    }
}

fn stream() -> StreamName {
    StreamName::new("test-1").unwrap()
}

impl Actor for Log {
    type Context = Context<Self>;
}

impl Handler<Envelope<ReadInParts<ReadAll>>> for Log {
    type Result = ResponseFuture<Answered<ReadInParts<ReadAll>>>;

    fn handle(&mut self, envelope: Envelope<ReadInParts<ReadAll>>, _: &mut Self::Context) -> Self::Result {
        let log = self.clone();
        Box::pin(async move {
            let ReadInParts { page: asked, parts } = envelope.open()?;
            let turn = log.turn().await;
            let from = asked.from.map(Position::get);
            let (events, scanned_to, head) = log.page(from, asked.direction, asked.limit);
            let events = log.hand_over(events, &parts);
            if let Err(error) = turn {
                return Some(Err(error));
            }
            let (scanned_to, head) = (Position::new(scanned_to), Position::new(head));
            Some(Ok(AllPage { events, scanned_to, head }))
        })
    }
}

impl Handler<Envelope<ReadInParts<ReadStream>>> for Log {
    type Result = ResponseFuture<Answered<ReadInParts<ReadStream>>>;

    fn handle(&mut self, envelope: Envelope<ReadInParts<ReadStream>>, _: &mut Self::Context) -> Self::Result {
        let log = self.clone();
        Box::pin(async move {
            let ReadInParts { page: asked, parts } = envelope.open()?;
            if let Err(error) = log.turn().await {
                return Some(Err(error.into()));
            }
            let present = log.0.events.lock().unwrap();
            let from = asked.from.map(Version::get);
            let limit = usize::try_from(asked.limit).unwrap();
            let events: Vec<_> = match asked.direction {
                Direction::Forward => {
                    present.range(from.unwrap_or(1)..).take(limit).map(|(_, e)| e.clone()).collect()
                }
                Direction::Backward => present
                    .range(..=from.unwrap_or(u64::MAX))
                    .rev()
                    .take(limit)
                    .map(|(_, e)| e.clone())
                    .collect(),
            };
            let events = log.hand_over(events, &parts);
            Some(Ok(StreamPage { events, version: Version::new(*log.0.head.lock().unwrap()) }))
        })
    }
}

impl Handler<Envelope<ReadAll>> for Log {
    type Result = ResponseFuture<Answered<ReadAll>>;

    fn handle(&mut self, envelope: Envelope<ReadAll>, _: &mut Self::Context) -> Self::Result {
        let log = self.clone();
        Box::pin(async move {
            let asked = envelope.open()?;
            if let Err(error) = log.turn().await {
                return Some(Err(error));
            }
            let (events, scanned_to, head) =
                log.page(asked.from.map(Position::get), asked.direction, asked.limit);
            let (scanned_to, head) = (Position::new(scanned_to), Position::new(head));
            Some(Ok(AllPage { events, scanned_to, head }))
        })
    }
}

impl Handler<Envelope<GetStatus>> for Log {
    type Result = ResponseFuture<Answered<GetStatus>>;

    fn handle(&mut self, envelope: Envelope<GetStatus>, _: &mut Self::Context) -> Self::Result {
        let log = self.clone();
        Box::pin(async move {
            envelope.open()?;
            let head = Position::new(*log.0.head.lock().unwrap());
            Some(Ok(StoreStatus {
                adapter: "holes",
                location: String::new(),
                head,
                archived_to: Position::START,
            }))
        })
    }
}

/// A bus with this log, for as long as the supervisor lives.
async fn store_of(log: &Log) -> (Store, Supervisor) {
    let (bus, supervisor) = bus_with_log(log, BusSettings::default()).await;
    (bus.store(), supervisor)
}

/// The same with settings.
pub(super) async fn bus_with_log(log: &Log, settings: BusSettings) -> (Bus, Supervisor) {
    let (bus, supervisor) = bus_with(settings).await;
    let address = log.clone().start();
    let routes = RouteSet::new("store/log")
        .answers::<ReadInParts<ReadAll>>(address.clone().recipient())
        .answers::<ReadInParts<ReadStream>>(address.clone().recipient())
        .answers::<ReadAll>(address.clone().recipient())
        .answers::<GetStatus>(address.recipient());
    bus.register(routes).await.unwrap();
    (bus, supervisor)
}

fn all(from: Option<u64>, direction: Direction, limit: u32) -> ReadAll {
    ReadAll { from: from.map(Position::new), direction, limit, selector: Selector::all() }
}

fn one(from: Option<u64>, direction: Direction, limit: u32) -> ReadStream {
    ReadStream { stream: stream(), from: from.map(Version::new), direction, limit }
}

async fn positions<E: std::fmt::Debug>(events: impl Stream<Item = Result<RecordedEvent, E>>) -> Vec<u64> {
    events.map(|event| event.unwrap().position.get()).collect().await
}

/// RD-04: given page sizes 1, 2 and large and holes in the log, read lazily either way, it is the same whole sequence.
#[test]
fn whatever_the_pages_the_sequence_is_the_same() {
    run(async {
        let present = [2, 3, 9, 10, 11, 12, 20, 21];
        for (head, handed) in [(21, 0), (30, 0), (21, 1), (30, 2), (21, 100)] {
            let log = Log::new(present, head).handing_over(handed);
            let (store, _supervisor) = store_of(&log).await;
            for limit in [0, 1, 2, 3, 100] {
                for from in [None, Some(1), Some(2), Some(4), Some(10), Some(21), Some(25), Some(40)] {
                    let forward: Vec<_> =
                        present.into_iter().filter(|position| *position >= from.unwrap_or(1)).collect();
                    let mut backward: Vec<_> = present
                        .into_iter()
                        .filter(|position| *position <= from.unwrap_or(u64::MAX))
                        .collect();
                    backward.reverse();
                    for (direction, expected) in
                        [(Direction::Forward, forward), (Direction::Backward, backward)]
                    {
                        let read = positions(store.stream_all(all(from, direction, limit))).await;
                        assert_eq!(read, expected, "{direction:?} from {from:?} by {limit}, head {head}");
                        let read = positions(store.stream_events(one(from, direction, limit))).await;
                        assert_eq!(read, expected, "{direction:?} from {from:?} by {limit}, head {head}");
                    }
                }
            }
        }
        let (store, _supervisor) = store_of(&Log::new([], 0)).await;
        for direction in [Direction::Forward, Direction::Backward] {
            assert_eq!(positions(store.stream_all(all(None, direction, 10))).await, [0; 0]);
            assert_eq!(positions(store.stream_events(one(None, direction, 10))).await, [0; 0]);
        }
    });
}

/// The next page is asked for while the one at hand is handed out, and not the one after it.
#[test]
fn one_page_is_on_its_way_while_another_is_handed_out() {
    run(async {
        let log = Log::new(1..=9, 9);
        let (store, _supervisor) = store_of(&log).await;
        let mut events = pin!(store.stream_all(all(None, Direction::Forward, 3)));
        others_run().await;
        assert_eq!(log.asked(), 0, "lazy");
        log.0.allowed.send_replace(1);
        for expected in 1..=3 {
            assert_eq!(events.next().await.unwrap().unwrap().position.get(), expected);
            while log.asked() < 2 {
                tokio::task::yield_now().await;
            }
        }
        log.0.allowed.send_replace(2);
        assert_eq!(events.next().await.unwrap().unwrap().position.get(), 4);
        log.0.allowed.send_replace(usize::MAX);
        for _ in 0..10 {
            others_run().await;
        }
        assert_eq!(log.asked(), 3);
        assert_eq!(positions(events).await, [5, 6, 7, 8, 9]);
        assert_eq!(log.asked(), 3);
    });
}

/// What is appended while it reads is part of it, up to the head that it sees when it gets there.
#[test]
fn it_ends_at_the_head_that_it_sees() {
    run(async {
        let log = Log::new(1..=3, 6);
        let (store, _supervisor) = store_of(&log).await;
        let mut events = pin!(store.stream_all(all(None, Direction::Forward, 2)));
        assert_eq!(events.next().await.unwrap().unwrap().position.get(), 1);
        log.0.events.lock().unwrap().insert(7, event(7));
        *log.0.head.lock().unwrap() = 7;
        assert_eq!(positions(events.as_mut()).await, [2, 3, 7]);
        *log.0.head.lock().unwrap() = 8;
        assert!(events.next().await.is_none(), "it has ended");
    });
}

/// A page that failed before anybody waited for it is asked for again; one that somebody waits for ends the stream with its
/// error.
#[test]
fn only_a_page_that_is_waited_for_may_fail() {
    run(async {
        let unavailable = || StoreError::Unavailable { reason: "told to".into() };
        let log = Log::new(1..=6, 6);
        let (store, _supervisor) = store_of(&log).await;
        let mut events = pin!(store.stream_all(all(None, Direction::Forward, 2)));
        events.next().await.unwrap().unwrap();
        log.0.failures.lock().unwrap().push_back(unavailable());
        while !log.0.failures.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(positions(events).await, [2, 3, 4, 5, 6]);

        log.0.failures.lock().unwrap().push_back(unavailable());
        let mut events = pin!(store.stream_events(one(None, Direction::Forward, 2)));
        assert_eq!(events.next().await, Some(Err(ReadError::Store(unavailable()))));
        assert_eq!(events.next().await, None);
    });
}

/// RD-04: what a page hands over is there before the page; and when the page then fails, it goes before the error, or is not asked
/// for again.
#[test]
fn what_was_handed_over_counts_whatever_becomes_of_its_page() {
    run(async {
        let unavailable = || StoreError::Unavailable { reason: "told to".into() };
        let log = Log::new(1..=6, 6).handing_over(2);
        let (store, _supervisor) = store_of(&log).await;
        log.0.failures.lock().unwrap().push_back(unavailable());
        let mut events = pin!(store.stream_all(all(None, Direction::Forward, 3)));
        for expected in [1, 2] {
            assert_eq!(events.next().await.unwrap().unwrap().position.get(), expected);
        }
        assert_eq!(events.next().await, Some(Err(unavailable())));
        assert_eq!(events.next().await, None);

        for direction in [Direction::Forward, Direction::Backward] {
            let mut events = pin!(store.stream_all(all(None, direction, 3)));
            let first = events.next().await.unwrap().unwrap().position.get();
            let asked = log.asked();
            log.0.failures.lock().unwrap().push_back(unavailable());
            // The page at hand has another part, behind which the next page is sent for.
            let second = events.next().await.unwrap().unwrap().position.get();
            let third = events.next().await.unwrap().unwrap().position.get();
            while log.asked() == asked || !log.0.failures.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            let mut seen = vec![first, second, third];
            seen.extend(positions(events).await);
            if direction == Direction::Backward {
                seen.reverse();
            }
            assert_eq!(seen, [1, 2, 3, 4, 5, 6], "{direction:?}");
        }
    });
}

/// A page that leads nowhere is an error and not an endless loop.
#[test]
fn a_store_that_does_not_go_on_is_not_followed() {
    run(async {
        struct Stuck;
        impl Actor for Stuck {
            type Context = Context<Self>;
        }
        impl Handler<Envelope<ReadInParts<ReadAll>>> for Stuck {
            type Result = ResponseFuture<Answered<ReadInParts<ReadAll>>>;

            fn handle(
                &mut self,
                envelope: Envelope<ReadInParts<ReadAll>>,
                _: &mut Self::Context,
            ) -> Self::Result {
                drop(envelope.open());
                let (scanned_to, head) = (Position::new(4), Position::new(9));
                Box::pin(async move { Some(Ok(AllPage { events: Vec::new(), scanned_to, head })) })
            }
        }
        let (bus, _supervisor) = bus().await;
        let routes = RouteSet::new("store/stuck").answers::<ReadInParts<ReadAll>>(Stuck.start().recipient());
        bus.register(routes).await.unwrap();
        for direction in [Direction::Forward, Direction::Backward] {
            let read: Vec<_> = bus.store().stream_all(all(Some(5), direction, 10)).collect().await;
            assert!(matches!(read[..], [Err(StoreError::Failed { .. })]), "{read:?}");
        }
    });
}
