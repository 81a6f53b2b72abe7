//! Commands that recur: what declares them, and what becomes of times at which nobody was there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use umbel_bus::{Bus, BusSettings, edge};
use umbel_core::{
    Timestamp,
    schedule::{Missed, Recurring, Scheduled},
    store::{OutboxEntry, Waiting},
};
use umbel_host::{App, HostSettings, Recurrence, ScheduleError, ScheduleSettings, recurring_id};
use umbel_supervision::{Group, Outcome, Supervisor};

use crate::{
    bank::{self, Deposit, deposit},
    schedules::{
        QUEUE, amounts, bank, options, past, put, quick, scheduled, until_amounts, until_waiting, waiting,
    },
    stores::on_every_store,
    talks::Garbled,
    world::*,
};

/// An expression of times that are all past.
const PAST: &str = "0 0 0 1 1 * 2020";

fn with_recurring(cron: &'static str) -> App {
    App::new("bank").include(bank::app()).recurring("interest", cron, || deposit("ada", 1))
}

/// Lets the time of the schedule come.
async fn make_due(world: &World, planned: (Waiting, Scheduled)) {
    plan_for(world, planned, edge::now().as_micros() - 1_000_000).await;
}

async fn plan_for(world: &World, (waiting, scheduled): (Waiting, Scheduled), due_micros: i64) {
    let due_at = Timestamp::from_micros(due_micros);
    let entry = Scheduled { due_at, ..scheduled }.waiting().unwrap();
    put(world, OutboxEntry { id: waiting.entry.id, ..entry }).await;
}

/// What an app has planned is due then, as it is found by who comes next; nobody was there since.
async fn planned_for(store: &Arc<Rigged>, due_micros: i64) {
    let world = World::with(store, &[with_recurring("0 3 * * *")], quick()).await;
    let planned = until_planned(&world).await;
    world.stop().await;
    let world = World::with(store, &[], quick()).await;
    plan_for(&world, planned, due_micros).await;
    world.stop().await;
}

/// Waits until it waits for a time to come.
async fn until_planned(world: &World) -> (Waiting, Scheduled) {
    loop {
        let found = waiting(world, QUEUE).await;
        if let [(one, scheduled)] = &found[..]
            && one.due_at() > edge::now()
        {
            return (one.clone(), scheduled.clone());
        }
        tokio::task::yield_now().await;
    }
}

/// TM-06, TM-07: given a recurring command that an app declares, then it is carried out at its times, on two nodes as on one; given
/// another expression, its times are those; given none any more, it is taken back.
#[test]
fn declared_commands_recur_as_the_code_says() {
    on_every_store(async |store| {
        let nodes = [
            World::with(&store, &[with_recurring("0 3 * * *")], quick()).await,
            World::with(&store, &[with_recurring("0 3 * * *")], quick()).await,
        ];
        let id = recurring_id::<Deposit>("interest").0;
        let (planned, scheduled) = until_planned(&nodes[0]).await;
        assert_eq!((planned.entry.id, scheduled.due_at), (id, planned.due_at()));
        assert!(planned.due_at().to_millis_string().ends_with("T03:00:00.000Z"));
        for times in 1..=3 {
            make_due(&nodes[0], until_planned(&nodes[0]).await).await;
            until_planned(&nodes[0]).await;
            assert_eq!(amounts(&nodes[0], "ada").await.len(), times);
        }
        let [one, other] = nodes;
        one.stop().await;
        other.stop().await;

        let world = World::with(&store, &[with_recurring("30 4 * * *")], quick()).await;
        loop {
            let (planned, _) = until_planned(&world).await;
            if planned.due_at().to_millis_string().ends_with("T04:30:00.000Z") {
                break;
            }
            tokio::task::yield_now().await;
        }
        world.stop().await;

        let world = bank_named(&store).await;
        make_due(&world, until_planned(&world).await).await;
        until_waiting(&world, QUEUE, 0).await;
        assert_eq!(amounts(&world, "ada").await.len(), 3);
        world.stop().await;
    });
}

/// TM-06: given one that was planned by a clock that was ahead, when its app begins again, then it recurs at its next time.
#[test]
fn what_was_planned_by_a_clock_that_was_ahead_is_not_waited_for() {
    on_every_store(async |store| {
        let nine_years = 9 * 365 * 86_400_000_000;
        planned_for(&store, edge::now().as_micros() + nine_years).await;
        let world = World::with(&store, &[with_recurring("0 3 * * *")], quick()).await;
        let tomorrow = || Timestamp::from_micros(edge::now().as_micros() + 86_400_000_000);
        while until_planned(&world).await.0.due_at() > tomorrow() {
            tokio::task::yield_now().await;
        }
        world.stop().await;
    });
}

/// TM-06: given a time that passes while nobody is there, when its app comes back with another expression, then it is carried out once for that,
/// and from then on at its new times.
#[test]
fn a_missed_time_is_made_up_for_under_another_expression() {
    on_every_store(async |store| {
        planned_for(&store, edge::now().as_micros() - 1_000_000).await;
        let world = World::with(&store, &[with_recurring("30 4 * * *")], quick()).await;
        until_amounts(&world, &[1]).await;
        let (planned, _) = until_planned(&world).await;
        assert!(planned.due_at().to_millis_string().ends_with("T04:30:00.000Z"));
        assert_eq!(amounts(&world, "ada").await.len(), 1);
        world.stop().await;
    });
}

