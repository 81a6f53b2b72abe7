//! Process managers: what goes wrong, with their code, with their commands, and with whoever runs them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use umbel_bus::edge;
use umbel_core::{
    Cue, Place, Reaction,
    process_manager::{Origin, Settled, Step, Task, decide, settle},
    store::{Act as Upkeep, LetterFilter, ListLetters},
    subscription::SubscriptionName,
};
use umbel_host::HostSettings;
use uuid::Uuid;

use crate::{
    bank,
    event_handlers::{perform, stored},
    processes::{over, soon, strictly_over},
    stores::on_every_store,
    talks::{
        Do, Failed, Hasty, LAST, PATIENT, Plain, Say, Talks, Way, amounts, app, failures, file, heard, said,
        say, until_amounts, until_failures, with_bank,
    },
    world::*,
};

const NAME: &str = "talks.plain";

fn restarts(world: &World, path: &str) -> u32 {
    world.supervisor.tree().snapshot().find(path).unwrap().restarts
}

async fn letters(world: &World) -> Vec<Place> {
    letters_of(world, NAME).await
}

async fn letters_of(world: &World, name: &str) -> Vec<Place> {
    let subscription = Some(SubscriptionName::new(name).unwrap());
    let filter = LetterFilter { subscription, ..LetterFilter::default() };
    let letters =
        world.bus.store().list_letters(ListLetters { filter, after: None, limit: 100 }).await.unwrap();
    letters.into_iter().map(|letter| letter.place).collect()
}

/// PM-06: given a command that fails, then it is tried again alone, left out, left out with those behind it, or replaced, as is said; what
/// was noted is there at the next attempt.
#[test]
fn a_failed_command_is_decided_over() {
    run(async {
        let world = over(&Arc::default(), &with_bank::<Plain>()).await;
        let acts = [Do::Deposit(1), Do::Withdraw(100), Do::Deposit(2), Do::Deposit(3)];
        let tries = [Say::Retry(1), Say::Retry(0), Say::Skip];
        say(&world, "s", said(Way::Start, &["f1"], &acts).verdicts(&tries)).await;
        say(&world, "s", said(Way::Start, &["f2"], &acts).verdicts(&[Say::SkipRest])).await;
        say(&world, "s", said(Way::Start, &["f3"], &acts).verdicts(&[Say::Instead(40)])).await;
        let last = say(&world, "s", said(Way::Start, &["f1", "f2", "f3"], &[Do::Deposit(7)])).await;
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "f1").await, [1, 2, 3, 7]);
        assert_eq!(amounts(&world, "f2").await, [1, 7]);
        assert_eq!(amounts(&world, "f3").await, [1, 40, 7]);
        let told = failures("f1");
        assert_eq!(
            told.iter().map(|one| (one.attempt, one.noted)).collect::<Vec<_>>(),
            [(1, None), (2, Some(1)), (3, Some(2))]
        );
        assert!(
            told[0].error.contains("bank.withdraw") && told[0].error.contains("Insufficient"),
            "{told:?}"
        );
        assert_eq!((told[0].heard, told[0].pending), (Some(1), 2), "with the event it follows from");
        for instance in ["f1", "f2", "f3"] {
            assert!(file::<Plain>(&world, instance).await.unwrap().pending.is_empty());
        }
        world.stop().await;
    });
}

/// PM-06: given a command that is left out, when the process ends before those behind it are carried out, then it stays left out.
#[test]
fn what_is_left_out_stays_so() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let acts = [Do::Withdraw(10), Do::Deposit(1), Do::Withdraw(20)];
        let tried = failures("l").len();
        say(&world, "s", said(Way::Start, &["l"], &acts).verdicts(&[Say::SkipAllButLast(1)])).await;
        until_failures("l", tried + 3).await;
        assert_eq!(amounts(&world, "l").await, [1]);
        world.stop().await;
        let world = over(&store, &with_bank::<Plain>()).await;
        world.bus.dispatch(bank::deposit("l", 100)).await.unwrap();
        until_amounts(&world, "l", &[1, 100, -20]).await;
        let last = say(&world, "s", said(Way::Start, &["l"], &[Do::Deposit(3)])).await;
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "l").await, [1, 100, -20, 3]);
        world.stop().await;
    });
}

