//! Topics as the otobus EventBus knows them, and mended where it was wrong.

use std::sync::{Arc, Mutex};

use umbel_core::Notice;
use uuid::Uuid;

use super::{topics::News, *};
use crate::topics::{
    Built, Delivery, Ended, Inbox, Item, Marked, Payload, PublishError, Shadow, SubscriberId, Subscription,
    Topic, TopicError, TopicEvent, Topics, Verdict,
};

/// What events tell here. It cannot be cloned: all subscribers get the same one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told(pub(super) u32);

pub(super) fn topic(name: &str) -> Topic<Told> {
    Topic::named(name)
}

/// Registers topics that carry [`Told`].
pub(super) async fn register(topics: &Topics, names: &[&str]) {
    for name in names {
        assert!(topics.register(&topic(name)).await.unwrap(), "{name} is new");
    }
}

pub(super) async fn subscribe(topics: &Topics, subscriber: impl Into<SubscriberId>, pattern: &str) -> Inbox {
    topics.subscribe(Subscription::new(subscriber, [pattern])).await.unwrap()
}

pub(super) fn told(topic_name: &str, number: u32) -> TopicEvent<Told> {
    TopicEvent::now(&topic(topic_name), Told(number))
}

pub(super) async fn next(inbox: &mut Inbox) -> Delivery {
    match inbox.next().await {
        Ok(Item::Event(delivery)) => delivery,
        other => panic!("{other:?} instead of an event"),
    }
}

pub(super) fn number(delivery: &Delivery) -> u32 {
    delivery.event::<Told>().expect("it carries this").data.0
}

fn names(topics: &Topics) -> Vec<String> {
    topics.list().iter().map(ToString::to_string).collect()
}

fn who(names: &[&str]) -> Vec<SubscriberId> {
    names.iter().map(|name| SubscriberId::new(*name)).collect()
}

/// EB-01: given a topic and a matching subscriber, when an event is notified, then the subscriber gets topic
/// and id, and can fetch the event with them; it is the publisher's own, not a copy.
#[test]
fn a_subscriber_gets_topic_and_id_and_can_fetch_the_event() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["orders.placed", "users"]).await;
        let mut inbox = subscribe(&topics, "audit", "orders").await;
        let tracked = topics.publish_tracked(told("orders.placed", 7)).unwrap();
        let delivery = next(&mut inbox).await;
        assert_eq!(delivery.shadow(), *tracked.shadow());
        assert_eq!(&*delivery.shadow().topic, "orders.placed");
        let fetched = topics.fetch::<Told>(&delivery.shadow()).unwrap();
        assert_eq!(fetched.data, Told(7));
        assert!(Arc::ptr_eq(&fetched, &delivery.event().unwrap()));
        assert_eq!(format!("{:?}", delivery.data()), "Told(7)", "for those who only show it");
        assert!(topics.fetch::<String>(&delivery.shadow()).is_none(), "not as another type");
        assert!(delivery.event::<String>().is_none());
        assert_eq!(topics.publish(told("users", 1)).unwrap(), 0, "no pattern of its matches");
    });
}

/// EB-02: given a topic registered twice, it is listed once; when it is unregistered, it, its events and its
/// watchers are gone.
#[test]
fn a_topic_is_listed_once_and_leaves_nothing_behind() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a", "b"]).await;
        assert!(!topics.register(&topic("a")).await.unwrap(), "nothing changed");
        assert_eq!(names(&topics), ["a", "b"]);
        let mut inbox = subscribe(&topics, "audit", "a").await;
        let tracked = topics.publish_tracked(told("a", 1)).unwrap();
        drop(topics.publish_tracked(told("a", 2)).unwrap());
        topics.publish(told("a", 3)).unwrap();
        let taken = next(&mut inbox).await;
        assert_eq!(topics.pending("a"), 2);

        assert!(topics.unregister("a").await.unwrap());
        assert!(!topics.unregister("a").await.unwrap(), "it is gone");
        assert_eq!((names(&topics), topics.exists("a")), (vec!["b".to_owned()], false));
        assert_eq!(topics.pending("a"), 0);
        assert!(topics.fetch::<Told>(&taken.shadow()).is_none());
        assert_eq!(taken.complete(), Marked::Unknown);
        assert_eq!(tracked.await.of(&"audit".into()), Some(&Verdict::Withdrawn));
        assert_eq!(inbox.counters().waiting, 0, "what waited is gone, too");
        assert_eq!(topics.publish(told("a", 4)).unwrap(), 0);

        register(&topics, &["a"]).await;
        topics.publish(told("a", 5)).unwrap();
        assert_eq!(number(&next(&mut inbox).await), 5, "the subscriber has kept its pattern");
    });
}

