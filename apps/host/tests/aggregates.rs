//! Aggregates: panics, conflicts, coming and going, bounds.

use std::sync::{Arc, atomic::Ordering};

use umbel_bus::DispatchOptions;
use umbel_core::{CommandId, Position};
use umbel_host::{DispatchError, HostSettings, Outcome};
use uuid::Uuid;

use crate::{
    bank::{
        self, COUNTED_ALIVE, Counted, Curse, Misbehave, No, PanicIn, Rename, curse, deposit, lift_curse,
        withdraw,
    },
    stores::on_every_store,
    world::*,
};

/// AG-02, UX-10: given a panic in the domain's code, its caller gets a typed error, and the next command is answered from the
/// log. The panic costs nobody else anything: the host lives.
#[test]
fn a_panic_in_the_domain_is_a_typed_error_and_changes_nothing() {
    run(async {
        let world = World::new().await;
        world.bus.dispatch(deposit("ada", 5)).await.unwrap();
        let rename = Rename { account: "other".into(), name: "the one that is taken".into() };
        world.bus.dispatch(rename).await.unwrap();
        for how in [PanicIn::Decide, PanicIn::Claimed, PanicIn::Identify] {
            let outcome = world.bus.dispatch(Misbehave { account: "ada".into(), how }).await;
            let Err(DispatchError::Failed { reason }) = &outcome else { panic!("{how:?}: {outcome:?}") };
            assert!(reason.contains("panicked"), "{reason}");
            assert_eq!(world.bus.dispatch(deposit("ada", 0)).await.unwrap().reply, 5);
        }
        let tree = world.supervisor.tree().snapshot();
        assert_eq!(tree.find("bank/account").unwrap().restarts, 0);
        assert_eq!(world.history("ada").await.len(), 1);
    });
}

/// A panic in evolve, after the events were stored: they stay stored, commands fail as long as the code does, and then the
/// state is the fold of the whole log and not of what came after the panic.
#[test]
fn a_panic_in_evolve_loses_no_event() {
    run(async {
        let world = World::new().await;
        let id = Uuid::from_u128(0xe701);
        world.bus.dispatch(deposit("ada", 5)).await.unwrap();
        curse(id);
        let stored = world.bus.dispatch(Curse { account: "ada".into(), id }).await.unwrap();
        assert_eq!(stored.position, Some(Position::new(3)));
        for _ in 0..2 {
            let failed = world.bus.dispatch(deposit("ada", 1)).await;
            assert!(matches!(failed, Err(DispatchError::Failed { .. })), "{failed:?}");
        }
        world.bus.dispatch(deposit("grace", 1)).await.unwrap();
        lift_curse(id);
        assert_eq!(world.bus.dispatch(deposit("ada", 1)).await.unwrap().reply, 7);
    });
}

/// AG-03: given another writer appended, the command is decided again on fresh state.
#[test]
fn a_conflict_is_decided_again_on_fresh_state() {
    run(async {
        let world = World::new().await;
        world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        for round in 1..=10 {
            world.deposit_behind_its_back("ada", 10).await;
            let done = world.bus.dispatch(deposit("ada", 1)).await.unwrap();
            assert_eq!(done.reply, 1 + 11 * round);
        }
        assert_eq!(world.history("ada").await.len(), 21);
    });
}

/// AG-03: and it fails after the allowed attempts, with nothing stored, when the other never rests.
#[test]
fn conflicts_without_end_are_given_up() {
    run(async {
        let store = Arc::<Rigged>::default();
        let host = HostSettings { conflict_retries: 3, ..settings() };
        let world = World::with(&store, &[bank::app()], host).await;
        store.intrude(3);
        assert_eq!(world.bus.dispatch(deposit("contested", 10)).await.unwrap().reply, 13, "three are borne");
        store.intrude(4);
        let outcome = world.bus.dispatch(deposit("contested", 10)).await;
        assert_eq!(outcome, Err(DispatchError::Conflict { attempts: 4 }));
        assert_eq!(world.history("contested").await.len(), 8);
        assert_eq!(world.bus.dispatch(deposit("contested", 10)).await.unwrap().reply, 27);
    });
}

