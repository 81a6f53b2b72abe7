//! Generations of projections: built beside what readers get, which changes hands at once.

use std::sync::{Arc, Mutex};

use umbel_bus::{DispatchError, DispatchOptions};
use umbel_core::{
    ExpectedVersion, Json, Position, StreamName,
    document::DocumentWrite,
    store::{Act, Append, Phase, Removal, SaveProjection, SaveProjectionError},
};
use umbel_host::{App, Consistency, HostSettings};

use crate::{
    bank::{self, Account, Balance, GetLater, PANICS_IN_RULE, deposit},
    event_handlers::perform,
    stores::on_every_store,
    world::*,
};

const BALANCES: &str = "bank.balances";
const FIRST: &str = "bank.balances/1";
const NEXT: &str = "bank.balances/2";
const AGAIN: &str = "bank.balances/1/2";

fn counted(events: u64, by: u64) -> Option<Balance> {
    Some(Balance { balance: i64::try_from(events).unwrap(), events: events * by })
}

/// Strongly, so that it is in the documents that readers get.
async fn put(world: &World) {
    world.bus.dispatch_with(deposit("ada", 1), DispatchOptions::default().strong()).await.unwrap();
}

async fn rebuild(world: &World) {
    perform(world, Act::RebuildProjection { projection: BALANCES.into() }).await;
}

async fn phase_becomes(world: &World, checkpoint: &str, phase: Phase) {
    while world.phase(BALANCES, checkpoint).await != Some(phase) {
        pause().await;
    }
}

/// Waits until a generation that is built has come so far.
async fn built(world: &World, checkpoint: &str, position: Position) {
    while world.bus.store().load_checkpoint(checkpoint).await.unwrap() < position {
        pause().await;
    }
}

/// What a hook was told, in the order it was.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u64>>>);

impl Told {
    fn tell(&self) -> impl Fn(Vec<Position>) + Clone + Send + Sync + use<> {
        let told = Arc::clone(&self.0);
        move |positions| told.lock().unwrap().extend(positions.iter().map(|position| position.get()))
    }

    /// All of it, sorted: two nodes tell in no order.
    fn all(&self) -> Vec<u64> {
        let mut all = self.0.lock().unwrap().clone();
        all.sort_unstable();
        all
    }

    async fn becomes(&self, expected: &[u64]) {
        while self.all().len() < expected.len() {
            pause().await;
        }
        assert_eq!(self.all(), expected);
    }
}

/// UX-09: given a rule of a new version, readers get the old documents, whole, until the new ones have caught up; then at once the new
/// ones, and the old ones are removed.
#[test]
fn readers_get_the_old_version_until_the_new_one_has_caught_up() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        for _ in 0..10 {
            put(&world).await;
        }
        world.stop().await;

        store.hold_switches(true);
        let host = HostSettings { projection_batch: 3, ..settings() };
        let world = World::with(&store, &[bank::next_app()], host).await;
        built(&world, NEXT, Position::new(10)).await;
        assert_eq!(world.balance("ada").await, counted(10, 1));
        // What is written meanwhile is stored, and not visible: nobody works on the old version any more.
        let written =
            world.bus.dispatch_with(deposit("ada", 1), DispatchOptions::default().strong().deadline(LATE));
        assert!(matches!(written.await, Err(DispatchError::NotYetVisible { .. })));
        assert_eq!(world.balance("ada").await, counted(10, 1));

        store.hold_switches(false);
        world.passed(BALANCES, Position::new(11)).await;
        assert_eq!(world.balance("ada").await, counted(11, 10));
        phase_becomes(&world, FIRST, Phase::Removed).await;
        assert_eq!(world.balance("ada").await, counted(11, 10));
        put(&world).await;
        assert_eq!(world.balance("ada").await, counted(12, 10));
        world.stop().await;
    });
}

