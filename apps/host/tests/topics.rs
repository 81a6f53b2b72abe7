//! Subscribers that an app declares, and what they do who missed something.

use std::sync::Arc;

use serde::Serialize;
use umbel_core::{Notice, store::Recorded};
use umbel_host::{
    App, HostSettings,
    topics::{Delivery, Item, Overflow, Subscription, Topic, TopicEvent, TopicHandler, Verdict},
};

use crate::world::*;

/// A notice of which nothing is said but a number.
#[derive(Clone, Debug, Serialize)]
struct Count(u32);

impl Notice for Count {
    const TOPIC: &'static str = "test.count";
}

impl Recorded for Count {}

/// Skips what is odd.
struct Even;

impl TopicHandler for Even {
    type Error = String;

    async fn handle(&mut self, delivery: &Delivery) -> Result<(), String> {
        let count = delivery.event::<Count>().ok_or("not a count")?;
        if count.data.0.is_multiple_of(2) { Ok(()) } else { Err(format!("{} is odd", count.data.0)) }
    }
}

/// EB-03, EB-07: given an app that subscribes, it is attached to topics that come later, and has a say in
/// what is tracked.
#[test]
fn an_app_subscribes() {
    run(async {
        let app = App::new("numbers").subscribe(Subscription::new("even", ["test"]), |_| Even);
        let world = World::with(&Arc::default(), &[app], settings()).await;
        let (topics, topic) = (world.bus.topics(), Topic::<Count>::of_notice());
        topics.register(&topic).await.unwrap();
        for (number, expected) in
            [(2, Verdict::Completed), (3, Verdict::Skipped { reason: "3 is odd".into() })]
        {
            let verdicts = topics.publish_tracked(TopicEvent::now(&topic, Count(number))).unwrap().await;
            assert_eq!(verdicts.of(&"even".into()), Some(&expected));
        }
        world.stop().await;
    });
}

/// Given a subscriber that catches up, and notices that are recorded, when it misses some, it is told since
/// when, and the store has all of them.
#[test]
fn who_missed_something_catches_up_from_the_store() {
    run(async {
        let recording = HostSettings { notices_batch_within_ms: 5, ..settings() };
        let app = App::new("numbers").record::<Count>();
        let world = World::with(&Arc::default(), &[app], recording).await;
        let catches_up = Subscription::new("slow", [Count::TOPIC]).capacity(2).overflow(Overflow::CatchUp);
        let mut inbox = world.bus.topics().subscribe(catches_up).await.unwrap();
        for number in 0..10 {
            world.bus.publish(Count(number));
        }
        let (mut heard, mut missed) = (Vec::new(), 0);
        while missed == 0 {
            match inbox.next().await.unwrap() {
                Item::Event(delivery) => heard.push(delivery.event::<Count>().unwrap().data.0),
                Item::Lagged(gap) => {
                    missed = gap.missed;
                    // The recorder stores in batches: they are there soon.
                    while !(2..10).all(|number| heard.contains(&number)) {
                        let kept = world.bus.store().list_notices(gap.kept(Count::TOPIC, 100)).await.unwrap();
                        heard.extend(kept.iter().map(|kept| kept.data.decode::<u32>().unwrap()));
                    }
                }
            }
        }
        assert_eq!((missed, &heard[..2]), (8, &[0, 1][..]));
        world.bus.publish(Count(10));
        let Item::Event(delivery) = inbox.next().await.unwrap() else { panic!("it is live again") };
        assert_eq!(delivery.event::<Count>().unwrap().data.0, 10);
        world.stop().await;
    });
}
