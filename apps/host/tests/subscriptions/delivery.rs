//! What subscribers are sent: of what, from where on, and how mapped.

use umbel_core::{
    ExpectedVersion, Place, RecordedEvent, StreamName, Version,
    store::{Act as Upkeep, LinkEvents, Removal, Selector},
    subscription::Start,
};
use umbel_host::{Subscription, subscribe, subscriptions};

use super::{append, joined, places, reader, take, world};
use crate::{
    event_handlers::{perform, stored},
    stores::on_every_store,
    world::*,
};

/// SU-01: a transient subscriber that begins now gets what is appended after it and not what was before.
/// SU-22: it leaves alone what is stored under its name, and begins anew each time.
#[test]
fn a_transient_subscriber_gets_what_comes_and_stores_nothing() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
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

/// SU-09: given more events than it has room for, half of them by another process, then what did not fit or was not announced is read from the
/// log, none lost and none twice.
#[test]
fn what_does_not_fit_is_read_from_the_log() {
    on_every_store(async |store| {
        let here = World::with(&store, &[], settings()).await;
        let there = World::with(&store, &[], settings()).await;
        let mut subscriber = joined(&here.bus, reader().batch(4).buffer(8).ahead(4)).await;
        for _ in 0..10 {
            append(&here, &["a", "b"]).await;
            append(&there, &["a", "b"]).await;
        }
        assert_eq!(take(&mut subscriber, 40).await, (1..=40).collect::<Vec<_>>());
        stored(&here, "test.reader", Place::new(40)).await;
        here.stop().await;
        there.stop().await;
    });
}

/// SU-20, LD-01: a stream that is not there yet is followed from its first event; once it is soft-deleted, nothing more comes. Links come
/// at their own places, with the events as they are in their own streams, also when nothing is appended afterwards.
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
        let batch = subscriber.next().await.unwrap();
        let linked = &batch.events()[0].event;
        assert_eq!((places(&batch), linked.id), (vec![3], of_b));
        assert_eq!((&linked.stream, linked.version), (&stream("b"), Version::new(1)));
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

/// SU-21: on the log, events of soft-deleted streams come; those of hard-deleted ones are gone, and nobody waits for them, whether he begins
/// later or was there before.
#[test]
fn the_log_shows_events_of_deleted_streams_unless_they_are_gone() {
    on_every_store(async |store| {
        let world = World::with(&store, &[], settings()).await;
        append(&world, &["a", "b", "b", "c"]).await;
        let log = || reader().log(Selector::categories(["account"]));
        let mut early = joined(&world.bus, log()).await;
        assert_eq!(take(&mut early, 4).await, [1, 2, 3, 4]);
        append(&world, &["b"]).await;
        assert_eq!(take(&mut early, 1).await, [5]);
        early.close().await;
        append(&world, &["b"]).await;
        for (id, removal) in [("a", Removal::Soft), ("b", Removal::Hard)] {
            let stream = StreamName::of("account", id).unwrap();
            perform(&world, Upkeep::DeleteStream { stream, expected: ExpectedVersion::Any, removal }).await;
        }
        append(&world, &["c", "b"]).await;
        let mut again = joined(&world.bus, log()).await;
        assert_eq!(take(&mut again, 2).await, [9, 10], "what was not taken yet is gone");
        again.close().await;
        let mut late = joined(&world.bus, log().transient()).await;
        assert_eq!(take(&mut late, 4).await, [1, 4, 9, 10]);
        late.close().await;
        world.stop().await;
    });
}