/// UX-09: given the former rule beside the new one, a process that is alone keeps what readers get up to date until the switch, and nobody who
/// waits to see what he wrote waits for that; a store that has nothing of the former version gets none.
#[test]
fn one_process_goes_on_by_the_former_rule_until_the_switch() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        put(&world).await;
        world.stop().await;

        store.hold_switches(true);
        let both = bank::next_app().former_projection::<bank::Balances>();
        let world = World::with(&store, &[both], settings()).await;
        for events in 2..=5 {
            put(&world).await;
            assert_eq!(world.balance("ada").await, counted(events, 1));
        }
        built(&world, NEXT, Position::new(5)).await;
        assert_eq!(world.balance("ada").await, counted(5, 1));

        store.hold_switches(false);
        world.serves(BALANCES, NEXT).await;
        assert_eq!(world.balance("ada").await, counted(5, 10));
        put(&world).await;
        assert_eq!(world.balance("ada").await, counted(6, 10));
        world.stop().await;
    });
    run(async {
        let both = bank::next_app().former_projection::<bank::Balances>();
        let world = World::with(&Arc::default(), &[both], settings()).await;
        put(&world).await;
        assert_eq!(world.balance("ada").await, counted(1, 10));
        assert_eq!(world.phase(BALANCES, FIRST).await, None);
        world.stop().await;
    });
}

/// UX-09: given nodes of the old version while a new one is built, they go on and are waited for, by the new node too; after the switch they
/// say that they are superseded, and write no more.
#[test]
fn a_node_of_the_old_version_goes_on_until_the_switch() {
    run(async {
        let store = Arc::<Rigged>::default();
        let old = World::over(&store).await;
        put(&old).await;
        store.hold_switches(true);
        let new = World::with(&store, &[bank::next_app()], settings()).await;
        for events in 2..=5 {
            put(if events % 2 == 0 { &old } else { &new }).await;
            assert_eq!(new.balance("ada").await, counted(events, 1));
        }
        let named = Consistency::Named(vec![FIRST.to_owned()]);
        let visible = DispatchOptions::default().consistency(named);
        new.bus.dispatch_with(deposit("ada", 1), visible).await.unwrap();

        store.hold_switches(false);
        new.serves(BALANCES, NEXT).await;
        let mut stand = old.bus.progress().pop().unwrap().stand;
        let superseded = |why: &Option<String>| why.as_ref().is_some_and(|why| why.contains("superseded"));
        stand.beside.wait_for(superseded).await.unwrap();
        put(&new).await;
        assert_eq!(new.balance("ada").await, counted(7, 10));
        // Visible for the old node as well: readers get what the new one writes.
        put(&old).await;
        assert_eq!(old.balance("ada").await, counted(8, 10));
        let late = SaveProjection {
            projection: FIRST.into(),
            expected: Position::new(6),
            position: Position::new(7),
            clear: Vec::new(),
            writes: Vec::new(),
        };
        assert_eq!(old.bus.store().save_projection(late).await, Err(SaveProjectionError::Retired));
        let tree = old.supervisor.tree().snapshot();
        assert!(tree.is_up() && tree.find("bank/bank.balances").unwrap().restarts == 0, "{tree}");
        old.stop().await;

        // Started anew it says so, too.
        let old = World::over(&store).await;
        let mut stand = old.bus.progress().pop().unwrap().stand;
        stand.beside.wait_for(superseded).await.unwrap();
    });
}

/// UX-09: a rebuild that is asked for is built beside what serves, which stays up to date meanwhile on every node; what should not be
/// there is gone afterwards.
#[test]
fn a_rebuild_on_demand_disturbs_no_reader() {
    run(async {
        let store = Arc::<Rigged>::default();
        let (here, there) = (World::over(&store).await, World::over(&store).await);
        put(&here).await;
        let stray = DocumentWrite {
            collection: BALANCES.into(),
            key: "stray".into(),
            body: Some(Json::encode(&Balance { balance: 1, events: 1 }).unwrap()),
            entries: Vec::new(),
        };
        here.bus
            .store()
            .append(Append { documents: vec![stray], ..foreign_deposit("bob", 7) })
            .await
            .unwrap();
        store.hold_switches(true);
        rebuild(&here).await;
        for events in 2..=5 {
            put(if events % 2 == 0 { &here } else { &there }).await;
            assert_eq!(here.balance("ada").await, counted(events, 1));
        }
        // The second event of the log is bob's, the third the record of the rebuild.
        built(&here, AGAIN, Position::new(7)).await;
        assert!(there.balance("stray").await.is_some());
        store.lose_saves(2);
        store.hold_switches(false);
        here.serves(BALANCES, AGAIN).await;
        assert_eq!((here.balance("ada").await, here.balance("stray").await), (counted(5, 1), None));
        for events in 6..=9 {
            put(if events % 2 == 0 { &here } else { &there }).await;
            assert_eq!(there.balance("ada").await, counted(events, 1));
        }
        phase_becomes(&here, FIRST, Phase::Removed).await;
        assert_eq!(there.balance("ada").await, counted(9, 1));
    });
}

