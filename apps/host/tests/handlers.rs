//! Command handlers and query handlers.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use umbel_bus::DispatchOptions;
use umbel_core::{
    Command, CommandId, Json,
    store::{Append, CommandRecord},
};
use umbel_host::{App, AskError, DispatchError, Handling, Outcome};
use uuid::Uuid;

use crate::{
    bank::{self, Broken, Deposit, GetBalance, No, Open, Rename, Scatter, Transfer, deposit, withdraw},
    world::*,
};

fn transfer(to: &[&str], amount: i64) -> Transfer {
    Transfer { from: "ada".into(), to: to.iter().map(|&to| to.into()).collect(), amount }
}

fn with_id(id: u128) -> DispatchOptions {
    DispatchOptions::default().command_id(CommandId(Uuid::from_u128(id)))
}

/// Its parts belong to the same conversation, and its answer covers all that they wrote.
#[test]
fn a_handler_dispatches_the_parts_of_its_command() {
    run(async {
        let world = World::new().await;
        world.bus.dispatch(deposit("ada", 10)).await.unwrap();
        let options = DispatchOptions::default().strong().correlation_id(Uuid::from_u128(3));
        let done = world.bus.dispatch_with(transfer(&["grace", "alan"], 4), options).await.unwrap();
        assert_eq!(done.reply, 2);
        assert_eq!(done.position, Some(world.head().await));
        assert_eq!(done.events.unwrap(), ["bank.withdrawn", "bank.deposited", "bank.deposited"]);
        assert_eq!(world.balance("alan").await.unwrap().balance, 4, "strong covers the last part");
        for account in ["grace", "alan"] {
            let event = world.history(account).await.remove(0);
            assert_eq!(event.metadata.correlation_id, Some(Uuid::from_u128(3)));
        }
        let refused = world.bus.dispatch(transfer(&["grace"], 4)).await;
        assert_eq!(refused, Err(DispatchError::Rejected(No::Insufficient { balance: 2 })));
    });
}

/// UX-06 for a command of several parts: sent again, with whatever outcome the first time, every part happens once.
#[test]
fn a_repeated_command_repeats_none_of_its_parts() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.bus.dispatch(deposit("ada", 100)).await.unwrap();
        for lost in 0..3 {
            store.faults.lose_answers(lost);
            // As a client does: the same id again while the outcome is unknown.
            let mut tries = 0;
            let done = loop {
                tries += 1;
                let id = 100 + u128::from(lost);
                match world.bus.dispatch_with(transfer(&["grace", "alan"], 1), with_id(id)).await {
                    Ok(done) => break done,
                    Err(DispatchError::Timeout { outcome: Outcome::Unknown, .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            };
            assert_eq!((tries, done.repeated), (lost + 1, lost > 0));
            assert_eq!(done.reply, 100 - 2 * (i64::from(lost) + 1));
            let again = world
                .bus
                .dispatch_with(transfer(&["grace", "alan"], 1), with_id(100 + u128::from(lost)))
                .await;
            assert_eq!((again.as_ref().unwrap().reply, again.unwrap().repeated), (done.reply, true));
        }
        for (account, balance) in [("ada", 94), ("grace", 3), ("alan", 3)] {
            assert_eq!(world.bus.dispatch(deposit(account, 0)).await.unwrap().reply, balance, "{account}");
        }
        assert_eq!(world.head().await.get(), 1 + 3 * 3);
    });
}

/// Parts dispatched at the same time have ids of their own: with a chosen command id, each happens, once.
#[test]
fn parts_at_the_same_time_are_different_commands() {
    run(async {
        let world = World::new().await;
        let to: Vec<String> = (0..5).map(|number| format!("a{number}")).collect();
        let scatter = Scatter { to: to.clone(), amount: 7 };
        for repeated in [false, true] {
            let done = world.bus.dispatch_with(scatter.clone(), with_id(1)).await.unwrap();
            assert_eq!((done.reply, done.repeated), (35, repeated));
        }
        for account in &to {
            assert_eq!(world.history(account).await.len(), 1);
        }
    });
}

/// Opens an account under a number nobody has had.
async fn open(handling: Handling, command: Open) -> Result<Uuid, DispatchError<No>> {
    handling.dispatch(deposit(&command.account, command.amount)).await?;
    Ok(handling.fresh_id())
}

