//! Projections: once, whatever happens.

use std::sync::{Arc, atomic::Ordering};

use umbel_bus::DispatchOptions;
use umbel_core::{
    Changes, EventId, ExpectedVersion, Json, Metadata, NewEvent, Position, Projection, RecordedEvent,
    StreamName,
    document::{Collection, DocumentKey, DocumentWrite},
    projection::Verdict,
    store::Append,
};
use umbel_host::HostSettings;

use crate::{
    bank::{self, Balance, Deposits, PANICS_IN_CHANGE, PANICS_IN_RULE, PANICS_WHILE_SULKING, SULKS, deposit},
    stores::on_every_store,
    world::*,
};

const BALANCES: &str = "bank.balances";
const FUSSY: &str = "bank.fussy";

async fn deposits(world: &World) -> u64 {
    counted(world, "all").await
}

async fn counted(world: &World, key: &str) -> u64 {
    let key = DocumentKey { collection: "bank.deposits", key: key.into() };
    let mut found = world.bus.store().get_documents(vec![key]).await.unwrap();
    found.pop().flatten().map_or(0, |body| body.decode::<Deposits>().unwrap().count)
}

fn reached(world: &World, projection: &str) -> Position {
    let progress = world.bus.progress();
    let found = progress.iter().find(|progress| progress.name == projection);
    found.map_or(Position::START, |progress| *progress.stand.position.borrow())
}

/// Given a log that exists already, a projection catches up by pages, each event once; what it does not listen to is stepped
/// over (PJ-03).
#[test]
fn it_catches_up_from_an_existing_log() {
    on_every_store(async |store| {
        let writer = World::with(&store, &[], settings()).await;
        for number in 0..50 {
            writer.deposit_behind_its_back(&format!("a{}", number % 3), 2).await;
            let ignored = NewEvent {
                id: EventId(umbel_bus::edge::fresh_id()),
                event_type: "other.happened/1".parse().unwrap(),
                data: Json::parse("{}").unwrap().into(),
                subject: None,
                tags: umbel_core::Tags::none(),
                metadata: Metadata::default(),
            };
            let stream = StreamName::new("other").unwrap();
            let append = Append::to_stream(stream, ExpectedVersion::Any, vec![ignored]);
            writer.bus.store().append(append).await.unwrap();
        }
        let host = HostSettings { projection_batch: 7, ..settings() };
        let world = World::with(&store, &[bank::app()], host).await;
        world.passed(BALANCES, Position::new(100)).await;
        for (account, events) in [("a0", 17_u32), ("a1", 17), ("a2", 16)] {
            let balance = Some(Balance { balance: 2 * i64::from(events), events: events.into() });
            assert_eq!(world.balance(account).await, balance);
        }
        world.stop().await;
        writer.stop().await;
    });
}

/// Given a restart, it goes on from its checkpoint, and nothing counts twice.
#[test]
fn it_resumes_from_its_checkpoint() {
    run(async {
        let store = Arc::default();
        for round in 1..=3 {
            let world = World::over(&store).await;
            for _ in 0..10 {
                world
                    .bus
                    .dispatch_with(deposit("ada", 1), DispatchOptions::default().strong())
                    .await
                    .unwrap();
            }
            assert_eq!(
                world.balance("ada").await,
                Some(Balance { balance: 10 * round, events: 10 * round.unsigned_abs() })
            );
            world.stop().await;
        }
    });
}

/// Given a page that was read ahead and ends with the log, when the log goes on before it is projected, then that is not slept through.
#[test]
fn what_comes_behind_a_page_that_was_read_ahead_is_seen_at_once() {
    run(async {
        let store = Arc::<Rigged>::default();
        // It has begun before, so that what is saved next is a page.
        let world = World::over(&store).await;
        let first = world.deposit_behind_its_back("ada", 1).await;
        world.passed(BALANCES, first).await;
        world.stop().await;
        let world = World::with(&store, &[], settings()).await;
        for _ in 0..3 {
            world.deposit_behind_its_back("ada", 1).await;
        }
        world.stop().await;

        store.shut_for_projections(true);
        let before = store.pages_read();
        let host = HostSettings { projection_batch: 2, projection_poll_ms: 3_600_000, ..settings() };
        let world = World::with(&store, &[bank::app()], host).await;
        // While the first page waits to be saved, the one behind it, with which the log ends, is read.
        store.has_read(before + 2).await;
        let last = world.deposit_behind_its_back("ada", 1).await;
        store.shut_for_projections(false);
        world.passed(BALANCES, last).await;
        assert_eq!(world.balance("ada").await, Some(Balance { balance: 5, events: 5 }));
        world.stop().await;
    });
}

