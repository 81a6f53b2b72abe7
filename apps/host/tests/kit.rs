//! What an aggregate may declare, and what a caller may ask of a command.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use umbel_bus::{Bus, BusSettings, DispatchOptions, Failed, Middleware, Passage, Refusal, Returning, edge};
use umbel_core::{
    Changes, EventId, EventSet, ExpectedVersion, Metadata, Mode, NewEvent, Projection, RecordedEvent,
    StreamName, Version,
    document::{Collection, Direction, DocumentKey},
    store::{Act, Append, Perform, ReadError, ReadStream, Removal, Snapshot},
};
use umbel_host::{App, DispatchError, Handling, HostSettings, Outcome};

use crate::{
    bank::{self, AccountEvent, Misbehave, No, PanicIn, Transfer, deposit, withdraw},
    pot::{self, BRIEF_ALIVE, Changed, Level, Live, Pot, PotEvent, Stays, Touch, fill, pour},
    stores::on_every_store,
    world::*,
};

pub(crate) async fn kitchen(store: &Arc<Rigged>) -> World {
    World::with(store, &[pot::app()], settings()).await
}

pub(crate) fn pot(id: &str) -> StreamName {
    StreamName::of("pot", id).unwrap()
}

async fn remove(world: &World, id: &str, removal: Removal) {
    let act = Act::DeleteStream { stream: pot(id), expected: ExpectedVersion::Any, removal };
    let perform = Perform { id: EventId(edge::fresh_id()), act, metadata: Metadata::default() };
    world.bus.store().perform(perform).await.unwrap();
}

