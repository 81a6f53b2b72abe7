//! Topics of the log: what is appended is published on them, and who catches up misses nothing.

use std::sync::Mutex;

use umbel_core::{
    Position, RecordedEvent,
    store::{Selector, StoreError},
};

use super::{
    pages::{Log, bus_with_log},
    *,
};
use crate::topics::{
    Delivery, Inbox, Item, Overflow, PublishError, Subscription, Topic, TopicError, TopicEvent, Topics,
};

/// What an event of the log is on the topic.
type Told = u64;

fn position(event: &RecordedEvent) -> Option<Told> {
    Some(event.position.get())
}

async fn log_topic(topics: &Topics) -> Topic<Told> {
    let topic = Topic::<Told>::named("log.all");
    assert!(topics.register_log(&topic, Selector::all(), position).await.unwrap());
    topic
}

async fn subscribe(topics: &Topics, name: &str, capacity: usize, overflow: Overflow) -> Inbox {
    let subscription = Subscription::new(name, [r"log\..*"]).capacity(capacity).overflow(overflow);
    topics.subscribe(subscription).await.unwrap()
}

async fn event(inbox: &mut Inbox) -> Delivery {
    match inbox.next().await.unwrap() {
        Item::Event(delivery) => delivery,
        Item::Lagged(gap) => panic!("it missed {gap:?}"),
    }
}

async fn number(inbox: &mut Inbox) -> Told {
    event(inbox).await.event::<Told>().unwrap().data
}

fn append(bus: &Bus, log: &Log, positions: impl IntoIterator<Item = u64>) {
    for position in positions {
        log.append(position);
        bus.announce_head(Position::new(position));
    }
}

fn settings() -> BusSettings {
    BusSettings { topic_log_batch: 2, topic_log_retry_ms: 1, ..BusSettings::default() }
}

/// Given a topic of the log, what is appended after it was registered is published on it, with what there is to know of the event; nobody
/// else publishes there; the topic is there once.
#[test]
fn what_is_appended_is_published() {
    run(async {
        let log = Log::new([1, 2], 2);
        let (bus, _supervisor) = bus_with_log(&log, settings()).await;
        let topics = bus.topics();
        let topic = log_topic(&topics).await;
        assert!(!topics.register_log(&topic, Selector::all(), position).await.unwrap());
        assert!(!topics.register(&topic).await.unwrap());
        let mut inbox = subscribe(&topics, "usual", 10, Overflow::DropOldest).await;
        append(&bus, &log, [3, 7, 8]);
        for expected in [3, 7, 8] {
            let delivery = event(&mut inbox).await;
            let told = delivery.event::<Told>().unwrap();
            assert_eq!((told.data, told.head.id.as_u128()), (expected, expected.into()));
            assert_eq!((told.head.source.as_deref(), &*told.head.topic), (Some("test-1"), "log.all"));
        }
        let refused = topics.publish(TopicEvent::now(&topic, 9)).unwrap_err();
        assert_eq!(refused, PublishError::OfTheLog { topic: "log.all".into() });
        assert!(matches!(
            topics.publish_tracked(TopicEvent::now(&topic, 9)),
            Err(PublishError::OfTheLog { .. })
        ));
        assert!(topics.unregister("log.all").await.unwrap());
        append(&bus, &log, [9]);
        // Registered anew, it begins where the log ends.
        log_topic(&topics).await;
        append(&bus, &log, [10]);
        assert_eq!(number(&mut inbox).await, 10);
    });
}

/// EB-15: given a stalled subscriber that catches up, publishing does not wait, another subscriber gets everything meanwhile, and the
/// stalled one has a bounded queue; when it reads, the bus feeds it from the log, in order, without gap or double, also over failures of the
/// store, and then it is live again.
#[test]
fn who_catches_up_is_fed_from_the_log() {
    const EVENTS: u64 = 500;
    run(async {
        let log = Log::new([], 0);
        let (bus, _supervisor) = bus_with_log(&log, settings()).await;
        let topics = bus.topics();
        log_topic(&topics).await;
        let mut stalled = subscribe(&topics, "stalled", 4, Overflow::CatchUp).await;
        let mut other = subscribe(&topics, "other", 4, Overflow::CatchUp).await;
        // With holes.
        let positions: Vec<_> = (1..=EVENTS).map(|number| number * 2).collect();
        for position in &positions {
            append(&bus, &log, [*position]);
            assert_eq!(number(&mut other).await, *position);
        }
        let told = stalled.counters();
        assert_eq!((told.waiting, told.left, told.fell_behind), (4, EVENTS - 4, 1));
        for at in [0, 10, 100] {
            let down = StoreError::Unavailable { reason: format!("down {at}") };
            log.fail(down);
        }
        let reading = positions.iter().take(300);
        for position in reading {
            assert_eq!(number(&mut stalled).await, *position);
            assert!(stalled.counters().waiting <= 4);
        }
        // More comes while it catches up.
        append(&bus, &log, [2 * EVENTS + 1, 2 * EVENTS + 2]);
        for position in positions.iter().skip(300).copied().chain([2 * EVENTS + 1, 2 * EVENTS + 2]) {
            assert_eq!(number(&mut stalled).await, position);
        }
        while other.counters().delivered < EVENTS + 2 {
            number(&mut other).await;
        }
        let told = stalled.counters();
        assert_eq!((told.delivered, told.dropped, told.withdrawn, told.left), (EVENTS + 2, 0, 0, 0));
        let asked = log.asked();
        append(&bus, &log, [2 * EVENTS + 3]);
        assert_eq!(number(&mut other).await, 2 * EVENTS + 3);
        assert_eq!(number(&mut stalled).await, 2 * EVENTS + 3);
        let told = stalled.counters();
        assert_eq!((told.fell_behind, told.left), (1, 0), "it is live again");
        assert!(log.asked() <= asked + 2, "and reads nothing itself");
    });
}

