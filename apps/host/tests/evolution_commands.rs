//! Commands that wait in the store while their type gets another name and another shape.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use umbel_bus::{Bus, BusSettings, Clock, DispatchError, DispatchOptions, Recurrence, ScheduleOptions, When};
use umbel_core::{
    Command, CommandId, CommandUpcaster, Cue, Json, ProcessManager, Reaction, RecordedEvent, Route,
    Timestamp,
    process_manager::{CommandDone, Occasion, Onward, key},
    schedule::{Scheduled, queue_of},
    store::{Append, ReadOutbox},
};
use umbel_host::{App, EventHandler, FailurePolicy, HandlerContext, HandlerOptions, HandlerStart, Handling};
use uuid::Uuid;

use crate::{
    bank,
    event_handlers::stored,
    probe::pauses,
    processes::soon,
    stores::on_every_store,
    talks::{Said, Talk, Way, amounts, said, say, until_amounts},
    world::*,
};

/// As it was.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Command)]
#[command(name = "till.take", reply = i64, rejection = String)]
struct Take(String, i64);

/// As it is: it was called differently, then its fields got names, then it said in what.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    account: String,
    cents: i64,
}

impl Command for Pay {
    const NAME: &'static str = "counter.pay";
    const SCHEMA: u32 = 3;
    const FORMERLY: &'static [&'static str] = &["till.take"];
    const UPCASTERS: &'static [CommandUpcaster] = &[
        |old| {
            let Take(account, amount) = old.decode()?;
            Ok(Json::encode(&serde_json::json!({ "account": account, "amount": amount }))?)
        },
        |old| {
            let mut fields: serde_json::Map<_, _> = old.decode()?;
            let amount = fields.remove("amount").and_then(|amount| amount.as_i64()).ok_or("no amount")?;
            fields.insert("cents".to_owned(), (amount * 100).into());
            Ok(Json::encode(&fields)?)
        },
    ];
    type Reply = i64;
    type Rejection = String;
}

/// A process that orders a command and ends when it is paid.
#[derive(Default, Serialize, Deserialize)]
#[serde(bound = "")]
struct Buying<C>(PhantomData<fn() -> C>);

trait Order: Command {
    fn of(account: &str) -> Self;
}

impl Order for Take {
    fn of(account: &str) -> Self {
        Self(account.to_owned(), 7)
    }
}

impl Order for Pay {
    fn of(account: &str) -> Self {
        Self { account: account.to_owned(), cents: 700 }
    }
}

impl<C: Order + Default> ProcessManager for Buying<C> {
    const NAME: &'static str = "shop.buying";
    type Event = Talk;
    type Error = String;

    fn route(_: &Talk, recorded: &RecordedEvent) -> Route {
        Route::start(recorded.stream.id())
    }

    fn handle(&self, _: Cue<'_, Talk>, occasion: &Occasion<'_>) -> Result<Reaction, String> {
        Ok(Reaction::command(C::of(occasion.instance)))
    }

    fn evolve(self, _: Cue<'_, Talk>) -> Self {
        self
    }

    fn after_command(&self, done: &CommandDone<'_>) -> Onward {
        match done.reply::<C>() {
            Some(_) => Onward::Stop,
            None => Onward::Stay,
        }
    }
}

/// Who owns the command of today.
fn counter() -> App {
    App::new("counter").command::<Pay, _, _>(|handling: Handling, Pay { account, cents }| async move {
        let reply = handling.dispatch(bank::deposit(&account, cents)).await;
        reply.map_err(|error| error.map_rejection(|_| DispatchError::Rejected("no".to_owned())))
    })
}

/// EH-13, TM-01: given commands that wait under an old name and in an old shape - planned for later, recurring, ordered by a process manager -
/// then they are carried out as what they are today, and whoever ordered them hears of it under the name of today. One in a shape that is
/// not known yet waits for a program that knows it.
#[test]
fn commands_that_wait_have_their_newest_shape() {
    on_every_store(async |store| {
        let clock = Clock::turnable();
        let over = async |apps: &[App]| {
            World::on(Bus::with_clock(BusSettings::default(), clock.clone()), &store, apps, soon()).await
        };
        let world = over(&[bank::app(), App::new("shop").process_manager::<Buying<Take>>()]).await;
        let later = When::After(Duration::from_secs(3600));
        world.bus.schedule(Take("planned".into(), 1), later, ScheduleOptions::default()).await.unwrap();
        let nightly = Recurrence::new("nightly", "0 3 * * *");
        world.bus.schedule_recurring(Take("nightly".into(), 2), nightly).await.unwrap();
        say(&world, "ordered", said(Way::Start, &[], &[])).await;
        let kept = vec![key("shop.buying", "ordered")];
        while world.bus.store().get_documents(kept.clone()).await.unwrap()[0].is_none() {
            tokio::task::yield_now().await;
        }
        world.stop().await;

        let world = over(&[bank::app(), counter(), App::new("shop").process_manager::<Buying<Pay>>()]).await;
        until_amounts(&world, "ordered", &[700]).await;
        while world.bus.store().get_documents(kept.clone()).await.unwrap()[0].is_some() {
            tokio::task::yield_now().await;
        }
        assert!(amounts(&world, "planned").await.is_empty(), "its time has not come");
        clock.turn(Duration::from_secs(86_400));
        until_amounts(&world, "planned", &[100]).await;
        until_amounts(&world, "nightly", &[200]).await;

        let newer = Scheduled {
            schedule: Uuid::from_u128(1),
            command: Pay::NAME.to_owned(),
            schema: 4,
            body: Json::encode("who knows").unwrap().into(),
            due_at: Timestamp::from_micros(0),
            recurring: None,
            metadata: umbel_core::Metadata::default(),
            attempts: 0,
            error: None,
        };
        let append = Append { outbox: vec![newer.waiting().unwrap()], ..Append::default() };
        world.bus.store().append(append).await.unwrap();
        let error = loop {
            let request = ReadOutbox { queue: queue_of(Pay::NAME), after: 0, limit: 10 };
            let waiting = world.bus.store().read_outbox(request).await.unwrap();
            let waiting = waiting.into_iter().filter_map(|one| one.entry.body.decode::<Scheduled>().ok());
            if let Some(error) = waiting.filter_map(|scheduled| scheduled.error).next() {
                break error;
            }
            tokio::task::yield_now().await;
        };
        assert!(error.contains("counter.pay/4"), "{error}");
        world.stop().await;
    });
}