/// PM-06, EH-15: given a command over which the process manager stops each time, then it is started again for as long as it takes, what is left
/// of the commands is carried out then, and what was before is not repeated. Nobody else is restarted.
#[test]
fn a_process_manager_that_stops_comes_again() {
    run(async {
        let world = strictly_over(&Arc::default(), &with_bank::<Plain>()).await;
        let acts = [Do::Deposit(1), Do::Withdraw(10), Do::Deposit(2)];
        let last = say(&world, "s", said(Way::Start, &["f4"], &acts).verdicts(&[Say::Stop])).await;
        until_failures("f4", 6).await;
        world.bus.dispatch(bank::deposit("f4", 9)).await.unwrap();
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "f4").await, [1, 9, -10, 2]);
        assert!(restarts(&world, "talks/talks.plain") >= 1);
        assert_eq!(restarts(&world, "bank/account"), 0);
        world.stop().await;
    });
}

/// PM-06, UX-07: given a command over which the event is parked, then what is left of its commands waits with the letter, instances go on
/// with events of other streams, and once the letter is asked for the rest is carried out.
#[test]
fn commands_wait_with_a_dead_letter() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        // Of tests over several stores the tries add up; so they are not counted.
        let acts = [Do::Deposit(1), Do::Withdraw(10), Do::Deposit(2)];
        let parked = say(&world, "s1", said(Way::Start, &["p"], &acts).verdicts(&[Say::Park])).await;
        let behind = say(&world, "s1", said(Way::Start, &["p"], &[Do::Deposit(3)])).await;
        let other = say(&world, "s2", said(Way::Start, &["p"], &[Do::Deposit(30)])).await;
        stored(&world, NAME, other).await;
        until_amounts(&world, "p", &[1, 30]).await;
        assert_eq!(letters(&world).await, [parked, behind]);
        world.stop().await;

        let world = over(&store, &with_bank::<Plain>()).await;
        let filter =
            LetterFilter { subscription: SubscriptionName::new(NAME).ok(), ..LetterFilter::default() };
        perform(&world, Upkeep::RetryLetters { filter, limit: 10 }).await;
        until_amounts(&world, "p", &[1, 30, -10, 2, 3]).await;
        while !letters(&world).await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(heard::<Plain>(&world, "p").await.unwrap(), ["3 acts", "1 acts", "1 acts"]);
        assert!(file::<Plain>(&world, "p").await.unwrap().pending.is_empty());
        world.stop().await;
    });
}

/// PM-14: given commands that wait with a dead letter, then they do for as long as it is there, whatever else concerns their instance; once
/// it is discarded, the next event leaves them out.
#[test]
fn commands_go_with_a_discarded_dead_letter() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let acts = [Do::Deposit(1), Do::Withdraw(10), Do::Deposit(2)];
        let parked = say(&world, "s1", said(Way::Start, &["d"], &acts).verdicts(&[Say::Park])).await;
        stored(&world, NAME, parked).await;
        let other = async |amount| {
            let other = say(&world, "s2", said(Way::Start, &["d"], &[Do::Deposit(amount)])).await;
            stored(&world, NAME, other).await;
            file::<Plain>(&world, "d").await.unwrap().pending
        };
        other(30).await;
        let pending = other(40).await;
        assert_eq!((pending.len(), pending[0].orders.len()), (1, 2), "{pending:?}");
        assert_eq!(letters(&world).await, [parked]);
        let filter =
            LetterFilter { subscription: SubscriptionName::new(NAME).ok(), ..LetterFilter::default() };
        perform(&world, Upkeep::DiscardLetters { filter, limit: 10 }).await;
        assert!(other(50).await.is_empty());
        assert_eq!(amounts(&world, "d").await, [1, 30, 40, 50]);
        world.stop().await;
    });
}

