//! Subscribers that are slow, stalled, or panic: what becomes of their events, and that nobody else notices.

use std::{collections::HashMap, sync::Mutex};

use tokio::{sync::mpsc, task::yield_now};
use umbel_supervision::Worker;

use super::{event_bus::*, *};
use crate::topics::{
    Delivery, Ended, Gap, Inbox, Item, Overflow, SubscriberId, Subscription, Topic, TopicEvent, TopicHandler,
    Topics, Verdict, topic_worker,
};

/// What a handler has seen, and which of those made for its subscriber it was.
type Seen = (SubscriberId, u32, u32);

/// Panics at 13, refuses 4, never ends 99, and reports the others.
struct Picky {
    made: u32,
    seen: mpsc::Sender<Seen>,
}

impl TopicHandler for Picky {
    type Error = &'static str;

    async fn handle(&mut self, delivery: &Delivery) -> Result<(), Self::Error> {
        let number = number(delivery);
        assert_ne!(number, 13, "this one I cannot stand");
        if number == 99 {
            std::future::pending::<()>().await;
        }
        self.seen.send((delivery.subscriber().clone(), self.made, number)).await.expect("the test reads");
        if number == 4 { Err("not this one") } else { Ok(()) }
    }
}

/// Makes handlers, and counts them per subscriber.
fn picky(seen: &mpsc::Sender<Seen>) -> impl Fn(&SubscriberId) -> Picky + Clone + Send + Sync + 'static {
    let (seen, made) = (seen.clone(), Arc::new(Mutex::new(HashMap::<SubscriberId, u32>::new())));
    move |subscriber| {
        let mut made = made.lock().unwrap();
        let count = made.entry(subscriber.clone()).or_default();
        *count += 1;
        Picky { made: *count, seen: seen.clone() }
    }
}

/// A running bus with workers beside it, as soon as all have subscribed.
async fn bus_beside(workers: impl FnOnce(&Bus) -> Vec<Worker>) -> (Bus, Supervisor) {
    let bus = Bus::new(BusSettings::default());
    let root = Group::new("test", policy()).child(crate::worker(&bus));
    let root = workers(&bus).into_iter().fold(root, Group::child);
    let supervisor = Supervisor::start(root);
    supervisor.tree().wait_until_up(AMPLE).await.unwrap();
    (bus, supervisor)
}

async fn verdict(topics: &Topics, number: u32, of: &str) -> Verdict {
    let verdicts = topics.publish_tracked(told("a", number)).unwrap().await;
    verdicts.of(&of.into()).cloned().expect("it has subscribed")
}

/// EB-07: given several subscribers and one that panics, that one skips the event, with the cause as the
/// reason, and goes on, made anew; the others get it. One that refuses an event skips it, too.
#[test]
fn one_that_panics_skips_the_event() {
    run(async {
        let (seen, mut reads) = mpsc::channel(100);
        let config = SubscriberId::configured("picky", &7).unwrap();
        let (bus, _supervisor) = bus_beside(|bus| {
            let worker = |id: &SubscriberId| topic_worker(bus, Subscription::new(id, [".*"]), picky(&seen));
            vec![worker(&"picky".into()), worker(&config)]
        })
        .await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        let mut other = subscribe(&topics, "other", "a").await;
        for number in [1, 13, 4, 2] {
            let tracked = topics.publish_tracked(told("a", number)).unwrap();
            assert_eq!(event_bus::number(&next(&mut other).await), number);
            topics.complete(&"other".into(), tracked.shadow());
            let verdicts = tracked.await;
            assert_eq!(verdicts.of(&"other".into()), Some(&Verdict::Completed));
            for of in [&"picky".into(), &config] {
                match (number, verdicts.of(of).unwrap()) {
                    (13, Verdict::Skipped { reason }) => {
                        assert!(reason.contains("this one I cannot stand"), "{reason}");
                        assert!(reason.contains("subscribers.rs:"), "where it was: {reason}");
                    }
                    (4, Verdict::Skipped { reason }) => assert_eq!(&**reason, "not this one"),
                    (1 | 2, Verdict::Completed) => {}
                    (_, verdict) => panic!("{verdict:?} of {number}"),
                }
            }
        }
        let mut all = Vec::new();
        while let Ok((subscriber, made, number)) = reads.try_recv() {
            all.push((subscriber.to_string(), made, number));
        }
        all.sort();
        let expected = |who: &str| [(who.to_owned(), 1, 1), (who.to_owned(), 2, 2), (who.to_owned(), 2, 4)];
        assert_eq!(all, [expected("picky"), expected("picky 7")].concat());
    });
}

