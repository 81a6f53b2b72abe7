//! Subscribers that pull: what they are sent, when, and what becomes of what they hold.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use umbel_bus::Bus;
use umbel_core::{
    EventId, ExpectedVersion, Place, RecordedEvent, StreamName,
    store::{
        Act as Upkeep, Append, LetterFilter, LinkEvents, ListSubscriptions, OpenError, OpenSubscription,
        Removal, Selector, SubscriptionState,
    },
    subscription::{JoinError, Start, SubscriptionName, Verdict},
};
use umbel_host::{AckError, Batch, SubscribeError, Subscriber, Subscription, subscribe, subscriptions};
use umbel_persistence::postgres::{Postgres, PostgresOptions};
use umbel_testkit::postgres::TestPostgres;

use crate::{
    event_handlers::{perform, stored},
    stores::on_every_store,
    world::*,
};

fn reader() -> Subscription {
    Subscription::named("test.reader").unwrap().checkpoint_within(Duration::from_millis(5))
}

async fn world() -> World {
    World::with(&Arc::default(), &[], settings()).await
}

async fn append(world: &World, accounts: &[&str]) {
    for account in accounts {
        world.deposit_behind_its_back(account, 1).await;
    }
}

fn places<T>(batch: &Batch<T>) -> Vec<u64> {
    batch.events().iter().map(|one| one.place.get()).collect()
}

/// Takes so many events, acknowledging each batch.
async fn take(subscriber: &mut Subscriber, count: usize) -> Vec<u64> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = subscriber.next().await.unwrap();
        taken.extend(places(&batch));
        batch.ack().await.unwrap();
    }
    taken
}

async fn joined(bus: &Bus, subscription: Subscription) -> Subscriber {
    subscribe(bus, subscription).await.unwrap()
}

/// SU-01: a transient subscriber that begins now gets what is appended after it and not what was before.
/// SU-22: it leaves alone what is stored under its name, and begins anew each time.
#[test]
fn a_transient_subscriber_gets_what_comes_and_stores_nothing() {
    run(async {
        let world = world().await;
        append(&world, &["a", "b"]).await;
        let mut durable = joined(&world.bus, reader()).await;
        assert_eq!(take(&mut durable, 2).await, [1, 2]);
        durable.close().await;
        stored(&world, "test.reader", Place::new(2)).await;

        let mut now = joined(&world.bus, reader().transient().start(Start::Current)).await;
        append(&world, &["a"]).await;
        assert_eq!(take(&mut now, 1).await, [3]);
        for _ in 0..2 {
            let mut replaying = joined(&world.bus, reader().transient()).await;
            assert_eq!(take(&mut replaying, 3).await, [1, 2, 3]);
            replaying.close().await;
        }
        let mut durable = joined(&world.bus, reader()).await;
        assert_eq!(take(&mut durable, 1).await, [3]);
        world.stop().await;
    });
}

/// SU-02: what is selected and filtered comes mapped; what is left out is never mapped. SU-08: the checkpoint moves over it.
#[test]
fn events_are_filtered_and_then_mapped() {
    run(async {
        let world = world().await;
        append(&world, &["a", "b", "c", "b"]).await;
        let is_b = |event: &RecordedEvent| event.stream.id() == "b";
        let subscription = reader().filter(is_b).map(move |event| {
            assert!(is_b(event));
            format!("{}/{}", event.stream, event.version)
        });
        let mut subscriber = subscribe(&world.bus, subscription).await.unwrap();
        let mut mapped = Vec::new();
        while mapped.len() < 2 {
            let batch = subscriber.next().await.unwrap();
            mapped.extend(batch.events().iter().map(|one| one.event.clone()));
            batch.ack().await.unwrap();
        }
        assert_eq!(mapped, ["account-b/1", "account-b/2"]);
        stored(&world, "test.reader", Place::new(4)).await;
        world.stop().await;
    });
}

/// SU-08: given a selection that lets nothing through, the checkpoint moves all the same, at the latest when it ends.
#[test]
fn the_checkpoint_moves_over_what_is_not_selected() {
    run(async {
        let world = world().await;
        append(&world, &["a", "b"]).await;
        let subscriber = joined(&world.bus, reader().log(Selector::names(["nothing.such"]))).await;
        let view = || subscriptions(&world.bus).pop().unwrap();
        while view().reached < Place::new(2) {
            tokio::task::yield_now().await;
        }
        subscriber.close().await;
        stored(&world, "test.reader", Place::new(2)).await;
        world.stop().await;
    });
}

