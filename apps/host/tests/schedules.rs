//! Commands for later: when they are carried out, how often, and what becomes of those that fail.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use umbel_bus::{Bus, BusSettings, DispatchOptions, edge};
use umbel_core::{
    Command, CommandId, Json, Metadata, Timestamp,
    schedule::{Bounds, FAILED_QUEUE, Missed, Recurring, Scheduled, derived},
    store::{Append, OutboxEntry, ReadOutbox, Waiting},
};
use umbel_host::{
    App, Handling, HostSettings, Recurrence, ScheduleError, ScheduleId, ScheduleOptions, ScheduleSettings,
    When, recurring_id,
};
use umbel_supervision::{Group, Outcome, Supervisor};
use uuid::Uuid;

use crate::{
    bank::{self, Deposit, deposit, withdraw},
    stores::on_every_store,
    world::*,
};

const QUEUE: &str = "schedule.bank";

/// Nobody owns it.
#[derive(Debug, Serialize, Deserialize)]
struct Nobody {}

impl Command for Nobody {
    const NAME: &'static str = "bank.nobody";
    type Reply = ();
    type Rejection = String;
}

/// Plans a deposit.
#[derive(Debug, Serialize, Deserialize)]
struct Promise {
    amount: i64,
}

impl Command for Promise {
    const NAME: &'static str = "bank.promise";
    type Reply = Uuid;
    type Rejection = String;
}

fn quick() -> HostSettings {
    let schedule = ScheduleSettings {
        poll_ms: 10,
        retry_min_ms: 1,
        retry_max_ms: 5,
        attempts_max: 3,
        undeclared_after_ms: 1,
        ..ScheduleSettings::default()
    };
    HostSettings { schedule, ..settings() }
}

async fn bank(store: &Arc<Rigged>) -> World {
    World::with(store, &[bank::app()], quick()).await
}

fn past() -> When {
    When::At(Timestamp::from_micros(1_000_000))
}

fn far() -> When {
    When::After(Duration::from_secs(3600))
}

fn options() -> ScheduleOptions {
    ScheduleOptions::default()
}

async fn waiting(world: &World, queue: &str) -> Vec<(Waiting, Scheduled)> {
    let request = ReadOutbox { queue: queue.into(), after: 0, limit: 1000 };
    let waiting = world.bus.store().read_outbox(request).await.unwrap();
    waiting.into_iter().map(|one| (one.clone(), one.entry.body.decode().unwrap())).collect()
}