/// PM-06: given what cannot be stored in place of a failed command, then that goes to the policy, and nobody else notices.
#[test]
fn what_cannot_be_stored_instead_goes_to_the_policy() {
    run(async {
        let world = over(&Arc::default(), &with_bank::<Plain>()).await;
        let garbled = said(Way::Start, &["g"], &[Do::Withdraw(5)]).verdicts(&[Say::InsteadGarbled]);
        let parked = say(&world, "s1", garbled).await;
        let other = say(&world, "s2", said(Way::Start, &["g"], &[Do::Deposit(1)])).await;
        stored(&world, NAME, other).await;
        // As the settings say: tried again twice, then a dead letter.
        assert_eq!(letters(&world).await, [parked]);
        assert_eq!(failures("g").len(), 3);
        assert_eq!(amounts(&world, "g").await, [1]);
        assert_eq!(restarts(&world, "talks/talks.plain"), 0);
        world.stop().await;
    });
}

/// UX-07: given an event that cannot be routed, then those of its key that came along with it wait behind its dead letter.
#[test]
fn what_comes_with_an_event_that_cannot_be_routed_waits_behind_it() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let subscription = || SubscriptionName::new(NAME).unwrap();
        perform(&world, Upkeep::PauseSubscription { subscription: subscription() }).await;
        let parked = say(&world, "s1", said(Way::Panic, &["q"], &[]).verdicts(&[Say::Park])).await;
        let behind = say(&world, "s1", said(Way::Start, &["q"], &[Do::Deposit(3)])).await;
        let other = say(&world, "s2", said(Way::Start, &["q"], &[Do::Deposit(30)])).await;
        perform(&world, Upkeep::ResumeSubscription { subscription: subscription() }).await;
        stored(&world, NAME, other).await;
        assert_eq!(letters(&world).await, [parked, behind]);
        assert_eq!(amounts(&world, "q").await, [30]);
        world.stop().await;
    });
}

/// PM-07: given a panic of the author's code, wherever, then it goes to the policy with what it said and where, and nothing else notices.
#[test]
fn a_panic_is_a_cause() {
    run(async {
        let world = over(&Arc::default(), &with_bank::<Plain>()).await;
        let panics = |act| said(Way::Start, &["p7"], &[Do::Deposit(1), act]).verdicts(&[Say::Skip]);
        say(&world, "s", panics(Do::Panic)).await;
        say(&world, "s", panics(Do::PanicInEvolve)).await;
        say(&world, "s", said(Way::Panic, &["p7"], &[]).verdicts(&[Say::Retry(1), Say::Skip])).await;
        say(&world, "s", said(Way::Start, &["p7"], &[Do::Fail]).verdicts(&[Say::Skip])).await;
        let last = say(&world, "s", said(Way::Start, &["p7"], &[Do::Deposit(5)])).await;
        stored(&world, NAME, last).await;
        let told: Vec<_> = failures("p7").into_iter().map(|failed| failed.error).collect();
        assert!(told[0].contains("told to panic in handle") && told[0].contains("talks.rs:"), "{told:?}");
        assert!(told[1].contains("told to panic in evolve") && told[2] == "told to fail", "{told:?}");
        assert!(failures("nobody").iter().any(|failed| failed.error.contains("told to panic in route")));
        assert_eq!(amounts(&world, "p7").await, [5]);
        assert_eq!(restarts(&world, "talks/talks.plain"), 0);
        world.stop().await;
    });
}

