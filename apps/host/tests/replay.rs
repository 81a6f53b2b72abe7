//! States as they are and as they were, with nobody alive to ask.

use std::sync::Arc;

use umbel_bus::{Store, edge};
use umbel_core::{
    EventId, ExpectedVersion, Json, Metadata, StreamName, Version,
    store::{Act, Append, Perform, Removal, Snapshot, StoreError},
};
use umbel_host::{StateError, state_at, state_at_from_snapshot};
use uuid::Uuid;

use crate::{
    bank::{Account, Curse, Rename, curse, deposit, lift_curse},
    world::*,
};

fn version(number: u64) -> Option<Version> {
    Some(Version::new(number))
}

async fn balance_at(store: &Store, account: &str, at: Option<Version>) -> (i64, u64) {
    let (state, version) = state_at::<Account>(store, account, at).await.unwrap();
    (state.balance, version.get())
}

/// The same, with whatever snapshot there is.
async fn balance_from_snapshot(store: &Store, account: &str, at: Option<Version>) -> (i64, u64) {
    let (state, version) = state_at_from_snapshot::<Account>(store, account, at).await.unwrap();
    (state.balance, version.get())
}

fn account(id: &str) -> StreamName {
    StreamName::of("account", id).unwrap()
}

/// MA-03: given a past sequence, the state at each of its points is told, and the live one goes on as it was.
#[test]
fn a_state_is_told_as_it_was() {
    run(async {
        let world = World::new().await;
        let store = world.bus.store();
        for amount in [1, 10, 100] {
            world.bus.dispatch(deposit("ada", amount)).await.unwrap();
        }
        world.bus.dispatch(Rename { account: "ada".into(), name: "Ada".into() }).await.unwrap();
        for (at, expected) in [
            (version(0), (0, 0)),
            (version(1), (1, 1)),
            (version(2), (11, 2)),
            (version(3), (111, 3)),
            (version(4), (111, 4)),
            (version(9), (111, 4)),
            (None, (111, 4)),
        ] {
            assert_eq!(balance_at(&store, "ada", at).await, expected, "{at:?}");
        }
        let named = async |at| state_at::<Account>(&store, "ada", at).await.unwrap().0.name;
        assert_eq!((named(version(3)).await, named(None).await), (None, Some("Ada".to_owned())));
        assert_eq!(balance_at(&store, "nobody", None).await, (0, 0));
        assert_eq!(world.bus.dispatch(deposit("ada", 1000)).await.unwrap().reply, 1111);
        world.stop().await;
    });
}

/// MA-03 over several pages.
#[test]
fn a_long_past_is_folded_page_by_page() {
    run(async {
        let world = World::with(&Arc::default(), &[], settings()).await;
        let store = world.bus.store();
        let events = (0..2500).flat_map(|_| foreign_deposit("ada", 1).streams.remove(0).events).collect();
        store.append(Append::to_stream(account("ada"), ExpectedVersion::NoStream, events)).await.unwrap();
        for number in [1000, 1001, 2499] {
            let (balance, folded) = balance_at(&store, "ada", version(number)).await;
            assert_eq!((u64::try_from(balance).unwrap(), folded), (number, number));
        }
        assert_eq!(balance_at(&store, "ada", None).await, (2500, 2500));
    });
}

/// AG-12: given no live process, the state is computed from the snapshot and what came after it. A snapshot beyond the version
/// asked for, or one this program cannot use, is left aside.
#[test]
fn a_state_is_folded_from_its_snapshot() {
    run(async {
        let world = World::with(&Arc::default(), &[], settings()).await;
        let store = world.bus.store();
        for amount in [1, 10, 100, 1000] {
            world.deposit_behind_its_back("ada", amount).await;
        }
        assert_eq!(balance_from_snapshot(&store, "ada", None).await, (1111, 4), "there is none");
        // Not what the events lead to: so it shows whether it was used.
        let state = Account { balance: -500, name: None };
        let snapshot = Snapshot::of(account("ada"), Version::new(2), &state, edge::now()).unwrap();
        assert!(store.save_snapshot(snapshot.clone()).await.unwrap());
        for (at, expected) in [
            (None, (600, 4)),
            (version(3), (-400, 3)),
            (version(2), (-500, 2)),
            (version(1), (1, 1)),
            (version(0), (0, 0)),
        ] {
            assert_eq!(balance_from_snapshot(&store, "ada", at).await, expected, "{at:?}");
        }
        assert_eq!(balance_at(&store, "ada", None).await, (1111, 4), "who wants none gets none");
        for unusable in [
            Snapshot { schema: 1, ..snapshot.clone() },
            Snapshot { state: "bank.other".into(), ..snapshot.clone() },
            Snapshot { data: Json::from_store(r#"{"balance":"much"}"#), ..snapshot },
        ] {
            assert!(store.save_snapshot(unusable).await.unwrap());
            assert_eq!(balance_from_snapshot(&store, "ada", None).await, (1111, 4));
        }
    });
}

/// What cannot be told is an error with its reason.
#[test]
fn what_cannot_be_told_is_a_typed_error() {
    run(async {
        let world = World::new().await;
        let store = world.bus.store();
        let failure = async |id: &str| state_at::<Account>(&store, id, None).await.unwrap_err();
        let id = Uuid::from_u128(0xe702);
        world.bus.dispatch(Curse { account: "cursed".into(), id }).await.unwrap();
        curse(id);
        let panicked = failure("cursed").await;
        assert!(
            matches!(&panicked, StateError::Failed { reason } if reason.contains("panicked")),
            "{panicked}"
        );
        lift_curse(id);
        assert_eq!(balance_at(&store, "cursed", None).await, (1, 2));

        world.bus.dispatch(deposit("gone", 5)).await.unwrap();
        let (stream, expected, removal) = (account("gone"), ExpectedVersion::Any, Removal::Soft);
        let act = Act::DeleteStream { stream, expected, removal };
        let delete = Perform { id: EventId(edge::fresh_id()), act, metadata: Metadata::default() };
        store.perform(delete).await.unwrap();
        assert_eq!(failure("gone").await, StateError::Gone(account("gone")));

        assert!(matches!(failure(&"x".repeat(10_000)).await, StateError::Identity(_)));
        world.stop().await;
        let store = store.by(tokio::time::Instant::now() + SHORT);
        let away = state_at::<Account>(&store, "cursed", None).await.unwrap_err();
        assert!(matches!(away, StateError::Store(StoreError::Unavailable { .. })), "{away}");
    });
}