/// EB-02: a topic carries one type, and a wrong name is refused.
#[test]
fn a_topic_carries_one_type() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        let other = Topic::<String>::named("a");
        let refused = topics.register(&other).await.unwrap_err();
        assert!(matches!(&refused, TopicError::Carries { topic, .. } if &**topic == "a"), "{refused}");
        assert!(refused.to_string().contains("Told") && refused.to_string().contains("String"), "{refused}");
        let refused = topics.publish(TopicEvent::now(&other, String::new())).unwrap_err();
        assert!(matches!(refused, PublishError::Carries { .. }), "{refused}");
        let refused = topics.publish_tracked(TopicEvent::now(&other, String::new())).unwrap_err();
        assert!(matches!(refused, PublishError::Carries { .. }), "{refused}");
        let refused = topics.register(&topic("two words")).await.unwrap_err();
        assert!(matches!(refused, TopicError::Name { .. }), "{refused}");
    });
}

/// EB-02: topics from the settings are there from the start, and carry whatever comes until a type is
/// registered.
#[test]
fn topics_can_be_given_by_settings() {
    run(async {
        let settings: BusSettings =
            serde_json::from_value(serde_json::json!({ "topics": "a, test.news," })).unwrap();
        let (bus, _supervisor) = bus_with(settings).await;
        let topics = bus.topics();
        assert_eq!(names(&topics), ["a", "test.news"]);
        let mut inbox = subscribe(&topics, "audit", ".*").await;
        assert_eq!(topics.publish(told("a", 1)).unwrap(), 1);
        assert_eq!(topics.publish(TopicEvent::now(&Topic::named("a"), "text")).unwrap(), 1);
        assert_eq!(bus.publish(News(3)), 1, "by its name, though nobody registered its type");
        assert_eq!(number(&next(&mut inbox).await), 1);
        assert_eq!(next(&mut inbox).await.event::<&str>().unwrap().data, "text");
        assert_eq!(next(&mut inbox).await.event::<News>().unwrap().data, News(3));
        assert!(topics.register(&topic("a")).await.unwrap());
        assert!(topics.publish(TopicEvent::now(&Topic::named("a"), "text")).is_err());
        let refused = serde_json::from_value::<BusSettings>(serde_json::json!({ "topics": "two words" }));
        assert!(refused.unwrap_err().to_string().contains("blank"));
    });
}

/// EB-03: given a subscriber with patterns, when a matching topic is registered later, then it is attached.
#[test]
fn late_topics_are_attached() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        let mut inbox = subscribe(&topics, "audit", r"orders\.").await;
        assert_eq!(topics.publish(told("orders.placed", 1)).unwrap(), 0, "there is no such topic yet");
        register(&topics, &["orders.placed", "orders"]).await;
        assert_eq!(topics.subscribers_of("orders.placed"), who(&["audit"]));
        assert_eq!(topics.subscribers_of("orders"), []);
        topics.publish(told("orders.placed", 2)).unwrap();
        assert_eq!(number(&next(&mut inbox).await), 2);
        // A kind of notice that somebody listens to registers its topic, too.
        let mut news = subscribe(&topics, "news", News::TOPIC).await;
        let mut listener = bus.listen::<News>().await.unwrap();
        assert_eq!(bus.publish(News(1)), 2);
        assert_eq!(next(&mut news).await.event::<News>().unwrap().data, News(1));
        assert_eq!(topics.publish(TopicEvent::now(&Topic::of_notice(), News(2))).unwrap(), 2);
        assert_eq!((listener.next().await, listener.next().await), (Some(News(1)), Some(News(2))));
    });
}

