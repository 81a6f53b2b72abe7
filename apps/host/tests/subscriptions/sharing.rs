//! Several subscribers of one subscription: what each gets, and what becomes of what it held.

use std::{collections::BTreeSet, time::Duration};

use umbel_core::{
    EventId, ExpectedVersion, Place, StreamName,
    store::{Act as Upkeep, Append, Selector},
    subscription::{JoinError, Start, SubscriptionName},
};
use umbel_host::{AckError, SubscribeError, Subscription, subscribe, subscriptions};

use super::{append, joined, places, reader, take, world};
use crate::{event_handlers::perform, stores::on_every_store, world::*};

/// SU-11: more consumers than it takes are refused, and so is one that wants something else under the same name.
#[test]
fn one_too_many_is_refused() {
    run(async {
        let world = world().await;
        let first = joined(&world.bus, reader()).await;
        let extra = subscribe(&world.bus, reader()).await;
        let too_many =
            matches!(&extra, Err(SubscribeError::Join { error: JoinError::TooMany { max: 1 }, .. }));
        assert!(too_many, "{extra:?}");
        let other = subscribe(&world.bus, reader().log(Selector::names(["x"]))).await;
        assert!(matches!(&other, Err(SubscribeError::Differs { .. })), "{other:?}");
        first.close().await;
        let more = subscribe(&world.bus, reader().partitions(3)).await;
        assert!(matches!(&more, Err(SubscribeError::Open(_))), "{more:?}");
        joined(&world.bus, reader()).await.close().await;
        world.stop().await;
    });
}

/// SU-12: several subscribers share the events, each of which goes to one. SU-13: what one held that is gone goes to the others, and
/// does not count as handled. SU-15: while an event is in somebody's hands, the next of its key goes there, too.
#[test]
fn subscribers_share_and_take_over() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        let two = || reader().batch(1).ahead(2).consumers(2);
        let mut one = joined(&world.bus, two()).await;
        let mut other = joined(&world.bus, two()).await;
        append(&world, &["a", "b"]).await;
        let (first, second) = (one.next().await.unwrap(), other.next().await.unwrap());
        let all: BTreeSet<_> = places(&first).into_iter().chain(places(&second)).collect();
        assert_eq!(all, BTreeSet::from([1, 2]));

        let account = first.events()[0].event.stream.id().to_owned();
        append(&world, &[&account]).await;
        assert_eq!(places(&one.next().await.unwrap()), [3]);
        second.ack().await.unwrap();
        drop(one);
        assert_eq!(places(&other.next().await.unwrap()), places(&first));
        assert_eq!(places(&other.next().await.unwrap()), [3]);
        let gone = first.ack().await;
        assert!(matches!(gone, Err(AckError::NotHeld { .. })), "{gone:?}");
        world.stop().await;
    });
}

/// SU-14: when the last subscriber leaves, the subscription ends with its checkpoint saved, and another node has its partitions at
/// once; what a subscriber of an ended one says is an error that tells why.
#[test]
fn the_last_one_leaves_in_order() {
    on_every_store(async |store| {
        let here = World::with(&store, &[], settings()).await;
        let there = World::with(&store, &[], settings()).await;
        append(&here, &["a", "b"]).await;
        let slow = || Subscription::named("test.slow").unwrap().checkpoint_within(Duration::from_secs(600));
        let mut first = joined(&here.bus, slow()).await;
        let batch = first.next().await.unwrap();
        batch.ack().await.unwrap();
        let mut second = joined(&there.bus, slow()).await;
        first.close().await;
        append(&here, &["c"]).await;
        assert!(take(&mut second, 1).await.ends_with(&[3]));
        let ended = batch.ack_to(Place::new(1)).await;
        let Err(AckError::Ended { reason, .. }) = ended else { panic!("{ended:?}") };
        assert!(reason.contains("last subscriber"), "{reason}");
        assert!(subscriptions(&here.bus).is_empty());
        here.stop().await;
        there.stop().await;
    });
}

/// UX-16: a subscriber that does not even take what was taken from it again counts as gone in the end. It is told so, and others get what
/// it held: the subscription does not go on without subscribers.
#[test]
fn who_takes_nothing_at_all_counts_as_gone() {
    on_every_store(async |store| {
        let here = World::with(&store, &[], settings()).await;
        let there = World::with(&store, &[], settings()).await;
        append(&here, &["a"]).await;
        let quick = || reader().batch(1).ahead(1).lease(Duration::from_millis(300));
        let mut stalled = joined(&here.bus, quick()).await;
        while stalled.ended().is_none() {
            let subscription = SubscriptionName::new("test.reader").unwrap();
            perform(&here, Upkeep::ResetSubscription { subscription, start: Start::Origin }).await;
            tokio::task::yield_now().await;
        }
        assert!(stalled.next().await.is_none());
        let mut other = joined(&there.bus, quick()).await;
        assert_eq!(places(&other.next().await.unwrap()), [1]);
        stalled.close().await;
        here.stop().await;
        there.stop().await;
    });
}

/// UX-16: a subscriber that does not read holds what it may and no more, and delays nobody else. What it did not read, it reads
/// later.
#[test]
fn who_does_not_read_holds_little_and_delays_nobody() {
    run(async {
        const EVENTS: usize = 2000;
        let world = world().await;
        let small = |name: &str| Subscription::named(name).unwrap().batch(10).buffer(20).ahead(10);
        let mut stalled = joined(&world.bus, small("test.stalled")).await;
        let mut busy = joined(&world.bus, small("test.busy")).await;
        for _ in 0..EVENTS / 100 {
            let event = |number: usize| {
                let deposit = crate::bank::Deposited { amount: i64::try_from(number).unwrap() };
                let id = EventId(umbel_bus::edge::fresh_id());
                umbel_core::NewEvent::of(id, &deposit, umbel_core::Metadata::default()).unwrap()
            };
            let stream = StreamName::of("account", "many").unwrap();
            let append = Append::to_stream(stream, ExpectedVersion::Any, (0..100).map(event).collect());
            world.bus.store().append(append).await.unwrap();
        }
        assert_eq!(take(&mut busy, EVENTS).await.len(), EVENTS);
        let view =
            subscriptions(&world.bus).into_iter().find(|view| view.name.as_str() == "test.stalled").unwrap();
        assert_eq!((view.counters.delivered, view.reached, view.lag), (10, Place::START, 2000));
        let all = take(&mut stalled, EVENTS).await;
        assert_eq!(all, (1..=2000).collect::<Vec<_>>());
        world.stop().await;
    });
}