/// PJ-01, invariant 6: two umbrellas run the same projection over one store, and each effect happens once; both know it.
#[test]
fn two_umbrellas_project_each_event_once() {
    on_every_store(async |store| {
        // Both decide about the same five accounts, so either may be the slower one many times.
        let host = HostSettings { projection_batch: 3, conflict_retries: 1000, ..settings() };
        let here = World::with(&store, &[bank::app()], host.clone()).await;
        let there = World::with(&store, &[bank::app()], host).await;
        let sends = (0..200).map(|number| {
            let world = if number % 2 == 0 { &here } else { &there };
            let account = format!("a{}", number % 5);
            async move {
                let done =
                    world.bus.dispatch_with(deposit(&account, 1), DispatchOptions::default().strong()).await;
                done.unwrap();
            }
        });
        futures_util::future::join_all(sends).await;
        for world in [&here, &there] {
            world.passed(BALANCES, Position::new(200)).await;
            for account in 0..5 {
                let balance = world.balance(&format!("a{account}")).await;
                assert_eq!(balance, Some(Balance { balance: 40, events: 40 }));
            }
        }
        here.stop().await;
        there.stop().await;
    });
}

/// Given the answer to a saved page is lost, the page is not projected again.
#[test]
fn a_lost_answer_does_not_double_an_effect() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        for events in 1..=5 {
            store.lose_saves(2);
            world.bus.dispatch_with(deposit("ada", 1), DispatchOptions::default().strong()).await.unwrap();
            let balance = Some(Balance { balance: i64::try_from(events).unwrap(), events });
            assert_eq!(world.balance("ada").await, balance);
        }
    });
}

/// PJ-02: an event that cannot be projected holds up this projection at this place, and nothing else: the events before it
/// have their effect, other projections and apps go on, and nothing escalates.
#[test]
fn a_poison_event_holds_up_only_its_projection() {
    for poison in [PANICS_IN_RULE, PANICS_IN_CHANGE] {
        on_every_store(async |store| {
            let writer = World::with(&store, &[], settings()).await;
            for amount in [1, 1, 1, poison, 1] {
                writer.deposit_behind_its_back("ada", amount).await;
            }
            let world = World::with(&store, &[bank::app(), bank::fussy()], settings()).await;
            world.passed(BALANCES, Position::new(5)).await;
            assert_eq!(world.balance("ada").await.unwrap().events, 5);
            world.passed(FUSSY, Position::new(3)).await;
            assert_eq!(deposits(&world).await, 3);
            let done = world.bus.dispatch(deposit("ada", 1)).await.unwrap();
            world.passed(BALANCES, done.position.unwrap()).await;
            assert_eq!((reached(&world, FUSSY), deposits(&world).await), (Position::new(3), 3));
            let tree = world.supervisor.tree().snapshot();
            assert!(tree.is_up() && tree.find("fussy/bank.fussy").unwrap().restarts == 0, "{tree}");
            world.stop().await;
            writer.stop().await;
        });
    }
}

/// The number of deposits, with an opinion of each that cannot be counted.
struct Opinionated;

/// What it was asked, by event: the attempts, in order.
static ASKED: std::sync::Mutex<Vec<(u64, u32)>> = std::sync::Mutex::new(Vec::new());

impl Projection for Opinionated {
    const NAME: &'static str = "bank.opinionated";
    type Event = bank::OnlyDeposits;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Deposits>()]
    }

    fn project(event: bank::OnlyDeposits, recorded: &RecordedEvent, changes: &mut Changes) {
        changes.put(recorded.position.to_string(), Deposits { count: 1 });
        bank::Fussy::project(event, recorded, changes);
    }

    fn on_error(error: &str, event: &RecordedEvent, attempt: u32) -> Verdict {
        assert!(error.contains("panicked"), "{error}");
        assert_ne!(event.stream.id(), "odd", "told to panic over it");
        ASKED.lock().unwrap().push((event.position.get(), attempt));
        match event.stream.id() {
            "patience" if attempt < 3 => Verdict::Retry,
            "end" => Verdict::Stop,
            _ => Verdict::Skip,
        }
    }
}

