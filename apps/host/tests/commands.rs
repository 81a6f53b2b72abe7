//! Commands to aggregates: what is stored, what is answered, and when.

use umbel_bus::{Consistency, DispatchOptions};
use umbel_core::{CommandId, Version};
use umbel_host::{DispatchError, Outcome};
use uuid::Uuid;

use crate::{
    bank::{Balance, No, Rename, deposit, withdraw},
    stores::on_every_store,
    world::*,
};

fn with_id(id: u128) -> DispatchOptions {
    DispatchOptions::default().command_id(CommandId(Uuid::from_u128(id)))
}

fn strong() -> DispatchOptions {
    DispatchOptions::default().strong()
}

/// CM-01: given a registered command, its events land in the prefixed stream; CM-05: the answer says what and where.
#[test]
fn events_land_in_the_stream_of_the_aggregate() {
    run(async {
        let world = World::new().await;
        let options = DispatchOptions::default().metadata("who", "ada").correlation_id(Uuid::from_u128(7));
        let done = world.bus.dispatch_with(deposit("ada", 5), options).await.unwrap();
        assert_eq!((done.reply, done.repeated), (5, false));
        assert_eq!(done.events.unwrap(), ["bank.deposited"]);
        let events = world.history("ada").await;
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!((event.stream.as_str(), event.version), ("account-ada", Version::new(1)));
        assert_eq!(Some(event.position), done.position);
        assert_eq!(event.event_type.to_string(), "bank.deposited/1");
        // CM-07, CM-08: metadata is on every event.
        assert_eq!(event.metadata.correlation_id, Some(Uuid::from_u128(7)));
        assert!(event.metadata.causation_id.is_some());
        assert_eq!(event.metadata.custom["who"], "ada");
        world.stop().await;
    });
}

/// CM-02: given a command that no running app owns, an error value.
#[test]
fn a_command_of_an_app_that_does_not_run_has_no_handler() {
    run(async {
        let world = World::with(&std::sync::Arc::default(), &[], settings()).await;
        let outcome = world.bus.dispatch(deposit("ada", 1)).await;
        assert_eq!(outcome, Err(DispatchError::NoHandler { command: "bank.deposit".into() }));
    });
}

/// CM-03: given an identity that is empty or not printable, the specific error.
#[test]
fn an_identity_that_is_none_is_an_error_that_says_so() {
    run(async {
        let world = World::new().await;
        let long = "x".repeat(300);
        let shown = format!("bank.deposit: the id \"{}\"... is too long", &long[..60]);
        for (id, why) in [
            ("", "bank.deposit: the id \"\" cannot be empty"),
            ("a\nb", "bank.deposit: the id \"a\\nb\" cannot hold control characters"),
            (&long, &shown),
        ] {
            let error = world.bus.dispatch(deposit(id, 1)).await.unwrap_err();
            assert!(matches!(error, DispatchError::BadIdentity { command: "bank.deposit", .. }), "{error:?}");
            assert!(error.to_string().contains(why), "{error}");
        }
    });
}

/// CM-05: nothing to do is an answer too.
#[test]
fn a_decision_without_events_is_answered_without_a_position() {
    run(async {
        let world = World::new().await;
        world.bus.dispatch(deposit("ada", 5)).await.unwrap();
        let nothing = world.bus.dispatch(deposit("ada", 0)).await.unwrap();
        assert_eq!((nothing.reply, nothing.position), (5, None));
        assert!(nothing.events.unwrap().is_empty());
        assert_eq!(world.history("ada").await.len(), 1);
    });
}

#[test]
fn a_rejected_command_leaves_nothing_behind() {
    run(async {
        let world = World::new().await;
        let outcome = world.bus.dispatch_with(withdraw("ada", 1), with_id(1)).await;
        assert_eq!(outcome, Err(DispatchError::Rejected(No::Insufficient { balance: 0 })));
        assert!(world.history("ada").await.is_empty());
        // Not even the command's id: what was refused may succeed later.
        world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        assert_eq!(world.bus.dispatch_with(withdraw("ada", 1), with_id(1)).await.unwrap().reply, 0);
    });
}

/// A name taken by another account is the domain's own rejection; given back, it is free (UX-05).
#[test]
fn a_claim_of_another_is_a_rejection() {
    run(async {
        let world = World::new().await;
        let rename = |account: &str, name: &str| Rename { account: account.into(), name: name.into() };
        world.bus.dispatch(rename("1", "ada")).await.unwrap();
        let refused = world.bus.dispatch(rename("2", "ada")).await;
        assert_eq!(refused, Err(DispatchError::Rejected(No::NameTaken)));
        assert!(world.history("2").await.is_empty());
        world.bus.dispatch(rename("1", "grace")).await.unwrap();
        world.bus.dispatch(rename("2", "ada")).await.unwrap();
    });
}

/// SC-01: given strong consistency, the effect is visible when the call returns.
#[test]
fn a_strong_dispatch_returns_when_the_effect_is_visible() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        for events in 1..=20 {
            world.bus.dispatch_with(deposit("ada", 1), strong()).await.unwrap();
            let balance = Some(Balance { balance: i64::try_from(events).unwrap(), events });
            assert_eq!(world.balance("ada").await, balance);
        }
        let named = Consistency::Named(vec!["bank.balances".into()]);
        let options = DispatchOptions::default().consistency(named);
        world.bus.dispatch_with(deposit("ada", 1), options).await.unwrap();
        assert_eq!(world.balance("ada").await, Some(Balance { balance: 21, events: 21 }));
        world.stop().await;
    });
}

