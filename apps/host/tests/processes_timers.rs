//! Process managers: their timers.

use std::sync::Arc;

use umbel_bus::edge;
use umbel_core::{
    process_manager::{Reminder, put_off, queue},
    schedule::{FAILED_QUEUE, Scheduled},
    store::{Act as Upkeep, ReadOutbox},
    subscription::SubscriptionName,
};
use umbel_host::{HostSettings, subscriptions};

use crate::{
    bank,
    event_handlers::{perform, stored},
    processes::{over, soon},
    stores::on_every_store,
    talks::{
        Brief, Do, Kind, Plain, Way, amounts, app, failures, file, heard, said, say, until_amounts,
        until_failures, with_bank,
    },
    world::*,
};

const NAME: &str = "talks.plain";

async fn reminders(world: &World) -> usize {
    let request = ReadOutbox { queue: queue(NAME), after: 0, limit: 100 };
    world.bus.store().read_outbox(request).await.unwrap().len()
}

/// Given timers, then each runs out once, at its time; one that was cancelled or set anew before does not, and none of an instance that has
/// ended.
#[test]
fn timers_run_out_once() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let (soon, late) = (1, 3_600_000);
        let acts = [Do::Timer(30, 2), Do::Timer(10, soon), Do::Timer(99, late), Do::Timer(20, late)];
        say(&world, "s", said(Way::Start, &["t"], &acts)).await;
        until_amounts(&world, "t", &[10, 30]).await;
        let acts = [Do::Cancel(99), Do::Cancel(1), Do::Timer(20, soon), Do::Timer(98, soon), Do::Cancel(98)];
        say(&world, "s", said(Way::Start, &["t"], &acts)).await;
        say(&world, "s", said(Way::Start, &["ended"], &[Do::Timer(5, late)])).await;
        let last = say(&world, "s", said(Way::Start, &["ended"], &[Do::Stop])).await;
        stored(&world, NAME, last).await;
        until_amounts(&world, "t", &[10, 30, 20]).await;
        while reminders(&world).await > 0 {
            tokio::task::yield_now().await;
        }
        let kept = file::<Plain>(&world, "t").await.unwrap();
        assert!(kept.timers.is_empty() && kept.pending.is_empty());
        assert_eq!(heard::<Plain>(&world, "t").await.unwrap(), ["4 acts", "10", "30", "5 acts", "20"]);
        assert!(amounts(&world, "ended").await.is_empty() && file::<Plain>(&world, "ended").await.is_none());
        world.stop().await;
    });
}

/// Given timers that ran out while nobody was there, then they are found by who comes next.
#[test]
fn timers_outlive_the_process() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = over(&store, &with_bank::<Plain>()).await;
        store.shut();
        let saying =
            say(&world, "s", said(Way::Start, &["o"], &[Do::Timer(10, 50), Do::Timer(20, 3_600_000)]));
        store.open();
        let last = saying.await;
        stored(&world, NAME, last).await;
        world.stop().await;
        let world = over(&store, &with_bank::<Plain>()).await;
        until_amounts(&world, "o", &[10]).await;
        assert_eq!(file::<Plain>(&world, "o").await.unwrap().timers.len(), 1);
        world.stop().await;
    });
}

/// PM-12: given a crash between a timer and the word that its commands are done, then they are found by their reminder, which no event
/// brings back, and carried out once.
#[test]
fn commands_of_a_timer_are_looked_after() {
    on_every_store(async |store| {
        let host = HostSettings { process_patience_ms: 1, ..soon() };
        store.refuse_settling(true);
        let world = World::with(&store, &with_bank::<Plain>(), host.clone()).await;
        let last = say(&world, "s", said(Way::Start, &["c"], &[Do::Timer(10, 1)])).await;
        stored(&world, NAME, last).await;
        until_amounts(&world, "c", &[10]).await;
        world.stop().await;
        store.refuse_settling(false);
        let world = World::with(&store, &with_bank::<Plain>(), host).await;
        while reminders(&world).await > 0 {
            tokio::task::yield_now().await;
        }
        assert!(file::<Plain>(&world, "c").await.unwrap().pending.is_empty());
        assert_eq!(amounts(&world, "c").await, [10]);
        world.stop().await;
    });
}

/// Given more timers that fail again and again than are read at once, then others run out all the same.
#[test]
fn timers_that_fail_hold_up_no_others() {
    run(async {
        let host = HostSettings { process_patience_ms: 1, process_events_max: 2, ..soon() };
        let world = World::with(&Arc::default(), &with_bank::<Plain>(), host).await;
        for instance in ["b1", "b2", "b3"] {
            let last = say(&world, "s", said(Way::Start, &[instance], &[Do::Timer(0, 1)])).await;
            stored(&world, NAME, last).await;
            // The settings let it be after three times, and it comes again.
            until_failures(instance, 4).await;
        }
        say(&world, "s", said(Way::Start, &["b4"], &[Do::Timer(10, 1)])).await;
        until_amounts(&world, "b4", &[10]).await;
        world.stop().await;
    });
}