/// SU-03: a subscription begins with the first event, with what comes, or behind a place.
#[test]
fn it_begins_where_it_is_told() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a", "b", "c"]).await;
        let named = |name: &str, start| Subscription::named(name).unwrap().start(start);
        let mut origin = joined(&world.bus, named("origin", Start::Origin)).await;
        let mut current = joined(&world.bus, named("current", Start::Current)).await;
        let mut behind = joined(&world.bus, named("behind", Start::After(Place::new(2)))).await;
        append(&world, &["d"]).await;
        assert_eq!(take(&mut origin, 4).await, [1, 2, 3, 4]);
        assert_eq!(take(&mut current, 1).await, [4]);
        assert_eq!(take(&mut behind, 2).await, [3, 4]);
        world.stop().await;
    });
}

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
    run(async {
        let world = world().await;
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

/// SU-16: with several keys in between and a consumer that is gone, what is not acknowledged of a key comes again in order. What has
/// failed is tried again before what is behind it of the same key.
#[test]
fn a_failed_event_comes_again_before_those_behind_it() {
    run(async {
        let world = world().await;
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
        let subscription = || reader().batch(1).ahead(1).lease(Duration::from_millis(300));
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

/// SU-17: of two nodes one is active; when it dies without a word, the other takes over where the stored position is, once the lease
/// has run out. SU-18: what the first one still held is not its own any more, and saying that it was handled changes nothing.
#[test]
fn another_node_takes_over() {
    on_every_store(async |store| {
        let here = World::with(&store, &[], settings()).await;
        let there = World::with(&store, &[], settings()).await;
        append(&here, &["a", "b"]).await;
        let quick = || reader().batch(1).ahead(2).lease(Duration::from_millis(300));
        let mut first = joined(&here.bus, quick()).await;
        first.next().await.unwrap().ack().await.unwrap();
        let held = first.next().await.unwrap();
        assert_eq!(places(&held), [2]);
        stored(&here, "test.reader", Place::new(1)).await;
        let mut second = joined(&there.bus, quick()).await;
        let idle = tokio::time::timeout(SHORT, second.next()).await;
        assert!(idle.is_err(), "{idle:?}");
        // The first one's node is gone; nobody gives the lease back.
        here.supervisor.shut_down().await;
        assert_eq!(take(&mut second, 1).await, [2]);
        stored(&there, "test.reader", Place::new(2)).await;
        drop(held.ack().await);
        append(&there, &["c"]).await;
        assert_eq!(take(&mut second, 1).await, [3]);
        stored(&there, "test.reader", Place::new(3)).await;
        there.stop().await;
    });
}

/// SU-17: a node that stops gives its partitions back, and on PostgreSQL the other one hears of it: it takes over at once, long before
/// it would have asked.
#[test]
fn another_node_takes_over_at_once_when_one_stops() {
    let schema = TestPostgres::get().unwrap().fresh_schema();
    run(async {
        let node = async || {
            let options = PostgresOptions { max_connections: 2, ..PostgresOptions::default() };
            let store = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
            World::with(&Arc::new(Rigged::over(Arc::new(store))), &[], settings()).await
        };
        let (here, there) = (node().await, node().await);
        let slow = || reader().partitions(3).lease(Duration::from_secs(3600));
        let mut first = joined(&here.bus, slow()).await;
        let accounts = ["a", "b", "c", "d", "e"];
        append(&here, &accounts).await;
        assert_eq!(take(&mut first, 5).await, [1, 2, 3, 4, 5]);
        let mut second = joined(&there.bus, slow()).await;
        while state(&there).await.members < 2 {}
        first.close().await;
        append(&here, &accounts).await;
        let mut taken = take(&mut second, 5).await;
        taken.sort_unstable();
        assert_eq!(taken, [6, 7, 8, 9, 10]);
        here.stop().await;
        there.stop().await;
    });
}

/// SU-17: what an operator does is noticed at once by who runs the subscription in the same process, long before it would have asked.
#[test]
fn what_an_operator_does_is_noticed_at_once() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        // The acts themselves are recorded in the log.
        let slow = reader().lease(Duration::from_secs(3600)).filter(|event| !event.stream.is_system());
        let mut subscriber = joined(&world.bus, slow).await;
        let (subscription, start) = (SubscriptionName::new("test.reader").unwrap(), Start::Origin);
        append(&world, &["a"]).await;
        let failing = subscriber.next().await.unwrap();
        failing.fail(Place::new(1), Verdict::Park, "no").await.unwrap();
        stored(&world, "test.reader", Place::new(1)).await;
        let filter = LetterFilter { subscription: Some(subscription.clone()), ..LetterFilter::default() };
        assert_eq!(perform(&world, Upkeep::RetryLetters { filter, limit: 9 }).await, 1);
        let letter = subscriber.next().await.unwrap();
        assert!(letter.events()[0].letter);
        letter.ack().await.unwrap();
        while state(&world).await.partitions[0].letters > 0 {}
        perform(&world, Upkeep::ResetSubscription { subscription: subscription.clone(), start }).await;
        assert_eq!(take(&mut subscriber, 1).await, [1]);
        perform(&world, Upkeep::DeleteSubscription { subscription }).await;
        assert!(subscriber.next().await.is_none(), "{:?}", subscriber.ended());
        world.stop().await;
    });
}

/// How the subscription of these tests stands.
async fn state(world: &World) -> SubscriptionState {
    let name = Some(SubscriptionName::new("test.reader").unwrap());
    let request = ListSubscriptions { name, after: None, limit: 1 };
    world.bus.store().list_subscriptions(request).await.unwrap().pop().unwrap()
}

/// UX-12: a subscription whose thread is blocked is run anew by whoever subscribes next in the same process, as another node: once the
/// lease has run out. When the old one wakes it has nothing any more.
#[test]
fn a_subscription_on_a_blocked_thread_is_replaced() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a", "b"]).await;
        let quick = || reader().batch(1).ahead(1).lease(Duration::from_millis(500));
        let (bus, (says, said), (wake, woken)) =
            (world.bus.clone(), tokio::sync::oneshot::channel(), std::sync::mpsc::sync_channel::<()>(1));
        let blocked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut first = joined(&bus, quick()).await;
                let held = first.next().await.unwrap();
                says.send(places(&held)).unwrap();
                woken.recv().unwrap();
                drop(held.ack().await);
                // As the same node it would take the lease of the new one for its own.
                let more = tokio::time::timeout(SHORT * 5, first.next()).await;
                assert!(more.is_err(), "{more:?}");
                first.close().await;
            });
        });
        assert_eq!(said.await.unwrap(), [1]);
        let mut second = joined(&world.bus, quick()).await;
        assert_eq!(take(&mut second, 2).await, [1, 2]);
        append(&world, &["c"]).await;
        let batch = second.next().await.unwrap();
        assert_eq!(places(&batch), [3]);
        wake.send(()).unwrap();
        tokio::task::spawn_blocking(|| blocked.join().unwrap()).await.unwrap();
        batch.ack_to(Place::new(3)).await.unwrap();
        stored(&world, "test.reader", Place::new(3)).await;
        assert_eq!(subscriptions(&world.bus).len(), 1, "the old one does not speak for the new one");
        world.stop().await;
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