/// UX-09: given a stream that another process has removed for good just now, then a generation that is built here has nothing of it, though
/// this process has appended it a moment ago and has it in memory.
#[test]
fn what_is_built_has_nothing_of_what_was_removed() {
    run(async {
        let store = Arc::<Rigged>::default();
        let here = World::over(&store).await;
        let there = World::with(&store, &[App::new("bank").aggregate::<Account>()], settings()).await;
        put(&here).await;
        store.hold_switches(true);
        rebuild(&here).await;
        put(&here).await;
        built(&here, AGAIN, Position::new(3)).await;

        // Both generations are about to save the same event, and have read nothing behind it.
        store.shut_for_projections(true);
        let mut to_save = store.projections_to_save();
        let before = *to_save.borrow();
        here.bus.dispatch(deposit("ada", 1)).await.unwrap();
        to_save.wait_for(|came| *came >= before + 2).await.unwrap();
        here.bus.dispatch(deposit("ghost", 1)).await.unwrap();
        let stream = StreamName::of("account", "ghost").unwrap();
        let act = Act::DeleteStream { stream, expected: ExpectedVersion::Any, removal: Removal::Hard };
        perform(&there, act).await;
        store.hold_switches(false);
        store.shut_for_projections(false);

        here.serves(BALANCES, AGAIN).await;
        assert_eq!((here.balance("ada").await, here.balance("ghost").await), (counted(3, 1), None));
        put(&here).await;
        assert_eq!(here.balance("ada").await, counted(4, 1));
        here.stop().await;
        there.stop().await;
    });
}

/// UX-09: a generation that cannot be built holds up nothing but itself, and says so.
#[test]
fn what_cannot_be_built_leaves_readers_what_they_have() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::with(&store, &[bank::fussy_later::<1>()], settings()).await;
        for amount in [1, PANICS_IN_RULE, 1] {
            world.deposit_behind_its_back("ada", amount).await;
        }
        world.passed("bank.fussy_later", Position::new(3)).await;
        world.stop().await;
        let world = World::with(&store, &[bank::fussy_later::<2>()], settings()).await;
        let mut stand = world.bus.progress().pop().unwrap().stand;
        let tells = |why: &Option<String>| {
            why.as_ref().is_some_and(|why| why.contains("cannot be built: event at position 2"))
        };
        stand.beside.wait_for(tells).await.unwrap();
        assert_eq!(*stand.held_up.borrow(), None, "readers are served as before");
        assert_eq!(world.phase("bank.fussy_later", "bank.fussy_later/2").await, Some(Phase::Building));
        assert_eq!(world.bus.ask(GetLater {}).await, Ok(3));
    });
}

