//! Events that cannot be handled: what becomes of them, and of those behind them.

mod for_ever;

use std::{
    fmt::Display,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use umbel_core::{
    EventId, ExpectedVersion, Json, Metadata, NewEvent, StreamName,
    store::{Act as Upkeep, Append, Letter, LetterFilter, ListLetters},
    subscription::SubscriptionName,
};
use umbel_host::{
    App, Cause, Failure, FailurePolicy, HandlerOptions, HostSettings, OnFailure, Pauses,
    SubscriptionSettings, Verdict,
};
use umbel_supervision::TreeNode;

use crate::{
    bank::{self, deposit},
    event_handlers::{perform, stored},
    probe::{Act, Journal, Note, Probe, parks_after, pauses, probes, scripted},
    stores::on_every_store,
    world::*,
};

probes! {
    Parking "failing.parking" => parks_after(2);
    Backing "failing.backing" => HandlerOptions::default().on_failure(FailurePolicy::Backoff(pauses()));
    Unsaid "failing.unsaid" => HandlerOptions::default();
    Other "failing.other" => HandlerOptions::default();
    Pair "failing.pair" => HandlerOptions::default().concurrency(2).ahead(3);
    Batches "failing.batches" => parks_after(0).batch(10, Duration::from_millis(5));
}

async fn over(
    store: &Arc<Rigged>,
    app: App,
    script: impl Fn(&Note) -> Act + Send + 'static,
) -> (World, Arc<Journal>) {
    by(store, app, OnFailure::Park, script).await
}

async fn by(
    store: &Arc<Rigged>,
    app: App,
    on_failure: OnFailure,
    script: impl Fn(&Note) -> Act + Send + 'static,
) -> (World, Arc<Journal>) {
    let bus = scripted(script);
    let journal = bus.common::<Journal>();
    let subscriptions = SubscriptionSettings {
        on_failure,
        retries_max: 2,
        retry_min_ms: 1,
        retry_max_ms: 4,
        ..Default::default()
    };
    let host = HostSettings { subscriptions, ..settings() };
    // One that is restarted more than once takes its app down, and with it everything.
    (World::under(strict(), bus, store, &[bank::app(), app], host).await, journal)
}

fn app() -> App {
    App::new("failing")
}

async fn write(world: &World, deposits: &[(&str, i64)]) {
    for (account, amount) in deposits {
        world.bus.dispatch(deposit(account, *amount)).await.unwrap();
    }
}

async fn letters(world: &World, name: &str) -> Vec<Letter> {
    let subscription = Some(SubscriptionName::new(name).unwrap());
    let filter = LetterFilter { subscription, ..LetterFilter::default() };
    world.bus.store().list_letters(ListLetters { filter, after: None, limit: 100 }).await.unwrap()
}

pub(crate) async fn until_letters(world: &World, name: &str, count: usize) -> Vec<Letter> {
    loop {
        let found = letters(world, name).await;
        if found.len() == count {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

fn told(notes: &[Note]) -> Vec<(&str, i64)> {
    notes.iter().map(|note| (&*note.account, note.amount)).collect()
}

fn restarts(tree: &TreeNode, path: &str) -> u32 {
    tree.find(path).unwrap().restarts
}

/// EH-02: an error, a panic of the handler and one of its own verdict all reach the verdict with reason and event, and none of them
/// takes the worker down. The words of the error, of the panic too, stay with the dead letter.
#[test]
fn whatever_goes_wrong_has_a_verdict_and_a_reason() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().handler::<Probe<Parking>>(), |note| match note.amount {
            1 => Act::Fail,
            2 => Act::Panic,
            3 => Act::FailAndPanicOverIt,
            _ => Act::Handle,
        })
        .await;
        write(&world, &[("a", 1), ("b", 2), ("c", 3), ("d", 4)]).await;
        let letters = until_letters(&world, "failing.parking", 3).await;
        let errors: Vec<_> = letters.iter().map(|letter| &*letter.failure.as_ref().unwrap().error).collect();
        assert_eq!(errors[0], "broken by 1");
        assert!(errors[1].starts_with("panicked: told to panic over 2"), "{errors:?}");
        let both = errors[2].starts_with("broken by 3; ") && errors[2].contains("told to panic in on_error");
        assert!(both, "{errors:?}");
        for letter in &letters {
            assert_eq!(letter.failure.as_ref().unwrap().attempts, 3);
        }
        assert_eq!(told(&journal.until_done(1).await), [("d", 4)]);
        assert_eq!(restarts(&world.supervisor.tree().snapshot(), "failing/failing.parking"), 0);
        world.stop().await;
    });
}

