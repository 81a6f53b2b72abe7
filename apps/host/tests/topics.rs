//! Subscribers that an app declares, and what they do who missed something.

use std::sync::Arc;

use serde::Serialize;
use umbel_core::{
    Notice, RecordedEvent,
    store::{Recorded, Selector},
};
use umbel_host::{
    App, HostSettings,
    topics::{Delivery, Item, Overflow, Subscription, Topic, TopicEvent, TopicHandler, Verdict},
};

use crate::{bank::Deposited, world::*};

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

/// EB-15: given a slow subscriber of a topic of the log, on a real store, what was appended here and selected reaches it all, in the order of
/// the log, as the type of the topic, and what it could not hold is read from the log.
#[test]
fn a_topic_of_the_log_misses_nothing() {
    const DEPOSITS: i64 = 50;
    run(async {
        let world = World::new().await;
        let topics = world.bus.topics();
        let deposits = Topic::<i64>::named("account.deposited");
        let selector = Selector { names: Some(["bank.deposited".to_owned()].into()), ..Selector::all() };
        let amount = |event: &RecordedEvent| event.data.decode::<Deposited>().ok().map(|it| it.amount);
        topics.register_log(&deposits, selector, amount).await.unwrap();
        let catches_up = Subscription::new("slow", ["account"]).capacity(2).overflow(Overflow::CatchUp);
        let mut inbox = topics.subscribe(catches_up).await.unwrap();
        for amount in 1..=DEPOSITS {
            world.deposit_behind_its_back("ada", amount).await;
        }
        while inbox.counters().fell_behind == 0 {
            pause().await;
        }
        for amount in 1..=DEPOSITS + 1 {
            if amount == DEPOSITS {
                world.deposit_behind_its_back("ada", DEPOSITS + 1).await;
            }
            let Item::Event(delivery) = inbox.next().await.unwrap() else { panic!("it misses something") };
            assert_eq!(delivery.event::<i64>().unwrap().data, amount);
            assert_eq!(delivery.head().source.as_deref(), Some("account-ada"));
        }
        assert!(inbox.counters().caught_up > 0);
        world.stop().await;
    });
}

/// Given a subscriber that reads elsewhere what it missed, and notices that are recorded, when it misses some, it is told since
/// when, and the store has all of them.
#[test]
fn who_missed_something_catches_up_from_the_store() {
    run(async {
        let recording = HostSettings { notices_batch_within_ms: 5, ..settings() };
        let app = App::new("numbers").record::<Count>();
        let world = World::with(&Arc::default(), &[app], recording).await;
        let catches_up =
            Subscription::new("slow", [Count::TOPIC]).capacity(2).overflow(Overflow::DropUntilDrained);
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