/// Given a worker that is restarted, it goes on with what waited meanwhile; unsubscribed it rests.
#[test]
fn a_subscriber_that_is_restarted_goes_on() {
    run(async {
        let (seen, mut reads) = mpsc::channel(100);
        let made = Arc::new(AtomicUsize::new(0));
        let (bus, supervisor) = bus_beside(|bus| {
            let (picky, made) = (picky(&seen), Arc::clone(&made));
            let make = move |id: &SubscriberId| {
                // The one made after the first panic takes its worker along.
                assert_ne!(made.fetch_add(1, Ordering::SeqCst), 1, "cannot be made");
                picky(id)
            };
            vec![topic_worker(bus, Subscription::new("picky", ["a"]), make)]
        })
        .await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        for number in [13, 1, 2] {
            topics.publish(told("a", number)).unwrap();
        }
        for number in [1, 2] {
            assert_eq!(reads.recv().await.unwrap().2, number);
        }
        supervisor.tree().wait_until(|tree| tree.children[1].restarts == 1 && tree.is_up()).await;
        topics.unsubscribe(&"picky".into()).await.unwrap();
        assert_eq!(topics.publish(told("a", 3)).unwrap(), 0);
        supervisor.shut_down().await;
    });
}

/// Given a worker whose subscriber is disconnected, it is restarted and gets what comes from then on.
#[test]
fn a_disconnected_worker_begins_anew() {
    run(async {
        let (seen, mut reads) = mpsc::channel(1);
        let subscription = Subscription::new("picky", ["a"]).capacity(2).overflow(Overflow::Disconnect);
        let (bus, supervisor) =
            bus_beside(|bus| vec![topic_worker(bus, subscription, picky(&seen)).own_thread()]).await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        while topics.subscriber(&"picky".into()).unwrap().connected {
            topics.publish(told("a", 50)).unwrap();
            yield_now().await;
        }
        // It comes to an end of what it had in hand, and is told then.
        let reading = async { while reads.recv().await.unwrap().2 != 7 {} };
        let restarted = async {
            supervisor.tree().wait_until(|tree| tree.children[1].restarts >= 1 && tree.is_up()).await;
            while !topics.subscriber(&"picky".into()).unwrap().connected {
                yield_now().await;
            }
            assert_eq!(verdict(&topics, 7, "picky").await, Verdict::Completed);
        };
        futures_util::future::join(reading, restarted).await;
        assert_eq!(topics.subscriber(&"picky".into()).unwrap().counters.disconnected, 1);
    });
}

/// EB-14: given a subscriber that never ends one event, when events for other topics arrive, and for its own,
/// then the others are not delayed, and neither is the publisher.
#[test]
fn a_slow_subscriber_delays_only_itself() {
    run(async {
        let (seen, _reads) = mpsc::channel(1);
        let (bus, _supervisor) =
            bus_beside(|bus| vec![topic_worker(bus, Subscription::new("stuck", ["a"]), picky(&seen))]).await;
        let topics = bus.topics();
        register(&topics, &["a", "b"]).await;
        let mut quick = subscribe(&topics, "quick", ".*").await;
        assert_eq!(topics.publish(told("a", 99)).unwrap(), 2);
        next(&mut quick).await;
        let counters = || topics.subscriber(&"stuck".into()).unwrap().counters;
        while counters().delivered == 0 {
            yield_now().await;
        }
        for round in 0..5_000 {
            for name in ["a", "b"] {
                topics.publish(told(name, round)).unwrap();
                assert_eq!(number(&next(&mut quick).await), round);
            }
        }
        assert_eq!(quick.counters().dropped, 0);
        assert_eq!((counters().delivered, counters().waiting), (1, 1024), "it is still at the first");
        assert_eq!(counters().dropped, 5_000 - 1024);
    });
}

