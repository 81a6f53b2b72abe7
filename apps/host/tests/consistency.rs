//! Waiting for handlers of events, here and on other nodes.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use futures_util::future::join_all;
use umbel_bus::{Bus, BusSettings, Consistency, DispatchOptions};
use umbel_core::{
    Place, Projection, RecordedEvent,
    document::{Changes, Collection},
};
use umbel_host::{App, DispatchError, HandlerOptions};
use umbel_persistence::postgres::{Postgres, PostgresOptions};
use umbel_testkit::postgres::TestPostgres;

use crate::{
    bank::{self, Account, Deposits, OnlyDeposits, deposit, withdraw},
    event_handlers::{over, stored, with},
    probe::{Act, Journal, Note, Probe, probes, scripted_on},
    stores::on_every_store,
    world::*,
};

probes! {
    Strong "strong.one" strong true => HandlerOptions::default();
    Lax "strong.lax" => HandlerOptions::default();
    Other "strong.other" strong true => HandlerOptions::default();
    Split "strong.split" strong true => HandlerOptions::default().partitions(4);
}

fn app() -> App {
    App::new("strong")
}

fn strong() -> DispatchOptions {
    DispatchOptions::default().strong()
}

fn named(names: &[&str]) -> DispatchOptions {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    DispatchOptions::default().consistency(Consistency::Named(names))
}

/// Hears of deposits and makes nothing of them.
struct Deaf;

impl Projection for Deaf {
    const NAME: &'static str = "strong.deaf";
    type Event = OnlyDeposits;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Deposits>()]
    }

    fn project(_: OnlyDeposits, _: &RecordedEvent, _: &mut Changes) {}
}

/// SC-01: given a handler that is declared strong, a strong dispatch returns when it has handled what was written; it does not wait for
/// others.
#[test]
fn a_strong_dispatch_waits_for_strong_handlers() {
    run(async {
        let app = app().handler::<Probe<Strong>>().handler::<Probe<Lax>>();
        let script = |note: &Note| if note.handler == "strong.lax" { Act::Wait } else { Act::Handle };
        let (world, journal) = with(app, script).await;
        for amount in 1..=20 {
            let done = world.bus.dispatch_with(deposit("ada", amount), strong()).await.unwrap();
            assert_eq!(journal.done().last().unwrap().position, done.position.unwrap());
        }
        journal.open();
        world.stop().await;
    });
}

/// CM-05, SC-01: given a dispatch that does not say what it awaits, then that is what the settings say, or rather what the app says that
/// owns the command, or rather what the part says that declares it; what the caller says comes before all of these.
#[test]
fn what_is_awaited_is_said_by_the_call_the_app_or_the_settings() {
    let eventual = || DispatchOptions::default().consistency(Consistency::Eventual);
    let bank = |said: Option<Consistency>| match said {
        Some(said) => bank::app().consistency(said),
        None => bank::app(),
    };
    for (settings_say, app, waits) in [
        (Consistency::Eventual, bank(None), false),
        (Consistency::Strong, bank(None), true),
        (Consistency::Eventual, bank(Some(Consistency::Strong)), true),
        (Consistency::Eventual, bank(Some(Consistency::Named(vec!["strong.lax".into()]))), false),
        (Consistency::Strong, bank(Some(Consistency::Eventual)), false),
        (Consistency::Eventual, App::new("all").consistency(Consistency::Strong).include(bank(None)), true),
        (
            Consistency::Eventual,
            App::new("all").consistency(Consistency::Strong).include(bank(Some(Consistency::Eventual))),
            false,
        ),
    ] {
        let case = format!("{settings_say:?} and {app:?}");
        run(async {
            let bus = Bus::new(BusSettings { consistency: settings_say, ..BusSettings::default() });
            let bus =
                scripted_on(bus, |note| if note.handler == "strong.one" { Act::Wait } else { Act::Handle });
            let journal = bus.common::<Journal>();
            let probes = self::app().handler::<Probe<Strong>>().handler::<Probe<Lax>>();
            let world = World::on(bus, &Arc::default(), &[app, probes], settings()).await;
            let silent = || DispatchOptions::default().deadline(LATE);
            let outcome = world.bus.dispatch_with(deposit("ada", 1), silent()).await;
            let waited = matches!(outcome, Err(DispatchError::NotYetVisible { .. }));
            assert_eq!((waited, outcome.is_ok()), (waits, !waits), "{case}: {outcome:?}");
            world.bus.dispatch_with(deposit("ada", 1), eventual()).await.unwrap();
            let said = world.bus.dispatch_with(deposit("ada", 1), strong().deadline(LATE)).await;
            assert!(matches!(said, Err(DispatchError::NotYetVisible { .. })), "{case}: {said:?}");
            journal.open();
            // As it is without options.
            let done = world.bus.dispatch(withdraw("ada", 3)).await.unwrap();
            let handled = journal
                .done()
                .iter()
                .any(|note| note.handler == "strong.one" && Some(note.position) == done.position);
            assert!(handled || !waits, "{case}");
            world.stop().await;
        });
    }
}