/// Waits until so many wait there.
async fn until_waiting(world: &World, queue: &str, number: usize) -> Vec<(Waiting, Scheduled)> {
    loop {
        let found = waiting(world, queue).await;
        if found.len() == number {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn amounts(world: &World, account: &str) -> Vec<i64> {
    let history = world.history(account).await;
    history.iter().map(|event| event.data.decode::<bank::Deposited>().unwrap().amount).collect()
}

/// Puts an entry there as if it had been planned so.
async fn put(world: &World, entry: OutboxEntry) {
    let append = Append { done: vec![entry.id], outbox: vec![entry], ..Append::default() };
    world.bus.store().append(append).await.unwrap();
}

fn scheduled(id: u128, amount: i64) -> Scheduled {
    Scheduled {
        schedule: Uuid::from_u128(id),
        schema: 1,
        command: "bank.deposit".into(),
        body: Json::encode(&deposit("ada", amount)).unwrap().into(),
        due_at: Timestamp::from_micros(1_000_000),
        recurring: None,
        metadata: Metadata::default(),
        attempts: 0,
        error: None,
    }
}

/// TM-01: given a command planned for a moment or after a time, then it is carried out then and once, in the conversation and with the
/// metadata it was planned with, and nothing is left of it; one whose time has not come waits, also while its app is down.
#[test]
fn a_command_is_carried_out_when_its_time_has_come() {
    on_every_store(async |store| {
        let world = bank(&store).await;
        let conversation = Uuid::from_u128(77);
        let with = || options().correlation_id(conversation).metadata("who", "ada");
        world.bus.schedule(deposit("ada", 1), past(), with()).await.unwrap();
        let soon = When::After(Duration::from_millis(30));
        let planned_at = edge::now();
        world.bus.schedule(deposit("ada", 10), soon, with()).await.unwrap();
        let late = world.bus.schedule(deposit("ada", 100), far(), with()).await.unwrap();
        let left = until_waiting(&world, QUEUE, 1).await;
        assert_eq!((left[0].1.schedule, left[0].1.attempts), (late.0, 0));
        assert_eq!(amounts(&world, "ada").await, [1, 10]);
        let last = world.history("ada").await.pop().unwrap();
        assert!(last.recorded_at >= planned_at.plus(Duration::from_millis(30)));
        assert_eq!(last.metadata.correlation_id, Some(conversation));
        assert_eq!(last.metadata.custom["who"], "ada");
        world.stop().await;

        // Its time comes while nobody is there.
        let without = World::with(&store, &[], quick()).await;
        put(&without, Scheduled { schedule: late.0, ..scheduled(0, 100) }.waiting().unwrap()).await;
        without.stop().await;
        let world = bank(&store).await;
        until_waiting(&world, QUEUE, 0).await;
        assert_eq!(amounts(&world, "ada").await, [1, 10, 100]);
        assert_eq!(waiting(&world, FAILED_QUEUE).await.len(), 0);
        world.stop().await;
    });
}

/// TM-02, UX-06: given several nodes, lost answers, and a node that died after it had dispatched a command, then each command has its
/// effect once.
#[test]
fn a_due_command_has_its_effect_once() {
    on_every_store(async |store| {
        let without = World::with(&store, &[], quick()).await;
        let (all, died) = (40, 7);
        for number in 1..=all {
            let one = scheduled(u128::try_from(number).unwrap(), number);
            put(&without, one.waiting().unwrap()).await;
        }
        without.stop().await;
        store.faults.lose_answers(3);
        let nodes = [bank(&store).await, bank(&store).await];
        until_waiting(&nodes[0], QUEUE, 0).await;
        let mut found = amounts(&nodes[0], "ada").await;
        found.sort_unstable();
        assert_eq!(found, (1..=all).collect::<Vec<_>>());

        // As a node leaves it that died before it could put down what became of the command.
        let one = Scheduled { attempts: 1, ..scheduled(u128::try_from(died).unwrap(), died) };
        let run = derived(one.schedule, one.due_at.as_micros().unsigned_abs());
        put(&nodes[0], OutboxEntry { id: run, ..one.waiting().unwrap() }).await;
        until_waiting(&nodes[0], QUEUE, 0).await;
        assert_eq!(amounts(&nodes[0], "ada").await.len(), usize::try_from(all).unwrap());
        for node in nodes {
            assert_eq!(waiting(&node, FAILED_QUEUE).await.len(), 0);
            node.stop().await;
        }
    });
}

/// TM-03: given a plan that is taken back, or made anew under its id, then what was planned before is not carried out.
#[test]
fn a_plan_is_taken_back_or_replaced() {
    run(async {
        let world = bank(&Arc::default()).await;
        let id = ScheduleId(Uuid::from_u128(5));
        let gone = world.bus.schedule(deposit("ada", 1), far(), options()).await.unwrap();
        for amount in [10, 100] {
            world.bus.schedule(deposit("ada", amount), far(), options().id(id)).await.unwrap();
        }
        assert_eq!(waiting(&world, QUEUE).await.len(), 2);
        assert_eq!(world.bus.cancel_schedule(gone).await, Ok(true));
        assert_eq!(world.bus.cancel_schedule(gone).await, Ok(false));
        let left = waiting(&world, QUEUE).await;
        assert_eq!(left[0].1.body.decode::<Deposit>().unwrap().amount, 100);
        world.bus.schedule(deposit("ada", 1000), past(), options().id(id)).await.unwrap();
        until_waiting(&world, QUEUE, 0).await;
        assert_eq!(amounts(&world, "ada").await, [1000]);
        world.stop().await;
    });
}

/// TM-03: given a plan that is taken back or made anew while a node is about to carry it out, then whoever is first is right: what was
/// taken back or replaced is not carried out, and who comes too late is told.
#[test]
fn a_plan_is_taken_back_or_carried_out_but_not_both() {
    on_every_store(async |store| {
        // Nobody here takes what is due.
        let world = World::with(&store, &[], quick()).await;
        let (back, anew) = (ScheduleId(Uuid::from_u128(5)), ScheduleId(Uuid::from_u128(6)));
        let bounds = Bounds {
            lease_micros: 1,
            late_after_micros: 1,
            retry_min_micros: 1,
            retry_max_micros: 1,
            attempts_max: 3,
        };
        let take = async |read: &Waiting, found: Scheduled| {
            let taken = found.take(read, edge::now(), None, edge::fresh_id(), &bounds).unwrap();
            let appended = world.bus.store().append(taken.append.clone()).await.unwrap();
            taken.is_ours(appended.repeated.as_ref())
        };
        for (id, replacing) in [(back, None), (anew, Some(100))] {
            let due = Scheduled { schedule: id.0, ..scheduled(0, 1) };
            put(&world, due.waiting().unwrap()).await;
            let (read, found) = until_waiting(&world, QUEUE, 1).await.remove(0);
            match replacing {
                None => assert_eq!(world.bus.cancel_schedule(id).await, Ok(true)),
                Some(amount) => {
                    world.bus.schedule(deposit("ada", amount), far(), options().id(id)).await.unwrap();
                }
            }
            assert!(!take(&read, found).await, "a node has read it before");
            let left: Vec<_> = waiting(&world, QUEUE).await.iter().map(|(_, one)| one.attempts).collect();
            assert_eq!(left, vec![0; usize::from(replacing.is_some())]);
        }
        // A plan that is made once is made in the place of another one, and only once.
        let once = || options().id(anew).once(CommandId(Uuid::from_u128(9)));
        for amount in [1000, 1] {
            world.bus.schedule(deposit("ada", amount), past(), once()).await.unwrap();
        }
        let (read, found) = until_waiting(&world, QUEUE, 1).await.remove(0);
        assert_eq!(
            read.entry.body.decode::<Scheduled>().unwrap().body.decode::<Deposit>().unwrap().amount,
            1000
        );
        assert!(take(&read, found).await);
        assert_eq!(world.bus.cancel_schedule(anew).await, Ok(false), "it is being carried out");
        assert_eq!(waiting(&world, QUEUE).await.len(), 1);
        world.stop().await;
    });
}

/// TM-04: given an owner or a store that is away, then the command is tried again, some times, and at last kept as failed with the
/// reason.
#[test]
fn what_is_away_is_tried_again_and_given_up_at_last() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = bank(&store).await;
        world.bus.schedule(Nobody {}, past(), options()).await.unwrap();
        let failed = until_waiting(&world, FAILED_QUEUE, 1).await;
        assert_eq!((failed[0].1.attempts, failed[0].1.command.as_str()), (3, "bank.nobody"));
        assert!(failed[0].1.error.as_ref().unwrap().contains("bank.nobody"), "{failed:?}");
        assert_eq!(waiting(&world, QUEUE).await.len(), 0);

        // Whoever began it for the last time did not live to say how it ended.
        let ends = Scheduled { attempts: 3, ..scheduled(8, 1) };
        put(&world, ends.waiting().unwrap()).await;
        let failed = until_waiting(&world, FAILED_QUEUE, 2).await;
        assert!(failed[1].1.error.as_ref().unwrap().starts_with("begun 3 times"), "{failed:?}");
        assert!(amounts(&world, "ada").await.is_empty());

        // The plan is the first append, taking it the second, the deposit the third, putting it down the fourth.
        for number in 2..=4 {
            store.faults.fail_appends_after(number - 1, 1);
            world.bus.schedule(deposit("ada", i64::from(number)), past(), options()).await.unwrap();
            until_waiting(&world, QUEUE, 0).await;
        }
        assert_eq!(amounts(&world, "ada").await, [2, 3, 4]);
        assert_eq!(waiting(&world, FAILED_QUEUE).await.len(), 2);
        world.stop().await;
    });
}

