//! What handlers are told beside their events: that they are reset, and what is stored.

mod several;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;
use umbel_bus::{Bus, BusSettings};
use umbel_core::{
    Place, RecordedEvent,
    store::Act as Upkeep,
    subscription::{Start, SubscriptionName},
};
use umbel_host::{
    App, EventHandler, Failure, HandlerContext, HandlerOptions, HandlerStart, Memory, Verdict, subscriptions,
};

use crate::{
    bank::{self, Deposited, OnlyDeposits, deposit},
    event_handlers::{perform, stored},
    stores::on_every_store,
    world::*,
};

/// Is skipped.
const BAD: i64 = 13;

/// Something a handler was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Begin,
    Handle(i64),
    /// How often it was reset, and how much it had handled.
    Reset(u64, u64),
    /// The positions.
    Committed(Vec<u64>),
}

/// What the handler of one bus was told, and how often it is to refuse resets.
#[derive(Default)]
struct Book {
    told: watch::Sender<Vec<Told>>,
    refusals: AtomicU32,
    panics: Mutex<bool>,
}

impl Book {
    fn tell(&self, one: Told) {
        self.told.send_modify(|told| told.push(one));
    }

    fn all(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }

    fn but_commits(&self) -> Vec<Told> {
        self.all().into_iter().filter(|one| !matches!(one, Told::Committed(_))).collect()
    }

    fn committed(told: &[Told]) -> Vec<u64> {
        let committed = told.iter().filter_map(|one| match one {
            Told::Committed(positions) => Some(positions.clone()),
            _ => None,
        });
        committed.flatten().collect()
    }

    async fn until(&self, is_so: impl Fn(&[Told]) -> bool) {
        self.told.subscribe().wait_for(|told| is_so(told)).await.unwrap();
    }

    fn handled(told: &[Told]) -> usize {
        told.iter().filter(|one| matches!(one, Told::Handle(_))).count()
    }

    async fn until_handled(&self, count: usize) {
        self.until(|told| Self::handled(told) >= count).await;
    }

    async fn until_committed(&self, count: usize) {
        self.until(|told| Self::committed(told).len() >= count).await;
    }
}

struct Keeper {
    book: Arc<Book>,
    handled: u64,
}

impl EventHandler for Keeper {
    const NAME: &'static str = "hooks.keeper";
    const AFTER_COMMIT: bool = true;
    type Event = OnlyDeposits;
    type Error = String;

    fn options() -> HandlerOptions {
        HandlerOptions::default().checkpoint(1000, Duration::from_millis(5))
    }

    async fn init(start: &HandlerStart) -> Result<Self, String> {
        let book = start.bus().common::<Book>();
        book.tell(Told::Begin);
        Ok(Self { book, handled: 0 })
    }

    async fn handle(&mut self, event: OnlyDeposits, _: &HandlerContext) -> Result<(), String> {
        let OnlyDeposits::Deposited(Deposited { amount }) = event;
        if amount == BAD {
            return Err("bad".to_owned());
        }
        self.handled += 1;
        self.book.tell(Told::Handle(amount));
        Ok(())
    }

    async fn before_reset(&mut self, resets: u64) -> Result<(), String> {
        self.book.tell(Told::Reset(resets, self.handled));
        let left = &self.book.refusals;
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err("not yet".to_owned()),
            Err(_) => Ok(()),
        }
    }

    async fn after_commit(&mut self, events: Vec<Arc<RecordedEvent>>) {
        let positions = events.iter().map(|event| event.position.get()).collect();
        self.book.tell(Told::Committed(positions));
        let panics = std::mem::take(&mut *self.book.panics.lock().unwrap());
        assert!(!panics, "told to panic");
    }

    fn on_error(_: &Failure<'_, String>, _: &mut Memory) -> Verdict {
        Verdict::Skip
    }
}

async fn start(store: &Arc<Rigged>) -> (World, Arc<Book>) {
    let bus = Bus::new(BusSettings::default());
    let book = bus.common::<Book>();
    let app = App::new("hooks").handler::<Keeper>();
    (World::on(bus, store, &[bank::app(), app], settings()).await, book)
}