/// SC-02: given a strong handler that is too slow, the answer is "stored, not yet visible", with the handler's name. SC-03: given no
/// events, a strong dispatch returns at once all the same.
#[test]
fn a_slow_handler_makes_it_not_yet_visible() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().handler::<Probe<Strong>>(), |_| Act::Wait).await;
        let outcome = world.bus.dispatch_with(deposit("ada", 1), strong().deadline(LATE)).await;
        let Err(DispatchError::NotYetVisible { position, waiting_for, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(waiting_for, ["strong.one"]);
        assert_eq!(world.history("ada").await[0].position, position);
        world.bus.dispatch_with(deposit("ada", 0), strong()).await.unwrap();
        journal.open();
        world.stop().await;
    });
}

/// SC-04: a strong handler that dispatches and waits for everybody does not wait for itself.
#[test]
fn a_handler_does_not_wait_for_itself() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().handler::<Probe<Strong>>(), |note| match &*note.account {
            "ada" => Act::Deposit("bob"),
            _ => Act::Handle,
        })
        .await;
        world.bus.dispatch_with(deposit("ada", 5), strong()).await.unwrap();
        let done = journal.until_done(2).await;
        assert_eq!(done.iter().map(|note| &*note.account).collect::<Vec<_>>(), ["ada", "bob"]);
        let caused = world.history("bob").await.remove(0);
        let cause = world.history("ada").await.remove(0);
        assert_eq!(caused.metadata.causation_id, Some(cause.id.0));
        assert_eq!(caused.metadata.correlation_id, cause.metadata.correlation_id);
        world.stop().await;
    });
}

/// SC-08: strong handlers that dispatch, each while it handles the same event, and wait for everybody, do not wait for each other: all is done
/// long before any deadline.
#[test]
fn handlers_do_not_wait_for_each_other_in_a_circle() {
    run(async {
        let app = app().handler::<Probe<Strong>>().handler::<Probe<Split>>();
        let (world, journal) = with(app, |note| match (&*note.account, note.handler) {
            ("bob" | "carl", _) => Act::Handle,
            (_, "strong.one") => Act::Deposit("bob"),
            _ => Act::Deposit("carl"),
        })
        .await;
        let accounts = ["ada", "dora", "eve", "fay"];
        let load = accounts.map(|account| async {
            for amount in 1..=10 {
                world.bus.dispatch_with(deposit(account, amount), strong()).await.unwrap();
            }
        });
        join_all(load).await;
        // Each of the two handles forty deposits and what both make of them.
        let done = journal.until_done(240).await;
        assert_eq!(done.iter().filter(|note| note.attempt > 1).count(), 0, "nobody waited in vain");
        world.stop().await;
    });
}

/// SC-08: strong handlers of two processes on one PostgreSQL that wait for each other in a circle: what they dispatch is stored once and
/// answered at the deadline at the latest, as stored and not yet visible, and both go on afterwards.
#[test]
fn a_circle_across_processes_ends_at_the_deadline() {
    let schema = TestPostgres::get().unwrap().fresh_schema();
    run(async {
        let node = async |app| {
            let options = PostgresOptions { max_connections: 2, ..PostgresOptions::default() };
            let store = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
            let script = |note: &Note| match (&*note.account, note.handler) {
                ("ada", "strong.one") => Act::TryDeposit("bob", LATE),
                ("ada", _) => Act::TryDeposit("carl", LATE),
                _ => Act::Handle,
            };
            over(&Arc::new(Rigged::over(Arc::new(store))), app, script).await
        };
        let (one, ones) = node(app().handler::<Probe<Strong>>()).await;
        let (other, others) = node(app().handler::<Probe<Other>>()).await;
        for (world, name) in [(&one, "strong.other"), (&other, "strong.one")] {
            let mut elsewhere = world.bus.listeners_elsewhere();
            elsewhere.wait_for(|there| there.iter().any(|one| one.name == name)).await.unwrap();
        }

        // Whoever waits for both from outside has what it waits for in the end.
        one.bus.dispatch_with(deposit("ada", 5), strong().deadline(AMPLE)).await.unwrap();
        for journal in [&ones, &others] {
            let done = journal.until_done(3).await;
            assert_eq!(done[0].account, "ada");
            assert!(done.iter().all(|note| note.attempt == 1), "{done:?}");
        }
        let mut in_vain = 0;
        for (journal, account, waiting_for) in
            [(&ones, "bob", "strong.other"), (&others, "carl", "strong.one")]
        {
            let stored = one.history(account).await;
            assert_eq!(stored.len(), 1, "{account}");
            let [(tried, took)] = &journal.tried()[..] else { panic!("{:?}", journal.tried()) };
            assert!(*took < AMPLE / 3, "{took:?}");
            // The one that began later may see the first go on.
            if let Err(late) = tried {
                let expected = (stored[0].position, vec![waiting_for.to_owned()]);
                let DispatchError::NotYetVisible { position, waiting_for, .. } = late else {
                    panic!("{late}")
                };
                assert_eq!((*position, waiting_for.clone()), expected);
                in_vain += 1;
            }
        }
        assert!(in_vain > 0, "there was no circle");

        for world in [&one, &other] {
            world.bus.dispatch_with(deposit("dora", 1), strong().deadline(AMPLE)).await.unwrap();
        }
        for journal in [&ones, &others] {
            let done = journal.until_done(5).await;
            assert_eq!(done.len(), 5, "each event once: {done:?}");
        }
        other.stop().await;
        one.stop().await;
    });
}

