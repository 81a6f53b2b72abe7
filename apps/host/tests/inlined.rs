//! Inline projections at work: what an answer promises, who is not told of them, and how they change.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use umbel_bus::{Consistency, DispatchError, DispatchOptions};
use umbel_core::{
    Changes, Document, Mode, Position, Projection, RecordedEvent,
    document::{Collection, DocumentKey},
    projection::Failing,
    store::{ListProjections, Perform, Phase},
};
use umbel_host::App;

use crate::{
    bank::{self, AccountEvent, Deposit, Deposited},
    courses::{self, CourseEvent},
    stores::on_every_store,
    world::{World, foreign_deposit, pause, run, settings},
};

const NAME: &str = "bank.inlined";

/// What an account has come to, and by how many deposits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "bank.sums")]
struct Sum {
    amount: i64,
    deposits: u64,
    /// What the rule is told of the last one.
    version: u64,
    rule: u32,
}

/// What all deposits come to: one document for all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "bank.total")]
struct Total {
    amount: i64,
    deposits: u64,
}

struct Sums<const VERSION: u32>;

/// An amount that no version of the rule can project.
const BAD: i64 = 13_131;
/// One that is passed over.
const SKIPPED: i64 = 24_242;

impl<const VERSION: u32> Projection for Sums<VERSION> {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const MODE: Mode = Mode::Inline;
    type Event = AccountEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Sum>(), Collection::of::<Total>()]
    }

    fn project(event: AccountEvent, recorded: &RecordedEvent, changes: &mut Changes) {
        let AccountEvent::Deposited(Deposited { amount }) = event else { return };
        assert!(![BAD, SKIPPED].contains(&amount), "a test wants this");
        assert_eq!(recorded.position, Position::START, "nobody knows it yet");
        let version = recorded.version.get();
        changes.modify(recorded.stream.id(), move |old: Option<Sum>| {
            let old = old.unwrap_or_default();
            Some(Sum { amount: old.amount + amount, deposits: old.deposits + 1, version, rule: VERSION })
        });
        changes.modify("all", move |old: Option<Total>| {
            let old = old.unwrap_or_default();
            Some(Total { amount: old.amount + amount, deposits: old.deposits + 1 })
        });
    }

    fn on_error(_: &str, event: &RecordedEvent, _: u32) -> umbel_core::projection::Verdict {
        let is_skipped = event.data.as_json().is_ok_and(|json| json.as_str().contains(&SKIPPED.to_string()));
        if is_skipped { Failing::Skip.verdict() } else { Failing::HoldUp.verdict() }
    }
}

fn app<const VERSION: u32>() -> App {
    bank::app().projection::<Sums<VERSION>>()
}

async fn world() -> World {
    World::with(&Arc::default(), &[app::<1>()], settings()).await
}

async fn get<D: Document>(world: &World, key: &str) -> Option<D> {
    let keys = vec![DocumentKey { collection: D::COLLECTION, key: key.into() }];
    let found = world.bus.store().get_documents(keys).await.unwrap().remove(0);
    found.map(|body| body.decode().unwrap())
}

async fn joined(world: &World, checkpoint: &str) -> bool {
    let listed = ListProjections { projection: Some(NAME.into()) };
    let kept = world.bus.store().list_projections(listed).await.unwrap();
    kept.iter().any(|one| one.checkpoint() == checkpoint && one.joined)
}

async fn is_joined(world: &World, checkpoint: &str) {
    while !joined(world, checkpoint).await {
        pause().await;
    }
}

async fn put(world: &World, account: &str, amount: i64) -> Position {
    let deposit = Deposit { account: account.into(), amount };
    let options = DispatchOptions::default().consistency(Consistency::Eventual);
    world.bus.dispatch_with(deposit, options).await.unwrap().position.unwrap()
}

fn sum(amount: i64, deposits: u64, rule: u32) -> Sum {
    Sum { amount, deposits, version: deposits, rule }
}