/// CM-12: what the function makes anew each time is told as it was: to who comes again with the same id, at once or after a restart, whatever
/// was lost on the way.
#[test]
fn a_repeated_command_of_a_function_gets_its_first_reply() {
    run(async {
        let store = Arc::<Rigged>::default();
        let apps = [bank::app(), App::new("desk").command(open)];
        let mut world = World::with(&store, &apps, settings()).await;
        let ada = || Open { account: "ada".into(), amount: 1 };
        // The part's answer is lost, then that of keeping the reply.
        store.faults.lose_answers(2);
        for _ in 0..2 {
            let lost = world.bus.dispatch_with(ada(), with_id(1)).await;
            assert!(
                matches!(lost, Err(DispatchError::Timeout { outcome: Outcome::Unknown, .. })),
                "{lost:?}"
            );
        }
        let first = world.bus.dispatch_with(ada(), with_id(1)).await.unwrap();
        assert_eq!((first.repeated, first.position), (true, Some(world.head().await)));
        for _ in 0..2 {
            let again = world.bus.dispatch_with(ada(), with_id(1).strong()).await.unwrap();
            assert_eq!((again.reply, again.position), (first.reply, first.position));
            world.stop().await;
            world = World::with(&store, &apps, settings()).await;
        }
        let grace = || Open { account: "grace".into(), amount: 1 };
        let (one, other) = futures_util::future::join(
            world.bus.dispatch_with(grace(), with_id(2)),
            world.bus.dispatch_with(grace(), with_id(2)),
        )
        .await;
        assert_eq!(one.unwrap().reply, other.unwrap().reply);
        for account in ["ada", "grace"] {
            assert_eq!(world.history(account).await.len(), 1, "{account}");
        }
        let (one, other) = (world.bus.dispatch(grace()).await, world.bus.dispatch(grace()).await);
        assert_ne!(one.unwrap().reply, other.unwrap().reply, "who chose no id has asked twice");
    });
}

/// Opens two accounts, and says so.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Command)]
#[command(name = "desk.open_two", reply = String, rejection = No)]
struct OpenTwo;

async fn open_two(handling: Handling, _: OpenTwo) -> Result<String, DispatchError<No>> {
    let to = vec!["ada".to_owned(), "grace".to_owned()];
    let sum = handling.dispatch(Scatter { to, amount: 7 }).await?;
    handling.dispatch(deposit("fees", 1)).await?;
    handling.dispatch(deposit("fees", 2)).await?;
    Ok(format!("opened with {sum}"))
}

/// CM-14 for a function whose part is a function's: neither takes the other's parts, nor its reply, for its own.
#[test]
fn a_function_that_dispatches_to_a_function_is_told_apart_from_it() {
    run(async {
        let apps = [bank::app(), App::new("desk").command(open_two)];
        let world = World::with(&Arc::default(), &apps, settings()).await;
        for repeated in [false, true] {
            let done = world.bus.dispatch_with(OpenTwo, with_id(1)).await.unwrap();
            assert_eq!((done.reply.as_str(), done.repeated), ("opened with 14", repeated));
        }
        for (account, events) in [("ada", 1), ("grace", 1), ("fees", 2)] {
            assert_eq!(world.history(account).await.len(), events, "{account}");
        }
    });
}

/// Deposits once at each fork of a tree so deep, and says how often.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "desk.split", reply = i64, rejection = No)]
struct Split(u32);

async fn split(handling: Handling, Split(depth): Split) -> Result<i64, DispatchError<No>> {
    let Some(below) = depth.checked_sub(1) else { return Ok(0) };
    let left = handling.dispatch(Split(below)).await?;
    handling.dispatch(deposit("ada", depth.into())).await?;
    Ok(left + 1 + handling.dispatch(Split(below)).await?)
}

/// CM-14 for a function whose parts are commands of its own kind: the first of them, which has its id, and those with ids of their own.
#[test]
fn a_function_that_dispatches_to_itself_is_told_apart_from_it() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::with(&store, &[bank::app(), App::new("desk").command(split)], settings()).await;
        // At each of what it stores it is interrupted once; what was carried out is told again from then on.
        let done = loop {
            store.faults.fail_appends_after(1, 1);
            match world.bus.dispatch_with(Split(3), with_id(1)).await {
                Ok(done) => break done,
                Err(DispatchError::Unavailable { .. } | DispatchError::Timeout { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        };
        store.faults.fail_appends(0);
        let again = world.bus.dispatch_with(Split(3), with_id(1)).await.unwrap();
        assert_eq!((done.reply, again.reply, again.repeated), (7, 7, true));
        assert_eq!(world.history("ada").await.len(), 7);
        assert_eq!(world.balance("ada").await.unwrap().balance, 4 + 2 * 2 + 3);
    });
}

