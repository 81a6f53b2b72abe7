//! Commands to one aggregate that are decided on what is on its way to the store.

use std::sync::Arc;

use futures_util::future::{join, join_all};
use umbel_host::DispatchError;

use crate::{
    bank::{No, Rename, deposit, withdraw},
    world::*,
};

fn rename(account: &str) -> Rename {
    Rename { account: account.into(), name: "first national".into() }
}

/// Sends so many deposits at once while the store is shut, waits until all of them are decided, and lets them through.
async fn deposits(world: &World, store: &Rigged, account: &str, count: i64) -> Vec<i64> {
    store.shut();
    let all = join_all((0..count).map(|_| world.bus.dispatch(deposit(account, 1))));
    let open = async {
        store.waits().await;
        // Refused without the store's word, by the same host and behind all of them.
        let refused = world.bus.dispatch(withdraw("nobody", 1)).await;
        assert_eq!(refused, Err(DispatchError::Rejected(No::Insufficient { balance: 0 })));
        store.open();
    };
    let (replies, ()) = join(all, open).await;
    replies.into_iter().map(|reply| reply.unwrap().reply).collect()
}

/// Commands that come at once are stored in a few groups, each decided on the state that the one before it leads to.
#[test]
fn commands_at_once_share_a_group() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        let before = store.groups();
        let mut replies = deposits(&world, &store, "ada", 50).await;
        replies.sort_unstable();
        assert_eq!(replies, (2..=51).collect::<Vec<_>>());
        let groups = store.groups() - before;
        assert!(groups <= 10, "{groups} groups for 50 commands");
        assert_eq!(world.history("ada").await.len(), 51);
    });
}

/// AG-03, MA-01, invariant 4: given somebody else's event takes the version that the first of them was to have, all are decided again;
/// none is stored on the strength of a version that is right by chance.
#[test]
fn what_was_decided_on_what_never_came_to_be_is_decided_again() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        for round in 0..5 {
            store.intrude(1);
            let begun = i64::from(round) * 11;
            let mut replies = deposits(&world, &store, "contested", 10).await;
            replies.sort_unstable();
            assert_eq!(replies, (begun + 2..begun + 12).collect::<Vec<_>>());
        }
        assert_eq!(world.history("contested").await.len(), 55);
        assert_eq!(world.bus.dispatch(deposit("contested", 0)).await.unwrap().reply, 55);
    });
}

/// CD-04: given one of them is refused for its claim, those behind it do not rest on it.
#[test]
fn a_refused_claim_takes_nobody_along() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.bus.dispatch(rename("grace")).await.unwrap();
        store.shut();
        let first = world.bus.dispatch(deposit("ada", 1));
        let refused = world.bus.dispatch(rename("ada"));
        let behind = world.bus.dispatch(deposit("ada", 10));
        let open = async {
            store.waits().await;
            store.open();
        };
        let (first, (refused, (behind, ()))) = join(first, join(refused, join(behind, open))).await;
        assert_eq!(refused, Err(DispatchError::Rejected(No::NameTaken)));
        assert_eq!((first.unwrap().reply, behind.unwrap().reply), (1, 11));
        assert_eq!(world.history("ada").await.len(), 2);
    });
}

/// A no that rests on what is not stored yet is said once that is stored, and not if it is not.
#[test]
fn nobody_is_answered_on_the_strength_of_what_is_not_stored() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.bus.dispatch(deposit("ada", 5)).await.unwrap();
        store.shut();
        store.faults.fail_appends(1);
        let emptied = world.bus.dispatch(withdraw("ada", 5));
        // With that stored it would be a no.
        let served = world.bus.dispatch(withdraw("ada", 3));
        let open = async {
            store.waits().await;
            store.open();
        };
        let (emptied, (served, ())) = join(emptied, join(served, open)).await;
        assert!(matches!(emptied, Err(DispatchError::Unavailable { .. })), "{emptied:?}");
        assert_eq!(served.unwrap().reply, 2);
    });
}