async fn length(world: &World, id: &str) -> usize {
    let request = ReadStream { stream: pot(id), from: None, direction: Direction::Forward, limit: 100 };
    match world.bus.store().read_stream(request).await {
        Ok(page) => page.events.len(),
        Err(ReadError::StreamNotFound(_)) => 0,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn fill_behind_its_back(world: &World, id: &str, by: i64) {
    let event = NewEvent::of(EventId(edge::fresh_id()), &Changed { by }, Metadata::default()).unwrap();
    world.bus.store().append(Append::to_stream(pot(id), ExpectedVersion::Any, vec![event])).await.unwrap();
}

/// Waits for a snapshot of this version or a later one.
pub(crate) async fn snapshot(world: &World, id: &str, version: u64) -> Snapshot {
    loop {
        let found = world.bus.store().load_snapshot(pot(id)).await.unwrap();
        if let Some(snapshot) = found.filter(|snapshot| snapshot.version.get() >= version) {
            return snapshot;
        }
        tokio::task::yield_now().await;
    }
}

async fn level(world: &World, id: &str) -> Option<Level> {
    let key = DocumentKey { collection: "kitchen.levels", key: id.into() };
    let found = world.bus.store().get_documents(vec![key]).await.unwrap().pop().flatten();
    found.map(|body| body.decode().unwrap())
}

/// AG-08: given what the domain says after an event, a command, a rejection or a failure, then the aggregate leaves memory at once, after
/// a time, or not at all; AG-09: and whatever leaves, no command is lost.
#[test]
fn an_aggregate_lives_as_long_as_it_says() {
    run(async {
        let live = |id: &str, touch, stays| Live { id: id.into(), touch, stays };
        let alive = || BRIEF_ALIVE.load(Ordering::SeqCst);
        let until = async |number| {
            while alive() != number {
                tokio::task::yield_now().await;
            }
        };
        // The settings let nothing go within this test.
        let world = kitchen(&Arc::default()).await;
        for stays in [Stays::Stop, Stays::Milliseconds(0), Stays::Milliseconds(20)] {
            for touch in [Touch::Event, Touch::Nothing, Touch::Reject, Touch::Panic] {
                world.bus.dispatch(live("kept", Touch::Event, Stays::Default)).await.unwrap();
                assert_eq!(alive(), 1);
                drop(world.bus.dispatch(live("kept", touch, stays)).await);
                until(0).await;
            }
        }
        let many = (0..300).map(|_| world.bus.dispatch(live("busy", Touch::Event, Stays::Stop)));
        // Some at a time, so that it leaves between them.
        for outcome in many {
            outcome.await.unwrap();
        }
        let at_once = (0..100).map(|_| world.bus.dispatch(live("busy", Touch::Event, Stays::Stop)));
        for outcome in futures_util::future::join_all(at_once).await {
            outcome.unwrap();
        }
        until(0).await;
        world.stop().await;

        let host = HostSettings { aggregate_idle_ms: 20, ..settings() };
        let world = World::with(&Arc::default(), &[pot::app()], host).await;
        world.bus.dispatch(live("for ever", Touch::Event, Stays::Forever)).await.unwrap();
        for other in ["a", "b"] {
            world.bus.dispatch(live(other, Touch::Event, Stays::Default)).await.unwrap();
            until(1).await;
        }
        world.stop().await;
        until(0).await;
    });
}

/// MA-02: given documents that an aggregate writes with its events, then they are there with the answer; given that they cannot be
/// written, then no event is stored.
#[test]
fn documents_are_written_with_the_events_or_neither_is() {
    on_every_store(async |store| {
        let world = kitchen(&store).await;
        assert_eq!(level(&world, "p").await, None);
        world.bus.dispatch(fill("p", 10)).await.unwrap();
        assert_eq!(level(&world, "p").await, Some(Level { level: 10, version: 1 }));
        world.bus.dispatch(pour("p", &[1, 2])).await.unwrap();
        let before = Some(Level { level: 7, version: 3 });
        assert_eq!(level(&world, "p").await, before);
        for (amount, why) in [
            (pot::PANICS_INLINE, "panicked"),
            (pot::WRITES_ELSEWHERE, "may not write document"),
            (pot::WRITES_UNDECLARED, "name kitchen.leftovers in its Aggregate::collections"),
        ] {
            let failed = world.bus.dispatch(fill("p", amount)).await;
            assert!(
                matches!(&failed, Err(DispatchError::Failed { reason }) if reason.contains(why)),
                "{failed:?}"
            );
            assert_eq!((length(&world, "p").await, level(&world, "p").await), (3, before.clone()));
        }
        assert_eq!(world.bus.dispatch(fill("p", 1)).await.unwrap().reply, 8);
        assert_eq!(level(&world, "p").await, Some(Level { level: 8, version: 4 }));
        world.stop().await;
    });
}

/// AG-10: given a command of several steps of which one is refused, then nothing of it is stored.
#[test]
fn a_refused_step_stores_nothing() {
    run(async {
        let world = kitchen(&Arc::default()).await;
        world.bus.dispatch(fill("p", 10)).await.unwrap();
        let refused = world.bus.dispatch(pour("p", &[5, 4, 2, 1])).await;
        assert_eq!(refused, Err(DispatchError::Rejected("only 1 left".to_owned())));
        assert_eq!(length(&world, "p").await, 1);
        assert_eq!(world.bus.dispatch(pour("p", &[5, 4, 1])).await.unwrap().reply, 0);
    });
}

/// AG-11: given a hook before the decision that says no, then the command is cancelled.
#[test]
fn a_hook_before_the_decision_cancels() {
    run(async {
        let world = kitchen(&Arc::default()).await;
        let by = |who: &str| DispatchOptions::default().metadata("who", who);
        world.bus.dispatch_with(fill("p", 5), by("ada")).await.unwrap();
        let cancelled = world.bus.dispatch_with(fill("p", 5), by("mallory")).await;
        assert_eq!(cancelled, Err(DispatchError::Rejected("not by mallory, at 5".to_owned())));
        assert_eq!(length(&world, "p").await, 1);
    });
}

/// CM-05: given what a caller wants returned, or what the settings say, then it is returned, for a command without events too.
#[test]
fn a_dispatch_returns_what_it_is_asked_for() {
    run(async {
        let world = kitchen(&Arc::default()).await;
        let wanting = |returning| DispatchOptions::default().returning(returning);
        let done = world.bus.dispatch(fill("p", 5)).await.unwrap();
        assert_eq!((done.reply, done.version, done.returned), (5, Some(Version::new(1)), None));
        for (returning, events, state) in
            [(Returning::Events, true, false), (Returning::State, false, true), (Returning::All, true, true)]
        {
            let done = world.bus.dispatch_with(fill("p", 1), wanting(returning)).await.unwrap();
            let returned = done.returned.unwrap();
            let told = returned.events.iter().map(|event| PotEvent::decode(&event.event_type, &event.data));
            let told: Vec<_> = told.map(|event| event.unwrap().unwrap()).collect();
            assert_eq!(told.len(), usize::from(events));
            assert!(told.iter().all(|PotEvent::Changed(changed)| *changed == Changed { by: 1 }));
            let level = returned.state.map(|state| state.decode::<Pot>().unwrap().level);
            assert_eq!(level, state.then_some(done.reply));
            let nothing = world.bus.dispatch_with(fill("p", 0), wanting(returning)).await.unwrap();
            assert_eq!((nothing.version, nothing.position), (done.version, None));
            assert!(nothing.returned.unwrap().events.is_empty());
        }
        world.stop().await;

        let bus = Bus::new(BusSettings { returning: Returning::All, ..BusSettings::default() });
        let world = World::on(bus, &Arc::default(), &[pot::app()], settings()).await;
        assert!(world.bus.dispatch(fill("p", 5)).await.unwrap().returned.unwrap().state.is_some());
        assert_eq!(
            world.bus.dispatch_with(fill("p", 5), wanting(Returning::Reply)).await.unwrap().returned,
            None
        );
    });
}

/// CM-05: given a version that the caller expects, then the command is decided at that version only, also when others append meanwhile.
#[test]
fn a_caller_may_expect_a_version() {
    on_every_store(async |store| {
        let world = World::with(&store, &[pot::app(), bank::app()], settings()).await;
        let at = |version| DispatchOptions::default().expecting(version);
        let exact = |version| ExpectedVersion::Exact(Version::new(version));
        let wrong = |expected, actual| {
            Err(DispatchError::Refused(Refusal::WrongVersion { expected, actual: Version::new(actual) }))
        };
        let missing = world.bus.dispatch_with(fill("p", 1), at(ExpectedVersion::StreamExists)).await;
        assert_eq!(missing, wrong(ExpectedVersion::StreamExists, 0));
        world.bus.dispatch_with(fill("p", 1), at(ExpectedVersion::NoStream)).await.unwrap();
        world.bus.dispatch_with(fill("p", 1), at(exact(1))).await.unwrap();
        assert_eq!(world.bus.dispatch_with(fill("p", 1), at(exact(1))).await, wrong(exact(1), 2));
        fill_behind_its_back(&world, "p", 1).await;
        assert_eq!(world.bus.dispatch_with(fill("p", 1), at(exact(2))).await, wrong(exact(2), 3));
        assert_eq!(length(&world, "p").await, 3);
        fill_behind_its_back(&world, "p", 1).await;
        assert_eq!(world.bus.dispatch_with(fill("p", 1), at(exact(4))).await.unwrap().reply, 5);

        let transfer = Transfer { from: "a".into(), to: vec![], amount: 0 };
        let refused = world.bus.dispatch_with(transfer, at(exact(0))).await;
        assert_eq!(refused, Err(DispatchError::Refused(Refusal::NoVersion)));
        world.stop().await;
    });
}

/// AG-04: given its stream was removed for good, then a live aggregate's state is that of what is there now: of nothing, or of a
/// shorter stream by the same name.
#[test]
fn a_removed_stream_leaves_no_ghost() {
    on_every_store(async |store| {
        let world = kitchen(&store).await;
        let remove = async || remove(&world, "p", Removal::Hard).await;
        for _ in 0..4 {
            world.bus.dispatch(fill("p", 10)).await.unwrap();
        }
        snapshot(&world, "p", 3).await;
        remove().await;
        assert_eq!(world.bus.dispatch(fill("p", 0)).await.unwrap().reply, 0);
        assert_eq!(world.bus.dispatch(fill("p", 1)).await.unwrap().reply, 1);
        for _ in 0..4 {
            world.bus.dispatch(fill("p", 10)).await.unwrap();
        }
        remove().await;
        assert_eq!(
            world.bus.dispatch(fill("p", 2)).await.unwrap().reply,
            2,
            "decided on the ghost, then anew"
        );
        for _ in 0..4 {
            world.bus.dispatch(fill("p", 10)).await.unwrap();
        }
        remove().await;
        fill_behind_its_back(&world, "p", 7).await;
        assert_eq!(world.bus.dispatch(fill("p", 1)).await.unwrap().reply, 8);
        world.stop().await;
    });
}

/// LD-08: given an aggregate whose stream was deleted, in memory or not, then its commands are refused as gone, also those that would do
/// nothing or expect a version.
#[test]
fn a_deleted_stream_takes_no_commands() {
    on_every_store(async |store| {
        let world = kitchen(&store).await;
        for id in ["live", "left"] {
            world.bus.dispatch(fill(id, 1)).await.unwrap();
        }
        remove(&world, "live", Removal::Soft).await;
        let elsewhere = kitchen(&store).await;
        remove(&world, "left", Removal::Soft).await;
        for (at, id) in [(&world, "live"), (&elsewhere, "live"), (&elsewhere, "left"), (&world, "left")] {
            let gone = Err(DispatchError::Refused(Refusal::Gone { stream: pot(id) }));
            for amount in [1, 0, 1] {
                assert_eq!(at.bus.dispatch(fill(id, amount)).await, gone, "{amount} to {id}");
            }
            let at_none = DispatchOptions::default().expecting(ExpectedVersion::NoStream);
            assert_eq!(at.bus.dispatch_with(fill(id, 1), at_none).await, gone);
        }
        assert_eq!(world.bus.dispatch(fill("other", 1)).await.unwrap().reply, 1);
        elsewhere.stop().await;
        world.stop().await;
    });
}

/// AG-04: given events that others append, when the live aggregate is asked, then its state has followed, and none counts twice.
#[test]
fn a_live_aggregate_follows_what_others_append() {
    on_every_store(async |store| {
        let world = kitchen(&store).await;
        world.bus.dispatch(fill("p", 1)).await.unwrap();
        for round in 1..=5 {
            fill_behind_its_back(&world, "p", 10).await;
            assert_eq!(world.bus.dispatch(fill("p", 0)).await.unwrap().reply, 10 * round + 1);
            fill_behind_its_back(&world, "p", -1).await;
            assert_eq!(world.bus.dispatch(fill("p", 1)).await.unwrap().reply, 10 * round + 1);
        }
        world.stop().await;
    });
}

/// What failed, and why.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<(String, String)>>>);

impl Middleware for Failures {
    const NAME: &'static str = "failures";

    fn failure(&self, _: &Passage, failed: &Failed<'_>) {
        self.0.lock().unwrap().push((failed.code.to_owned(), failed.reason.clone()));
    }
}

/// CM-11: given a rejection, a panic, or an owner that is gone, failure hooks see the reason.
#[test]
fn failure_hooks_see_why_an_aggregate_failed() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        let failures = Failures::default();
        world.bus.add_middleware(failures.clone());
        world.bus.dispatch(deposit("ada", 5)).await.unwrap();
        let refused = world.bus.dispatch(withdraw("ada", 6)).await;
        assert_eq!(refused, Err(DispatchError::Rejected(No::Insufficient { balance: 5 })));
        drop(world.bus.dispatch(Misbehave { account: "ada".into(), how: PanicIn::Decide }).await);
        store.faults.lose_answers(1);
        drop(world.bus.dispatch(deposit("ada", 1)).await);
        // A command of a handler fails as its part does, which is told first.
        let transfer = Transfer { from: "ada".into(), to: vec!["grace".into()], amount: 99 };
        drop(world.bus.dispatch(transfer).await);
        let seen = failures.0.lock().unwrap().clone();
        let codes: Vec<_> = seen.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(codes, ["rejected", "failed", "timeout", "rejected", "rejected"]);
        assert_eq!(seen[0].1, "only 5 there");
        assert!(seen[1].1.contains("panicked"), "{seen:?}");
        assert!(seen[2].1.contains("may have been stored"), "{seen:?}");
    });
}