/// PJ-09: whoever gets an answer reads what it led to, though nobody waited for anything; also in what many change at once, from
/// different streams, where nothing is lost.
#[test]
fn an_answer_is_in_the_documents() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app::<1>()], settings()).await;
        is_joined(&world, "bank.inlined/1").await;
        for number in 1..=20 {
            put(&world, "a", 1).await;
            assert_eq!(get::<Sum>(&world, "a").await, Some(sum(number, number.unsigned_abs(), 1)));
        }
        let accounts: Vec<_> = (0..24).map(|number| format!("b{number}")).collect();
        let many = accounts.iter().map(|account| async {
            for number in 1..=5 {
                put(&world, account, 2).await;
                assert_eq!(
                    get::<Sum>(&world, account).await,
                    Some(sum(2 * number, number.unsigned_abs(), 1))
                );
            }
        });
        join_all(many).await;
        assert_eq!(get::<Total>(&world, "all").await, Some(Total { amount: 260, deposits: 140 }));
        // Many at once on one stream, which are not decided ahead of what is stored.
        join_all((0..16).map(|_| put(&world, "a", 1))).await;
        assert_eq!(get::<Sum>(&world, "a").await, Some(sum(36, 36, 1)));
        assert!(joined(&world, "bank.inlined/1").await);
        world.stop().await;
    });
}

/// PJ-09: an event that cannot be projected fails its command, with nothing stored, unless it is to be passed over.
#[test]
fn an_event_that_cannot_be_projected_is_not_stored() {
    run(async {
        let world = world().await;
        is_joined(&world, "bank.inlined/1").await;
        put(&world, "a", 1).await;
        let refused = world.bus.dispatch(Deposit { account: "a".into(), amount: BAD }).await;
        let Err(DispatchError::Failed { reason }) = refused else { panic!("{refused:?}") };
        assert!(reason.contains(NAME) && reason.contains("panicked"), "{reason}");
        assert_eq!(world.history("a").await.len(), 1);
        put(&world, "a", SKIPPED).await;
        put(&world, "a", 1).await;
        let expected = Sum { version: 3, ..sum(2, 2, 1) };
        assert_eq!(get::<Sum>(&world, "a").await, Some(expected));
        world.stop().await;
    });
}

/// PJ-10: events of somebody who does not know of it are not missed, and those after them find all that came before; then it is inline again.
#[test]
fn foreign_events_are_projected_behind_the_append() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app::<1>()], settings()).await;
        is_joined(&world, "bank.inlined/1").await;
        put(&world, "a", 1).await;
        for number in 2..=10 {
            world.bus.store().append(foreign_deposit("a", 1)).await.unwrap();
            world.bus.store().append(foreign_deposit("c", 1)).await.unwrap();
            put(&world, "a", 1).await;
            let deposits = 2 * number - 1;
            assert_eq!(get::<Sum>(&world, "a").await.map(|sum| sum.deposits), Some(deposits));
        }
        is_joined(&world, "bank.inlined/1").await;
        assert_eq!(get::<Total>(&world, "all").await, Some(Total { amount: 28, deposits: 28 }));
        world.stop().await;
    });
}

/// UX-09, PJ-10: a new version is built beside the one that is inline, whose rule is not there any more; readers get the new one once it has all, and
/// from then on it is inline, without an event being missed or projected twice.
#[test]
fn a_new_version_is_built_and_then_inline() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app::<1>()], settings()).await;
        is_joined(&world, "bank.inlined/1").await;
        for _ in 0..5 {
            put(&world, "a", 1).await;
        }
        world.stop().await;
        let world = World::with(&store, &[app::<2>()], settings()).await;
        for _ in 0..5 {
            put(&world, "a", 1).await;
        }
        is_joined(&world, "bank.inlined/2").await;
        assert_eq!(get::<Sum>(&world, "a").await, Some(sum(10, 10, 2)));
        put(&world, "a", 1).await;
        assert_eq!(get::<Sum>(&world, "a").await, Some(sum(11, 11, 2)));
        world.stop().await;
    });
}

