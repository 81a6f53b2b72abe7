//! Apps in different umbrellas on one store, whose messages travel between them.

use std::time::Duration;

use umbel_bus::{DispatchError, DispatchOptions, ScheduleOptions, When};
use umbel_core::{CommandId, ExpectedVersion, Version};
use uuid::Uuid;

use crate::{
    bank,
    event_handlers::stored,
    processes::soon,
    stores::on_every_store,
    talks::{Do, Plain, Say, Way, amounts, app, heard, said, say, until_amounts},
    world::*,
};

const NAME: &str = "talks.plain";

fn options() -> DispatchOptions {
    DispatchOptions::default().deadline(AMPLE)
}

/// LK-12: given a process manager whose commands are owned in another process, then they are carried out there, also those for which that
/// process has to come back first; nothing twice. What is planned for an app of another process is carried out there at its time.
#[test]
fn a_process_manager_orders_from_another_process() {
    on_every_store(async |store| {
        let bank = World::linked(&store, &[bank::app()], soon()).await;
        let talks = World::linked(&store, &[app::<Plain>()], soon()).await;
        say(&talks, "s", said(Way::Start, &["a"], &[Do::Deposit(1), Do::Deposit(2)])).await;
        let last = say(&talks, "s", said(Way::Proceed, &["a"], &[Do::Timer(3, 1)])).await;
        stored(&talks, NAME, last).await;
        until_amounts(&talks, "a", &[1, 2, 3]).await;
        bank.stop().await;

        let patient = said(Way::Proceed, &["a"], &[Do::Deposit(4)]).verdicts(&[Say::Always(1)]);
        let last = say(&talks, "s", patient).await;
        let planned = bank::deposit("a", 5);
        talks.bus.schedule(planned, When::After(Duration::ZERO), ScheduleOptions::default()).await.unwrap();
        let bank = World::linked(&store, &[bank::app()], soon()).await;
        stored(&talks, NAME, last).await;
        while amounts(&talks, "a").await.len() < 5 {
            pause().await;
        }
        let mut all = amounts(&talks, "a").await;
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4, 5]);
        assert_eq!(heard::<Plain>(&talks, "a").await.unwrap().len(), 4, "three events and a timer");
        talks.stop().await;
        bank.stop().await;
    });
}

/// LK-03: given an aggregate in another process, then a dispatch means what it means beside it: its effect is visible with the answer, a version
/// may be expected, what is repeated is done once, and events and state may be returned.
#[test]
fn an_aggregate_in_another_process_is_like_one_here() {
    on_every_store(async |store| {
        let bank = World::linked(&store, &[bank::app()], settings()).await;
        let here = World::linked(&store, &[], settings()).await;
        for amount in 1..=5 {
            let strong = options().strong();
            let done = here.bus.dispatch_with(bank::deposit("a", amount), strong).await.unwrap();
            assert_eq!(done.version, Some(Version::new(amount.unsigned_abs())));
            let balance = here.balance("a").await.unwrap().balance;
            assert_eq!(balance, (1..=amount).sum::<i64>(), "the answer is visible from here");
        }
        let id = CommandId(Uuid::from_u128(7));
        for repeated in [false, true] {
            let done =
                here.bus.dispatch_with(bank::deposit("a", 10), options().command_id(id)).await.unwrap();
            assert_eq!((done.repeated, done.position.is_some()), (repeated, true));
        }
        let stale = options().expecting(ExpectedVersion::Exact(Version::new(1)));
        let refused = here.bus.dispatch_with(bank::deposit("a", 1), stale).await.unwrap_err();
        assert_eq!(refused.code(), "wrong_version");
        let rejected = here.bus.dispatch_with(bank::withdraw("a", 1_000_000), options()).await.unwrap_err();
        assert!(matches!(rejected, DispatchError::Rejected(_)), "{rejected:?}");
        let all = options().returning(umbel_bus::Returning::All);
        let done = here.bus.dispatch_with(bank::deposit("a", 1), all).await.unwrap();
        assert_eq!(done.returned.unwrap().events.len(), 1);
        assert_eq!(amounts(&here, "a").await.len(), 7);
        here.stop().await;
        bank.stop().await;
    });
}
