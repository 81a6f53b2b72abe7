//! Every actor of an umbrella dies in turn, and what was acknowledged is there.

use std::{sync::Arc, time::Duration};

use umbel_bus::DispatchOptions;
use umbel_core::CommandId;
use umbel_host::{DispatchError, Outcome};

use crate::{bank::deposit, world::*};

/// Invariant 9, EB-13, UX-10: given any actor dies, the next request is answered, and nothing acknowledged is lost.
#[test]
fn whichever_actor_dies_the_next_request_is_answered() {
    run(async {
        let store = Arc::default();
        let world = World::over(&store).await;
        let targets = world.bus.fault_targets();
        let expected = [
            "bank/account",
            "bank/account/instances",
            "bank/bank.balance",
            "bank/bank.balances",
            "bank/bank.broken",
            "bank/bank.scatter",
            "bank/bank.transfer",
            "bank/counted",
            "bank/counted/instances",
            "bus",
            "store/reader",
            "store/writer",
        ];
        assert_eq!(targets, expected);
        let mut acknowledged = 0;
        for _ in 0..3 {
            for target in &targets {
                assert!(world.bus.inject_panic(target).await, "{target}");
                let options = DispatchOptions::default().strong().deadline(Duration::from_secs(20));
                let done = world.bus.dispatch_with(deposit("ada", 1), options).await;
                acknowledged += 1;
                assert_eq!(done.unwrap_or_else(|error| panic!("{target}: {error:?}")).reply, acknowledged);
                assert_eq!(world.balance("ada").await.unwrap().balance, acknowledged, "{target}");
                world.supervisor.tree().wait_until(|tree| tree.is_up()).await;
            }
        }
        assert_eq!(world.history("ada").await.len(), usize::try_from(acknowledged).unwrap());
        world.stop().await;
    });
}

/// The same while requests are in flight: every caller learns what it can do, and clients that send the same id again until
/// they know find each of their deposits stored once.
#[test]
fn actors_die_under_load_and_every_intent_happens_once() {
    run(async {
        const CLIENTS: usize = 6;
        const EACH: usize = 25;
        let store = Arc::default();
        let world = World::over(&store).await;
        let clients = (0..CLIENTS).map(|client| {
            let bus = world.bus.clone();
            actix::spawn(async move {
                for number in 0..EACH {
                    let id = CommandId(uuid::Uuid::from_u128((client * 1000 + number) as u128));
                    let account = format!("a{}", number % 3);
                    loop {
                        let options = DispatchOptions::default().command_id(id);
                        match bus.dispatch_with(deposit(&account, 1), options).await {
                            Ok(_) => break,
                            Err(
                                DispatchError::Timeout {
                                    outcome: Outcome::Unknown | Outcome::NothingStored,
                                    ..
                                }
                                | DispatchError::Unavailable { .. }
                                | DispatchError::Conflict { .. },
                            ) => tokio::task::yield_now().await,
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                }
            })
        });
        let clients = futures_util::future::join_all(clients.collect::<Vec<_>>());
        let killer = async {
            let targets = world.bus.fault_targets();
            for target in targets.iter().cycle() {
                world.bus.inject_panic(target).await;
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            }
        };
        tokio::select! {
            done = clients => done.into_iter().for_each(|client| client.unwrap()),
            () = killer => {}
        }
        world.supervisor.tree().wait_until(|tree| tree.is_up()).await;
        let mut total = 0;
        for account in ["a0", "a1", "a2"] {
            total += world.history(account).await.len();
        }
        assert_eq!(total, CLIENTS * EACH);
        world.passed("bank.balances", world.head().await).await;
        for account in ["a0", "a1", "a2"] {
            let events = u64::try_from(world.history(account).await.len()).unwrap();
            assert_eq!(world.balance(account).await.unwrap().events, events);
        }
    });
}