/// UX-09, PJ-09: who appends while a new version takes over reads what it led to as soon as that version serves, though nobody here has
/// kept what was before inline.
#[test]
fn a_new_version_under_load_shows_all_from_the_switch_on() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app::<1>()], settings()).await;
        is_joined(&world, "bank.inlined/1").await;
        world.stop().await;
        store.hold_switches(true);
        let world = World::with(&store, &[app::<2>()], settings()).await;
        let done = AtomicU64::new(0);
        let load = join_all((0..8).map(|number| {
            let (world, done, account) = (&world, &done, format!("b{number}"));
            async move {
                let mut number = 0;
                while done.load(Ordering::SeqCst) == 0 || number < 20 {
                    number += 1;
                    put(world, &account, 1).await;
                    // The older one is not kept up to date by anybody.
                    if let Some(sum) = get::<Sum>(world, &account).await.filter(|sum| sum.rule == 2) {
                        assert_eq!(sum.amount, number);
                    }
                }
            }
        }));
        let switch = async {
            while world.bus.store().load_checkpoint("bank.inlined/2").await.unwrap() < Position::new(40) {
                pause().await;
            }
            store.hold_switches(false);
            is_joined(&world, "bank.inlined/2").await;
            done.store(1, Ordering::SeqCst);
        };
        futures_util::future::join(load, switch).await;
        assert!(joined(&world, "bank.inlined/2").await, "nobody has left it behind");
        world.stop().await;
    });
}

/// UX-09, PJ-10: a rebuild of an inline projection under load disturbs nobody: each answer is in what readers get.
#[test]
fn a_rebuild_under_load_is_not_noticed() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app::<1>()], settings()).await;
        is_joined(&world, "bank.inlined/1").await;
        let done = AtomicU64::new(0);
        let load = async {
            let mut number = 0;
            while done.load(Ordering::SeqCst) == 0 || number < 20 {
                number += 1;
                put(&world, "a", 1).await;
                assert_eq!(get::<Sum>(&world, "a").await.map(|sum| sum.amount), Some(number));
            }
            number
        };
        let rebuild = async {
            let act = umbel_core::store::Act::RebuildProjection { projection: NAME.into() };
            let id = umbel_core::EventId(umbel_bus::edge::fresh_id());
            world.bus.store().perform(Perform { id, act, metadata: Default::default() }).await.unwrap();
            world.serves(NAME, "bank.inlined/1/2").await;
            is_joined(&world, "bank.inlined/1/2").await;
            done.store(1, Ordering::SeqCst);
        };
        let (number, ()) = futures_util::future::join(load, rebuild).await;
        assert_eq!(get::<Sum>(&world, "a").await.map(|sum| sum.amount), Some(number));
        assert_ne!(world.phase(NAME, "bank.inlined/1").await, Some(Phase::Serving));
        world.stop().await;
    });
}

/// UX-09, PJ-09: a process that is alone and knows the former rule keeps what readers get inline by it until the switch.
#[test]
fn a_former_rule_stays_inline_until_the_switch() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app::<1>()], settings()).await;
        is_joined(&world, "bank.inlined/1").await;
        put(&world, "a", 1).await;
        world.stop().await;

        store.hold_switches(true);
        let both = app::<2>().former_projection::<Sums<1>>();
        let world = World::with(&store, &[both], settings()).await;
        for number in 2..=6 {
            put(&world, "a", 1).await;
            assert_eq!(get::<Sum>(&world, "a").await, Some(sum(number, number.unsigned_abs(), 1)));
        }
        assert!(joined(&world, "bank.inlined/1").await);
        // Theirs, too, as far as this process can tell: it follows the log for both.
        let last = world.bus.store().append(foreign_deposit("a", 1)).await.unwrap().last_position.unwrap();
        while get::<Sum>(&world, "a").await != Some(sum(7, 7, 1)) {
            pause().await;
        }
        while world.bus.store().load_checkpoint("bank.inlined/2").await.unwrap() < last {
            pause().await;
        }
        store.hold_switches(false);
        is_joined(&world, "bank.inlined/2").await;
        assert_eq!(get::<Sum>(&world, "a").await, Some(sum(7, 7, 2)));
        put(&world, "a", 1).await;
        assert_eq!(get::<Sum>(&world, "a").await, Some(sum(8, 8, 2)));
        world.stop().await;
    });
}

/// PJ-10: two nodes, of which one does not have the projection: its events are not missed, whoever appends when.
#[test]
fn a_node_without_the_projection_takes_nothing_from_it() {
    on_every_store(async |store| {
        let with = World::with(&store, &[app::<1>()], settings()).await;
        let without = World::with(&store, &[bank::app()], settings()).await;
        is_joined(&with, "bank.inlined/1").await;
        let mine = async {
            for number in 1..=10 {
                put(&with, "a", 1).await;
                assert_eq!(get::<Sum>(&with, "a").await.map(|sum| sum.amount), Some(number));
            }
        };
        let theirs = async {
            for _ in 0..10 {
                put(&without, "b", 1).await;
            }
        };
        futures_util::future::join(mine, theirs).await;
        let last = put(&without, "b", 1).await;
        with.passed(NAME, last).await;
        assert_eq!(get::<Total>(&with, "all").await, Some(Total { amount: 21, deposits: 21 }));
        is_joined(&with, "bank.inlined/1").await;
        without.stop().await;
        with.stop().await;
    });
}