/// CM-14: given a function that was interrupted once it had dispatched, when it comes again, then it learns what it was answered; what comes
/// anew, or under no id of its caller's, was never dispatched.
#[test]
fn a_function_that_comes_again_learns_what_it_was_answered() {
    async fn resume(handling: Handling, command: Open) -> Result<Uuid, DispatchError<No>> {
        let deposit = deposit(&command.account, command.amount);
        let sum = match handling.done_before::<Deposit>().await? {
            Some(sum) => sum,
            None => handling.dispatch(deposit.clone()).await?,
        };
        // Of the next one nothing is known.
        assert_eq!(handling.done_before::<Deposit>().await?, None);
        handling.dispatch(deposit).await?;
        Ok(Uuid::from_u128(u128::try_from(sum).unwrap()))
    }
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::with(&store, &[bank::app(), App::new("desk").command(resume)], settings()).await;
        let ada = || Open { account: "ada".into(), amount: 2 };
        store.faults.fail_appends_after(1, 1);
        let half = world.bus.dispatch_with(ada(), with_id(1)).await;
        assert!(matches!(half, Err(DispatchError::Timeout { outcome: Outcome::Unknown, .. })), "{half:?}");
        world.bus.dispatch(deposit("ada", 10)).await.unwrap();
        let whole = world.bus.dispatch_with(ada(), with_id(1)).await.unwrap();
        assert_eq!((whole.reply, whole.repeated), (Uuid::from_u128(2), true), "the first deposit was of 2");
        assert_eq!(whole.position.map(|position| position.get()), Some(3));
        for options in [with_id(2), DispatchOptions::default()] {
            assert!(!world.bus.dispatch_with(ada(), options).await.unwrap().repeated);
        }
        assert_eq!(world.history("ada").await.len(), 3 + 2 * 2);
    });
}

/// Gives an account a name and an amount.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "desk.furnish", rejection = No)]
struct Furnish(String);

async fn furnish(handling: Handling, Furnish(account): Furnish) -> Result<(), DispatchError<No>> {
    handling.dispatch(Rename { account: account.clone(), name: "the first".into() }).await?;
    handling.dispatch(deposit(&account, 1)).await.map(|_| ())
}

/// CM-14: given a function whose part is a function's that was interrupted, when it comes again, then that part is not known as done, whatever
/// its own first part was answered; once it is done it is. Of what is kept without a name it is not known.
#[test]
fn what_a_part_of_a_part_was_answered_is_no_answer_to_the_part() {
    let known = Arc::<Mutex<Vec<Option<()>>>>::default();
    let heard = Arc::clone(&known);
    let begin = move |handling: Handling, Open { account, .. }: Open| {
        let heard = Arc::clone(&heard);
        async move {
            let known = handling.done_before::<Furnish>().await?;
            heard.lock().unwrap().push(known);
            if known.is_none() {
                handling.dispatch(Furnish(account)).await?;
            }
            Ok::<_, DispatchError<No>>(handling.fresh_id())
        }
    };
    run(async {
        let store = Arc::<Rigged>::default();
        let desk = App::new("desk").command(furnish).command(begin);
        let world = World::with(&store, &[bank::app(), desk], settings()).await;
        let ada = Open { account: "ada".into(), amount: 1 };
        // The name is stored; then the amount, and the reply of the part.
        for stored in 1..=2 {
            store.faults.fail_appends_after(stored, 1);
            let half = world.bus.dispatch_with(ada.clone(), with_id(1)).await;
            assert!(
                matches!(half, Err(DispatchError::Timeout { outcome: Outcome::Unknown, .. })),
                "{half:?}"
            );
        }
        assert!(world.bus.dispatch_with(ada.clone(), with_id(1)).await.unwrap().repeated);
        assert_eq!(*known.lock().unwrap(), [None, None, Some(())]);
        assert_eq!(world.history("ada").await.len(), 2);

        let (id, reply) = (CommandId(Uuid::from_u128(2)), Json::encode(&()).unwrap());
        let command = Some(CommandRecord { id, reply });
        world.bus.store().append(Append { command, ..Append::default() }).await.unwrap();
        let unknown = world.bus.dispatch_with(ada, with_id(2)).await;
        assert!(
            matches!(&unknown, Err(DispatchError::Failed { reason }) if reason.contains("its name")),
            "{unknown:?}"
        );
    });
}

