//! What a subscription outlives: its node, its thread, its store, an operator.

use std::{sync::Arc, time::Duration};

use umbel_core::{
    Place,
    store::{Act as Upkeep, LetterFilter, OpenError, OpenSubscription},
    subscription::{Start, SubscriptionName, Verdict},
};
use umbel_host::{SubscribeError, subscribe, subscriptions};
use umbel_persistence::postgres::{Postgres, PostgresOptions};
use umbel_testkit::postgres::TestPostgres;

use super::{append, joined, places, reader, state, take};
use crate::{
    event_handlers::{perform, stored},
    stores::on_every_store,
    world::*,
};

/// SU-17: of two nodes one is active; when it dies without a word, the other takes over where the stored position is, once the lease
/// has run out. SU-18: what the first one still held is not its own any more, and saying that it was handled changes nothing.
#[test]
fn another_node_takes_over() {
    on_every_store(async |store| {
        let here = World::with(&store, &[], settings()).await;
        let there = World::with(&store, &[], settings()).await;
        append(&here, &["a", "b"]).await;
        // Long enough for a node that lives to renew it, also on a busy machine.
        let quick = || reader().batch(1).ahead(2).lease(Duration::from_secs(1));
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