/// A "no", or a "nothing to do", on state that somebody else has outdated is decided again first.
#[test]
fn a_rejection_on_outdated_state_is_decided_again() {
    run(async {
        let world = World::new().await;
        let refused = world.bus.dispatch(withdraw("ada", 10)).await;
        assert_eq!(refused, Err(DispatchError::Rejected(No::Insufficient { balance: 0 })));
        world.deposit_behind_its_back("ada", 10).await;
        assert_eq!(world.bus.dispatch(deposit("ada", 0)).await.unwrap().reply, 10, "not the 0 it remembers");
        world.deposit_behind_its_back("ada", 5).await;
        assert_eq!(world.bus.dispatch(withdraw("ada", 15)).await.unwrap().reply, 0);
    });
}

/// AG-05: given a restart, the state equals the replay, over more than one page of events.
#[test]
fn a_restart_replays_the_log() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        for amount in 1..=30 {
            world.bus.dispatch(deposit("ada", amount)).await.unwrap();
        }
        // More than a page of 1000.
        for _ in 0..25 {
            let many =
                (0..100).map(|_| foreign_deposit("ada", 1).streams.remove(0).events.remove(0)).collect();
            let mut append = foreign_deposit("ada", 1);
            append.streams[0].events = many;
            world.bus.store().append(append).await.unwrap();
        }
        world.stop().await;
        let world = World::over(&store).await;
        assert_eq!(world.bus.dispatch(deposit("ada", 0)).await.unwrap().reply, 465 + 2500);
        assert_eq!(world.bus.dispatch(withdraw("ada", 2965)).await.unwrap().reply, 0);
        world.stop().await;
    });
}

/// AG-09: given instances that are let go all the time, for room and for idleness, no command is lost between finding one and
/// calling it.
#[test]
fn eviction_never_loses_a_command() {
    const WRITERS: usize = 8;
    const EACH: usize = 400;
    const ACCOUNTS: usize = 40;
    run(async {
        let host = HostSettings { aggregate_idle_ms: 1, aggregates_live_max: 10, ..settings() };
        let world = World::with(&Arc::default(), &[bank::app()], host).await;
        let writers = (0..WRITERS).map(|writer| {
            let bus = world.bus.clone();
            actix::spawn(async move {
                for round in 0..EACH {
                    let account = format!("a{}", (writer + round) % ACCOUNTS);
                    bus.dispatch(deposit(&account, 1)).await.unwrap();
                }
            })
        });
        for writer in futures_util::future::join_all(writers).await {
            writer.unwrap();
        }
        let mut total = 0;
        for account in 0..ACCOUNTS {
            total += world.bus.dispatch(deposit(&format!("a{account}"), 0)).await.unwrap().reply;
        }
        assert_eq!(total, i64::try_from(WRITERS * EACH).unwrap());
        assert_eq!(world.head().await.get(), u64::try_from(WRITERS * EACH).unwrap());
    });
}

/// No more aggregates are kept in memory than the settings allow, and idle ones give their memory back.
#[test]
fn live_aggregates_are_bounded() {
    run(async {
        let host = HostSettings { aggregates_live_max: 10, aggregate_idle_ms: 200, ..settings() };
        let world = World::with(&Arc::default(), &[bank::app()], host).await;
        for number in 0..100 {
            world.bus.dispatch(Counted { account: format!("n{number}") }).await.unwrap();
            // One more: the host lets go of an instance, whose actor ends a moment later.
            while COUNTED_ALIVE.load(Ordering::SeqCst) > 10 {
                tokio::task::yield_now().await;
            }
        }
        assert!(COUNTED_ALIVE.load(Ordering::SeqCst) > 5, "it does keep some");
        while COUNTED_ALIVE.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    });
}