/// SC-02: given a projection that is held up, the answer is "stored, not yet visible", and it is stored.
#[test]
fn stored_but_not_yet_visible() {
    on_every_store(async |store| {
        let apps = [crate::bank::app(), crate::bank::fussy()];
        let world = World::with(&store, &apps, settings()).await;
        let options = strong().deadline(LATE);
        let error =
            world.bus.dispatch_with(deposit("ada", crate::bank::PANICS_IN_RULE), options).await.unwrap_err();
        let DispatchError::NotYetVisible { position, waiting_for, reply } = error else {
            panic!("{error:?}")
        };
        assert_eq!(waiting_for, ["bank.fussy"]);
        assert_eq!(reply.decode::<i64>().unwrap(), crate::bank::PANICS_IN_RULE);
        assert_eq!(world.history("ada").await[0].position, position);
        world.stop().await;
    });
}

/// SC-03: given no events, a strong dispatch returns at once, though a projection is held up.
#[test]
fn nothing_written_is_visible_at_once() {
    on_every_store(async |store| {
        let apps = [crate::bank::app(), crate::bank::fussy()];
        let world = World::with(&store, &apps, settings()).await;
        world.bus.dispatch(deposit("ada", crate::bank::PANICS_IN_RULE)).await.unwrap();
        world.bus.dispatch_with(deposit("ada", 0), strong()).await.unwrap();
        // Nor does it wait for projections that do not listen to what was written.
        let rename = Rename { account: "ada".into(), name: "ada".into() };
        world.bus.dispatch_with(rename, strong()).await.unwrap();
        world.stop().await;
    });
}

/// UX-06: given the same command id many times at once, there is one event, and every caller gets the first reply.
#[test]
fn one_intent_sent_many_times_at_once_is_carried_out_once() {
    run(async {
        let store = std::sync::Arc::default();
        let (here, there) = (World::over(&store).await, World::over(&store).await);
        let sends = (0..40).map(|number| {
            let world = if number % 2 == 0 { &here } else { &there };
            world.bus.dispatch_with(deposit("ada", 5), with_id(1))
        });
        let outcomes = futures_util::future::join_all(sends).await;
        let first = outcomes.iter().filter(|outcome| !outcome.as_ref().unwrap().repeated).count();
        assert_eq!(first, 1);
        let position = here.history("ada").await[0].position;
        for outcome in outcomes {
            let outcome = outcome.unwrap();
            assert_eq!((outcome.reply, outcome.position), (5, Some(position)));
        }
        assert_eq!(here.history("ada").await.len(), 1);
    });
}

/// UX-06: later, and after a restart of everything, the first reply comes back, though the balance is another by now.
#[test]
fn one_intent_sent_again_later_gets_the_first_reply() {
    run(async {
        let store = std::sync::Arc::default();
        let world = World::over(&store).await;
        let first = world.bus.dispatch_with(deposit("ada", 5), with_id(1)).await.unwrap();
        world.bus.dispatch(deposit("ada", 5)).await.unwrap();
        let again = world.bus.dispatch_with(deposit("ada", 5), with_id(1).strong()).await.unwrap();
        assert_eq!((again.reply, again.repeated, again.position), (5, true, first.position));
        world.stop().await;
        let world = World::over(&store).await;
        let again = world.bus.dispatch_with(deposit("ada", 5), with_id(1)).await.unwrap();
        assert_eq!((again.reply, again.repeated, again.events), (5, true, None));
        assert_eq!(world.history("ada").await.len(), 2);
    });
}

/// UX-06: the race in which the second node looks for the id before, and for the state after the first has stored it: the
/// repeated withdrawal must not be rejected because its own effect emptied the account.
#[test]
fn one_intent_is_not_rejected_because_of_its_own_effect() {
    run(async {
        for round in 0..50 {
            let store = std::sync::Arc::default();
            let (here, there) = (World::over(&store).await, World::over(&store).await);
            here.bus.dispatch(deposit("ada", 5)).await.unwrap();
            let sends = (0..6).map(|number| {
                let world = if number % 2 == 0 { &here } else { &there };
                world.bus.dispatch_with(withdraw("ada", 5), with_id(round))
            });
            for outcome in futures_util::future::join_all(sends).await {
                assert_eq!(outcome.unwrap().reply, 0);
            }
            here.stop().await;
            there.stop().await;
        }
    });
}

/// UX-02's view from above: the store's answer is lost, and the caller knows that it does not know; the same id settles it.
#[test]
fn a_lost_answer_is_settled_by_sending_the_same_id_again() {
    run(async {
        let store = std::sync::Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        store.faults.lose_answers(1);
        let unknown = world.bus.dispatch_with(deposit("ada", 5), with_id(1)).await;
        assert_eq!(
            unknown,
            Err(DispatchError::Timeout { command: "bank.deposit", outcome: Outcome::Unknown })
        );
        let settled = world.bus.dispatch_with(deposit("ada", 5), with_id(1)).await.unwrap();
        assert_eq!((settled.reply, settled.repeated), (6, true));
        // The state in memory has taken it over, too.
        assert_eq!(world.bus.dispatch(deposit("ada", 1)).await.unwrap().reply, 7);
        assert_eq!(world.history("ada").await.len(), 3);
    });
}