/// SU-10: when the store is away and comes back, what was appended meanwhile arrives without a further append.
#[test]
fn what_came_meanwhile_arrives() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::with(&store, &[], settings()).await;
        let mut subscriber = joined(&world.bus, reader()).await;
        append(&world, &["a"]).await;
        assert_eq!(take(&mut subscriber, 1).await, [1]);
        store.subscriptions.down(true);
        append(&world, &["b", "c"]).await;
        assert_eq!(take(&mut subscriber, 2).await, [2, 3]);
        store.subscriptions.down(false);
        stored(&world, "test.reader", Place::new(3)).await;
        world.stop().await;
    });
}

/// SU-19: who subscribes again goes on where it was; deleted, it begins anew.
#[test]
fn the_position_is_kept_until_it_is_deleted() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a", "b"]).await;
        let mut subscriber = joined(&world.bus, reader()).await;
        assert_eq!(take(&mut subscriber, 2).await, [1, 2]);
        subscriber.close().await;
        append(&world, &["c"]).await;
        let mut subscriber = joined(&world.bus, reader()).await;
        assert_eq!(take(&mut subscriber, 1).await, [3]);
        subscriber.close().await;
        let subscription = SubscriptionName::new("test.reader").unwrap();
        perform(&world, Upkeep::DeleteSubscription { subscription }).await;
        let mut subscriber = joined(&world.bus, reader().start(Start::After(Place::new(1)))).await;
        // With the record of the deletion.
        assert_eq!(take(&mut subscriber, 3).await, [2, 3, 4]);
        world.stop().await;
    });
}

