//! The snapshots of aggregates, and states that are told with them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use umbel_bus::{DispatchOptions, Returning, edge};
use umbel_core::{
    Aggregate, Command, Context, Decide, Decision, Snapshots, StreamName, Version,
    store::{Snapshot, State},
};
use umbel_host::{App, state_at};

use crate::{
    bank::deposit,
    kit::{fill_behind_its_back, kitchen, pot, snapshot},
    pot::{Changed, Pot, PotEvent, fill, pour},
    stores::on_every_store,
    world::*,
};

/// AG-06, AG-07: given snapshots every three events, then one is taken when three have come or more; loaded, it is used together with
/// later events, unless it is of another version of the shape. Where none are declared, none are taken.
#[test]
fn snapshots_are_taken_and_used() {
    on_every_store(async |store| {
        let world = kitchen(&store).await;
        world.bus.dispatch(fill("p", 100)).await.unwrap();
        world.bus.dispatch(fill("p", 10)).await.unwrap();
        assert!(world.bus.store().load_snapshot(pot("p")).await.unwrap().is_none(), "two are not three");
        world.bus.dispatch(fill("p", 1)).await.unwrap();
        let taken = snapshot(&world, "p", 3).await;
        assert_eq!(
            (taken.version.get(), taken.schema, taken.decode::<Pot>()),
            (3, 3, Ok(Pot { level: 111 }))
        );
        assert_eq!(world.bus.dispatch(pour("p", &[1, 10, 20, 30])).await.unwrap().reply, 50);
        assert_eq!(snapshot(&world, "p", 4).await.version.get(), 7, "passed on the way");

        // Not what the events lead to: so it shows whether it was used.
        let other = Snapshot::of(pot("p"), Version::new(7), &Pot { level: 1000 }, edge::now()).unwrap();
        world.bus.store().save_snapshot(other.clone()).await.unwrap();
        fill_behind_its_back(&world, "p", 5).await;
        assert_eq!(state_at::<Pot>(&world.bus.store(), "p", None).await.unwrap().0.level, 1005);
        assert_eq!(
            state_at::<Pot>(&world.bus.store(), "p", Some(Version::new(6))).await.unwrap().0.level,
            80
        );
        world.stop().await;
        let world = kitchen(&store).await;
        assert_eq!(world.bus.dispatch(fill("p", 0)).await.unwrap().reply, 1005);
        world.stop().await;

        let world = kitchen(&store).await;
        world.bus.store().save_snapshot(Snapshot { schema: 2, ..other }).await.unwrap();
        assert_eq!(world.bus.dispatch(fill("p", 0)).await.unwrap().reply, 55, "another shape is left aside");
        // It was folded from its start, so one is due.
        assert_eq!(snapshot(&world, "p", 8).await.decode::<Pot>(), Ok(Pot { level: 55 }));
        world.stop().await;

        let world = World::over(&store).await;
        for _ in 0..10 {
            world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        }
        let none = world.bus.store().load_snapshot(StreamName::of("account", "ada").unwrap()).await.unwrap();
        assert!(none.is_none());
        world.stop().await;
    });
}

/// An aggregate that has snapshots for the sake of their form only.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Plain(i64);

impl State for Plain {
    const NAME: &'static str = "plain.plain";
}

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "plain.add", reply = i64, rejection = String)]
struct Add(i64);

impl Aggregate for Plain {
    const CATEGORY: &'static str = "plain";
    type Event = PotEvent;
    type Commands = (Add,);

    fn evolve(self, PotEvent::Changed(Changed { by }): &PotEvent) -> Self {
        Self(self.0 + by)
    }

    fn snapshots() -> Snapshots<Self> {
        Snapshots::every(0)
    }
}

impl Decide<Add> for Plain {
    fn identify(_: &Add) -> String {
        "p".to_owned()
    }

    fn decide(&self, Add(by): &Add, _: &Context<'_>) -> Result<Decision<PotEvent, i64>, String> {
        Ok(Decision::new(vec![Changed { by: *by }.into()], self.0 + by))
    }
}

/// AG-06: given snapshots every 0 events, then none is taken, none that is there is read, and the state can be returned all the same.
#[test]
fn with_0_no_snapshot_is_taken_or_read() {
    on_every_store(async |store| {
        let stream = || StreamName::of("plain", "p").unwrap();
        let app = || [App::new("plain").aggregate::<Plain>()];
        let world = World::with(&store, &app(), settings()).await;
        for sum in 1..=10 {
            let options = DispatchOptions::default().returning(Returning::State);
            let done = world.bus.dispatch_with(Add(1), options).await.unwrap();
            assert_eq!(done.returned.unwrap().state.unwrap().decode::<Plain>(), Ok(Plain(sum)));
        }
        // What stops has taken what it was to take.
        world.stop().await;
        let world = World::with(&store, &app(), settings()).await;
        assert!(world.bus.store().load_snapshot(stream()).await.unwrap().is_none());
        let planted = Snapshot::of(stream(), Version::new(10), &Plain(1000), edge::now()).unwrap();
        assert!(world.bus.store().save_snapshot(planted).await.unwrap());
        assert_eq!(world.bus.dispatch(Add(1)).await.unwrap().reply, 11);
        assert_eq!(state_at::<Plain>(&world.bus.store(), "p", None).await.unwrap().0, Plain(11));
        world.stop().await;
    });
}

/// AG-06: given a snapshot that cannot be kept, then nobody notices, and the next one is kept.
#[test]
fn a_snapshot_that_fails_costs_nothing() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = kitchen(&store).await;
        store.refuse_snapshots(1);
        for _ in 0..3 {
            world.bus.dispatch(fill("p", 1)).await.unwrap();
        }
        while store.snapshots_to_refuse() > 0 {
            tokio::task::yield_now().await;
        }
        for level in 4..=6 {
            assert_eq!(world.bus.dispatch(fill("p", 1)).await.unwrap().reply, level);
        }
        assert_eq!(snapshot(&world, "p", 1).await.version.get(), 6);
    });
}

/// AG-12: given no live process, when the state is asked, then it is computed from snapshot and events, with a snapshot that the
/// aggregate declares.
#[test]
fn a_state_is_told_with_nobody_alive() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::with(&store, &[], settings()).await;
        for by in [1, 10, 100] {
            fill_behind_its_back(&world, "p", by).await;
        }
        let told = Snapshot::of(pot("p"), Version::new(2), &Pot { level: 500 }, edge::now()).unwrap();
        world.bus.store().save_snapshot(told).await.unwrap();
        let (state, version) = state_at::<Pot>(&world.bus.store(), "p", None).await.unwrap();
        assert_eq!((state.level, version.get()), (600, 3));
    });
}