/// TM-04: given a handler that panics, or a store that fails, then the command is tried again, as somebody may mend it meanwhile.
#[test]
fn a_defect_is_tried_again() {
    run(async {
        let calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let promise = move |_: Handling, Promise { .. }: Promise| {
            let call = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move {
                assert!(call > 1, "told to panic");
                Ok(Uuid::nil())
            }
        };
        let app = App::new("bank").include(bank::app()).command(promise);
        let world = World::with(&Arc::default(), &[app], quick()).await;
        world.bus.schedule(Promise { amount: 1 }, past(), options()).await.unwrap();
        until_waiting(&world, QUEUE, 0).await;
        assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 3);
        assert_eq!(waiting(&world, FAILED_QUEUE).await.len(), 0);
        world.stop().await;
    });
}

/// TM-05: given a command that is rejected, or an entry that cannot be read, then it is kept as failed, with the reason, and not
/// tried again; others go on.
#[test]
fn what_fails_is_kept_and_holds_up_nobody() {
    run(async {
        let world = bank(&Arc::default()).await;
        world.bus.schedule(withdraw("ada", 5), past(), options()).await.unwrap();
        let wrong = Scheduled { body: Json::encode("ada").unwrap().into(), ..scheduled(2, 1) };
        put(&world, wrong.waiting().unwrap()).await;
        world.bus.schedule(deposit("ada", 7), past(), options()).await.unwrap();
        until_waiting(&world, QUEUE, 0).await;
        let failed = until_waiting(&world, FAILED_QUEUE, 2).await;
        for reason in ["rejected", "this is not a command bank.deposit"] {
            let mut errors = failed.iter().filter_map(|(_, scheduled)| scheduled.error.as_deref());
            assert!(errors.any(|error| error.contains(reason)), "{failed:?}");
        }
        assert!(failed.iter().all(|(_, scheduled)| scheduled.attempts == 1));
        assert_eq!(amounts(&world, "ada").await, [7]);

        let entry = OutboxEntry { body: Json::parse("{}").unwrap(), ..scheduled(3, 1).waiting().unwrap() };
        put(&world, entry).await;
        loop {
            let request = ReadOutbox { queue: FAILED_QUEUE.into(), after: 0, limit: 9 };
            let failed = world.bus.store().read_outbox(request).await.unwrap();
            if failed.len() == 3 {
                assert_eq!(failed[2].entry.body.as_str(), "{}");
                break;
            }
            tokio::task::yield_now().await;
        }
        world.stop().await;
    });
}