/// SU-24: deleted while it runs, a subscription ends here and says why; and who subscribes again finds what is there by then, in
/// another shape.
#[test]
fn a_subscription_that_is_deleted_while_it_runs_ends() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a", "b"]).await;
        let mut subscriber = joined(&world.bus, reader()).await;
        assert_eq!(take(&mut subscriber, 2).await, [1, 2]);
        let name = SubscriptionName::new("test.reader").unwrap();
        perform(&world, Upkeep::DeleteSubscription { subscription: name.clone() }).await;
        let (start, source) = (Start::Origin, "log".to_owned());
        let anew = OpenSubscription { name, partitions: 3, start, stream: None, source };
        world.bus.store().open_subscription(anew.clone()).await.unwrap();
        while let Some(batch) = subscriber.next().await {
            drop(batch.ack().await);
        }
        let reason = subscriber.ended().unwrap();
        assert!(reason.contains("it was deleted"), "{reason}");
        let again = subscribe(&world.bus, reader()).await.map(drop);
        assert!(
            matches!(again, Err(SubscribeError::Open(OpenError::PartitionsDiffer { stored: 3, .. }))),
            "{again:?}"
        );
        let kept = world.bus.store().open_subscription(anew).await.unwrap();
        assert!(
            kept.partitions.iter().all(|one| one.checkpoint == Place::START && one.epoch == kept.incarnation)
        );
        world.stop().await;
    });
}

/// SU-20: a stream that is not there yet is followed from its first event; once it is soft-deleted, nothing more comes. Links come at
/// their own places.
#[test]
fn a_stream_is_followed_before_it_is_there_and_not_after() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        let stream = |id: &str| StreamName::of("account", id).unwrap();
        let mut subscriber = joined(&world.bus, reader().stream(stream("a"))).await;
        append(&world, &["b", "a", "b", "a"]).await;
        assert_eq!(take(&mut subscriber, 2).await, [1, 2]);
        let of_b = world.history("b").await.remove(0).id;
        let link = LinkEvents { stream: stream("a"), expected: ExpectedVersion::Any, events: vec![of_b] };
        world.bus.store().link(link).await.unwrap();
        append(&world, &["b"]).await;
        let batch = subscriber.next().await.unwrap();
        assert_eq!((places(&batch), batch.events()[0].event.id), (vec![3], of_b));
        batch.ack().await.unwrap();
        subscriber.close().await;
        append(&world, &["a"]).await;
        let delete = Upkeep::DeleteStream {
            stream: stream("a"),
            expected: ExpectedVersion::Any,
            removal: Removal::Soft,
        };
        perform(&world, delete).await;
        let mut subscriber = joined(&world.bus, reader().stream(stream("a"))).await;
        let nothing = tokio::time::timeout(SHORT, subscriber.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        world.stop().await;
    });
}

/// SU-21: on the log, events of soft-deleted streams come.
#[test]
fn the_log_shows_events_of_deleted_streams() {
    run(async {
        let world = world().await;
        append(&world, &["a", "b"]).await;
        let stream = StreamName::of("account", "a").unwrap();
        let delete = Upkeep::DeleteStream { stream, expected: ExpectedVersion::Any, removal: Removal::Soft };
        perform(&world, delete).await;
        let selector = Selector::categories(["account"]);
        let mut subscriber = joined(&world.bus, reader().log(selector)).await;
        assert_eq!(take(&mut subscriber, 2).await, [1, 2]);
        world.stop().await;
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