/// CM-11: given an aggregate that dies over a command, then failure hooks see that there is no answer and that something may be stored;
/// nobody has waited for a deadline to know that. When the host of its kind dies, the command is carried out all the same.
#[test]
fn failure_hooks_see_that_an_owner_is_gone() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        let failures = Failures::default();
        world.bus.add_middleware(failures.clone());
        let dispatch = async |owner: &str| {
            store.shut();
            let dies = async {
                store.waits().await;
                assert!(world.bus.inject_panic(owner).await, "{owner}");
                if owner == "bank/account" {
                    store.open();
                }
            };
            let endless = DispatchOptions::default().deadline(Duration::MAX);
            let dispatch = world.bus.dispatch_with(deposit("ada", 1), endless);
            let (outcome, ()) = futures_util::future::join(dispatch, dies).await;
            store.open();
            world.supervisor.tree().wait_until(|tree| tree.is_up()).await;
            outcome
        };
        let unknown = DispatchError::Timeout { command: "bank.deposit", outcome: Outcome::Unknown };
        assert_eq!(dispatch("bank/account/instances").await, Err(unknown));
        let seen = failures.0.lock().unwrap().clone();
        let [(code, reason)] = &seen[..] else { panic!("{seen:?}") };
        assert!(code == "timeout" && reason.contains("may have been stored"), "{code}: {reason}");

        // Stores something, so it is decided behind what may still be on its way.
        let before = world.bus.dispatch(deposit("ada", 1)).await.unwrap().reply;
        assert_eq!(before, 2);
        assert_eq!(dispatch("bank/account").await.unwrap().reply, before + 1);
        assert_eq!(failures.0.lock().unwrap().len(), 1);
        world.stop().await;
    });
}

