//! Commands for later: when they are carried out, how often, and what becomes of those that fail.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use umbel_bus::{DispatchOptions, edge};
use umbel_core::{
    Command, CommandId, Json, Metadata, Timestamp,
    schedule::{Bounds, FAILED_QUEUE, Scheduled, derived},
    store::{Append, OutboxEntry, ReadOutbox, Waiting},
};
use umbel_host::{App, Handling, HostSettings, ScheduleId, ScheduleOptions, ScheduleSettings, When};
use uuid::Uuid;

use crate::{
    bank::{self, Deposit, deposit, withdraw},
    stores::on_every_store,
    world::*,
};

pub(crate) const QUEUE: &str = "schedule.bank";

/// Nobody owns it.
#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "bank.nobody", rejection = String)]
struct Nobody {}

/// Plans a deposit.
#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "bank.promise", reply = Uuid, rejection = String)]
struct Promise {
    amount: i64,
}

pub(crate) fn quick() -> HostSettings {
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

pub(crate) async fn bank(store: &Arc<Rigged>) -> World {
    World::with(store, &[bank::app()], quick()).await
}

pub(crate) fn past() -> When {
    When::At(Timestamp::from_micros(1_000_000))
}

pub(crate) fn far() -> When {
    When::After(Duration::from_secs(3600))
}

pub(crate) fn options() -> ScheduleOptions {
    ScheduleOptions::default()
}

pub(crate) async fn waiting(world: &World, queue: &str) -> Vec<(Waiting, Scheduled)> {
    let request = ReadOutbox { queue: queue.into(), after: 0, limit: 1000 };
    let waiting = world.bus.store().read_outbox(request).await.unwrap();
    waiting.into_iter().map(|one| (one.clone(), one.entry.body.decode().unwrap())).collect()
}

/// Waits until so many wait there.
pub(crate) async fn until_waiting(world: &World, queue: &str, number: usize) -> Vec<(Waiting, Scheduled)> {
    loop {
        let found = waiting(world, queue).await;
        if found.len() == number {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn amounts(world: &World, account: &str) -> Vec<i64> {
    let history = world.history(account).await;
    history.iter().map(|event| event.data.decode::<bank::Deposited>().unwrap().amount).collect()
}

/// Puts an entry there as if it had been planned so.
pub(crate) async fn put(world: &World, entry: OutboxEntry) {
    let append = Append { done: vec![entry.id], outbox: vec![entry], ..Append::default() };
    world.bus.store().append(append).await.unwrap();
}

pub(crate) fn scheduled(id: u128, amount: i64) -> Scheduled {
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

pub(crate) async fn until_amounts(world: &World, expected: &[i64]) {
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