/// EB-04: given a subscriber that subscribes again with other patterns, it is listed once, with the new ones.
#[test]
fn subscribing_again_replaces_the_patterns() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a", "b", "both"]).await;
        let (first, second) = (SubscriberId::new("first"), SubscriberId::new("second"));
        let mut before = topics.subscribe(Subscription::new(&first, ["a$", "both"])).await.unwrap();
        subscribe(&topics, "second", ".*").await;
        for (name, number) in [("a", 1), ("both", 2)] {
            topics.publish(told(name, number)).unwrap();
        }
        let mut after = topics.subscribe(Subscription::new(&first, ["b"])).await.unwrap();
        let listed: Vec<_> =
            topics.subscribers().into_iter().map(|info| (info.subscriber, info.patterns)).collect();
        assert_eq!(listed, [(first.clone(), vec!["b".to_owned()]), (second.clone(), vec![".*".to_owned()])]);
        assert!(topics.is_subscribed(&first, &["b"]));
        assert!(!topics.is_subscribed(&first, &["a$", "both"]) && !topics.is_subscribed(&first, &[]));
        assert_eq!(topics.subscribers_of("a"), who(&["second"]));
        assert_eq!(topics.subscribers_of("both"), who(&["first", "second"]));
        assert_eq!(before.next().await.unwrap_err(), Ended::Replaced);
        assert_eq!(number(&next(&mut after).await), 2, "what waits and still matches stays");
        assert_eq!(after.counters().withdrawn, 1, "what does not match any more is gone");

        assert!(topics.unsubscribe(&first).await.unwrap());
        assert!(!topics.unsubscribe(&first).await.unwrap());
        assert!(!topics.is_subscribed(&first, &["b"]));
        assert_eq!(topics.subscribers_of("both"), who(&["second"]));
        assert_eq!(after.next().await.unwrap_err(), Ended::Unsubscribed);
        assert!(topics.subscriber(&first).is_none() && topics.subscriber(&second).is_some());
    });
}

/// EB-05: given one subscriber with two configurations, an event reaches it once per configuration, with that
/// configuration.
#[test]
fn two_configurations_are_two_subscribers() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        let ids = ["eu", "us"].map(|region| SubscriberId::configured("mailer", region).unwrap());
        let mut inboxes = Vec::new();
        for id in &ids {
            inboxes.push(subscribe(&topics, id, "a").await);
        }
        inboxes.push(subscribe(&topics, "mailer", "a").await);
        assert_eq!(topics.publish(told("a", 1)).unwrap(), 3);
        for (inbox, region) in inboxes.iter_mut().zip([Some("eu"), Some("us"), None]) {
            let delivery = next(inbox).await;
            assert_eq!(delivery.config::<String>().as_deref(), region);
            assert_eq!(number(&delivery), 1);
            assert_eq!(inbox.counters().waiting, 0, "once");
        }
        topics.unsubscribe(&ids[0]).await.unwrap();
        assert_eq!(topics.subscribers_of("a").len(), 2, "the others have not left");
    });
}

/// EB-06: given an unanchored pattern that is a prefix of a topic's name, it matches; with an end anchor it
/// does not. One that is no pattern is refused.
#[test]
fn patterns_are_anchored_as_written() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["user", "user_deleted"]).await;
        let _prefix = subscribe(&topics, "prefix", "user").await;
        let _whole = subscribe(&topics, "whole", "user$").await;
        assert_eq!(topics.subscribers_of("user"), who(&["prefix", "whole"]));
        assert_eq!(topics.subscribers_of("user_deleted"), who(&["prefix"]));
        let refused = topics.subscribe(Subscription::new("wrong", ["user", "("])).await.unwrap_err();
        assert!(matches!(&refused, TopicError::Pattern { pattern, .. } if pattern == "("), "{refused}");
        assert_eq!(topics.subscribers().len(), 2);
    });
}