/// CM-04: given parts within parts, then what they declare is owned and found; given what is declared twice, wherever, then it is refused
/// before anything starts, and told what, by whom, and what to do.
#[test]
fn parts_are_put_together_and_contradictions_are_refused() {
    run(async {
        let nested = App::new("whole").include(App::new("part").include(pot::app())).include(bank::app());
        App::check([&nested]).unwrap();
        let world = World::with(&Arc::default(), std::slice::from_ref(&nested), settings()).await;
        world.bus.dispatch(fill("p", 1)).await.unwrap();
        let transfer = Transfer { from: "a".into(), to: vec!["b".into()], amount: 0 };
        assert_eq!(world.bus.dispatch(transfer).await.unwrap().reply, 0);
        world.stop().await;

        let within = nested.clone().include(App::new("more").include(App::new("again").aggregate::<Pot>()));
        let told = App::check([&within]).unwrap_err();
        assert_eq!((told.kind, told.name, told.first.as_str()), ("aggregate", "pot", "whole/pot"));
        let told = App::check([&nested, &App::new("rival").command(rival)]).unwrap_err();
        assert_eq!(
            told.to_string(),
            "the command kitchen.fill is declared twice: by whole/pot and by rival/kitchen.fill; it can have one owner \
             only, so remove one or rename it"
        );
        let told = App::check([&nested, &App::new("rival").projection::<RivalLevels>()]).unwrap_err();
        assert_eq!(
            told.to_string(),
            "the collection kitchen.levels is declared twice: by whole/pot and by rival/rival.levels; it can have one owner \
             only, so remove one or rename it"
        );
        let two = App::new("two").projection::<RivalLevels>().projection::<OtherLevels>();
        let told = App::check([&two]).unwrap_err();
        assert_eq!((told.kind, told.second.as_str()), ("collection", "two/rival.others"));
        assert!(App::check([&bank::app(), &bank::app()]).is_err());
        assert!(App::check([&bank::app(), &bank::fussy(), &pot::app()]).is_ok());
    });
}

async fn rival(_: Handling, command: pot::Fill) -> Result<i64, DispatchError<String>> {
    Ok(command.amount)
}

/// A projection with documents that another component owns.
struct Rival<const OTHER: bool>;
type RivalLevels = Rival<false>;
type OtherLevels = Rival<true>;

impl<const OTHER: bool> Projection for Rival<OTHER> {
    const NAME: &'static str = if OTHER { "rival.others" } else { "rival.levels" };
    const MODE: Mode = Mode::Inline;
    type Event = AccountEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Level>(), Collection::of::<Level>()]
    }

    fn project(_: AccountEvent, _: &RecordedEvent, _: &mut Changes) {}
}