/// A payload that counts how many of its kind are in memory.
#[derive(Debug)]
struct Alive {
    number: u64,
    alive: Arc<AtomicUsize>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What this process holds in memory, as Linux tells it; elsewhere nothing.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
}

/// UX-16: given one stalled subscriber among ten, whatever its policy, when many events are published - a million with
/// `UMBEL_TEST_LONG=1` (`make soak`) - then memory stays bounded, and the other nine get all of them in order.
#[test]
fn one_stalled_among_ten_costs_a_bounded_queue() {
    const WAITING: usize = 64;
    /// Ten bytes kept of each of the million events would be more.
    const GROWN_MAX_KIB: u64 = 8 * 1024;
    let long = std::env::var("UMBEL_TEST_LONG").is_ok_and(|long| long == "1");
    let (events, limit) = if long { (1_000_000, 60 * AMPLE) } else { (20_000, AMPLE) };
    for overflow in
        [Overflow::DropOldest, Overflow::DropNewest, Overflow::Disconnect, Overflow::DropUntilDrained]
    {
        run_within(limit, async move {
            let (bus, _supervisor) = bus().await;
            let topics = bus.topics();
            let alive = Arc::new(AtomicUsize::new(0));
            let topic = Topic::<Alive>::named("a");
            topics.register(&topic).await.unwrap();
            let subscribe = async |name: &str| {
                let subscription = Subscription::new(name, ["a"]).capacity(WAITING).overflow(overflow);
                topics.subscribe(subscription).await.unwrap()
            };
            let mut stalled = subscribe("stalled").await;
            let mut reading = Vec::new();
            for number in 0..9 {
                let mut inbox = subscribe(&format!("reader-{number}")).await;
                reading.push(tokio::spawn(async move {
                    for expected in 0..events {
                        assert_eq!(next(&mut inbox).await.event::<Alive>().unwrap().data.number, expected);
                    }
                    inbox.counters().dropped
                }));
            }
            let (mut most, mut before) = (0, None);
            for number in 0..events {
                alive.fetch_add(1, Ordering::SeqCst);
                let event = Alive { number, alive: Arc::clone(&alive) };
                topics.publish(TopicEvent::now(&topic, event)).unwrap();
                most = most.max(alive.load(Ordering::SeqCst));
                if number == events / 10 {
                    // By then all has been allocated that stays.
                    before = resident_kib();
                }
                if number % 32 == 31 {
                    let read = |info: &crate::topics::SubscriberInfo| info.counters.waiting == 0;
                    while !topics.subscribers().iter().skip(1).all(read) {
                        yield_now().await;
                    }
                }
            }
            for reader in reading {
                assert_eq!(reader.await.unwrap(), 0, "{overflow:?}: readers lose nothing");
            }
            assert!(most <= 2 * WAITING, "{overflow:?}: {most} events in memory");
            // Beside other tests nobody knows whose it is.
            if let (true, Some(before), Some(after)) = (long, before, resident_kib()) {
                let grown = after.saturating_sub(before);
                println!(
                    "{overflow:?}: {events} events, {after} KiB, of which {grown} came with the last nine tenths"
                );
                assert!(grown < GROWN_MAX_KIB, "{overflow:?}: grown by {grown} KiB");
            }
            let counters = stalled.counters();
            let waiting = u64::try_from(counters.waiting).unwrap();
            assert_eq!(waiting + counters.dropped, events);
            match (overflow, stalled.next().await) {
                (Overflow::Disconnect, Err(Ended::Disconnected { gap })) => assert_eq!(gap.missed, events),
                (Overflow::DropOldest, Ok(Item::Lagged(gap))) => assert_eq!(gap.missed, counters.dropped),
                (Overflow::DropNewest | Overflow::DropUntilDrained, Ok(Item::Event(delivery))) => {
                    assert_eq!(delivery.event::<Alive>().unwrap().data.number, 0);
                }
                (_, other) => panic!("{overflow:?}: {other:?}"),
            }
        });
    }
}

/// Reads all that waits: numbers, and how many are missing in between.
async fn drained(inbox: &mut Inbox) -> Vec<Result<u32, u64>> {
    let mut all = Vec::new();
    while let Some(item) = futures_util::FutureExt::now_or_never(inbox.next()) {
        all.push(match item.unwrap() {
            Item::Event(delivery) => Ok(number(&delivery)),
            Item::Lagged(Gap { missed, .. }) => Err(missed),
        });
    }
    all
}