/// Given a topic that is none of the log, nobody can ask to catch up with it; one that is registered later is not theirs.
#[test]
fn who_catches_up_gets_topics_of_the_log_only() {
    run(async {
        let log = Log::new([], 0);
        let (bus, _supervisor) = bus_with_log(&log, settings()).await;
        let topics = bus.topics();
        let plain = Topic::<u32>::named("log.not");
        topics.register(&plain).await.unwrap();
        let catches_up = || Subscription::new("late", [r"log\..*"]).overflow(Overflow::CatchUp);
        let refused = topics.subscribe(catches_up()).await.unwrap_err();
        assert_eq!(refused, TopicError::NothingToCatchUpFrom { topic: "log.not".into() });
        let refused = topics.register_log(&plain, Selector::all(), |_| Some(1)).await.unwrap_err();
        assert_eq!(refused, TopicError::NotOfTheLog { topic: "log.not".into() });
        topics.unregister("log.not").await.unwrap();

        let mut inbox = topics.subscribe(catches_up()).await.unwrap();
        topics.register(&plain).await.unwrap();
        log_topic(&topics).await;
        assert_eq!(topics.subscribers_of("log.not"), []);
        assert_eq!(topics.publish(TopicEvent::now(&plain, 1)).unwrap(), 0);
        append(&bus, &log, [5]);
        assert_eq!(number(&mut inbox).await, 5);
    });
}

/// EB-13: given the bus actor dies, its successor publishes what was appended meanwhile, once.
#[test]
fn a_topic_of_the_log_outlives_the_bus_actor() {
    run(async {
        let log = Log::new([], 0);
        let (bus, supervisor) = bus_with_log(&log, settings()).await;
        let topics = bus.topics();
        log_topic(&topics).await;
        let mut inbox = subscribe(&topics, "usual", 100, Overflow::CatchUp).await;
        append(&bus, &log, [1]);
        assert_eq!(number(&mut inbox).await, 1);
        assert!(bus.inject_panic("bus").await);
        append(&bus, &log, [2, 3]);
        supervisor.tree().wait_until_up(AMPLE).await.unwrap();
        append(&bus, &log, [4]);
        for expected in [2, 3, 4] {
            assert_eq!(number(&mut inbox).await, expected);
        }
    });
}

/// Given a rule that panics over an event, that one is not published, and the others are; it makes no difference whether it is read live or by
/// who catches up.
#[test]
fn a_rule_that_panics_costs_its_event_alone() {
    run(async {
        let log = Log::new([], 0);
        let (bus, _supervisor) = bus_with_log(&log, settings()).await;
        let topics = bus.topics();
        let seen = Arc::new(Mutex::new(0));
        let count = Arc::clone(&seen);
        let make = move |event: &RecordedEvent| {
            *count.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
            assert_ne!(event.position.get() % 5, 3, "this one I cannot stand");
            position(event).filter(|position| position % 5 != 4)
        };
        let topic = Topic::<Told>::named("log.some");
        topics.register_log(&topic, Selector::all(), make).await.unwrap();
        let mut slow = subscribe(&topics, "slow", 1, Overflow::CatchUp).await;
        let mut quick = subscribe(&topics, "quick", 100, Overflow::DropOldest).await;
        append(&bus, &log, 1..=12);
        for inbox in [&mut quick, &mut slow] {
            for expected in [1, 2, 5, 6, 7, 10, 11, 12] {
                assert_eq!(number(inbox).await, expected);
            }
        }
        assert!(*seen.lock().unwrap() >= 12);
    });
}