async fn deposits(world: &World, amounts: &[i64]) {
    for amount in amounts {
        world.bus.dispatch(deposit("ada", *amount)).await.unwrap();
    }
}

async fn reset(world: &World) {
    reset_to(world, Start::Origin).await;
}

async fn reset_to(world: &World, start: Start) {
    let subscription = SubscriptionName::new(Keeper::NAME).unwrap();
    perform(world, Upkeep::ResetSubscription { subscription, start }).await;
}

/// Does something while nobody runs the handler.
async fn meanwhile(store: &Arc<Rigged>, act: impl AsyncFnOnce(&World)) {
    let world = World::with(store, &[bank::app()], settings()).await;
    act(&world).await;
    world.stop().await;
}

/// EH-12: given a reset, then the handler is told before anything comes again, and begins anew after that; one that refuses fails, and is
/// told again, before it is given anything.
#[test]
fn a_handler_is_told_of_a_reset_before_events_come_again() {
    on_every_store(async |store| {
        let (world, book) = start(&store).await;
        deposits(&world, &[1, 2, 3]).await;
        book.until_handled(3).await;
        stored(&world, Keeper::NAME, Place::new(3)).await;
        reset(&world).await;
        book.until_handled(6).await;
        let first = [Told::Begin, Told::Handle(1), Told::Handle(2), Told::Handle(3), Told::Reset(1, 3)];
        let again = [Told::Begin, Told::Handle(1), Told::Handle(2), Told::Handle(3)];
        assert_eq!(book.but_commits(), [&first[..], &again[..]].concat());

        stored(&world, Keeper::NAME, Place::new(3)).await;
        book.refusals.store(1, Ordering::SeqCst);
        reset(&world).await;
        book.until_handled(9).await;
        let refused = [Told::Reset(2, 3), Told::Begin, Told::Reset(2, 0)];
        assert_eq!(book.but_commits().split_off(9), [&refused[..], &again[..]].concat());
        world.stop().await;

        // It was told, which is stored.
        let (world, book) = start(&store).await;
        deposits(&world, &[4]).await;
        book.until_handled(1).await;
        assert_eq!(book.but_commits(), [Told::Begin, Told::Handle(4)]);
        world.stop().await;
    });
}

/// EH-12: given resets while nobody runs the handler, then it is told when it begins, once and before the first event, and not again when
/// it begins later.
#[test]
fn a_handler_is_told_of_resets_while_it_was_down() {
    on_every_store(async |store| {
        let (world, book) = start(&store).await;
        deposits(&world, &[1, 2]).await;
        book.until_handled(2).await;
        world.stop().await;
        meanwhile(&store, async |world| {
            reset(world).await;
            reset(world).await;
        })
        .await;

        let (world, book) = start(&store).await;
        book.until_handled(2).await;
        let begun = [Told::Begin, Told::Reset(2, 0), Told::Begin];
        assert_eq!(book.but_commits(), [&begun[..], &[Told::Handle(1), Told::Handle(2)]].concat());
        // While it runs it is told as ever.
        reset(&world).await;
        book.until_handled(4).await;
        let again = [Told::Reset(3, 2), Told::Begin, Told::Handle(1), Told::Handle(2)];
        assert_eq!(book.but_commits().split_off(5), again);
        stored(&world, Keeper::NAME, Place::new(2)).await;
        world.stop().await;

        for amount in [3, 4] {
            let (world, book) = start(&store).await;
            deposits(&world, &[amount]).await;
            book.until_committed(1).await;
            assert_eq!(book.but_commits(), [Told::Begin, Told::Handle(amount)]);
            world.stop().await;
        }
    });
}