/// What is logged as a warning, in words.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        *about.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Words<'a>(&'a mut Vec<String>);
        impl tracing::field::Visit for Words<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0.push(format!("{value:?}"));
                }
            }
        }
        event.record(&mut Words(&mut self.0.lock().unwrap()));
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// EB-08: given no subscriber, the log tells of what is published in vain.
#[test]
fn the_log_tells_of_what_nobody_gets() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        let warnings = Warnings::default();
        tracing::subscriber::with_default(warnings.clone(), || {
            for name in ["a", "unregistered"] {
                assert_eq!(topics.publish(told(name, 1)).unwrap(), 0);
                drop(topics.publish_tracked(told(name, 1)).unwrap());
            }
        });
        let (nobody, unknown) = (
            "an event was published, and nobody is there to get it",
            "an event was published on a topic that is not registered",
        );
        assert_eq!(*warnings.0.lock().unwrap(), [nobody, nobody, unknown, unknown]);
    });
}

/// EB-08: given no subscriber, notifying is ok and nothing is kept; fetching or marking an unknown id is an
/// answer.
#[test]
fn nobody_subscribes() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        for name in ["a", "unregistered"] {
            assert_eq!(topics.publish(told(name, 1)).unwrap(), 0);
            let tracked = topics.publish_tracked(told(name, 1)).unwrap();
            let shadow = tracked.shadow().clone();
            assert!(topics.fetch::<Told>(&shadow).is_none() && topics.pending(name) == 0);
            assert_eq!(tracked.await.given, []);
            assert_eq!(topics.complete(&"audit".into(), &shadow), Marked::Unknown);
            assert_eq!(topics.skip(&"audit".into(), &shadow, "no"), Marked::Unknown);
        }
        let mut late = subscribe(&topics, "audit", "a").await;
        topics.publish(told("a", 2)).unwrap();
        let delivery = next(&mut late).await;
        assert_eq!((number(&delivery), delivery.is_tracked()), (2, false), "from now on, not from before");
        assert_eq!(delivery.complete(), Marked::Unknown, "nobody wants to know");
    });
}

/// EB-09: given two subscribers, when one completes and one skips, event and watcher are gone; after only one
/// mark they remain.
#[test]
fn an_event_remains_until_all_have_spoken() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        let mut first = subscribe(&topics, "first", "a").await;
        let mut second = subscribe(&topics, "second", "a").await;
        let tracked = topics.publish_tracked(told("a", 1)).unwrap();
        let shadow = tracked.shadow().clone();
        assert_eq!(next(&mut first).await.complete(), Marked::Counted);
        assert!(topics.fetch::<Told>(&shadow).is_some() && topics.pending("a") == 1);
        assert_eq!(next(&mut second).await.skip("not mine"), Marked::Finished);
        assert!(topics.fetch::<Told>(&shadow).is_none() && topics.pending("a") == 0);
        let verdicts = tracked.await;
        assert_eq!(verdicts.of(&"first".into()), Some(&Verdict::Completed));
        assert_eq!(verdicts.of(&"second".into()), Some(&Verdict::Skipped { reason: "not mine".into() }));
        assert_eq!(verdicts.of(&"third".into()), None);
    });
}

/// EB-10: given the same subscriber marks twice, or a stranger, while another has not marked, the event
/// remains.
#[test]
fn marking_twice_does_not_speak_for_others() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        let mut first = subscribe(&topics, "first", "a").await;
        let mut second = subscribe(&topics, "second", "a").await;
        let tracked = topics.publish_tracked(told("a", 1)).unwrap();
        let shadow = tracked.shadow().clone();
        let delivery = next(&mut first).await;
        assert_eq!(delivery.complete(), Marked::Counted);
        assert_eq!(delivery.skip("after all"), Marked::Already(Verdict::Completed));
        assert_eq!(topics.complete(&"stranger".into(), &shadow), Marked::Stranger);
        assert!(topics.fetch::<Told>(&shadow).is_some());
        // By topic and id, as by the delivery.
        drop(next(&mut second).await);
        assert_eq!(topics.complete(&"second".into(), &shadow), Marked::Finished);
        assert!(tracked.await.is_complete());
    });
}