/// PM-09: given a limit for an event, when it is not done with in time however often it is begun again, then it becomes a dead letter, and
/// what is left of its commands waits with it; without a limit it waits.
#[test]
fn an_event_may_not_take_for_ever() {
    on_every_store(async |store| {
        let world = over(&store, &[bank::app(), app::<Hasty>().include(app::<Plain>())]).await;
        let late = || {
            let late = |failed: &Failed| failed.error.contains("not done with within 500ms");
            failures("h").into_iter().filter(late).map(|failed| (failed.attempt, failed.pending))
        };
        let before = late().count();
        let acts = [Do::Deposit(1), Do::Withdraw(5), Do::Deposit(2)];
        let slow = said(Way::Start, &["h"], &acts).verdicts(&[Say::Always(20)]);
        let parked = say(&world, "s", slow).await;
        let other = say(&world, "t", said(Way::Ignore, &[], &[])).await;
        stored(&world, "talks.hasty", other).await;
        // As the settings say: tried again twice, then a dead letter.
        assert_eq!(late().skip(before).collect::<Vec<_>>(), [(1, 3), (2, 3), (3, 3)]);
        assert_eq!(letters_of(&world, "talks.hasty").await, [parked]);
        let pending = file::<Hasty>(&world, "h").await.unwrap().pending;
        assert!(matches!(&pending[..], [one] if one.parked), "{pending:?}");
        let tree = world.supervisor.tree().snapshot();
        assert!(
            ["hasty", "plain"].iter().all(|name| restarts(&world, &format!("talks/talks.{name}")) == 0),
            "{tree}"
        );

        world.bus.dispatch(bank::deposit("h", 10)).await.unwrap();
        stored(&world, NAME, other).await;
        let filter = LetterFilter {
            subscription: SubscriptionName::new("talks.hasty").ok(),
            ..LetterFilter::default()
        };
        perform(&world, Upkeep::RetryLetters { filter, limit: 10 }).await;
        while !letters_of(&world, "talks.hasty").await.is_empty() {
            tokio::task::yield_now().await;
        }
        // Two process managers: each command twice.
        let mut all = amounts(&world, "h").await;
        all.sort_unstable();
        assert_eq!(all, [-5, -5, 1, 1, 2, 2, 10]);
        world.stop().await;
    });
}

/// PM-09: given an event that takes too long and is left out then, then it counts as handled, and what is left of its commands is left
/// out, too.
#[test]
fn what_takes_too_long_is_left_out_if_so_said() {
    on_every_store(async |store| {
        let world = over(&store, &[bank::app(), app::<Hasty>()]).await;
        let acts = [Do::Deposit(1), Do::Withdraw(5), Do::Deposit(2)];
        let slow = said(Way::Start, &["h2"], &acts).verdicts(&[Say::SkipLate(20)]);
        say(&world, "s", slow).await;
        let undecided = said(Way::Start, &["h2"], &[Do::Fail]).verdicts(&[Say::SkipLate(20)]);
        say(&world, "s", undecided).await;
        let last = say(&world, "s", said(Way::Start, &["h2"], &[Do::Deposit(3)])).await;
        stored(&world, "talks.hasty", last).await;
        let amounts = amounts(&world, "h2").await;
        assert!(amounts.ends_with(&[3]) && !amounts.contains(&2) && !amounts.contains(&-5), "{amounts:?}");
        assert_eq!(heard::<Hasty>(&world, "h2").await.unwrap(), ["3 acts", "1 acts"]);
        assert!(file::<Hasty>(&world, "h2").await.unwrap().pending.is_empty());
        assert!(letters_of(&world, "talks.hasty").await.is_empty());
        world.stop().await;
    });
}

/// PM-10: given that an instance says stop after a command, then it is removed once its commands are carried out.
#[test]
fn an_instance_ends_after_a_command() {
    run(async {
        let world = over(&Arc::default(), &with_bank::<Plain>()).await;
        let acts = [Do::Timer(1, 3_600_000), Do::Deposit(LAST - 1), Do::Deposit(1), Do::Deposit(5)];
        let last = say(&world, "s", said(Way::Start, &["last"], &acts)).await;
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "last").await, [LAST - 1, 1, 5], "those that are left follow");
        assert!(file::<Plain>(&world, "last").await.is_none());
        world.stop().await;
    });
}

