//! Durable subscriptions over several processes: whoever dies, stalls or leaves, others go on, and nothing is lost or swapped.

mod deadly;
mod journal;
mod letters;
mod node;
mod stage;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use umbel_core::store::PartitionState;
use umbel_host::{DispatchOptions, Foundation};
use umbel_settings::{LoadOptions, Settings};
use umbel_testkit::postgres::Server;

use self::{
    node::{BEGUN, Handler, Happen, OPEN, ROLE, Role, STRONG},
    stage::{Stage, play, until},
};
use crate::support::{PATIENCE, Store, StorePlace};

/// As in the default settings.
const LEASE: Duration = Duration::from_secs(3);
/// How soon others have what a process had that was killed.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(5);
/// Long, so that waiting for its end would be noticed.
const LONG_LEASE: Duration = Duration::from_secs(9);
/// Events that make a load.
const ENOUGH: u64 = 300;

/// SU-17, UX-14, invariants 6 and 9: two processes share 8 partitions under the load of a third; one is killed with -9. The other has
/// all partitions within five seconds, every event was handled, in order for each key, and each counts once in the projection.
#[test]
fn a_killed_process_is_replaced_within_seconds() {
    replaces_a_killed_process(&Store::postgres().place(Path::new(".")));
}

/// SU-17 for three processes on one SQLite file, two of which follow what the third one appends.
#[test]
fn a_killed_process_on_one_file_is_replaced_within_seconds() {
    let directory = tempfile::tempdir().unwrap();
    replaces_a_killed_process(&Store::Sqlite.place(directory.path()));
}

fn replaces_a_killed_process(place: &StorePlace) {
    play(place, LEASE, async |stage| {
        let ([mut first, _second], [one, other]) = stage.two().await;
        let load = stage.load();
        for node in ["first", "second"] {
            stage.goes_on(node, ENOUGH).await;
        }
        let (died, before) = (Instant::now(), stage.handled().first_by("second"));
        first.kill();
        let owner = stage.owned_by_one().await;
        let took = died.elapsed();
        assert!(took < TAKEN_OVER_WITHIN, "all partitions were taken over after {took:?}");
        assert!(owner == other && owner != one);
        load.goes_on(ENOUGH).await;
        let written = load.stop().await;
        let handled = stage.settled(&written).await;
        assert!(handled.first_by("second") >= before + ENOUGH, "{:?}", handled.first);
    });
}

/// SU-18, invariant 7: a process that is stopped by SIGSTOP past its lease loses its partitions to the other. When it wakes up under
/// load, no checkpoint moves back, nothing comes out of order, and it gets its share again.
#[test]
fn a_process_that_slept_past_its_lease_disturbs_nothing() {
    play(&Store::postgres().place(Path::new(".")), LEASE, async |stage| {
        let ([first, _second], [one, other]) = stage.two().await;
        let load = stage.load();
        for node in ["first", "second"] {
            stage.goes_on(node, ENOUGH).await;
        }
        first.signal("-STOP");
        let asleep = stage.partitions().await;
        assert_eq!(stage.owned_by_one().await, other);
        // The other goes on with what the sleeping one had in its hands.
        stage.goes_on("second", 2 * ENOUGH).await;
        let taken = stage.partitions().await;
        first.signal("-CONT");
        let watch = async {
            let mut seen = taken.clone();
            loop {
                seen = not_behind(&seen, stage.partitions().await);
                tokio::task::yield_now().await;
            }
        };
        let shared = async {
            let shared = stage.halved(one).await;
            stage.goes_on("first", ENOUGH).await;
            shared
        };
        tokio::select! {
            () = watch => unreachable!("it watches for ever"),
            shared = shared => assert_eq!(shared, other),
        }
        for (before, after) in asleep.iter().zip(&taken).filter(|(before, _)| before.owner == Some(one)) {
            assert!(after.epoch > before.epoch, "{before:?} was not taken over: {after:?}");
        }
        let written = load.stop().await;
        stage.settled(&written).await;
    });
}

/// Neither epochs nor checkpoints go back.
#[track_caller]
fn not_behind(before: &[PartitionState], after: Vec<PartitionState>) -> Vec<PartitionState> {
    for (before, after) in before.iter().zip(&after) {
        let goes_on = after.epoch >= before.epoch && after.checkpoint >= before.checkpoint;
        assert!(goes_on, "{before:?} became {after:?}");
    }
    after
}