/// Given a process manager that an operator has paused, then its timers wait, too, until it is resumed; those of others run out.
#[test]
fn a_pause_is_also_for_timers() {
    run(async {
        let store = Arc::<Rigged>::default();
        let apps = [bank::app(), app::<Brief>(), app::<Plain>()];
        let world = over(&store, &apps).await;
        let last = say(&world, "s", said(Way::Start, &["pause"], &[Do::Timer(10, 3_600_000)])).await;
        stored(&world, NAME, last).await;
        stored(&world, Brief::NAME, last).await;
        let subscription = SubscriptionName::new(NAME).unwrap();
        perform(&world, Upkeep::PauseSubscription { subscription: subscription.clone() }).await;
        world.stop().await;

        // The time of both comes while nobody is there.
        let without = over(&store, &[bank::app()]).await;
        for (name, kept) in [
            (NAME, file::<Plain>(&without, "pause").await.unwrap()),
            (Brief::NAME, file::<Brief>(&without, "pause").await.unwrap()),
        ] {
            let about = Reminder::of("pause".into(), Some("10".into()));
            let due = put_off(name, kept.timers["10"].id, &about, edge::now());
            without.bus.store().append(due).await.unwrap();
        }
        without.stop().await;
        let world = over(&store, &apps).await;
        until_amounts(&world, "pause", &[10]).await;
        // The other one goes on for a while.
        for amount in 1..=3 {
            say(&world, "s", said(Way::Start, &["unpaused"], &[Do::Timer(amount, 20)])).await;
            let so_far: Vec<_> = (1..=amount).collect();
            until_amounts(&world, "unpaused", &so_far).await;
        }
        assert_eq!(amounts(&world, "pause").await, [10]);
        assert!(file::<Plain>(&world, "pause").await.unwrap().timers.contains_key("10"));
        perform(&world, Upkeep::ResumeSubscription { subscription }).await;
        until_amounts(&world, "pause", &[10, 10]).await;
        world.stop().await;
    });
}

/// PM-15: given a timer whose command is refused, when that is not tried again, then the command is kept as failed, as one that was planned for
/// later is, what was behind it is kept with it, and the instance goes on.
#[test]
fn what_a_timer_led_to_in_vain_is_kept_as_failed() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let acts = [Do::Deposit(1), Do::Timer(-10, 1)];
        say(&world, "s", said(Way::Start, &["v"], &acts)).await;
        let failed = ReadOutbox { queue: FAILED_QUEUE.to_owned(), after: 0, limit: 9 };
        let kept = loop {
            let kept = world.bus.store().read_outbox(failed.clone()).await.unwrap();
            if !kept.is_empty() {
                break kept;
            }
            tokio::task::yield_now().await;
        };
        let kept: Vec<Scheduled> = kept.iter().map(|one| one.entry.body.decode().unwrap()).collect();
        assert_eq!((kept.len(), &*kept[0].command), (1, "bank.withdraw"));
        assert!(kept[0].error.as_ref().unwrap().contains("Insufficient"), "{kept:?}");
        assert!(kept[0].metadata.correlation_id.is_some() && kept[0].metadata.causation_id.is_some());
        let last = say(&world, "s", said(Way::Start, &["v"], &[Do::Deposit(20)])).await;
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "v").await, [1, 20]);
        let file = file::<Plain>(&world, "v").await.unwrap();
        assert!(file.pending.is_empty() && file.timers.is_empty());
        world.stop().await;
    });
}

/// PM-16: given a timer that fails, then how often and over what is kept with it, and its process tells of it for as long as it is there.
#[test]
fn a_timer_that_fails_is_told() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let failing = || {
            let found = subscriptions(&world.bus).into_iter().find(|view| view.name.as_str() == NAME);
            found.unwrap().failing_timers
        };
        say(&world, "s", said(Way::Start, &["told"], &[Do::Timer(0, 1)])).await;
        let reminder = async || {
            let timer = file::<Plain>(&world, "told").await?.timers.get("0")?.id;
            let waiting = world.bus.store().find_work(timer).await.unwrap()?;
            waiting.entry.body.decode::<Reminder>().ok()
        };
        let told = loop {
            // Tried twice more at once, it is put off then.
            match reminder().await {
                Some(reminder) if reminder.attempts == 3 => break reminder,
                _ => tokio::task::yield_now().await,
            }
        };
        assert_eq!((told.timer.as_deref(), told.error.as_deref()), (Some("0"), Some("told to fail")));
        assert_eq!(failing(), Some(1));
        let last = say(&world, "s", said(Way::Start, &["told"], &[Do::Cancel(0)])).await;
        stored(&world, NAME, last).await;
        assert_eq!(failing(), Some(0));
        world.stop().await;
    });
}

/// PM-15: given a timer that fails each time, then events of its instance have their turn meanwhile: one may cancel it, and one may end the instance.
#[test]
fn a_timer_that_fails_keeps_nothing_waiting() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        for (instance, way, acts, left) in
            [("w", Way::Proceed, &[Do::Cancel(0), Do::Deposit(1)][..], true), ("x", Way::Stop, &[], false)]
        {
            let tried = failures(instance).len();
            say(&world, instance, said(Way::Start, &[instance], &[Do::Timer(0, 1)])).await;
            until_failures(instance, tried + 3).await;
            let last = say(&world, instance, said(way, &[instance], acts)).await;
            stored(&world, NAME, last).await;
            let file = file::<Plain>(&world, instance).await;
            assert_eq!(file.is_some(), left);
            assert!(file.is_none_or(|file| file.timers.is_empty()));
        }
        assert_eq!(amounts(&world, "w").await, [1]);
        while reminders(&world).await > 0 {
            tokio::task::yield_now().await;
        }
        world.stop().await;
    });
}