/// TM-07: given nodes with older code, which does not declare a recurring command yet, then they leave it alone for a while and carry out
/// what is behind it, and the node with newer code carries it out; others are not held up.
#[test]
fn older_code_leaves_newer_commands_alone() {
    on_every_store(async |store| {
        let newer = World::with(&store, &[with_recurring("0 3 * * *")], quick()).await;
        let planned = until_planned(&newer).await;
        newer.stop().await;
        let without = World::with(&store, &[], quick()).await;
        make_due(&without, planned).await;
        without.stop().await;

        let schedule =
            ScheduleSettings { undeclared_after_ms: 3_600_000, in_flight_max: 1, ..quick().schedule };
        let patient = HostSettings { schedule, ..quick() };
        let older = World::with(&store, &[App::new("bank").include(bank::app())], patient).await;
        older.bus.schedule(deposit("ada", 7), past(), options()).await.unwrap();
        until_amounts(&older, &[7]).await;
        until_waiting(&older, QUEUE, 1).await;
        let newer = World::with(&store, &[with_recurring("0 3 * * *")], quick()).await;
        until_amounts(&newer, &[7, 1]).await;
        until_planned(&newer).await;
        older.stop().await;
        newer.stop().await;
    });
}

/// The bank as the app that declared the recurring command, which it does no more.
async fn bank_named(store: &Arc<Rigged>) -> World {
    World::with(store, &[App::new("bank").include(bank::app())], quick()).await
}

/// TM-06: given times at which nobody was there, then it is carried out once for all of them, or not for them, as it was planned.
#[test]
fn missed_times_are_made_up_for_or_skipped() {
    run(async {
        let world = bank(&Arc::default()).await;
        for (name, missed, amount) in [("once", Missed::RunOnce, 1), ("not", Missed::Skip, 10)] {
            let recurring =
                Recurring { name: name.into(), cron: "0 3 * * *".into(), missed, declared_by: None };
            let long_ago = Timestamp::from_micros(1_000_000);
            let one = Scheduled { due_at: long_ago, recurring: Some(recurring), ..scheduled(0, amount) };
            let one = Scheduled { schedule: recurring_id::<Deposit>(name).0, ..one };
            put(&world, one.waiting().unwrap()).await;
        }
        loop {
            let found = waiting(&world, QUEUE).await;
            if found.len() == 2 && found.iter().all(|(one, _)| one.due_at() > edge::now()) {
                break;
            }
            tokio::task::yield_now().await;
        }
        until_amounts(&world, &[1]).await;

        let nightly = Recurrence::new("once", "0 4 * * *").missed(Missed::Skip).metadata("who", "ada");
        let id = world.bus.schedule_recurring(deposit("ada", 5), nightly).await.unwrap();
        assert_eq!(id, recurring_id::<Deposit>("once"));
        assert_eq!(waiting(&world, QUEUE).await.len(), 2, "in place of the one of that name");
        assert_eq!(world.bus.cancel_schedule(id).await, Ok(true));
        world.stop().await;
    });
}

/// TM-06: given an expression that is wrong, or by which nothing recurs any more, then nothing is planned, and an app that declares it
/// does not start; both say why.
#[test]
fn what_never_comes_is_refused() {
    run(async {
        let world = bank(&Arc::default()).await;
        for cron in ["often", "0 0 31 2 *", PAST] {
            let planned = world.bus.schedule_recurring(deposit("ada", 5), Recurrence::new("x", cron)).await;
            match planned {
                Err(ScheduleError::Cron(_)) if cron != PAST => {}
                Err(ScheduleError::AllPast(error)) if cron == PAST => assert_eq!(error.cron, cron),
                other => panic!("{cron}: {other:?}"),
            }
            assert!(waiting(&world, QUEUE).await.is_empty());

            let bus = Bus::new(BusSettings::default());
            let app = App::new("bank").recurring("interest", cron, || deposit("ada", 1));
            let app = app.group(&bus, &quick(), policy());
            let root = Group::new("test", policy()).child(umbel_bus::worker(&bus)).child(app);
            match Supervisor::start(root).finished().await {
                Outcome::FailedToStart { path, cause } => {
                    let is_told = cause.contains(cron) && cause.contains("interest");
                    assert!(path.ends_with("bank/schedule") && is_told, "{path}: {cause}");
                }
                other => panic!("{cron}: {other:?}"),
            }
        }
        world.stop().await;
    });
}

/// TM-13: given recurring commands of which one has no form to be kept in and another is refused by the store for a time, then whatever
/// else there is is planned and carried out, and the other one is planned as soon as it can be.
#[test]
fn what_cannot_be_planned_holds_up_nothing() {
    on_every_store(async |store| {
        let refused = Arc::new(AtomicBool::new(true));
        let is_refused = Arc::clone(&refused);
        let late = move || match is_refused.load(Ordering::Relaxed) {
            true => deposit(&"x".repeat(2 << 20), 1),
            false => deposit("ada", 1),
        };
        let app = App::new("bank").include(bank::app());
        let app = app.recurring("garbled", "0 3 * * *", || Garbled).recurring("late", "0 3 * * *", late);
        let app = app.recurring("interest", "0 3 * * *", || deposit("ada", 1));
        let world = World::with(&store, &[app], quick()).await;
        world.bus.schedule(deposit("ada", 7), past(), options()).await.unwrap();
        until_amounts(&world, &[7]).await;
        let (planned, _) = until_planned(&world).await;
        assert_eq!(planned.entry.id, recurring_id::<Deposit>("interest").0);

        refused.store(false, Ordering::Relaxed);
        let found = until_waiting(&world, QUEUE, 2).await;
        assert!(found.iter().any(|(waiting, _)| waiting.entry.id == recurring_id::<Deposit>("late").0));
        world.stop().await;
    });
}