/// More commands than may wait for one aggregate are refused as not available, at once; others are not affected.
#[test]
fn too_many_waiting_commands_are_refused() {
    run(async {
        let store = Arc::<Rigged>::default();
        let host = HostSettings { aggregate_waiting_max: 4, ..settings() };
        let world = World::with(&store, &[bank::app()], host).await;
        store.shut();
        let sends = (0..10).map(|_| world.bus.dispatch(deposit("ada", 1)));
        let mut sends: futures_util::stream::FuturesUnordered<_> = sends.collect();
        for _ in 0..6 {
            let refused = futures_util::StreamExt::next(&mut sends).await.unwrap().unwrap_err();
            let DispatchError::Unavailable { reason, .. } = &refused else { panic!("{refused:?}") };
            assert!(reason.contains("4 commands wait for account-ada"), "{reason}");
        }
        // What needs no append is answered meanwhile.
        assert_eq!(world.bus.dispatch(deposit("grace", 0)).await.unwrap().reply, 0);
        store.open();
        while let Some(done) = futures_util::StreamExt::next(&mut sends).await {
            done.unwrap();
        }
        assert_eq!(world.history("ada").await.len(), 4);
    });
}

/// A command whose time ran out while others were at work is not carried out behind its caller's back when nothing was sent
/// to the store for it.
#[test]
fn a_command_that_waited_too_long_is_not_carried_out_later() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        store.shut();
        let slow = world.bus.dispatch(deposit("ada", 10));
        // It is said no only when it is known whether the one before it is stored; until then nobody else has a turn.
        let refused = world.bus.dispatch(withdraw("ada", 1000));
        let hasty = async {
            let options =
                DispatchOptions::default().deadline(SHORT).command_id(CommandId(Uuid::from_u128(1)));
            let late = world.bus.dispatch_with(deposit("ada", 100), options).await;
            assert_eq!(
                late,
                Err(DispatchError::Timeout { command: "bank.deposit", outcome: Outcome::Unknown })
            );
            store.open();
        };
        let (slow, refused, ()) = futures_util::future::join3(slow, refused, hasty).await;
        assert_eq!(slow.unwrap().reply, 11);
        assert_eq!(refused, Err(DispatchError::Rejected(No::Insufficient { balance: 11 })));
        assert_eq!(world.bus.dispatch(deposit("ada", 0)).await.unwrap().reply, 11);
    });
}

/// A drained app finishes what is in flight.
#[test]
fn stopping_finishes_what_is_in_flight() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        store.shut();
        let transfer =
            bank::Transfer { from: "ada".into(), to: vec!["grace".into(), "alan".into()], amount: 1 };
        let funded = world.bus.dispatch(deposit("ada", 2));
        store.open();
        funded.await.unwrap();
        store.shut();
        let sends = async {
            let deposits =
                futures_util::future::join_all((0..20).map(|_| world.bus.dispatch(deposit("tim", 1))));
            futures_util::future::join(deposits, world.bus.dispatch(transfer)).await
        };
        let stop = async {
            // Until all are at the store's door, or waiting for their turn behind it.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            let stopped = world.supervisor.shut_down();
            store.open();
            stopped.await
        };
        let ((deposits, transferred), outcome) = futures_util::future::join(sends, stop).await;
        assert_eq!(outcome, umbel_supervision::Outcome::Stopped);
        for done in deposits {
            done.unwrap();
        }
        assert_eq!(transferred.unwrap().reply, 0);
        let world = World::over(&store).await;
        assert_eq!(world.bus.dispatch(deposit("tim", 0)).await.unwrap().reply, 20);
        assert_eq!(world.bus.dispatch(deposit("alan", 0)).await.unwrap().reply, 1);
    });
}

/// Given a page without events of a stream that has more, the command fails, and nothing is decided on half a state.
#[test]
fn an_empty_page_is_not_the_end_of_a_stream() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.deposit_behind_its_back("ada", 5).await;
        store.empty_pages(true);
        let failed = world.bus.dispatch(withdraw("ada", 5)).await.unwrap_err();
        assert!(
            matches!(&failed, DispatchError::Incomplete(gap) if gap.stream.as_str() == "account-ada"),
            "{failed:?}"
        );
        store.empty_pages(false);
        assert_eq!(world.bus.dispatch(withdraw("ada", 5)).await.unwrap().reply, 0);
    });
}