/// PJ-02: given events that cannot be projected, each is tried again, passed over or the end, as the projection says by error, event and
/// attempt; of those that are passed over nothing is in the documents. A panic over it leaves it to the default.
#[test]
fn a_projection_says_what_becomes_of_each_event() {
    on_every_store(async |store| {
        ASKED.lock().unwrap().clear();
        let writer = World::with(&store, &[], settings()).await;
        let append = async |account: &str, amount: i64| {
            writer.deposit_behind_its_back(account, amount).await;
        };
        for (account, amount) in
            [("ada", 1), ("ada", PANICS_IN_RULE), ("ada", 1), ("patience", PANICS_IN_CHANGE), ("ada", 1)]
        {
            append(account, amount).await;
        }
        let app = || umbel_host::App::new("opinions").projection::<Opinionated>();
        let world = World::with(&store, &[app()], settings()).await;
        world.passed(Opinionated::NAME, Position::new(5)).await;
        assert_eq!(counted(&world, "all").await, 3);
        for (position, documents) in (1..).zip([1, 0, 1, 0, 1]) {
            assert_eq!(counted(&world, &format!("{position}")).await, documents, "{position}");
        }
        assert_eq!(*ASKED.lock().unwrap(), [(2, 1), (4, 1), (4, 2), (4, 3)]);

        append("end", PANICS_IN_RULE).await;
        append("ada", 1).await;
        let mut held_up = world.bus.progress().pop().unwrap().stand.held_up;
        let stopped = |why: &Option<String>| why.as_ref().is_some_and(|why| why.contains("not tried again"));
        held_up.wait_for(stopped).await.unwrap();
        let pause = std::time::Duration::from_millis(200);
        assert!(tokio::time::timeout(pause, held_up.changed()).await.is_err());
        assert_eq!(ASKED.lock().unwrap().split_off(4), [(6, 1)]);
        assert_eq!((reached(&world, Opinionated::NAME), counted(&world, "all").await), (Position::new(5), 3));
        world.stop().await;

        let world = World::with(&store, &[app()], settings()).await;
        let mut held_up = world.bus.progress().pop().unwrap().stand.held_up;
        held_up.wait_for(stopped).await.unwrap();
        assert_eq!(ASKED.lock().unwrap().split_off(4), [(6, 1)], "a new process asks anew");
        world.stop().await;
        writer.stop().await;
    });
}

/// PJ-02: a panic over an event that cannot be projected leaves the verdict to what is said of all.
#[test]
fn a_panic_over_the_verdict_is_the_default() {
    run(async {
        let store = Arc::default();
        let writer = World::with(&store, &[], settings()).await;
        writer.deposit_behind_its_back("odd", PANICS_IN_RULE).await;
        let app = umbel_host::App::new("opinions").projection::<Opinionated>();
        let world = World::with(&store, &[app], settings()).await;
        let mut held_up = world.bus.progress().pop().unwrap().stand.held_up;
        let why = held_up.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(why.contains("rule panicked") && !why.contains("not tried again"), "{why}");
        world.stop().await;
    });
}

/// The same for an event that this program cannot read.
#[test]
fn an_unreadable_event_holds_up_only_its_projection() {
    run(async {
        let world = World::with(&Arc::default(), &[bank::app(), bank::fussy()], settings()).await;
        let newer = NewEvent {
            id: EventId(umbel_bus::edge::fresh_id()),
            event_type: "bank.withdrawn/2".parse().unwrap(),
            data: Json::parse("{}").unwrap().into(),
            subject: None,
            tags: umbel_core::Tags::none(),
            metadata: Metadata::default(),
        };
        world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        let stream = StreamName::new("account-newer").unwrap();
        world.bus.store().append(Append::to_stream(stream, ExpectedVersion::Any, vec![newer])).await.unwrap();
        let last = world.bus.dispatch(deposit("ada", 1)).await.unwrap().position.unwrap();
        world.passed(FUSSY, last).await;
        world.passed(BALANCES, Position::new(1)).await;
        assert_eq!(reached(&world, BALANCES), Position::new(1));
        assert_eq!((deposits(&world).await, world.balance("ada").await.unwrap().events), (2, 1));
    });
}

