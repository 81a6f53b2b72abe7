//! Two hosts over one store, against a model.

use std::sync::Arc;

use proptest::prelude::*;
use umbel_bus::DispatchOptions;
use umbel_core::{CommandId, Version};
use umbel_host::{DispatchError, HostSettings};
use uuid::Uuid;

use crate::{
    bank::{self, AccountEvent, Deposited, No, Withdrawn, deposit, withdraw},
    world::*,
};

/// A step of one client: an amount (negative: a withdrawal), on which node, and whether it sends everything twice.
#[derive(Clone, Debug)]
struct Step {
    amount: i64,
    node: bool,
    twice: bool,
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (-20_i64..20, any::<bool>(), any::<bool>()).prop_map(|(amount, node, twice)| Step {
        amount,
        node,
        twice,
    });
    proptest::collection::vec(proptest::collection::vec(step, 1..12), 1..5)
}

/// Carries out one step; whether it was acknowledged, and with which events.
async fn carry_out(world: &World, Step { amount, twice, .. }: &Step, id: CommandId) -> Option<i64> {
    let mut replies = Vec::new();
    for _ in 0..1 + u32::from(*twice) {
        let options = DispatchOptions::default().command_id(id);
        let outcome = if *amount < 0 {
            world.bus.dispatch_with(withdraw("one", -amount), options).await
        } else {
            world.bus.dispatch_with(deposit("one", *amount), options).await
        };
        match outcome {
            Ok(done) => replies.push(done.reply),
            Err(DispatchError::Rejected(No::Insufficient { balance })) => assert!(-amount > balance),
            Err(error) => panic!("{error:?}"),
        }
    }
    replies.dedup();
    // The second try of a rejected one may succeed; two successes have one reply.
    assert!(replies.len() <= 1, "{replies:?}");
    replies.pop()
}

async fn check(clients: Vec<Vec<Step>>) {
    let store = Arc::default();
    let host = HostSettings { conflict_retries: 1000, ..settings() };
    let nodes = [
        World::with(&store, &[bank::app()], host.clone()).await,
        World::with(&store, &[bank::app()], host).await,
    ];
    let nodes = &nodes;
    let runs = clients.iter().enumerate().map(|(client, steps)| async move {
        let mut acknowledged = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let id = CommandId(Uuid::from_u128((client * 1000 + number + 1) as u128));
            if let Some(reply) = carry_out(&nodes[usize::from(step.node)], step, id).await
                && step.amount != 0
            {
                acknowledged.push((id, step.amount, reply));
            }
        }
        acknowledged
    });
    let acknowledged = futures_util::future::join_all(runs).await.concat();

    let history = nodes[0].history("one").await;
    let mut balance = 0;
    for (index, event) in history.iter().enumerate() {
        assert_eq!(event.version, Version::new(u64::try_from(index).unwrap() + 1));
        let by = match event.decode::<AccountEvent>().unwrap().one().unwrap() {
            AccountEvent::Deposited(Deposited { amount }) => amount,
            AccountEvent::Withdrawn(Withdrawn { amount }) => -amount,
            other => panic!("{other:?}"),
        };
        balance += by;
        assert!(balance >= 0, "the rule holds after every event");
        // The event names the command that caused it, which was acknowledged with just this balance.
        let cause = event.metadata.causation_id.unwrap();
        let matching: Vec<_> = acknowledged.iter().filter(|(id, ..)| id.0 == cause).collect();
        assert_eq!(matching, [&(CommandId(cause), by, balance)]);
    }
    assert_eq!(history.len(), acknowledged.len(), "what was acknowledged is there once");
    for node in nodes {
        assert_eq!(node.bus.dispatch(deposit("one", 0)).await.unwrap().reply, balance);
        node.passed("bank.balances", node.head().await).await;
        let projected = node.balance("one").await;
        assert_eq!(projected.map_or(0, |projected| projected.balance), balance);
    }
    for node in nodes {
        node.supervisor.shut_down().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// AG-03, UX-06, invariants 3 and 4: random commands of several clients to one aggregate over two hosts: the state equals the
    /// fold of the log, and what was acknowledged is in it exactly once.
    #[test]
    fn two_hosts_agree_with_the_fold_of_the_log(clients in steps()) {
        run(check(clients));
    }
}