/// Given a tracked event that is pending, its id is not free on its topic; on another one it is.
#[test]
fn an_id_is_pending_once_per_topic() {
    run(async {
        let (bus, _supervisor) =
            bus_with(BusSettings { topic_pending_max: 2, ..BusSettings::default() }).await;
        let topics = bus.topics();
        register(&topics, &["a", "b"]).await;
        let mut inbox = subscribe(&topics, "audit", ".*").await;
        let event = |name: &str| topics.draft(&topic(name)).id(Uuid::from_u128(1)).build(|| Told(1));
        let tracked = topics.publish_tracked(event("a")).unwrap();
        let refused = topics.publish_tracked(event("a")).unwrap_err();
        assert_eq!(refused, PublishError::Duplicate { topic: "a".into(), id: Uuid::from_u128(1) });
        let _other = topics.publish_tracked(event("b")).unwrap();
        let refused = topics.publish_tracked(told("a", 2)).unwrap_err();
        assert_eq!(refused, PublishError::TooManyPending { limit: 2 });
        assert_eq!(inbox.counters().waiting, 2, "what was refused reached nobody");
        next(&mut inbox).await.complete();
        assert!(tracked.await.is_complete());
        let _again = topics.publish_tracked(event("a")).unwrap();
    });
}

/// EB-11: given a draft of which nothing is said, everything takes its default, the times bracket the block,
/// and the notify form returns what the block returned.
#[test]
fn drafts_have_defaults_and_time_their_block() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        let text = Topic::<String>::named("text");
        topics.register(&text).await.unwrap();
        let mut inbox = subscribe(&topics, "audit", ".*").await;
        let (before, mut within) = (crate::edge::now(), None);
        let event = topics.draft(&text).build(|| {
            within = Some(crate::edge::now());
            "built".to_owned()
        });
        let (head, after) = (event.head, crate::edge::now());
        assert!(before <= head.initialized_at && head.initialized_at <= within.unwrap());
        assert!(within.unwrap() <= head.occurred_at && head.occurred_at <= after);
        assert_eq!(head.duration().as_micros(), {
            u128::try_from(head.occurred_at.as_micros() - head.initialized_at.as_micros()).unwrap()
        });
        assert_eq!(head.transaction_id, head.id);
        assert!(head.source.as_deref().unwrap().ends_with("tests/event_bus.rs"), "{:?}", head.source);
        assert_eq!(head.ttl, Some(Duration::from_secs(60)));
        assert_ne!(topics.draft(&text).build(String::new).head.id, head.id);

        let said = topics
            .draft(&text)
            .id(Uuid::from_u128(1))
            .transaction_id(Uuid::from_u128(2))
            .source("the test")
            .ttl(Duration::from_secs(3));
        assert_eq!(said.notify(|| "returned".to_owned()), "returned");
        let delivery = next(&mut inbox).await;
        let head = delivery.head();
        assert_eq!((head.id, head.transaction_id), (Uuid::from_u128(1), Uuid::from_u128(2)));
        assert_eq!((head.source.as_deref(), head.ttl), (Some("the test"), Some(Duration::from_secs(3))));
        assert_eq!(delivery.event::<String>().unwrap().data, "returned");

        let returned = topics.draft(&text).notify_async(async { "later".to_owned() }).await;
        assert_eq!(returned, "later");
        assert_eq!(next(&mut inbox).await.event::<String>().unwrap().data, "later");
        assert_eq!(topics.draft(&text).build_async(async { "x".to_owned() }).await.data, "x");
    });
}

/// EB-12: given an error topic, when the block returns an error, then the event goes there and carries it.
#[test]
fn errors_go_to_the_error_topic() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        let (paid, failed) = (Topic::<u32>::named("paid"), Topic::<String>::named("payments.failed"));
        topics.register(&paid).await.unwrap();
        topics.register(&failed).await.unwrap();
        let mut inbox = subscribe(&topics, "audit", ".*").await;
        let draft = || topics.draft(&paid).source("till").error_topic(&failed);

        let Built::Failed(event) = draft().build(|| Err("no money".to_owned())) else { panic!("it failed") };
        assert_eq!((&*event.head.topic, event.data.as_str()), ("payments.failed", "no money"));
        assert_eq!(event.head.source.as_deref(), Some("till"));
        let Built::Done(event) = draft().build(|| Ok(7)) else { panic!("it went well") };
        assert_eq!((&*event.head.topic, event.data), ("paid", 7));
        assert_eq!(draft().build_async(async { Ok(1) }).await.head().transaction_id.get_version_num(), 7);

        assert_eq!(draft().notify(|| Err("still none".to_owned())), Err("still none".to_owned()));
        assert_eq!(next(&mut inbox).await.event::<String>().unwrap().data, "still none");
        assert_eq!(draft().notify_async(async { Ok(9) }).await, Ok(9));
        let delivery = next(&mut inbox).await;
        assert_eq!((&*delivery.head().topic, delivery.event::<u32>().unwrap().data), ("paid", 9));
    });
}

