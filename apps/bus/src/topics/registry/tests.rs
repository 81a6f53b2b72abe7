//! Time and topics, on a clock that stands still until it is turned. The bus actor is not needed: what it
//! runs is run here.

use std::time::Duration;

use tokio::time::advance;

use super::*;
use crate::{
    handle::Bus,
    topics::{Inbox, Item, Topic, TopicEvent, Topics, Tracked},
};

const TTL: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(30);

fn topic() -> Topic<u32> {
    Topic::named("a")
}

/// A bus whose topic "a" has these subscribers, and whose time is kept here.
async fn bus(subscriptions: impl IntoIterator<Item = Subscription>) -> (Topics, Vec<Inbox>) {
    let bus = Bus::new(BusSettings::default());
    bus.registry().register(topic().name(), Carried::of::<u32>(), false).unwrap();
    let inboxes = subscriptions.into_iter().map(|subscription| {
        let patterns = Patterns::compile(&subscription.patterns).unwrap();
        let (member, reader) = bus.registry().subscribe(&subscription, patterns).unwrap();
        Inbox::new(bus.clone(), member, reader)
    });
    let inboxes = inboxes.collect();
    let keeps_time = bus.clone();
    tokio::spawn(async move { keeps_time.registry().expire_in_time().await });
    others_run().await;
    (bus.topics(), inboxes)
}

/// Lets those run who wait for something that has happened.
async fn others_run() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn turn_clock(by: Duration) {
    advance(by).await;
    others_run().await;
}

fn all(subscriber: &str) -> Subscription {
    Subscription::new(subscriber, [".*"])
}

fn publish(topics: &Topics, ttl: Option<Duration>) -> Tracked {
    let mut event = TopicEvent::now(&topic(), 1);
    event.head.ttl = ttl;
    topics.publish_tracked(event).unwrap()
}

async fn take(inbox: &mut Inbox) -> crate::topics::Delivery {
    let Ok(Item::Event(delivery)) = inbox.next().await else { panic!("no event") };
    delivery
}

const A_MOMENT: Duration = Duration::from_millis(2);

/// Given a subscriber that never takes an event, it expires by its time to live, and nothing of it stays.
#[tokio::test(start_paused = true)]
async fn an_event_expires_by_its_time_to_live() {
    let (topics, mut inboxes) = bus([all("stalled")]).await;
    for ttl in [None, Some(Duration::from_secs(5))] {
        let tracked = publish(&topics, ttl);
        turn_clock(ttl.unwrap_or(TTL) - A_MOMENT).await;
        assert_eq!(topics.pending("a"), 1);
        turn_clock(A_MOMENT * 2).await;
        assert_eq!(topics.pending("a"), 0);
        assert_eq!(tracked.await.of(&"stalled".into()), Some(&Verdict::Expired));
    }
    assert_eq!(inboxes[0].counters().waiting, 2);
    // What has expired is not handed out any more.
    let fresh = publish(&topics, None);
    assert_eq!(take(&mut inboxes[0]).await.shadow(), *fresh.shadow());
    let counters = inboxes[0].counters();
    assert_eq!((counters.delivered, counters.withdrawn, counters.waiting), (1, 2, 0));
}

/// Given a subscriber that takes an event and says nothing, its lease ends, and nobody waits for it any
/// longer.
#[tokio::test(start_paused = true)]
async fn a_lease_ends_before_the_event_does() {
    let quick = all("quick").lease(Duration::from_secs(1));
    let (topics, mut inboxes) = bus([all("usual"), quick]).await;
    let tracked = publish(&topics, None);
    let (usual, quick) = (take(&mut inboxes[0]).await, take(&mut inboxes[1]).await);
    turn_clock(Duration::from_secs(1) + A_MOMENT).await;
    assert_eq!(quick.complete(), Marked::Already(Verdict::Expired));
    assert_eq!(topics.pending("a"), 1, "the other one has time");
    turn_clock(LEASE - Duration::from_secs(1) - A_MOMENT * 2).await;
    assert_eq!(usual.complete(), Marked::Finished);
    let verdicts = tracked.await;
    assert_eq!(verdicts.of(&"quick".into()), Some(&Verdict::Expired));
    assert_eq!(verdicts.of(&"usual".into()), Some(&Verdict::Completed));
}

/// Given many events that nobody speaks of, each expires at its own time, whatever the order they came in.
#[tokio::test(start_paused = true)]
async fn events_expire_one_after_the_other() {
    let (topics, _inboxes) = bus([all("stalled")]).await;
    let mut tracked = Vec::new();
    for seconds in [50, 10, 30, 20, 40] {
        tracked.push(publish(&topics, Some(Duration::from_secs(seconds))));
    }
    for left in (0..5).rev() {
        turn_clock(Duration::from_secs(10)).await;
        turn_clock(A_MOMENT).await;
        assert_eq!(topics.pending("a"), left);
    }
    for one in tracked {
        assert_eq!(one.await.given[0].1, Verdict::Expired);
    }
}

/// Given nobody awaits an event, it is tracked and expires all the same.
#[tokio::test(start_paused = true)]
async fn nobody_has_to_wait() {
    let (topics, _inboxes) = bus([all("stalled")]).await;
    drop(publish(&topics, None));
    assert_eq!(topics.pending("a"), 1);
    turn_clock(TTL + A_MOMENT).await;
    assert_eq!(topics.pending("a"), 0);
}

/// Given a bus that is gone, who waits for verdicts gets them.
#[tokio::test]
async fn a_bus_that_ends_withdraws() {
    let registry = Registry::new(&BusSettings::default());
    registry.register(topic().name(), Carried::of::<u32>(), false).unwrap();
    let patterns = Patterns::compile(&["a"]).unwrap();
    registry.subscribe(&all("audit"), patterns).unwrap();
    let event = TopicEvent::now(&topic(), 1);
    let shadow = event.head.shadow();
    let tracked = Tracked::new(shadow, registry.publish_tracked(event).unwrap());
    drop(registry);
    assert_eq!(tracked.await.of(&"audit".into()), Some(&Verdict::Withdrawn));
}