/// SU-14, EH-10, UX-13: a process that joins gets a fair share, and one that is told to stop gives its share back at once, with
/// all that it did saved: nobody handles any of it again, neither then nor before.
#[test]
fn shares_change_hands_in_order() {
    play(&Store::postgres().place(Path::new(".")), LONG_LEASE, async |stage| {
        let _first = stage.node("first", Handler::Shared);
        let one = stage.owned_by_one().await;
        let load = stage.load();
        stage.goes_on("first", ENOUGH).await;
        let mut second = stage.node("second", Handler::Shared);
        stage.halved(one).await;
        stage.goes_on("second", ENOUGH).await;

        let told = Instant::now();
        second.signal("-TERM");
        assert_eq!(second.ended(), Some(0), "{}", second.said());
        assert_eq!(stage.owned_by_one().await, one);
        let took = told.elapsed();
        assert!(took < LONG_LEASE / 2, "it was handed over after {took:?}");
        load.goes_on(ENOUGH).await;
        let written = load.stop().await;
        let handled = stage.settled(&written).await;
        assert_eq!(handled.again, [], "in order, nothing is handled twice");
    });
}

/// SC-06: a strong dispatch in a process that has the handler, but not its partition, returns once the process that has it has handled
/// what was written, and not before.
#[test]
fn a_strong_dispatch_waits_for_the_process_that_handles() {
    let (store, folder) = (Store::postgres(), tempfile::tempdir().unwrap());
    let StorePlace { url, schema } = store.place(folder.path());
    play(&StorePlace { url: url.clone(), schema: schema.clone() }, LEASE, async |stage| {
        let _owner = stage.node("owner", Handler::Strong);
        until("the handler to have its owner", async || {
            let partitions = stage.partitions_of(STRONG).await;
            let owned = partitions.iter().any(|partition| partition.owner.is_some());
            if owned { Ok(()) } else { Err(partitions) }
        })
        .await;
        dispatch_here(stage, &url, &schema).await;
    });
}

/// Dispatches in an umbrella of this process.
async fn dispatch_here(stage: &Stage, url: &str, schema: &str) {
    let folder = stage.folder().to_owned();
    ROLE.set(Role { name: "caller".into(), folder: folder.clone(), handler: Handler::Strong }).unwrap();
    let overrides = [("store.url", url), ("store.schema", schema)];
    let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let options = LoadOptions { environment: Some("test".into()), overrides, ..LoadOptions::default() };
    let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
    let store = foundation.settings.section("store").unwrap();
    let store = umbel_persistence::group(&store, &foundation.bus, foundation.policy());
    let umbrella = foundation.umbrella("caller").with(store).with_app(&node::app(Handler::Strong));
    let supervisor = umbrella.start();
    supervisor.tree().wait_until_up(PATIENCE).await.unwrap();

    let strong = DispatchOptions::default().strong().deadline(PATIENCE);
    let key = "ada".to_owned();
    let (bus, command) = (foundation.bus.clone(), Happen { key: key.clone() });
    let dispatched = tokio::spawn(async move { bus.dispatch_with(command, strong).await });
    let begun = until("the handler to begin", async || fs::read_to_string(folder.join(BEGUN))).await;
    assert_eq!(begun, "owner");
    // The projection has passed, so that nobody but the handler is waited for.
    until("the projection to pass", async || {
        let checkpoint = stage.bus.store().load_checkpoint(node::COUNTS).await;
        checkpoint.clone().ok().filter(|at| at.get() == 1).ok_or(checkpoint)
    })
    .await;
    assert!(!dispatched.is_finished(), "the handler is not done");
    fs::write(folder.join(OPEN), "").unwrap();
    assert_eq!(dispatched.await.unwrap().unwrap().reply, 1);
    let handled = stage.handled();
    assert_eq!((handled.first_by("owner"), handled.last), (1, BTreeMap::from([(key, 1)])));
    supervisor.shut_down().await;
}

/// SU-10, UX-15, EH-11: PostgreSQL is restarted, and killed with -9, under load. The subscription goes on by itself, in the same
/// processes, and nothing is lost, swapped or counted twice.
#[test]
fn a_subscription_outlives_the_database() {
    let server = Server::start().unwrap();
    let place = StorePlace { url: server.url().to_owned(), schema: "umbel".into() };
    play(&place, LEASE, async |stage| {
        let (mut nodes, _) = stage.two().await;
        let load = stage.load();
        for end in [Server::stop, Server::kill9] {
            for node in ["first", "second"] {
                stage.goes_on(node, ENOUGH).await;
            }
            end(&server).unwrap();
            server.start_again().unwrap();
            load.goes_on(ENOUGH).await;
        }
        for node in ["first", "second"] {
            stage.goes_on(node, ENOUGH).await;
        }
        let written = load.stop().await;
        stage.settled(&written).await;
        for node in &mut nodes {
            assert!(node.runs(), "{}", node.said());
        }
    });
}