/// UX-09, PJ-10: a rebuild takes the place of what serves though another process, which does not have the projection, never rests; each answer
/// of a process that has it is in what readers get.
#[test]
fn a_rebuild_takes_over_while_others_append() {
    on_every_store(async |store| {
        let with = World::with(&store, &[app::<1>()], settings()).await;
        let without = World::with(&store, &[bank::app()], settings()).await;
        is_joined(&with, "bank.inlined/1").await;
        let (done, deposits) = (AtomicU64::new(0), AtomicU64::new(0));
        let goes_on = || done.load(Ordering::SeqCst) == 0;
        let mine = async |account: &str| {
            let mut number = 0;
            while goes_on() {
                put(&with, account, 1).await;
                number += 1;
                assert_eq!(get::<Sum>(&with, account).await.map(|sum| sum.amount), Some(number));
            }
            deposits.fetch_add(number.unsigned_abs(), Ordering::SeqCst);
        };
        let theirs = async |account: &str| {
            while goes_on() {
                put(&without, account, 1).await;
                deposits.fetch_add(1, Ordering::SeqCst);
            }
        };
        let rebuild = async {
            while with.bus.store().status().await.unwrap().head < Position::new(20) {
                pause().await;
            }
            let act = umbel_core::store::Act::RebuildProjection { projection: NAME.into() };
            let id = umbel_core::EventId(umbel_bus::edge::fresh_id());
            with.bus.store().perform(Perform { id, act, metadata: Default::default() }).await.unwrap();
            with.serves(NAME, "bank.inlined/1/2").await;
            done.store(1, Ordering::SeqCst);
        };
        tokio::join!(mine("a"), mine("b"), theirs("c"), theirs("d"), rebuild);
        is_joined(&with, "bank.inlined/1/2").await;
        let deposits = deposits.load(Ordering::SeqCst);
        assert_eq!(get::<Total>(&with, "all").await.map(|total| total.deposits), Some(deposits));
        without.stop().await;
        with.stop().await;
    });
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "courses.seats")]
struct Seats {
    taken: u64,
    version: u64,
}

struct Taken;

impl Projection for Taken {
    const NAME: &'static str = "courses.taken";
    const MODE: Mode = Mode::Inline;
    type Event = CourseEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Seats>()]
    }

    fn project(event: CourseEvent, recorded: &RecordedEvent, changes: &mut Changes) {
        let (course, by) = match event {
            CourseEvent::Opened(opened) => (opened.course, 0),
            CourseEvent::Joined(joined) => (joined.course, 1),
            CourseEvent::Left(left) => (left.course, -1),
        };
        let version = recorded.version.get();
        changes.modify(course, move |old: Option<Seats>| {
            Some(Seats { taken: old.map_or(0, |old| old.taken).saturating_add_signed(by), version })
        });
    }
}

/// PJ-09: what a boundary decides is in the documents as well, with the versions that its events get.
#[test]
fn a_boundary_writes_documents_too() {
    run(async {
        let app = courses::app().projection::<Taken>();
        let world = World::with(&Arc::default(), &[app], settings()).await;
        let listed = || async {
            let listed = ListProjections { projection: Some(Taken::NAME.into()) };
            world.bus.store().list_projections(listed).await.unwrap()
        };
        while !listed().await.iter().any(|one| one.joined) {
            pause().await;
        }
        world.bus.dispatch(courses::open("c", 3)).await.unwrap();
        let students = ["ada", "bea", "cy"];
        let all = students.map(|student| world.bus.dispatch(courses::join("c", student)));
        assert!(join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(get::<Seats>(&world, "c").await.map(|seats| seats.taken), Some(3));
        world.bus.dispatch(courses::leave("c", "bea")).await.unwrap();
        assert_eq!(get::<Seats>(&world, "c").await.map(|seats| seats.taken), Some(2));
        assert!(listed().await.iter().all(|one| one.joined));
        world.stop().await;
    });
}