/// A function that deposits twice and plans something in between; by an old name and by that of today.
async fn in_parts(handling: Handling, account: &str, cents: i64) -> Result<i64, DispatchError<String>> {
    let no =
        |error: DispatchError<bank::No>| error.map_rejection(|_| DispatchError::Rejected("no".to_owned()));
    handling.dispatch(bank::deposit(account, cents)).await.map_err(no)?;
    let later = When::After(Duration::from_secs(86_400));
    let planned = handling.schedule(bank::deposit(account, 1), later, ScheduleOptions::default()).await;
    planned.map_err(|error| DispatchError::unavailable(error.to_string()))?;
    handling.dispatch(bank::deposit(account, cents)).await.map_err(no)
}

/// The owner of the command by its old name.
fn till() -> App {
    App::new("till").command::<Take, _, _>(|handling: Handling, Take(account, cents)| async move {
        in_parts(handling, &account, cents).await
    })
}

/// The same by that of today.
fn renamed_till() -> App {
    App::new("till").command::<Pay, _, _>(|handling: Handling, Pay { account, cents }| async move {
        in_parts(handling, &account, cents).await
    })
}

/// CM-12, CM-14: given a command whose function was interrupted, at any of its parts or before its reply was kept, when it comes again under its
/// id, and its type has another name by then, then nothing happens twice.
#[test]
fn a_command_that_comes_again_under_another_name_repeats_no_part() {
    let once = || DispatchOptions::default().command_id(CommandId(Uuid::from_u128(1)));
    run(async {
        for stored in 1..=4 {
            let store = Arc::<Rigged>::default();
            let world = World::with(&store, &[bank::app(), till()], settings()).await;
            store.faults.fail_appends_after(stored, 1);
            let first = world.bus.dispatch_with(Take("ada".into(), 7), once()).await;
            assert_eq!(first.is_ok(), stored == 4, "{first:?}");
            store.faults.fail_appends(0);
            world.stop().await;

            let world = World::with(&store, &[bank::app(), renamed_till()], settings()).await;
            let again = world.bus.dispatch_with(Pay { account: "ada".into(), cents: 7 }, once()).await;
            assert_eq!(again.unwrap().reply, 14, "after {stored}");
            assert_eq!(world.history("ada").await.len(), 2, "after {stored}");
            let request = ReadOutbox { queue: queue_of("bank.deposit"), after: 0, limit: 10 };
            assert_eq!(world.bus.store().read_outbox(request).await.unwrap().len(), 1, "after {stored}");
            world.stop().await;
        }
    });
}

/// Has commands carried out for what is said, and plans another; then it fails, or does not.
struct Asking<C, const FAILS: bool>(PhantomData<fn() -> C>);

impl<C: Order<Reply = i64, Rejection = String>, const FAILS: bool> EventHandler for Asking<C, FAILS> {
    const NAME: &'static str = "shop.asking";
    type Event = Talk;
    type Error = String;

    fn options() -> HandlerOptions {
        HandlerOptions::default().on_failure(FailurePolicy::Backoff(pauses()))
    }

    async fn init(_: &HandlerStart) -> Result<Self, String> {
        Ok(Self(PhantomData))
    }

    async fn handle(&mut self, _: Talk, context: &HandlerContext) -> Result<(), String> {
        let account = context.recorded().stream.id();
        for _ in 0..2 {
            context.dispatch(C::of(account)).await.map_err(|error| error.to_string())?;
        }
        let later = When::After(Duration::from_secs(86_400));
        let planned = context.schedule(C::of(account), later, ScheduleOptions::default()).await;
        planned.map_err(|error| error.to_string())?;
        if FAILS { Err("told to".to_owned()) } else { Ok(()) }
    }
}

/// EH-13: given an event that comes again to a handler, when the command that it dispatches has another name by then, then nothing is dispatched
/// or planned once more.
#[test]
fn what_a_handler_dispatched_under_an_old_name_is_not_dispatched_again() {
    on_every_store(async |store| {
        let planned = async |world: &World| {
            let mut count = 0;
            for name in [Take::NAME, Pay::NAME] {
                let request = ReadOutbox { queue: queue_of(name), after: 0, limit: 10 };
                count += world.bus.store().read_outbox(request).await.unwrap().len();
            }
            count
        };
        let shop = App::new("shop").handler::<Asking<Take, true>>();
        let world = World::with(&store, &[bank::app(), till(), shop], soon()).await;
        let place = say(&world, "ordered", Said::default()).await;
        while planned(&world).await == 0 {
            tokio::task::yield_now().await;
        }
        world.stop().await;

        let shop = App::new("shop").handler::<Asking<Pay, false>>();
        let world = World::with(&store, &[bank::app(), renamed_till(), shop], soon()).await;
        stored(&world, "shop.asking", place).await;
        assert_eq!((amounts(&world, "ordered").await, planned(&world).await), (vec![7; 4], 1));
        world.stop().await;
    });
}