/// SC-05: given names, only these are waited for.
#[test]
fn only_those_that_are_named_are_waited_for() {
    on_every_store(async |store| {
        let app = app().handler::<Probe<Strong>>().handler::<Probe<Lax>>();
        let script = |note: &Note| if note.handler == "strong.one" { Act::Wait } else { Act::Handle };
        let (world, journal) = over(&store, app, script).await;
        let done = world.bus.dispatch_with(deposit("ada", 1), named(&["strong.lax"])).await.unwrap();
        assert_eq!(journal.done().last().unwrap().position, done.position.unwrap());
        let late = world.bus.dispatch_with(deposit("ada", 1), named(&["strong.one"]).deadline(LATE)).await;
        assert!(matches!(late, Err(DispatchError::NotYetVisible { .. })), "{late:?}");
        journal.open();
        world.stop().await;
    });
}

/// SC-06: a handler that runs on another node only is waited for by its name, and so is a projection by that of its checkpoint.
#[test]
fn handlers_of_other_nodes_count() {
    on_every_store(async |store| {
        let (there, journal) = over(&store, app().handler::<Probe<Lax>>(), |note| {
            if note.amount == 7 { Act::Wait } else { Act::Handle }
        })
        .await;
        let here = World::with(&store, &[App::new("bank").aggregate::<Account>()], settings()).await;
        for _ in 0..3 {
            let options = named(&["strong.lax", "bank.balances/1"]);
            let done = here.bus.dispatch_with(deposit("ada", 1), options).await.unwrap();
            assert_eq!(journal.done().last().unwrap().position, done.position.unwrap());
            there.passed("bank.balances", done.position.unwrap()).await;
        }
        let late = here.bus.dispatch_with(deposit("ada", 7), named(&["strong.lax"]).deadline(LATE)).await;
        assert!(matches!(late, Err(DispatchError::NotYetVisible { .. })), "{late:?}");
        let unknown = here.bus.dispatch_with(deposit("ada", 1), named(&["nobody"]).deadline(LATE)).await;
        assert!(matches!(unknown, Err(DispatchError::NotYetVisible { .. })), "{unknown:?}");
        journal.open();
        here.stop().await;
        there.stop().await;
    });
}

