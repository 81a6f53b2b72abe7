//! What acknowledgements and failures lead to.

use umbel_core::{
    Place,
    store::Act as Upkeep,
    subscription::{Start, SubscriptionName, Verdict},
};
use umbel_host::{AckError, subscriptions};

use super::{append, joined, places, reader, take, world};
use crate::{
    event_handlers::{perform, stored},
    stores::on_every_store,
    world::*,
};

/// SU-04: without an acknowledgement no more is sent than it may hold. SU-05: an acknowledgement counts for what is before it; one of
/// what it does not hold is an error value.
#[test]
fn acknowledgements_make_room_and_are_checked() {
    run(async {
        let world = world().await;
        append(&world, &["a"; 10]).await;
        let mut subscriber = joined(&world.bus, reader().batch(2).ahead(4)).await;
        let first = subscriber.next().await.unwrap();
        let second = subscriber.next().await.unwrap();
        assert_eq!((places(&first), places(&second)), (vec![1, 2], vec![3, 4]));
        let more = tokio::time::timeout(SHORT, subscriber.next()).await;
        assert!(more.is_err(), "{more:?}");
        second.ack_to(Place::new(3)).await.unwrap();
        let third = subscriber.next().await.unwrap();
        assert_eq!(places(&third)[0], 5);
        for strange in [1, 3, 99] {
            let outcome = first.ack_to(Place::new(strange)).await;
            assert!(matches!(outcome, Err(AckError::NotHeld { .. })), "{strange}: {outcome:?}");
        }
        second.ack().await.unwrap();
        third.ack().await.unwrap();
        assert_eq!(take(&mut subscriber, 4).await, [7, 8, 9, 10]);
        stored(&world, "test.reader", Place::new(10)).await;
        world.stop().await;
    });
}

/// SU-06: after acknowledgements out of order and a restart, what comes begins with the first event that was not acknowledged.
/// SU-07: what was acknowledged is saved in the end.
#[test]
fn it_resumes_before_the_first_event_that_was_not_acknowledged() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a", "b", "c", "d"]).await;
        let two = || reader().batch(1).consumers(2);
        let mut one = joined(&world.bus, two()).await;
        let mut other = joined(&world.bus, two()).await;
        let (first, second) = (one.next().await.unwrap(), other.next().await.unwrap());
        assert_eq!(places(&first).len() + places(&second).len(), 2);
        let (early, late) = if places(&first) < places(&second) { (first, second) } else { (second, first) };
        late.ack().await.unwrap();
        drop(early);
        drop(one);
        other.close().await;
        let mut again = joined(&world.bus, reader()).await;
        let from = take(&mut again, 4).await;
        assert_eq!(from, [1, 2, 3, 4]);
        again.close().await;
        stored(&world, "test.reader", Place::new(4)).await;
        world.stop().await;
    });
}

/// SU-16: with several keys in between and a consumer that is gone, what is not acknowledged of a key comes again in order. What has
/// failed is tried again before what is behind it of the same key.
#[test]
fn a_failed_event_comes_again_before_those_behind_it() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a", "b", "a", "b", "a"]).await;
        let mut subscriber = joined(&world.bus, reader().batch(2).ahead(5)).await;
        let first = subscriber.next().await.unwrap();
        // At once: it is on its way again before the others are acknowledged, which must not cover it.
        let retry = Verdict::Retry { after_ms: 0 };
        let place = first.events().iter().find(|one| one.event.stream.id() == "a").unwrap().place;
        assert_eq!(place, Place::new(1));
        first.fail(place, retry, "not now").await.unwrap();
        first.ack().await.unwrap();
        let mut of_a = Vec::new();
        while of_a.len() < 3 {
            let batch = subscriber.next().await.unwrap();
            let news = batch.events().iter().filter(|one| one.event.stream.id() == "a");
            of_a.extend(news.map(|one| (one.place.get(), one.attempt)));
            batch.ack().await.unwrap();
        }
        assert_eq!(of_a, [(1, 2), (3, 1), (5, 1)]);
        world.stop().await;
    });
}

/// SU-05: an acknowledgement is for what came with that batch or before it: an event that failed before and came again since then is not
/// covered by it, and is not handled.
#[test]
fn an_acknowledgement_does_not_cover_what_came_again_later() {
    run(async {
        let world = world().await;
        append(&world, &["a", "b", "c", "d"]).await;
        let mut subscriber = joined(&world.bus, reader().batch(2).ahead(6)).await;
        let (first, second) = (subscriber.next().await.unwrap(), subscriber.next().await.unwrap());
        assert_eq!((places(&first), places(&second)), (vec![1, 2], vec![3, 4]));
        first.fail(Place::new(1), Verdict::Retry { after_ms: 0 }, "not now").await.unwrap();
        let again = subscriber.next().await.unwrap();
        assert_eq!((places(&again), again.events()[0].attempt), (vec![1], 2));
        second.ack().await.unwrap();
        let early = first.ack_to(Place::new(1)).await;
        assert!(matches!(early, Err(AckError::NotHeld { .. })), "{early:?}");
        again.ack_to(Place::new(1)).await.expect("it is still in hand");
        stored(&world, "test.reader", Place::new(4)).await;
        world.stop().await;
    });
}

/// SU-05: given one task that waits for the next batch while another says that an event has failed, what comes next at once is in
/// hand, and its acknowledgement counts.
#[test]
fn what_comes_before_a_failure_is_answered_can_be_acknowledged() {
    run(async {
        let world = world().await;
        append(&world, &["a", "a", "a"]).await;
        let mut subscriber = joined(&world.bus, reader().batch(1).ahead(1)).await;
        for (place, verdict, then) in [(1, Verdict::Retry { after_ms: 0 }, 1), (2, Verdict::Skip, 3)] {
            let batch = subscriber.next().await.unwrap();
            assert_eq!(places(&batch), [place]);
            let mut failing = Box::pin(batch.fail(Place::new(place), verdict, "not now"));
            // Asked first, so that it has the next delivery before the other hears that its word has arrived.
            let next = tokio::select! {
                biased;
                next = subscriber.next() => next.unwrap(),
                failed = &mut failing => panic!("answered before the next one came: {failed:?}"),
            };
            failing.await.unwrap();
            assert_eq!(places(&next), [then]);
            next.ack_to(Place::new(then)).await.expect("it is in hand");
        }
        stored(&world, "test.reader", Place::new(3)).await;
        world.stop().await;
    });
}

/// SU-05: given an event in hand from before a reset, when it is acknowledged after the reset, then the replayed one that is on its way
/// does not count as handled.
#[test]
fn an_acknowledgement_from_before_a_reset_is_not_for_what_is_replayed() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a"]).await;
        let subscription = || reader().batch(1).ahead(1);
        let mut subscriber = joined(&world.bus, subscription()).await;
        let before = subscriber.next().await.unwrap();
        assert_eq!(places(&before), [1]);
        let name = SubscriptionName::new("test.reader").unwrap();
        perform(&world, Upkeep::ResetSubscription { subscription: name, start: Start::Origin }).await;
        let delivered = || subscriptions(&world.bus).pop().unwrap().counters.delivered;
        while delivered() < 2 {
            tokio::task::yield_now().await;
        }
        let late = before.ack().await;
        assert!(matches!(late, Err(AckError::NotHeld { .. })), "{late:?}");
        let replayed = subscriber.next().await.unwrap();
        assert_eq!(places(&replayed), [1]);
        replayed.ack_to(Place::new(1)).await.expect("it is in hand");
        world.stop().await;
    });
}