/// A crash of the projection's actor restarts it, and its work stays exactly once.
#[test]
fn a_crash_restarts_it_where_it_was() {
    run(async {
        let world = World::new().await;
        for events in 1..=20 {
            let crash = async { assert!(world.bus.inject_panic("bank/bank.balances").await) };
            let write = world.bus.dispatch_with(deposit("ada", 1), DispatchOptions::default().strong());
            let ((), written) = futures_util::future::join(crash, write).await;
            written.unwrap();
            assert_eq!(world.balance("ada").await.unwrap().events, events);
            world.supervisor.tree().wait_until(|tree| tree.is_up() && restarts(tree) >= events).await;
        }
        fn restarts(tree: &umbel_supervision::TreeNode) -> u64 {
            tree.find("bank/bank.balances").unwrap().restarts.into()
        }
    });
}

/// Given a rule of a higher version, the read model is built anew from an empty one: nothing counts twice, and what only the
/// older rule has written is gone. After that it goes on from its own checkpoint. Answers are lost on the way, which must not matter.
#[test]
fn a_higher_version_builds_the_model_anew() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        for _ in 0..10 {
            world.bus.dispatch_with(deposit("ada", 1), DispatchOptions::default().strong()).await.unwrap();
        }
        let stray = DocumentWrite {
            collection: "bank.balances".into(),
            key: "stray".into(),
            body: Some(Json::encode(&Balance { balance: 1, events: 1 }).unwrap()),
            entries: Vec::new(),
        };
        let append = Append { documents: vec![stray], ..foreign_deposit("bob", 7) };
        world.bus.store().append(append).await.unwrap();
        world.passed(BALANCES, Position::new(11)).await;
        assert_eq!(world.balance("ada").await, Some(Balance { balance: 10, events: 10 }));
        assert!(world.balance("stray").await.is_some());
        world.stop().await;

        store.lose_saves(1);
        let host = HostSettings { projection_batch: 3, ..settings() };
        for round in 0..2 {
            let world = World::with(&store, &[bank::next_app()], host.clone()).await;
            world.serves(BALANCES, "bank.balances/2").await;
            world.passed(BALANCES, Position::new(11 + round)).await;
            let events = 10 + round;
            let ada = Balance { balance: i64::try_from(events).unwrap(), events: 10 * events };
            assert_eq!(world.balance("ada").await, Some(ada));
            assert_eq!(world.balance("bob").await, Some(Balance { balance: 7, events: 10 }));
            assert_eq!(world.balance("stray").await, None);
            world.bus.dispatch_with(deposit("ada", 1), DispatchOptions::default().strong()).await.unwrap();
            world.stop().await;
        }
    });
}

/// Given an event whose changes fail for a while, the projection says that it is held up; past it, it says so no longer, and
/// takes whole pages again.
#[test]
fn what_holds_it_up_is_told_until_it_has_passed() {
    run(async {
        SULKS.store(true, Ordering::SeqCst);
        let store = Arc::<Rigged>::default();
        let writer = World::with(&store, &[], settings()).await;
        for amount in [1, 1, PANICS_WHILE_SULKING, 1] {
            writer.deposit_behind_its_back("ada", amount).await;
        }
        let host = HostSettings { projection_batch: 100, ..settings() };
        let world = World::with(&store, &[bank::fussy()], host).await;
        let mut progress = world.bus.progress().pop().unwrap();
        progress
            .stand
            .held_up
            .wait_for(|reason| reason.as_ref().is_some_and(|why| why.contains("panicked")))
            .await
            .unwrap();
        assert_eq!((reached(&world, FUSSY), *store.page_limit().borrow()), (Position::new(2), 1));

        SULKS.store(false, Ordering::SeqCst);
        world.passed(FUSSY, Position::new(4)).await;
        progress.stand.held_up.wait_for(Option::is_none).await.unwrap();
        store.page_limit().wait_for(|limit| *limit == 100).await.unwrap();
        assert_eq!(deposits(&world).await, 4);
    });
}