/// SC-06: given a strong handler and a projection that run on another node only, a strong dispatch waits for them as for its own; not for
/// handlers that are not strong or listen to something else, whatever is known of what was written, and no longer once nobody runs them.
#[test]
fn a_strong_dispatch_waits_for_what_runs_elsewhere() {
    on_every_store(async |store| {
        let app = app().handler::<Probe<Strong>>().handler::<Probe<Lax>>().projection::<Deaf>();
        let there = over(&store, app, |note| match (note.handler, note.amount) {
            ("strong.one", 7) | ("strong.lax", _) => Act::Wait,
            _ => Act::Handle,
        });
        let (there, journal) = there.await;
        let here = World::with(&store, &[App::new("bank").aggregate::<Account>()], settings()).await;
        let mut elsewhere = here.bus.listeners_elsewhere();
        let runs = |name: &'static str| {
            move |there: &Arc<[umbel_core::store::Listener]>| there.iter().any(|one| one.name == name)
        };
        elsewhere.wait_for(runs("strong.one")).await.unwrap();
        elsewhere.wait_for(runs("bank.balances")).await.unwrap();
        elsewhere.wait_for(runs("strong.deaf")).await.unwrap();
        assert!(!runs("strong.lax")(&elsewhere.borrow()), "it is not strong");
        for events in 1..=5 {
            let done = here.bus.dispatch_with(deposit("ada", 1), strong()).await.unwrap();
            let mut strong = journal.done().into_iter().filter(|note| note.handler == "strong.one");
            assert_eq!(strong.next_back().unwrap().position, done.position.unwrap());
            assert_eq!(there.balance("ada").await.unwrap().events, events);
        }
        let id = umbel_core::CommandId(uuid::Uuid::from_u128(1));
        let rename = |name: &str| bank::Rename { account: "ada".into(), name: name.into() };
        for repeated in [false, true] {
            // Of one that comes again nobody knows which events it led to: they have no part in any.
            let done = here.bus.dispatch_with(rename("grace"), strong().command_id(id)).await.unwrap();
            assert_eq!(done.repeated, repeated);
        }
        let late = here.bus.dispatch_with(deposit("ada", 7), strong().deadline(LATE)).await;
        let Err(DispatchError::NotYetVisible { waiting_for, .. }) = late else { panic!("{late:?}") };
        assert_eq!(waiting_for, ["strong.one"]);
        // Nobody listens to these.
        here.bus.dispatch_with(rename("ada"), strong()).await.unwrap();

        let waits = here.bus.dispatch_with(deposit("ada", 7), strong());
        let leaves = async {
            journal.open();
            there.stop().await;
        };
        let (waited, ()) = futures_util::future::join(waits, leaves).await;
        waited.unwrap();
        elsewhere.wait_for(|there| there.is_empty()).await.unwrap();
        here.bus.dispatch_with(deposit("ada", 7), strong()).await.unwrap();
        here.stop().await;
    });
}

/// SC-06: a handler whose partitions are shared by nodes is passed when all of them are; where all are here, nobody looks into
/// the store.
#[test]
fn a_shared_handler_is_passed_when_all_its_partitions_are() {
    on_every_store(async |store| {
        let split = || app().handler::<Probe<Split>>();
        let (here, ours) = over(&store, split(), |_| Act::Handle).await;
        here.bus.dispatch_with(deposit("first", 1), strong()).await.unwrap();
        let looked = store.subscriptions.lists.load(Ordering::SeqCst);
        here.bus.dispatch_with(deposit("second", 1), strong()).await.unwrap();
        assert_eq!(store.subscriptions.lists.load(Ordering::SeqCst), looked);

        let (there, theirs) = over(&store, split(), |_| Act::Handle).await;
        let mut number = 0;
        // Until the other node has got its share.
        while theirs.done().is_empty() {
            number += 1;
            let account = format!("a{number}");
            let done = here.bus.dispatch_with(deposit(&account, 1), strong()).await.unwrap();
            let position = done.position.unwrap();
            let handled = |journal: &Journal| journal.done().iter().any(|note| note.position == position);
            assert!(handled(&ours) || handled(&theirs), "{position}");
        }
        there.stop().await;
        here.stop().await;
    });
}

/// SC-07: given one batch of events of several streams, whoever waits for any of them returns.
#[test]
fn everybody_who_waits_for_an_event_of_a_batch_returns() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().batch_handler::<Probe<Strong>>(), |note| {
            if note.amount == 1 { Act::Wait } else { Act::Handle }
        })
        .await;
        let first = world.bus.dispatch(deposit("ada", 1)).await.unwrap().position.unwrap();
        journal.until_begun(1).await;
        let all_return = async || {
            let sends = ["a", "b", "c", "d", "e"]
                .map(|account| world.bus.dispatch_with(deposit(account, 2), strong().deadline(AMPLE)));
            for outcome in join_all(sends).await {
                outcome.unwrap();
            }
        };
        let opens = async {
            world.passed("bank.balances", umbel_core::Position::new(first.get() + 5)).await;
            journal.open();
        };
        futures_util::future::join(all_return(), opens).await;
        // The handler may have been slower to see them than to be let go on.
        while !journal.done().iter().any(|note| note.together > 1) {
            all_return().await;
        }
        world.stop().await;
    });
}

/// After a restart, a strong dispatch does not wait for what was handled before: checkpoints count.
#[test]
fn checkpoints_count_after_a_restart() {
    run(async {
        let store = Arc::default();
        let (world, _) = over(&store, app().handler::<Probe<Strong>>(), |_| Act::Handle).await;
        world.bus.dispatch_with(deposit("ada", 1), strong()).await.unwrap();
        world.stop().await;
        let (world, journal) = over(&store, app().handler::<Probe<Strong>>(), |_| Act::Handle).await;
        stored(&world, "strong.one", Place::new(1)).await;
        let done =
            world.bus.dispatch_with(deposit("ada", 1), strong().deadline(Duration::from_secs(20))).await;
        assert_eq!(done.unwrap().position, journal.done().last().map(|note| note.position));
        assert_eq!(journal.done().len(), 1);
        world.stop().await;
    });
}
