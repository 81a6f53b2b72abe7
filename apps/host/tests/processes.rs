//! Process managers: instances, their order, their state, and what they are waited for.

use std::{sync::Arc, time::Duration};

use umbel_bus::{Bus, BusSettings, DispatchOptions};
use umbel_core::{
    Place,
    store::Act as Upkeep,
    subscription::{Start, SubscriptionName},
};
use umbel_host::{App, HostSettings, SubscriptionSettings};
use uuid::Uuid;

use crate::{
    bank::{self, Rename},
    event_handlers::{perform, stored},
    stores::on_every_store,
    talks::{
        Brief, Do, Plain, Say, Strong, Way, amounts, app, failures, file, heard, said, say, until_amounts,
        with_bank,
    },
    world::*,
};

const NAME: &str = "talks.plain";

/// Settings with which what fails is tried again soon.
pub(crate) fn soon() -> HostSettings {
    let subscriptions =
        SubscriptionSettings { retries_max: 2, retry_min_ms: 1, retry_max_ms: 10, ..Default::default() };
    HostSettings { subscriptions, process_poll_ms: 10, ..settings() }
}

pub(crate) async fn over(store: &Arc<Rigged>, apps: &[App]) -> World {
    World::with(store, apps, soon()).await
}

/// The same, where one that is restarted more than once takes everything down.
pub(crate) async fn strictly_over(store: &Arc<Rigged>, apps: &[App]) -> World {
    World::under(strict(), Bus::new(BusSettings::default()), store, apps, soon()).await
}

/// PM-01: given start, continue and stop, then an instance is made, goes on with what it remembers, and is removed with it.
#[test]
fn instances_begin_go_on_and_end() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        say(&world, "s", said(Way::Start, &["a"], &[Do::Deposit(1), Do::Deposit(2)])).await;
        say(&world, "s", said(Way::Proceed, &["a"], &[Do::Deposit(3)])).await;
        let last = say(&world, "s", said(Way::Start, &["b"], &[])).await;
        stored(&world, NAME, last).await;
        assert_eq!(heard::<Plain>(&world, "a").await.unwrap(), ["2 acts", "1 acts"]);
        assert_eq!(amounts(&world, "a").await, [1, 2, 3]);
        let last = say(&world, "s", said(Way::Stop, &["a"], &[])).await;
        stored(&world, NAME, last).await;
        assert!(file::<Plain>(&world, "a").await.is_none() && file::<Plain>(&world, "b").await.is_some());
        // Whoever has a last word has it carried out.
        let last = say(&world, "s", said(Way::Proceed, &["b"], &[Do::Deposit(9), Do::Stop])).await;
        stored(&world, NAME, last).await;
        assert!(file::<Plain>(&world, "b").await.is_none());
        assert_eq!(amounts(&world, "b").await, [9]);
        let last = say(&world, "s", said(Way::Start, &["a"], &[])).await;
        stored(&world, NAME, last).await;
        assert_eq!(heard::<Plain>(&world, "a").await.unwrap().len(), 1, "it begins anew");
        world.stop().await;
    });
}

/// PM-02: given an event for several instances, then each has it, and it is done with when all have; one for nobody at once.
#[test]
fn an_event_may_concern_several() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let all = ["m1", "m2", "m3"];
        let slow = said(Way::Start, &all, &[Do::Withdraw(5)]).verdicts(&[Say::Always(1)]);
        for account in ["m1", "m3"] {
            world.bus.dispatch(bank::deposit(account, 5)).await.unwrap();
        }
        let last = say(&world, "s", slow).await;
        until_amounts(&world, "m1", &[5, -5]).await;
        until_amounts(&world, "m3", &[5, -5]).await;
        let passed =
            umbel_host::subscriptions(&world.bus).into_iter().find(|view| view.name.to_string() == NAME);
        assert!(passed.unwrap().reached < last, "the second has not done with it");
        world.bus.dispatch(bank::deposit("m2", 5)).await.unwrap();
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "m2").await, [5, -5]);
        say(&world, "s", said(Way::Ignore, &[], &[])).await;
        let nobody = say(&world, "s", said(Way::Start, &[], &[])).await;
        stored(&world, NAME, nobody).await;
        world.stop().await;
    });
}