/// PM-10: given that an instance said stop after a command, when a later one waits with a dead letter, then it is removed once that is
/// carried out.
#[test]
fn an_end_is_not_forgotten_over_a_dead_letter() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let acts = [Do::Deposit(LAST), Do::Withdraw(LAST + 7)];
        let parked = say(&world, "s1", said(Way::Start, &["end"], &acts).verdicts(&[Say::Park])).await;
        let other = say(&world, "s2", said(Way::Ignore, &[], &[])).await;
        stored(&world, NAME, other).await;
        assert_eq!(letters(&world).await, [parked]);
        assert!(file::<Plain>(&world, "end").await.unwrap().pending[0].stop);
        world.bus.dispatch(bank::deposit("end", 100)).await.unwrap();
        let filter =
            LetterFilter { subscription: SubscriptionName::new(NAME).ok(), ..LetterFilter::default() };
        perform(&world, Upkeep::RetryLetters { filter, limit: 10 }).await;
        until_amounts(&world, "end", &[LAST, 100, -(LAST + 7)]).await;
        while file::<Plain>(&world, "end").await.is_some() {
            tokio::task::yield_now().await;
        }
        world.stop().await;
    });
}

/// PM-06: given commands that are tried again here, when another node settles them meanwhile, then what it has put in their place is
/// carried out, and not what was before. So it is for those of events and of timers.
#[test]
fn commands_that_another_node_has_settled_are_let_go() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        for (instance, act) in [("e", Do::Withdraw(5)), (PATIENT, Do::Timer(-5, 1))] {
            let retried = said(Way::Start, &[instance], &[act]).verdicts(&[Say::Always(1)]);
            say(&world, instance, retried).await;
            let pending = loop {
                let found = file::<Plain>(&world, instance).await;
                if let Some(pending) = found.as_ref().and_then(|file| file.pending.first()) {
                    break (pending.origin.cause, found.unwrap());
                }
                tokio::task::yield_now().await;
            };
            let before = failures(instance).len();
            until_failures(instance, before + 1).await;
            let (cause, found) = pending;
            let reaction = Reaction::command(bank::deposit(instance, 3));
            let instead = Settled::Instead { reaction: &reaction, stop: false };
            let settled = settle(&found, cause, &instead, Uuid::from_u128(4)).unwrap().unwrap();
            world.bus.store().append(settled.append).await.unwrap();
            until_amounts(&world, instance, &[3]).await;
            world.bus.dispatch(bank::deposit(instance, 5)).await.unwrap();
            let last = say(&world, instance, said(Way::Start, &[instance], &[Do::Deposit(1)])).await;
            stored(&world, NAME, last).await;
            assert_eq!(amounts(&world, instance).await, [3, 5, 1]);
            assert!(file::<Plain>(&world, instance).await.unwrap().pending.is_empty());
        }
        world.stop().await;
    });
}

/// PM-03: given that another node has ended an instance which this one remembers, then a strict start begins it, and is no error.
#[test]
fn strictness_is_about_what_is_stored() {
    on_every_store(async |store| {
        let world = over(&store, &with_bank::<Plain>()).await;
        let last = say(&world, "s", said(Way::Start, &["stale"], &[Do::Deposit(1)])).await;
        stored(&world, NAME, last).await;
        let kept = file::<Plain>(&world, "stale").await.unwrap();
        let ended = decide::<Talks<Plain>>(
            "stale",
            Some(&kept),
            &Task {
                kept_as: NAME,
                cue: Cue::Timer("elsewhere"),
                recorded: None,
                origin: Origin {
                    cause: Uuid::from_u128(5),
                    event: None,
                    correlation_id: Uuid::from_u128(7),
                    custom: BTreeMap::new(),
                    timer: true,
                },
                step: Step::Stop,
                strict: false,
                now: edge::now(),
                patience: Duration::ZERO,
            },
        );
        world.bus.store().append(ended.unwrap().append).await.unwrap();
        let begins = said(Way::StartStrictly, &["stale"], &[Do::Deposit(2)]).verdicts(&[Say::Skip]);
        let last = say(&world, "s", begins).await;
        stored(&world, NAME, last).await;
        assert_eq!(amounts(&world, "stale").await, [1, 2]);
        assert!(failures("stale").is_empty());
        world.stop().await;
    });
}