/// CM-14: given a function that was refused a command, carried out another one in its place and was interrupted, when it comes again, then the
/// other's reply is none to the first: that is refused again, or, if it would not be now, is not carried out as well.
#[test]
fn a_command_in_the_place_of_another_one_is_told_apart_from_it() {
    async fn take(handling: Handling, Open { account, amount }: Open) -> Result<Uuid, DispatchError<No>> {
        match handling.dispatch(withdraw(&account, amount)).await {
            Err(DispatchError::Rejected(No::Insufficient { .. })) => {}
            other => return other.map(|_| Uuid::nil()),
        }
        handling.dispatch(deposit(&account, amount)).await?;
        Ok(Uuid::max())
    }
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::with(&store, &[bank::app(), App::new("desk").command(take)], settings()).await;
        for (id, account) in [(1, "ada"), (2, "grace")] {
            store.faults.fail_appends_after(1, 1);
            let open = Open { account: account.into(), amount: 2 };
            let half = world.bus.dispatch_with(open.clone(), with_id(id)).await;
            assert!(
                matches!(half, Err(DispatchError::Timeout { outcome: Outcome::Unknown, .. })),
                "{half:?}"
            );
            if id == 1 {
                world.bus.dispatch(withdraw(account, 2)).await.unwrap();
                assert_eq!(world.bus.dispatch_with(open, with_id(id)).await.unwrap().reply, Uuid::max());
                continue;
            }
            let other = world.bus.dispatch_with(open, with_id(id)).await;
            assert!(
                matches!(&other, Err(DispatchError::Failed { reason }) if reason.contains("bank.deposit")),
                "{other:?}"
            );
        }
        assert_eq!((world.history("ada").await.len(), world.history("grace").await.len()), (2, 1));
    });
}

/// When a part was stored and the next one cannot be, the failure must not say that nothing was stored.
#[test]
fn a_command_that_stops_half_way_says_so() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = World::over(&store).await;
        world.bus.dispatch(deposit("ada", 10)).await.unwrap();
        store.faults.fail_appends(1);
        let none = world.bus.dispatch_with(transfer(&["grace"], 4), with_id(1)).await;
        assert!(matches!(none, Err(DispatchError::Unavailable { .. })), "{none:?}");
        store.faults.fail_appends_after(1, 1);
        let half = world.bus.dispatch_with(transfer(&["grace"], 4), with_id(1)).await;
        assert_eq!(half, Err(DispatchError::Timeout { command: "bank.transfer", outcome: Outcome::Unknown }));
        assert_eq!(world.history("ada").await.len(), 2);
        // The same id finishes it.
        assert_eq!(world.bus.dispatch_with(transfer(&["grace"], 4), with_id(1)).await.unwrap().reply, 6);
        assert_eq!((world.history("ada").await.len(), world.history("grace").await.len()), (2, 1));
    });
}

/// CM-11 for queries: a panic or a handler that never answers is that caller's typed error, and nobody else's.
#[test]
fn a_query_that_panics_or_hangs_concerns_its_caller_only() {
    run(async {
        let host = umbel_host::HostSettings { in_flight_max: 2, ..settings() };
        let world = World::with(&Arc::default(), &[bank::app()], host).await;
        for _ in 0..5 {
            let error = world.bus.ask(Broken { hang: false }).await.unwrap_err();
            assert!(matches!(error, AskError::Unavailable { .. }), "{error:?}");
        }
        // More than the host's places: calls nobody waits for any longer give theirs back.
        for _ in 0..5 {
            let error = world.bus.ask_within(Broken { hang: true }, SHORT).await.unwrap_err();
            assert!(matches!(error, AskError::Timeout { .. }), "{error:?}");
        }
        let error = world.bus.ask(Broken { hang: false }).await.unwrap_err();
        assert!(matches!(error, AskError::Unavailable { .. }), "{error:?}");
        assert_eq!(world.bus.ask(GetBalance { account: "nobody".into() }).await, Ok(None));
        assert_eq!(world.supervisor.tree().snapshot().find("bank/bank.broken").unwrap().restarts, 0);
    });
}