/// PM-03: given a strict start of one that is there or a strict continuation of one that is not, then it is an error, and what is said of
/// it is done.
#[test]
fn strictness_goes_to_the_policy() {
    run(async {
        let world = over(&Arc::default(), &with_bank::<Plain>()).await;
        let skipped = |way, id: &str, amount| said(way, &[id], &[Do::Deposit(amount)]).verdicts(&[Say::Skip]);
        say(&world, "s", skipped(Way::ProceedStrictly, "x1", 1)).await;
        say(&world, "s", skipped(Way::StartStrictly, "x1", 2)).await;
        say(&world, "s", skipped(Way::ProceedStrictly, "x1", 4)).await;
        let last = say(&world, "s", skipped(Way::StartStrictly, "x1", 8)).await;
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "x1").await, [2, 4]);
        let told: Vec<_> = failures("x1").into_iter().map(|failed| failed.error).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].ends_with("is not there") && told[1].ends_with("is there already"), "{told:?}");
        world.stop().await;
    });
}

/// PM-04: given a restart, then an instance goes on with what it remembers. Given that all events come again, because the subscription was
/// reset, then nothing happens again: also not what was skipped, nor to those that have ended.
#[test]
fn an_instance_outlives_restarts_and_resets() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        say(&world, "s", said(Way::StartStrictly, &["a", "b"], &[Do::Deposit(1), Do::Timer(7, 3_600_000)]))
            .await;
        let skip = said(Way::Proceed, &["b"], &[Do::Fail]).verdicts(&[Say::Skip]);
        say(&world, "s", skip).await;
        let last = say(&world, "s", said(Way::Stop, &["b"], &[])).await;
        stored(&world, NAME, last).await;
        world.stop().await;

        let world = over(&store, &with_bank::<Plain>()).await;
        let last =
            say(&world, "s", said(Way::ProceedStrictly, &["a"], &[Do::Deposit(2), Do::Cancel(7)])).await;
        stored(&world, NAME, last).await;
        let before = file::<Plain>(&world, "a").await.unwrap();
        assert_eq!(heard::<Plain>(&world, "a").await.unwrap(), ["2 acts", "2 acts"]);
        let subscription = SubscriptionName::new(NAME).unwrap();
        perform(&world, Upkeep::ResetSubscription { subscription, start: Start::Origin }).await;
        let last = say(&world, "s", said(Way::Start, &["c"], &[Do::Deposit(3)])).await;
        stored(&world, NAME, last).await;
        until_amounts(&world, "c", &[3]).await;
        assert_eq!(file::<Plain>(&world, "a").await.unwrap(), before);
        assert!(file::<Plain>(&world, "b").await.is_none());
        assert_eq!((amounts(&world, "a").await, amounts(&world, "b").await), (vec![1, 2], vec![1]));
        world.stop().await;
    });
}

/// PM-05: given commands that follow from an event, then what they lead to names the event as its cause, is of its conversation, and has
/// its entries.
#[test]
fn commands_carry_their_cause() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let last = say(&world, "s", said(Way::Start, &["c5"], &[Do::Deposit(1), Do::Timer(2, 1)])).await;
        stored(&world, NAME, last).await;
        until_amounts(&world, "c5", &[1, 2]).await;
        let store = world.bus.store();
        let cause = store.read_stream(umbel_core::store::ReadStream {
            stream: umbel_core::StreamName::of("talk", "s").unwrap(),
            from: None,
            direction: umbel_core::document::Direction::Forward,
            limit: 1,
        });
        let cause = cause.await.unwrap().events[0].id.0;
        let history = world.history("c5").await;
        assert_eq!(history[0].metadata.causation_id, Some(cause));
        assert!(history[1].metadata.causation_id.is_some_and(|timer| timer != cause));
        for event in history {
            assert_eq!(event.metadata.correlation_id, Some(Uuid::from_u128(7)));
            assert_eq!(event.metadata.custom["who"], "ada");
        }
        world.stop().await;
    });
}