/// EH-03: retry repeats with what was noted before, a delayed one waits while others do not, skip goes on - nonsense cannot be said.
#[test]
fn a_verdict_is_carried_out() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().handler::<Probe<Backing>>(), |note| match note {
            Note { amount: 1, attempt: ..3, .. } => {
                Act::FailWith(Verdict::Retry { after: Duration::from_millis(1) })
            }
            Note { amount: 2, .. } => Act::FailWith(Verdict::Skip),
            Note { amount: 3, attempt: 1, .. } => {
                Act::FailWith(Verdict::Retry { after: Duration::from_millis(1500) })
            }
            _ => Act::Handle,
        })
        .await;
        write(&world, &[("a", 1), ("b", 2), ("b", 20)]).await;
        let done = journal.until_done(2).await;
        assert!(done.iter().any(|note| (note.amount, note.attempt) == (1, 3)), "{done:?}");
        assert!(done.iter().any(|note| note.amount == 20));
        assert_eq!(
            journal.memories().into_iter().filter(|(attempt, _)| *attempt > 1).collect::<Vec<_>>(),
            [(2, 1)]
        );

        write(&world, &[("c", 3), ("c", 30), ("d", 4)]).await;
        let done = journal.until_done(5).await;
        assert_eq!(told(&done[2..]), [("d", 4), ("c", 3), ("c", 30)]);
        let last = done.last().unwrap().place;
        stored(&world, "failing.backing", last).await;
        assert!(letters(&world, "failing.backing").await.is_empty());
        world.stop().await;
    });
}

