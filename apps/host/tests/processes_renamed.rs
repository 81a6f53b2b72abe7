//! Process managers: what is theirs goes along when they are given another name.

use std::{sync::Arc, time::Duration};

use umbel_bus::{Bus, BusSettings, Clock};
use umbel_core::{store::Act as Upkeep, subscription::SubscriptionName};
use umbel_host::App;

use crate::{
    bank,
    event_handlers::{perform, stored},
    processes::soon,
    stores::on_every_store,
    talks::{Do, Later, Plain, Way, amounts, file, heard, said, say, until_amounts, with_bank},
    world::*,
};

const HOUR_MS: u64 = 3_600_000;

async fn over(store: &Arc<Rigged>, clock: &Clock, apps: &[App]) -> World {
    World::on(Bus::with_clock(BusSettings::default(), clock.clone()), store, apps, soon()).await
}

/// SU-26, EH-13: given a process manager with an instance, a timer that runs, and commands that nobody has put down as carried out, when it is
/// renamed, then under its new name the instance goes on with what it remembers, the timer runs out, and the commands have had their effect
/// once. One that is opened under the old name shares nothing with it.
#[test]
fn a_renamed_process_manager_goes_on() {
    on_every_store(async |store| {
        let clock = Clock::turnable();
        let world = over(&store, &clock, &with_bank::<Plain>()).await;
        let acts = [Do::Deposit(1), Do::Timer(10, HOUR_MS)];
        let last = say(&world, "s", said(Way::Start, &["r"], &acts)).await;
        stored(&world, "talks.plain", last).await;
        store.refuse_settling(true);
        say(&world, "t", said(Way::Start, &["w"], &[Do::Deposit(5)])).await;
        until_amounts(&world, "w", &[5]).await;
        world.stop().await;
        store.refuse_settling(false);

        let world = over(&store, &clock, &[bank::app()]).await;
        assert!(!file::<Plain>(&world, "w").await.unwrap().pending.is_empty());
        let name = |name: &str| SubscriptionName::new(name).unwrap();
        let (subscription, to) = (name("talks.plain"), name("talks.later"));
        perform(&world, Upkeep::RenameSubscription { subscription, to }).await;
        world.stop().await;

        let world = over(&store, &clock, &with_bank::<Later>()).await;
        let last = say(&world, "s", said(Way::ProceedStrictly, &["r"], &[Do::Deposit(2)])).await;
        stored(&world, "talks.later", last).await;
        // It is kept under the name it had.
        assert_eq!(heard::<Plain>(&world, "r").await.unwrap(), ["2 acts", "1 acts"]);
        assert!(file::<Later>(&world, "r").await.is_none());
        assert!(file::<Plain>(&world, "w").await.unwrap().pending.is_empty());
        assert_eq!((amounts(&world, "r").await, amounts(&world, "w").await), (vec![1, 2], vec![5]));
        clock.turn(Duration::from_millis(HOUR_MS));
        until_amounts(&world, "r", &[1, 2, 10]).await;
        world.stop().await;

        let world = over(&store, &clock, &with_bank::<Plain>()).await;
        until_amounts(&world, "w", &[5, 5]).await;
        stored(&world, "talks.plain", last).await;
        assert_eq!(heard::<Plain>(&world, "r").await.unwrap().last().unwrap(), "10", "of the renamed one");
        world.stop().await;
    });
}