/// EB-13: given the bus actor restarts, topics, subscribers, what waits for them and who has still to speak
/// are unchanged.
#[test]
fn topics_survive_the_bus_actor() {
    run(async {
        let (bus, supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a", "b"]).await;
        let mut inbox = subscribe(&topics, "audit", "a").await;
        let tracked = topics.publish_tracked(told("a", 1)).unwrap();
        assert!(bus.inject_panic("bus").await);
        // Asked while it is down, or dies: the next one answers.
        register(&topics, &["after"]).await;
        supervisor.tree().wait_until(|tree| tree.children[0].restarts == 1 && tree.is_up()).await;
        assert_eq!(names(&topics), ["a", "after", "b"]);
        assert!(topics.is_subscribed(&"audit".into(), &["a"]));
        assert_eq!(topics.subscribers_of("a"), who(&["audit"]));
        let delivery = next(&mut inbox).await;
        assert_eq!((number(&delivery), topics.pending("a")), (1, 1));
        delivery.complete();
        assert!(tracked.await.is_complete());
        // The new one keeps time, too.
        let event = topics.draft(&topic("a")).ttl(SHORT).build(|| Told(2));
        let verdicts = topics.publish_tracked(event).unwrap().await;
        assert_eq!(verdicts.of(&"audit".into()), Some(&Verdict::Expired));
    });
}

/// Given the limits of the settings, what is beyond them is refused, and what is there already is not.
#[test]
fn topics_and_subscribers_are_bounded() {
    run(async {
        let settings = BusSettings { topics_max: 1, topic_subscribers_max: 1, ..BusSettings::default() };
        let (bus, _supervisor) = bus_with(settings).await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        subscribe(&topics, "first", "a").await;
        assert_eq!(topics.register(&topic("b")).await.unwrap_err(), TopicError::TooManyTopics { limit: 1 });
        let refused = topics.subscribe(Subscription::new("second", ["a"])).await.unwrap_err();
        assert_eq!(refused, TopicError::TooManySubscribers { limit: 1 });
        assert!(!topics.register(&topic("a")).await.unwrap());
        subscribe(&topics, "first", "b").await;
    });
}

/// Given a subscriber that unsubscribes, nobody waits for it any longer.
#[test]
fn who_unsubscribes_is_not_waited_for() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let topics = bus.topics();
        register(&topics, &["a"]).await;
        let mut taken = subscribe(&topics, "taken", "a").await;
        let _waiting = subscribe(&topics, "waiting", "a").await;
        let tracked = topics.publish_tracked(told("a", 1)).unwrap();
        let delivery = next(&mut taken).await;
        topics.unsubscribe(&"taken".into()).await.unwrap();
        topics.unsubscribe(&"waiting".into()).await.unwrap();
        let verdicts = tracked.await;
        assert!(verdicts.given.iter().all(|(_, verdict)| *verdict == Verdict::Withdrawn), "{verdicts:?}");
        assert_eq!(delivery.complete(), Marked::Unknown);
    });
}

/// Anything that can be shown and shared is a payload, and shadows are what they look like.
#[test]
fn shadows_are_plain_keys() {
    fn is_payload<T: Payload>() {}
    is_payload::<Vec<Told>>();
    let shadow = Shadow { topic: "a".into(), id: Uuid::from_u128(1) };
    assert_eq!(shadow.to_string(), "a/00000000-0000-0000-0000-000000000001");
}
