//! Handlers of events: what they are given, when, and how often.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use umbel_core::{
    EventId, Metadata, Place,
    store::{Act as Upkeep, Perform},
    subscription::{Start, SubscriptionName},
};
use umbel_host::{App, HandlerOptions};

use crate::{
    bank::{self, deposit},
    probe::{Act, Journal, Note, Probe, probes, scripted},
    stores::on_every_store,
    world::*,
};

probes! {
    Plain "probe.plain" => HandlerOptions::default();
    Fresh "probe.fresh" => HandlerOptions::default().start(Start::Current);
    Three "probe.three" => HandlerOptions::default().concurrency(3).ahead(4);
    Keyed "probe.keyed" => HandlerOptions::default().concurrency(3)
        .key(|event| event.stream.id().chars().take(1).collect());
    Five "probe.five" => HandlerOptions::default().batch(5, Duration::ZERO);
    Patient "probe.patient" => HandlerOptions::default().batch(5, Duration::from_millis(20));
    Full "probe.full" => HandlerOptions::default().batch(5, Duration::from_secs(3600));
    All "probe.all" strong true => HandlerOptions::default().concurrency(2).batch(5, Duration::from_millis(5));
}

/// A world with the bank and this app, whose probes do as the script says, on a store of its own.
pub(crate) async fn with(app: App, script: impl Fn(&Note) -> Act + Send + 'static) -> (World, Arc<Journal>) {
    over(&Arc::default(), app, script).await
}

/// The same on a store that is there already.
pub(crate) async fn over(
    store: &Arc<Rigged>,
    app: App,
    script: impl Fn(&Note) -> Act + Send + 'static,
) -> (World, Arc<Journal>) {
    let bus = scripted(script);
    let journal = bus.common::<Journal>();
    (World::on(bus, store, &[bank::app(), app], settings()).await, journal)
}

fn app() -> App {
    App::new("probe")
}

async fn deposits(world: &World, accounts: &[&str], amounts: std::ops::RangeInclusive<i64>) {
    for amount in amounts {
        for account in accounts {
            world.bus.dispatch(deposit(account, amount)).await.unwrap();
        }
    }
}

fn amounts(notes: &[Note]) -> Vec<i64> {
    notes.iter().map(|note| note.amount).collect()
}

/// What was handled of each account, in order.
fn by_account(notes: &[Note]) -> BTreeMap<&str, Vec<i64>> {
    let mut by_account = BTreeMap::<_, Vec<i64>>::new();
    for note in notes {
        by_account.entry(&*note.account).or_default().push(note.amount);
    }
    by_account
}

/// EH-01: a handler from the start sees what was there and what comes, and nothing of it is a replay to it; one from now on sees what
/// comes. After a restart both go on where they were, and nothing is handled again.
#[test]
fn it_sees_old_events_and_new_ones_or_only_new_ones() {
    on_every_store(async |store| {
        let (world, _) = over(&store, app(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 1..=3).await;
        world.stop().await;

        let both = || app().handler::<Probe<Plain>>().handler::<Probe<Fresh>>();
        let (world, journal) = over(&store, both(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 4..=5).await;
        let done = journal.until_done(7).await;
        let of =
            |name| done.iter().filter(move |note: &&Note| note.handler == name).cloned().collect::<Vec<_>>();
        assert_eq!(amounts(&of("probe.plain")), [1, 2, 3, 4, 5]);
        assert_eq!(amounts(&of("probe.fresh")), [4, 5]);
        assert!(done.iter().all(|note| !note.replay && note.attempt == 1));
        world.stop().await;

        let (world, journal) = over(&store, both(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 6..=6).await;
        assert_eq!(amounts(&journal.until_done(2).await), [6, 6]);
        world.stop().await;
        assert_eq!(journal.done().len(), 2);
    });
}

/// EH-05: with concurrency n, so many events are handled at a time, each once; those of one stream in order, never two at a time.
#[test]
fn concurrent_consumers_share_the_events_and_keep_the_order_of_each_key() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().handler::<Probe<Three>>(), |_| Act::Wait).await;
        deposits(&world, &["a", "b", "c", "d"], 1..=10).await;
        let begun = journal.until_begun(3).await;
        assert_eq!((begun.len(), by_account(&begun).len()), (3, 3), "three at a time, of different streams");
        journal.open();
        let done = journal.until_done(40).await;
        for (account, amounts) in by_account(&done) {
            assert_eq!(amounts, (1..=10).collect::<Vec<_>>(), "{account}");
        }
        world.stop().await;
        assert_eq!(journal.begun().len(), 40);
    });
}