/// EH-12: given a reset while nobody runs a handler, and a log in which nothing is for it, then it has been told nothing when it has passed
/// that, and is told before the first event that is.
#[test]
fn a_handler_that_selects_few_events_is_told_before_the_first() {
    on_every_store(async |store| {
        let (world, book) = start(&store).await;
        deposits(&world, &[1000]).await;
        book.until_handled(1).await;
        world.stop().await;
        meanwhile(&store, async |world| reset_to(world, Start::Current).await).await;

        for _ in 0..2 {
            let (world, book) = start(&store).await;
            for _ in 0..5 {
                world.bus.dispatch(bank::withdraw("ada", 1)).await.unwrap();
            }
            let head = Place::from(*world.bus.head().borrow());
            stored(&world, Keeper::NAME, head).await;
            world.stop().await;
            assert_eq!(book.all(), [Told::Begin]);
        }
        let (world, book) = start(&store).await;
        deposits(&world, &[2]).await;
        book.until_handled(1).await;
        assert_eq!(book.but_commits(), [Told::Begin, Told::Reset(1, 0), Told::Begin, Told::Handle(2)]);
        world.stop().await;
    });
}

/// EH-12: given a handler that was told of a reset and ends before that is stored, then it is told once more, before anything is handled.
#[test]
fn a_handler_that_ends_before_its_reset_is_noted_is_told_again() {
    on_every_store(async |store| {
        let (world, book) = start(&store).await;
        deposits(&world, &[1]).await;
        book.until_handled(1).await;
        world.stop().await;
        meanwhile(&store, reset).await;

        // It crashes each time it has been told.
        store.subscriptions.notes_refused.store(u32::MAX, Ordering::SeqCst);
        let (world, book) = start(&store).await;
        book.until(|told| told.len() >= 4).await;
        world.stop().await;
        let told = book.all();
        assert!(
            told.starts_with(&[Told::Begin, Told::Reset(1, 0), Told::Begin, Told::Reset(1, 0)]),
            "{told:?}"
        );
        assert!(!told.iter().any(|one| matches!(one, Told::Handle(_))), "{told:?}");

        store.subscriptions.notes_refused.store(1, Ordering::SeqCst);
        let (world, book) = start(&store).await;
        book.until_handled(1).await;
        let told = [Told::Begin, Told::Reset(1, 0)];
        assert_eq!(book.but_commits(), [&told[..], &told, &[Told::Begin, Told::Handle(1)]].concat());
        world.stop().await;
    });
}

/// EH-12: given events that were handled, then the handler is told of them once their checkpoint is stored, in order and once, whatever
/// answers are lost; not of one that was skipped, and not before.
#[test]
fn a_handler_is_told_what_is_stored() {
    on_every_store(async |store| {
        let (world, book) = start(&store).await;
        deposits(&world, &[1]).await;
        book.until_committed(1).await;
        stored(&world, Keeper::NAME, Place::new(1)).await;

        store.subscriptions.down(true);
        deposits(&world, &[2, BAD, 3]).await;
        book.until_handled(3).await;
        let cannot_save = || {
            let view = subscriptions(&world.bus).into_iter().find(|view| view.name.as_str() == Keeper::NAME);
            view.and_then(|view| view.held_up).is_some_and(|why| why.contains("save"))
        };
        while !cannot_save() {
            pause().await;
        }
        assert_eq!(Book::committed(&book.all()), [1], "it is not stored");
        store.subscriptions.lost_saves.store(2, Ordering::SeqCst);
        store.subscriptions.down(false);
        book.until_committed(3).await;
        assert_eq!(Book::committed(&book.all()), [1, 2, 4]);
        stored(&world, Keeper::NAME, Place::new(4)).await;

        // What is saved when it stops is told as well.
        deposits(&world, &[4, 5]).await;
        book.until_handled(5).await;
        world.stop().await;
        assert_eq!(Book::committed(&book.all()), [1, 2, 4, 5, 6]);

        let (world, book) = start(&store).await;
        *book.panics.lock().unwrap() = true;
        deposits(&world, &[6]).await;
        book.until_committed(1).await;
        deposits(&world, &[7]).await;
        book.until_committed(2).await;
        assert_eq!(Book::committed(&book.all()), [7, 8], "nothing is told again");
        let begun = book.all().iter().filter(|one| **one == Told::Begin).count();
        assert_eq!(begun, 2, "it panicked over the first");
        assert_eq!(world.supervisor.tree().snapshot().find("hooks/hooks.keeper").unwrap().restarts, 0);
        world.stop().await;
    });
}