/// EH-03, EH-11, EH-14: a handler that says stop fails with its reason, also one consumer of several; it is restarted, and the
/// event that was not handled comes again. Other handlers do not notice.
#[test]
fn who_says_stop_is_restarted_and_skips_nothing() {
    on_every_store(async |store| {
        let app = app().handler::<Probe<Pair>>().handler::<Probe<Other>>();
        let stopped = AtomicBool::default();
        let (world, journal) = over(&store, app, move |note| match note {
            Note { handler: "failing.pair", amount: 3, .. } if !stopped.swap(true, SeqCst) => {
                Act::FailWith(Verdict::Stop { reason: "had enough".into() })
            }
            _ => Act::Handle,
        })
        .await;
        write(&world, &[("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5), ("b", 6)]).await;
        let of = |name: &'static str| move |note: &&Note| note.handler == name;
        journal.until_done(12).await;
        world
            .supervisor
            .tree()
            .wait_until(|tree| restarts(tree, "failing/failing.pair") == 1 && tree.is_up())
            .await;
        let tree = world.supervisor.tree().snapshot();
        assert_eq!(restarts(&tree, "failing/failing.other"), 0);
        let cause = format!("{tree}");
        assert!(cause.contains("had enough"), "{cause}");
        stored(&world, "failing.pair", umbel_core::Place::new(6)).await;
        world.stop().await;
        let done = journal.done();
        assert_eq!(done.iter().filter(of("failing.other")).count(), 6);
        for (account, amounts) in [("a", [1, 3, 5]), ("b", [2, 4, 6])] {
            let mut handled: Vec<_> = done
                .iter()
                .filter(of("failing.pair"))
                .filter(|note| note.account == account)
                .map(|note| note.amount)
                .collect();
            // What was done and not yet saved may come again, in order.
            handled.dedup();
            assert!(handled.ends_with(&amounts[1..]), "{account}: {handled:?}");
            assert!(amounts.iter().all(|amount| handled.contains(amount)), "{account}: {handled:?}");
        }
    });
}

/// EH-04: a handler without a policy of its own follows the settings: stop, try for ever, or park or skip after some attempts.
#[test]
fn the_settings_say_what_becomes_of_failures() {
    run(async {
        for policy in [OnFailure::Stop, OnFailure::Backoff, OnFailure::Park, OnFailure::Skip] {
            let script = |note: &Note| if note.amount == 1 { Act::Fail } else { Act::Handle };
            let (world, journal) =
                by(&Arc::default(), app().handler::<Probe<Unsaid>>(), policy, script).await;
            write(&world, &[("a", 1), ("b", 2)]).await;
            let tree = world.supervisor.tree();
            match policy {
                OnFailure::Stop => {
                    tree.wait_until(|tree| restarts(tree, "failing/failing.unsaid") > 2).await;
                    assert!(letters(&world, "failing.unsaid").await.is_empty());
                }
                OnFailure::Backoff => {
                    let begun = journal.until_begun(11).await;
                    assert!(begun.iter().any(|note| note.attempt > 9));
                    assert_eq!(told(&journal.done()), [("b", 2)]);
                }
                OnFailure::Park => {
                    until_letters(&world, "failing.unsaid", 1).await;
                    assert_eq!(journal.until_begun(4).await.iter().map(|note| note.attempt).max(), Some(3));
                    assert_eq!(restarts(&tree.snapshot(), "failing/failing.unsaid"), 0);
                }
                OnFailure::Skip => {
                    write(&world, &[("a", 3)]).await;
                    assert_eq!(told(&journal.until_done(2).await), [("b", 2), ("a", 3)]);
                    let attempts = journal.until_begun(5).await.iter().map(|note| note.attempt).max();
                    assert_eq!((attempts, letters(&world, "failing.unsaid").await.len()), (Some(3), 0));
                }
            }
            world.supervisor.shut_down().await;
        }
    });
}

/// What an app with an opinion of failures says, after it has noted who asked.
fn opinion(asked: &Arc<Mutex<Vec<&'static str>>>) -> impl Fn(&Failure<'_, dyn Display>) -> Verdict + use<> {
    let asked = Arc::clone(asked);
    move |failure| {
        asked.lock().unwrap().push(failure.handler);
        let error = failure.cause.to_string();
        match failure.cause {
            Cause::Panicked(_) => Verdict::Park,
            _ if error == "broken by 1" => Verdict::Skip,
            _ if error == "broken by 3" => panic!("told to panic over it"),
            _ if error == "broken by 7" => {
                let pauses = Pauses { min: Duration::from_millis(1), max: Duration::from_millis(2) };
                failure.by(FailurePolicy::Park { retries: 5, pauses })
            }
            _ if failure.attempt < 2 => Verdict::Retry { after: Duration::ZERO },
            _ => failure.policy.clone(),
        }
    }
}

/// EH-04: given an app that says what becomes of failures by error and event, then its handlers follow that; not those that say it
/// themselves, and not those of a part that says otherwise. A panic over it leaves it to the settings.
#[test]
fn an_app_says_what_becomes_of_failures() {
    run(async {
        let script = |note: &Note| match note.amount {
            1 | 3 | 4 | 7 => Act::Fail,
            2 => Act::Panic,
            _ => Act::Handle,
        };
        let (asked, other) = (Arc::default(), Arc::default());
        let part = App::new("part").handler::<Probe<Other>>().on_failure(opinion(&other));
        let app = app()
            .on_failure(opinion(&asked))
            .include(App::new("silent").handler::<Probe<Unsaid>>())
            .include(part)
            .handler::<Probe<Parking>>();
        let (world, journal) = by(&Arc::default(), app, OnFailure::Park, script).await;
        write(&world, &[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5), ("a", 6), ("f", 7)]).await;
        for name in ["failing.unsaid", "failing.other"] {
            let letters = until_letters(&world, name, 4).await;
            let told: Vec<_> = letters.iter().map(|letter| letter.failure.as_ref().unwrap()).collect();
            let attempts: Vec<_> = told.iter().map(|failure| failure.attempts).collect();
            // By the settings an event is tried again twice; by the policy for its class, five times.
            assert_eq!(attempts, [1, 3, 3, 6], "{name}");
            assert!(told[0].error.starts_with("panicked"), "{told:?}");
            assert!(told[1].error.contains("the app's policy panicked over it: told to"), "{told:?}");
        }
        until_letters(&world, "failing.parking", 6).await;
        let done = journal.until_done(5).await;
        let handled = |name: &str| done.iter().filter(|note| note.handler == name).count();
        assert_eq!(["failing.unsaid", "failing.other", "failing.parking"].map(handled), [2, 2, 1]);
        for (asked, who) in [(asked, "failing.unsaid"), (other, "failing.other")] {
            let asked = asked.lock().unwrap();
            assert!(!asked.is_empty() && asked.iter().all(|handler| *handler == who), "{asked:?}");
        }
        world.stop().await;
    });
}

/// UX-07: an event of key A that fails for good becomes a dead letter, those of A behind it wait there, B goes on; when the letters
/// are asked for again, those of A are handled in order. The store's answers may get lost meanwhile.
#[test]
fn behind_a_dead_letter_its_key_waits_and_no_other() {
    on_every_store(async |store| {
        let script = |note: &Note| if note.amount == 1 { Act::Fail } else { Act::Handle };
        let (world, journal) = over(&store, app().handler::<Probe<Parking>>(), script).await;
        store.subscriptions.lost_parks.store(1, SeqCst);
        write(&world, &[("a", 1), ("b", 10), ("a", 2), ("b", 20), ("a", 3)]).await;
        let parked = until_letters(&world, "failing.parking", 3).await;
        assert_eq!(
            parked.iter().map(|letter| letter.failure.is_some()).collect::<Vec<_>>(),
            [true, false, false]
        );
        assert!(parked.iter().all(|letter| letter.key_text == "account-a"));
        assert_eq!(told(&journal.until_done(2).await), [("b", 10), ("b", 20)]);
        stored(&world, "failing.parking", umbel_core::Place::new(5)).await;

        // Still broken: it stays the first, and the others behind it.
        let retry = || Upkeep::RetryLetters {
            filter: LetterFilter { failed: Some(true), ..LetterFilter::default() },
            limit: 10,
        };
        let tried = journal.begun().len();
        assert_eq!(perform(&world, retry()).await, 1);
        let again = journal.until_begun(tried + 1).await;
        assert_eq!((again[tried].letter, again[tried].attempt), (true, 4));
        loop {
            let found = letters(&world, "failing.parking").await;
            if found[0].failure.as_ref().unwrap().attempts == 4 {
                assert_eq!(found.len(), 3);
                break;
            }
            tokio::task::yield_now().await;
        }

        journal.tell(|_| Act::Handle);
        store.subscriptions.lost_settles.store(1, SeqCst);
        perform(&world, retry()).await;
        let done = journal.until_done(5).await;
        assert_eq!(told(&done[2..]), [("a", 1), ("a", 2), ("a", 3)]);
        until_letters(&world, "failing.parking", 0).await;
        write(&world, &[("a", 4)]).await;
        assert_eq!(told(&journal.until_done(6).await[5..]), [("a", 4)]);
        world.stop().await;
    });
}

/// UX-08: of the dead letters that a filter means so many are tried again as are asked for; a letter whose data were edited is handled
/// with these; a discarded one is gone, and what waited behind it comes.
#[test]
fn letters_are_retried_in_part_edited_and_discarded() {
    on_every_store(async |store| {
        let script = |note: &Note| if (1..10).contains(&note.amount) { Act::Fail } else { Act::Handle };
        let (world, journal) = over(&store, app().handler::<Probe<Parking>>(), script).await;
        write(&world, &[("a", 1), ("b", 2), ("c", 3), ("c", 30)]).await;
        let parked = until_letters(&world, "failing.parking", 4).await;
        let of = |place| LetterFilter { place: Some(place), ..LetterFilter::default() };
        let data = Some(Json::parse(r#"{"amount":100}"#).unwrap());
        let subscription = parked[0].subscription.clone();
        perform(&world, Upkeep::EditLetter { subscription, place: parked[0].place, data }).await;
        assert_eq!(
            perform(&world, Upkeep::RetryLetters { filter: LetterFilter::default(), limit: 1 }).await,
            1
        );
        assert_eq!(told(&journal.until_done(1).await), [("a", 100)]);
        perform(&world, Upkeep::DiscardLetters { filter: of(parked[2].place), limit: 1 }).await;
        assert_eq!(told(&journal.until_done(2).await)[1..], [("c", 30)]);
        let left = until_letters(&world, "failing.parking", 1).await;
        assert_eq!(left[0].place, parked[1].place);
        world.stop().await;
    });
}

/// An event of a newer program.
fn unreadable() -> NewEvent {
    NewEvent {
        id: EventId(umbel_bus::edge::fresh_id()),
        event_type: "bank.withdrawn/2".parse().unwrap(),
        data: Json::parse("{}").unwrap().into(),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
    }
}

/// An event that this program cannot read follows the same policy as any other that cannot be handled.
#[test]
fn an_unreadable_event_is_a_failure_like_any_other() {
    run(async {
        let (world, journal) =
            over(&Arc::default(), app().handler::<Probe<Parking>>(), |_| Act::Handle).await;
        let stream = StreamName::new("account-newer").unwrap();
        let append = Append::to_stream(stream, ExpectedVersion::Any, vec![unreadable()]);
        world.bus.store().append(append).await.unwrap();
        write(&world, &[("a", 1)]).await;
        let parked = until_letters(&world, "failing.parking", 1).await;
        assert!(parked[0].failure.as_ref().unwrap().error.contains("schema version"), "{parked:?}");
        assert_eq!(told(&journal.until_done(1).await), [("a", 1)]);
        world.stop().await;
    });
}

/// A batch with an event that this program cannot read is taken apart before anything of it is handled: what is before it of the same key
/// is handled once.
#[test]
fn a_batch_with_an_unreadable_event_is_taken_apart() {
    run(async {
        let (world, journal) =
            over(&Arc::default(), app().batch_handler::<Probe<Batches>>(), |_| Act::Handle).await;
        let mut append = foreign_deposit("a", 1);
        append.streams[0].events.push(unreadable());
        world.bus.store().append(append).await.unwrap();
        write(&world, &[("b", 2)]).await;
        until_letters(&world, "failing.batches", 1).await;
        stored(&world, "failing.batches", umbel_core::Place::new(3)).await;
        assert_eq!(journal.until_done(2).await.len(), 2);
        world.stop().await;
        let mut begun = journal.begun();
        begun.sort_by_key(|note| note.place);
        assert_eq!(told(&begun), [("a", 1), ("b", 2)]);
    });
}

/// A batch that fails is taken apart: the event at fault follows the policy, the others are handled.
#[test]
fn a_batch_that_fails_is_taken_apart() {
    run(async {
        let script = |note: &Note| match note.amount {
            3 => Act::Fail,
            5 if note.together > 1 => Act::Panic,
            _ => Act::Handle,
        };
        let (world, journal) = over(&Arc::default(), app().batch_handler::<Probe<Batches>>(), script).await;
        write(&world, &[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5), ("c", 6)]).await;
        until_letters(&world, "failing.batches", 2).await;
        stored(&world, "failing.batches", umbel_core::Place::new(6)).await;
        let mut done = journal.done();
        done.sort_by_key(|note| note.place);
        done.dedup_by_key(|note| note.place);
        assert!(told(&done).starts_with(&[("a", 1), ("b", 2)]));
        assert!(told(&done).contains(&("d", 4)) && !told(&done).contains(&("c", 6)), "{done:?}");
        world.stop().await;
    });
}
