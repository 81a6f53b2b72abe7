//! Commands that wait in the store while their type gets another name and another shape.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use umbel_bus::{Bus, BusSettings, Clock, Recurrence, ScheduleOptions, When};
use umbel_core::{
    Command, CommandUpcaster, Cue, Json, ProcessManager, Reaction, RecordedEvent, Route, Timestamp,
    process_manager::{CommandDone, Occasion, Onward, key},
    schedule::{Scheduled, queue_of},
    store::{Append, ReadOutbox},
};
use umbel_host::{App, Handling};
use uuid::Uuid;

use crate::{
    bank,
    processes::soon,
    stores::on_every_store,
    talks::{Talk, Way, amounts, said, say, until_amounts},
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
struct Buying<C>(std::marker::PhantomData<fn() -> C>);

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
        reply.map_err(|error| error.map_rejection(|_| umbel_bus::DispatchError::Rejected("no".to_owned())))
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
        let later = When::After(Duration::from_secs(1));
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