fn with_recurring(cron: &'static str) -> App {
    App::new("bank").include(bank::app()).recurring("interest", cron, || deposit("ada", 1))
}

/// Lets the time of the schedule come.
async fn make_due(world: &World, (waiting, scheduled): (Waiting, Scheduled)) {
    let due_at = Timestamp::from_micros(edge::now().as_micros() - 1_000_000);
    let entry = Scheduled { due_at, ..scheduled }.waiting().unwrap();
    put(world, OutboxEntry { id: waiting.entry.id, ..entry }).await;
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

/// TM-06: given times at which nobody was there, then it is carried out once for all of them, or not for them, as it was planned; a
/// wrong expression plans nothing, and an app that declares one does not start.
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
        let wrong = world.bus.schedule_recurring(deposit("ada", 5), Recurrence::new("x", "often")).await;
        assert!(matches!(wrong, Err(ScheduleError::Cron(_))), "{wrong:?}");
        assert_eq!(world.bus.cancel_schedule(id).await, Ok(true));
        world.stop().await;

        let bus = Bus::new(BusSettings::default());
        let app = App::new("bank").recurring("interest", "often", || deposit("ada", 1));
        let app = app.group(&bus, &quick(), policy());
        let root = Group::new("test", policy()).child(umbel_bus::worker(&bus)).child(app);
        match Supervisor::start(root).finished().await {
            Outcome::FailedToStart { path, cause } => {
                assert!(path.ends_with("bank/schedule") && cause.contains("often"), "{path}: {cause}");
            }
            other => panic!("{other:?}"),
        }
    });
}

async fn until_amounts(world: &World, expected: &[i64]) {
    while amounts(world, "ada").await != expected {
        tokio::task::yield_now().await;
    }
}

/// TM-08: given a handler of a command that plans another one, when the command comes again, then nothing more is planned, also once the
/// other was carried out; the other is of the same conversation, and caused by the first.
#[test]
fn a_repeated_command_plans_once() {
    run(async {
        let promise = async |handling: Handling, Promise { amount }: Promise| {
            let planned = handling.schedule(deposit("ada", amount), past(), options()).await;
            Ok(planned.unwrap().0)
        };
        let app = App::new("bank").include(bank::app()).command(promise);
        let world = World::with(&Arc::default(), &[app], quick()).await;
        let (id, conversation) = (Uuid::from_u128(9), Uuid::from_u128(77));
        let dispatch = async || {
            let options = DispatchOptions::default().command_id(CommandId(id)).correlation_id(conversation);
            world.bus.dispatch_with(Promise { amount: 3 }, options).await.unwrap().reply
        };
        let first = dispatch().await;
        until_amounts(&world, &[3]).await;
        until_waiting(&world, QUEUE, 0).await;
        assert_eq!(dispatch().await, first);
        assert_eq!(waiting(&world, QUEUE).await.len(), 0);
        let event = world.history("ada").await.pop().unwrap();
        assert_eq!(event.metadata.correlation_id, Some(conversation));
        assert_eq!(event.metadata.causation_id, Some(id));
        assert_eq!(amounts(&world, "ada").await, [3]);
        world.stop().await;
    });
}