/// Given a tracked event that a full queue loses, the publisher is told that this subscriber missed it; the
/// subscriber is told how many are missing, where they are missing.
#[test]
fn what_a_full_queue_loses_is_told_to_both_ends() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        for (overflow, lost, expected) in [
            (Overflow::DropOldest, [0, 1], vec![Err(2), Ok(2), Ok(3)]),
            (Overflow::DropNewest, [2, 3], vec![Ok(0), Ok(1), Err(2)]),
            (Overflow::DropUntilDrained, [2, 3], vec![Ok(0), Ok(1), Err(2)]),
        ] {
            let subscription = Subscription::new("slow", ["a"]).capacity(2).overflow(overflow);
            let mut inbox = topics.subscribe(subscription).await.unwrap();
            let mut tracked: Vec<_> =
                (0..4).map(|number| topics.publish_tracked(told("a", number)).unwrap()).collect();
            for lost in lost.into_iter().rev() {
                let verdicts = tracked.remove(lost).await;
                assert_eq!(verdicts.of(&"slow".into()), Some(&Verdict::Missed), "{overflow:?}");
            }
            assert_eq!(topics.pending("a"), 2);
            assert_eq!(drained(&mut inbox).await, expected, "{overflow:?}");
            topics.unsubscribe(&"slow".into()).await.unwrap();
        }
        let subscription = Subscription::new("slow", ["a"]).capacity(1).overflow(Overflow::Disconnect);
        let mut inbox = topics.subscribe(subscription.clone()).await.unwrap();
        for _ in 0..2 {
            topics.publish(told("a", 1)).unwrap();
        }
        assert_eq!(verdict(&topics, 1, "slow").await, Verdict::Missed);
        let ended = inbox.next().await.unwrap_err();
        assert!(matches!(ended, Ended::Disconnected { gap } if gap.missed == 3), "{ended}");
        assert!(!topics.subscribers()[0].connected);
        let mut inbox = topics.subscribe(subscription).await.unwrap();
        topics.publish(told("a", 5)).unwrap();
        assert_eq!(drained(&mut inbox).await, [Ok(5)], "connected again");
    });
}

/// Given threads that publish while topics and subscribers come and go, every tracked event ends, long before
/// its time to live, and nothing of any of them stays.
#[test]
fn whatever_comes_and_goes_every_tracked_event_ends() {
    const EACH: u32 = 1_000;
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a", "b"]).await;
        let reader = |name: &'static str, capacity| {
            let topics = topics.clone();
            async move {
                loop {
                    let subscription = Subscription::new(name, [".*"]).capacity(capacity);
                    let Ok(mut inbox) = topics.subscribe(subscription).await else { return };
                    while let Ok(item) = inbox.next().await {
                        if let Item::Event(delivery) = item {
                            delivery.complete();
                        }
                    }
                }
            }
        };
        for (name, capacity) in [("wide", 4096), ("narrow", 2), ("usual", 64)] {
            tokio::spawn(reader(name, capacity));
        }
        let publish = |name: &'static str| {
            let topics = topics.clone();
            tokio::task::spawn_blocking(move || {
                let all = (0..EACH).map(|number| topics.publish_tracked(told(name, number)).unwrap());
                all.collect::<Vec<_>>()
            })
        };
        let mut published = futures_util::future::join_all(["a", "b", "a"].map(publish));
        let mut changes = 0;
        let all = loop {
            tokio::select! {
                all = &mut published => break all,
                () = yield_now() => {}
            }
            changes += 1;
            match changes % 3 {
                0 => drop(topics.unsubscribe(&["wide", "narrow", "usual"][changes / 3 % 3].into()).await),
                1 => drop(topics.unregister("a").await),
                _ => drop(topics.register(&topic("a")).await),
            }
        };
        for tracked in all.into_iter().flat_map(Result::unwrap) {
            let verdicts = tracked.await;
            assert!(verdicts.given.iter().all(|(_, verdict)| *verdict != Verdict::Expired), "{verdicts:?}");
        }
        assert_eq!((topics.pending("a"), topics.pending("b")), (0, 0));
    });
}