/// EH-05: with a key function, events of one key are handled in order, also those of several streams.
#[test]
fn a_key_function_says_what_is_handled_in_order() {
    run(async {
        let (world, journal) = with(app().handler::<Probe<Keyed>>(), |note| {
            if note.account.starts_with('a') { Act::Wait } else { Act::Handle }
        })
        .await;
        deposits(&world, &["a1", "a2", "b1"], 1..=5).await;
        journal.until_done(5).await;
        let waiting: Vec<_> =
            journal.begun().into_iter().filter(|note| note.account.starts_with('a')).collect();
        assert_eq!(waiting.len(), 1, "the key has one event in hand");
        journal.open();
        let done = journal.until_done(15).await;
        let of_a: Vec<_> = done.iter().filter(|note| note.account.starts_with('a')).collect();
        assert!(of_a.is_sorted_by_key(|note| note.position));
        world.stop().await;
    });
}

/// EH-07: with a batch size, what waits comes at once as a list of at most so many, and is handled as a whole.
#[test]
fn what_waits_comes_as_a_list() {
    run(async {
        let store = Arc::default();
        let (world, _) = over(&store, app(), |_| Act::Handle).await;
        deposits(&world, &["ada", "bob"], 1..=6).await;
        world.stop().await;
        let (world, journal) = over(&store, app().batch_handler::<Probe<Five>>(), |_| Act::Handle).await;
        let done = journal.until_done(12).await;
        let sizes: Vec<_> = done.iter().map(|note| note.together).collect();
        assert_eq!(sizes, [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 2, 2]);
        world.stop().await;
        let (world, journal) = over(&store, app().batch_handler::<Probe<Five>>(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 7..=7).await;
        assert_eq!(amounts(&journal.until_done(1).await), [7]);
        world.stop().await;
    });
}

/// EH-08: a batch that is not full waits for its time and no longer; a full one does not wait.
#[test]
fn a_batch_comes_when_it_is_full_or_when_its_time_has_come() {
    run(async {
        let (world, journal) = with(app().batch_handler::<Probe<Patient>>(), |_| Act::Handle).await;
        deposits(&world, &["ada", "bob", "eve"], 1..=1).await;
        // They come, though they fill no batch.
        journal.until_done(3).await;
        deposits(&world, &["ada", "bob", "eve"], 2..=11).await;
        let done = journal.until_done(33).await;
        assert!(done.iter().all(|note| note.together <= 5));
        for (account, amounts) in by_account(&done) {
            assert_eq!(amounts, (1..=11).collect::<Vec<_>>(), "{account}");
        }
        world.stop().await;

        let (world, journal) = with(app().batch_handler::<Probe<Full>>(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 1..=4).await;
        deposits(&world, &["bob"], 1..=6).await;
        let done = journal.until_done(10).await;
        assert!(done.iter().all(|note| note.together == 5), "{done:?}");
        world.stop().await;
    });
}

/// EH-06: concurrency, batches and strong consistency go together - others refuse that.
#[test]
fn concurrency_batches_and_strong_consistency_go_together() {
    run(async {
        let (world, journal) = with(app().batch_handler::<Probe<All>>(), |_| Act::Handle).await;
        let strong = || umbel_bus::DispatchOptions::default().strong();
        // Each caller waits for its own, while others are under way.
        let waits = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|account| {
            let world = &world;
            async move {
                for amount in 101..=120 {
                    world.bus.dispatch_with(deposit(account, amount), strong()).await.unwrap();
                }
            }
        });
        futures_util::future::join_all(waits).await;
        let done = journal.done();
        assert!(done.iter().any(|note| note.together > 1), "in batches: {done:?}");
        assert!(done.iter().all(|note| note.seen + 5 < 160), "no consumer alone: {done:?}");
        for (account, amounts) in by_account(&done) {
            assert_eq!(amounts, (101..=120).collect::<Vec<_>>(), "{account}");
        }
        for round in 1..=5 {
            let sends = ["a", "b", "c", "d"]
                .map(|account| world.bus.dispatch_with(deposit(account, round), strong()));
            for done in futures_util::future::join_all(sends).await {
                let position = done.unwrap().position.unwrap();
                assert!(journal.done().iter().any(|note| note.position == position), "{position}");
            }
        }
        world.stop().await;
        assert_eq!(journal.done().len(), 180);
    });
}

/// EH-09: what a handler knows is kept from event to event; when it begins again, after a panic or a restart, it knows nothing.
#[test]
fn what_it_knows_is_kept_until_it_begins_again() {
    run(async {
        let store = Arc::default();
        let app = || app().handler::<Probe<Plain>>();
        let (world, journal) = over(&store, app(), |note| match note {
            Note { amount: 4, attempt: 1, .. } => Act::Panic,
            _ => Act::Handle,
        })
        .await;
        deposits(&world, &["ada"], 1..=6).await;
        let done = journal.until_done(6).await;
        let seen: Vec<_> = done.iter().map(|note| (note.amount, note.seen)).collect();
        assert_eq!(seen, [(1, 0), (2, 1), (3, 2), (4, 0), (5, 1), (6, 2)]);
        world.stop().await;
        let (world, journal) = over(&store, app(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 7..=7).await;
        assert_eq!(journal.until_done(1).await[0].seen, 0);
        world.stop().await;
    });
}

/// EH-10: told to stop while it handles an event, it ends that one, and it is not handled again; those behind it come after the
/// restart.
#[test]
fn the_event_in_hand_is_ended_when_it_stops() {
    on_every_store(async |store| {
        let app = || app().handler::<Probe<Plain>>();
        let (world, journal) =
            over(&store, app(), |note| if note.amount == 2 { Act::Wait } else { Act::Handle }).await;
        deposits(&world, &["ada"], 1..=4).await;
        journal.until_begun(2).await;
        let opens = Arc::clone(&journal);
        let tree = world.supervisor.tree();
        let open = async move {
            tree.wait_until(|tree| !tree.find("probe/probe.plain").unwrap().is_up()).await;
            opens.open();
        };
        futures_util::future::join(world.stop(), open).await;
        assert_eq!(amounts(&journal.done()), [1, 2]);
        let (world, journal) = over(&store, app(), |_| Act::Handle).await;
        assert_eq!(amounts(&journal.until_done(2).await), [3, 4]);
        world.stop().await;
        assert_eq!(amounts(&journal.done()), [3, 4]);
    });
}

/// EH-11: when the store loses its answers or is away for a while, the handler goes on by itself, without a further append.
#[test]
fn it_goes_on_when_the_store_is_back() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().handler::<Probe<Plain>>(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 1..=3).await;
        journal.until_done(3).await;
        store.subscriptions.down(true);
        deposits(&world, &["ada"], 4..=6).await;
        journal.until_done(6).await;
        store.subscriptions.lost_saves.store(2, std::sync::atomic::Ordering::SeqCst);
        store.subscriptions.down(false);
        stored(&world, "probe.plain", Place::new(6)).await;
        world.stop().await;
        assert_eq!(amounts(&journal.done()), [1, 2, 3, 4, 5, 6]);
    });
}