/// PM-08: given an idle limit, then an instance leaves memory after it and is read again; without one it stays.
#[test]
fn an_idle_instance_is_read_again() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = over(&store, &[bank::app(), app::<Brief>(), app::<Plain>()]).await;
        let (mut last, mut reads) = (Place::START, 0);
        // Both are given the same; of the two only one is read again.
        for round in 0.. {
            last = say(&world, "s", said(Way::Start, &["i"], &[])).await;
            stored(&world, "talks.brief", last).await;
            stored(&world, NAME, last).await;
            if round == 0 {
                reads = store.document_reads();
                assert_eq!(reads, 2);
            } else if store.document_reads() > reads + 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let heard_by =
            (heard::<Brief>(&world, "i").await.unwrap(), heard::<Plain>(&world, "i").await.unwrap());
        assert_eq!(u64::try_from(heard_by.0.len()).unwrap(), last.get(), "none was lost over it");
        assert_eq!(heard_by.0, heard_by.1);
        world.stop().await;
    });
}

/// PM-11: given a stop for an instance that is not in memory, then what is stored of it is deleted, its timers too, and it may strictly
/// begin again.
#[test]
fn an_instance_that_is_not_loaded_ends_for_good() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let begins = || said(Way::StartStrictly, &["u"], &[Do::Timer(1, 3_600_000)]);
        let last = say(&world, "s", begins()).await;
        stored(&world, NAME, last).await;
        world.stop().await;
        let world = over(&store, &with_bank::<Plain>()).await;
        let last = say(&world, "s", said(Way::Stop, &["u"], &[])).await;
        stored(&world, NAME, last).await;
        assert!(file::<Plain>(&world, "u").await.is_none());
        let queue = umbel_core::process_manager::queue(NAME);
        let waiting = umbel_core::store::ReadOutbox { queue, after: 0, limit: 10 };
        assert!(world.bus.store().read_outbox(waiting).await.unwrap().is_empty());
        let last = say(&world, "s", begins()).await;
        stored(&world, NAME, last).await;
        assert_eq!(heard::<Plain>(&world, "u").await.unwrap().len(), 1);
        world.stop().await;
    });
}

/// SC-01, SC-04: given a strong process manager, then who asks for strong consistency finds its commands carried out; and its own commands,
/// dispatched strong, do not wait for itself.
#[test]
fn a_strong_process_manager_is_waited_for() {
    run(async {
        let world = over(&Arc::default(), &with_bank::<Strong>()).await;
        for (account, name) in [("w1", "ada!!"), ("w2", "grace!")] {
            let rename = Rename { account: account.into(), name: name.into() };
            world.bus.dispatch_with(rename, DispatchOptions::default().strong()).await.unwrap();
            let last = world.history(account).await.pop().unwrap();
            assert_eq!(last.version.get(), 2, "one name led to the next");
        }
        world.stop().await;
    });
}

/// Given an instance that waits for a retry, then others go on, and what is behind it for the same instance waits.
#[test]
fn a_slow_instance_holds_up_nobody_else() {
    run(async {
        let world = over(&Arc::default(), &with_bank::<Plain>()).await;
        let slow = said(Way::Start, &["slow"], &[Do::Withdraw(5)]).verdicts(&[Say::Always(1)]);
        say(&world, "s", slow).await;
        say(&world, "s", said(Way::Start, &["slow"], &[Do::Deposit(100)])).await;
        for amount in 1..=50 {
            say(&world, "s", said(Way::Start, &["quick"], &[Do::Deposit(amount)])).await;
        }
        let all: Vec<_> = (1..=50).collect();
        until_amounts(&world, "quick", &all).await;
        assert!(amounts(&world, "slow").await.is_empty());
        world.bus.dispatch(bank::deposit("slow", 5)).await.unwrap();
        until_amounts(&world, "slow", &[5, -5, 100]).await;
        world.stop().await;
    });
}