/// PM-12, UX-06: given a crash between the append and its commands, or between the commands and the word that they are done, then they are
/// carried out once.
#[test]
fn a_crash_at_any_point_doubles_nothing() {
    on_every_store(async |store| {
        // Nobody there who could carry them out.
        let world = over(&store, &[app::<Plain>()]).await;
        let acts = [Do::Deposit(1), Do::Deposit(2)];
        let tries = [Say::Always(1)];
        let last = say(&world, "s", said(Way::Start, &["k"], &acts).verdicts(&tries)).await;
        while file::<Plain>(&world, "k").await.is_none() {
            tokio::task::yield_now().await;
        }
        world.stop().await;

        // And nobody lives to say that they are done.
        store.refuse_settling(true);
        let world = over(&store, &with_bank::<Plain>()).await;
        until_amounts(&world, "k", &[1, 2]).await;
        world.stop().await;
        store.refuse_settling(false);

        let world = over(&store, &with_bank::<Plain>()).await;
        assert_eq!(file::<Plain>(&world, "k").await.unwrap().pending.len(), 1, "so it did crash");
        stored(&world, NAME, last).await;
        let next = say(&world, "s", said(Way::ProceedStrictly, &["k"], &[Do::Deposit(3)])).await;
        stored(&world, NAME, next).await;
        assert_eq!(amounts(&world, "k").await, [1, 2, 3]);
        let kept = file::<Plain>(&world, "k").await.unwrap();
        assert!(kept.pending.is_empty());
        assert_eq!(heard::<Plain>(&world, "k").await.unwrap().len(), 2);
        world.stop().await;
    });
}

/// PM-12: given answers of the store that are lost, then what was stored is found, and nothing happens twice.
#[test]
fn lost_answers_double_nothing() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = over(&store, &with_bank::<Plain>()).await;
        let mut expected = Vec::new();
        for round in 1..=30 {
            // Not of the append of the event itself, which this test makes.
            let acts = [Do::Deposit(round), Do::Timer(-round, 3_600_000)];
            let last = say(&world, "s", said(Way::Start, &["l"], &acts).verdicts(&[Say::Always(1)])).await;
            store.faults.lose_answers(u32::try_from(round % 4).unwrap());
            stored(&world, NAME, last).await;
            store.faults.lose_answers(0);
            expected.push(round);
        }
        assert_eq!(amounts(&world, "l").await, expected);
        let kept = file::<Plain>(&world, "l").await.unwrap();
        assert_eq!((kept.timers.len(), kept.pending.len()), (30, 0));
        assert_eq!(heard::<Plain>(&world, "l").await.unwrap().len(), 30);
        world.stop().await;
    });
}

/// PM-12: given two nodes on one store of which one stops, and then another that comes, then each event has its effect once and in order.
#[test]
fn nodes_share_the_work_and_double_nothing() {
    on_every_store(async |store| {
        let host = HostSettings { process_patience_ms: 1, ..soon() };
        let one = World::with(&store, &with_bank::<Plain>(), host.clone()).await;
        let two = World::with(&store, &with_bank::<Plain>(), host.clone()).await;
        let tell = async |world: &World, from: i64| {
            let mut last = Place::START;
            for amount in from..from + 20 {
                let (id, acts) =
                    (format!("n{}", amount % 3), [Do::Deposit(amount), Do::Timer(1000 + amount, 1)]);
                last = say(world, &id, said(Way::Start, &[&id], &acts)).await;
            }
            last
        };
        tell(&one, 1).await;
        one.stop().await;
        let three = World::with(&store, &with_bank::<Plain>(), host).await;
        let last = tell(&two, 21).await;
        stored(&three, NAME, last).await;
        for number in 0..3_i64 {
            let id = format!("n{number}");
            let own: Vec<_> = (1..41).filter(|amount| amount % 3 == number).collect();
            let count = own.len() * 2;
            while amounts(&three, &id).await.len() < count {
                tokio::task::yield_now().await;
            }
            let (timers, events): (Vec<_>, Vec<_>) =
                amounts(&three, &id).await.into_iter().partition(|amount| *amount > 1000);
            assert_eq!((events, timers.len()), (own.clone(), own.len()));
            assert_eq!(heard::<Plain>(&three, &id).await.unwrap().len(), count);
        }
        two.stop().await;
        three.stop().await;
    });
}