/// EH-12: when an operator resets it, all events come again from where it is reset to, to a handler that begins anew. It is told which
/// of them it had handled before: not what is new to it, and not what comes again for another reason.
#[test]
fn after_a_reset_all_events_come_again() {
    on_every_store(async |store| {
        let (world, journal) = over(&store, app().handler::<Probe<Plain>>(), |_| Act::Handle).await;
        deposits(&world, &["ada"], 1..=3).await;
        journal.until_done(3).await;
        stored(&world, "probe.plain", Place::new(3)).await;
        let subscription = SubscriptionName::new("probe.plain").unwrap();
        let act = Upkeep::ResetSubscription { subscription, start: Start::After(Place::new(1)) };
        perform(&world, act).await;
        journal.until_done(5).await;
        deposits(&world, &["ada"], 4..=4).await;
        journal.until_done(6).await;
        stored(&world, "probe.plain", Place::new(4)).await;
        world.stop().await;

        let (world, journal_after) = over(&store, app().handler::<Probe<Plain>>(), |_| Act::Handle).await;
        let subscription = SubscriptionName::new("probe.plain").unwrap();
        perform(&world, Upkeep::ResetSubscription { subscription, start: Start::Origin }).await;
        journal_after.until_done(4).await;
        world.stop().await;
        let told = |notes: Vec<Note>| -> Vec<_> {
            notes.into_iter().map(|note| (note.amount, note.seen, note.replay)).collect()
        };
        let first = [(1, 0, false), (2, 1, false), (3, 2, false)];
        let again = [(2, 0, true), (3, 1, true), (4, 2, false)];
        assert_eq!(told(journal.done()), [first, again].concat());
        let all = [(1, 0, true), (2, 1, true), (3, 2, true), (4, 3, true)];
        assert_eq!(told(journal_after.done()), all);
    });
}

/// Does an act of upkeep.
pub(crate) async fn perform(world: &World, act: Upkeep) -> u64 {
    let id = EventId(umbel_bus::edge::fresh_id());
    let request = Perform { id, act, metadata: Metadata::default() };
    world.bus.store().perform(request).await.unwrap().events
}

/// Waits until so much is saved.
pub(crate) async fn stored(world: &World, name: &str, place: Place) {
    let store = world.bus.store();
    loop {
        let name = SubscriptionName::new(name).unwrap();
        let request = umbel_core::store::ListSubscriptions { name: Some(name), after: None, limit: 1 };
        let found = store.list_subscriptions(request).await.unwrap().pop();
        if found.is_some_and(|found| found.partitions.iter().all(|one| one.checkpoint >= place)) {
            return;
        }
        tokio::task::yield_now().await;
    }
}