/// PJ-01, UX-09: what an app has called after commits is called once for each live event, by whichever of two nodes; not for what is
/// replayed to a projection that begins, to a rebuild, or to a new version of the rule; and a restart makes no event less live.
#[test]
fn a_hook_is_called_once_for_live_events_only() {
    run(async {
        let (store, told) = (Arc::<Rigged>::default(), Told::default());
        let apps = |app: fn(&Told) -> App| vec![app(&told)];
        let first: fn(&Told) -> App = |told| bank::told(told.tell());
        let next: fn(&Told) -> App = |told| bank::next_told(told.tell());

        // Two events from before the projection began.
        let writer = World::with(&store, &[], settings()).await;
        for _ in 0..2 {
            writer.deposit_behind_its_back("ada", 1).await;
        }
        let (here, there) = (
            World::with(&store, &apps(first), settings()).await,
            World::with(&store, &apps(first), settings()).await,
        );
        put(&here).await;
        put(&there).await;
        told.becomes(&[3, 4]).await;
        here.stop().await;
        there.stop().await;
        // While nobody was there.
        writer.deposit_behind_its_back("ada", 1).await;
        let world = World::with(&store, &apps(first), settings()).await;
        told.becomes(&[3, 4, 5]).await;

        // The sixth event is the record of the rebuild.
        store.hold_switches(true);
        rebuild(&world).await;
        put(&world).await;
        built(&world, AGAIN, Position::new(7)).await;
        store.hold_switches(false);
        world.serves(BALANCES, AGAIN).await;
        put(&world).await;
        told.becomes(&[3, 4, 5, 7, 8]).await;
        world.stop().await;

        // Live, though nobody but the new version has come to it; and what the old one does meanwhile is not done again.
        store.hold_switches(true);
        let new = World::with(&store, &apps(next), settings()).await;
        put_unseen(&new).await;
        told.becomes(&[3, 4, 5, 7, 8, 9]).await;
        let old = World::with(&store, &apps(first), settings()).await;
        old.passed(BALANCES, Position::new(9)).await;
        put(&old).await;
        built(&new, NEXT, Position::new(10)).await;
        store.hold_switches(false);
        new.serves(BALANCES, NEXT).await;
        put(&new).await;
        told.becomes(&[3, 4, 5, 7, 8, 9, 10, 11]).await;
        assert_eq!(new.balance("ada").await, counted(10, 10));
    });
}

async fn put_unseen(world: &World) {
    world.bus.dispatch(deposit("ada", 1)).await.unwrap();
}

/// PJ-01: given two nodes that run for the same events, and answers that are lost, then what an app has called after commits is called
/// for every event all the same: only a crash loses a call.
#[test]
fn a_hook_misses_nothing_while_nobody_dies() {
    run(async {
        let (store, told) = (Arc::<Rigged>::default(), Told::default());
        let here = World::with(&store, &[bank::told(told.tell())], settings()).await;
        let there = World::with(&store, &[bank::told(told.tell())], settings()).await;
        for _ in 0..10 {
            store.lose_saves(1);
            put_unseen(&here).await;
            put_unseen(&there).await;
        }
        let expected: Vec<_> = (1..=20).collect();
        told.becomes(&expected).await;
    });
}

/// SC-04: given a hook that dispatches strong itself, then its projection, which waits for it, is not waited for.
#[test]
fn a_hook_that_dispatches_strong_does_not_wait_for_itself() {
    on_every_store(async |store| {
        let told = Told::default();
        let world = World::with(&store, &[bank::passes_on(told.tell())], settings()).await;
        put(&world).await;
        told.becomes(&[2]).await;
        world.passed(BALANCES, Position::new(2)).await;
        world.stop().await;
    });
}

/// A hook that panics, or takes too long, costs its call and nothing else.
#[test]
fn a_hook_that_fails_holds_up_nothing() {
    run(async {
        let told = Told::default();
        let tell = told.tell();
        let panics = move |positions: Vec<Position>| {
            assert!(!positions.contains(&Position::new(2)), "told to panic");
            tell(positions);
        };
        let world = World::with(&Arc::default(), &[bank::told(panics)], settings()).await;
        for events in 1..=3 {
            put(&world).await;
            assert_eq!(world.balance("ada").await, counted(events, 1));
        }
        told.becomes(&[1, 3]).await;
        let tree = world.supervisor.tree().snapshot();
        assert_eq!(tree.find("bank/bank.balances").unwrap().restarts, 0, "{tree}");
        world.stop().await;

        let host = HostSettings { projection_hook_ms: 1, ..settings() };
        let world = World::with(&Arc::default(), &[bank::told_slowly()], host).await;
        for events in 1..=3 {
            put(&world).await;
            assert_eq!(world.balance("ada").await, counted(events, 1));
        }
    });
}
