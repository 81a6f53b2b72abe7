//! Several consumers of one handler, which are told of one reset.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use umbel_core::store::ListSubscriptions;

use super::*;

/// How the two consumers behave.
#[derive(Default)]
struct Script {
    /// The first one that is told of a reset refuses, once the other one was told and has handled an event.
    refuses: AtomicBool,
    /// Whether who handles an event is held meanwhile.
    holds: watch::Sender<bool>,
    held: watch::Sender<u32>,
}

/// Two at a time, of one event each.
struct Pair {
    book: Arc<Book>,
    script: Arc<Script>,
}

impl EventHandler for Pair {
    const NAME: &'static str = Keeper::NAME;
    type Event = OnlyDeposits;
    type Error = String;

    fn options() -> HandlerOptions {
        HandlerOptions::default().concurrency(2).ahead(1).start(Start::Current)
    }

    async fn init(start: &HandlerStart) -> Result<Self, String> {
        Ok(Self { book: start.bus().common(), script: start.bus().common() })
    }

    async fn handle(&mut self, event: OnlyDeposits, _: &HandlerContext) -> Result<(), String> {
        let OnlyDeposits::Deposited(Deposited { amount }) = event;
        self.book.tell(Told::Handle(amount));
        let mut holds = self.script.holds.subscribe();
        let is_held = *holds.borrow_and_update();
        if is_held {
            self.script.held.send_modify(|held| *held += 1);
            holds.wait_for(|holds| !holds).await.unwrap();
        }
        Ok(())
    }

    async fn before_reset(&mut self, resets: u64) -> Result<(), String> {
        let handled = Book::handled(&self.book.all());
        self.book.tell(Told::Reset(resets, 0));
        if !self.script.refuses.swap(false, SeqCst) {
            return Ok(());
        }
        self.book.until(|told| resets_in(told).len() > 1).await;
        self.book.until_handled(handled + 1).await;
        Err("not yet".to_owned())
    }
}

/// Of which resets somebody was told.
fn resets_in(told: &[Told]) -> Vec<u64> {
    let resets = told.iter().filter_map(|one| match one {
        Told::Reset(resets, _) => Some(*resets),
        _ => None,
    });
    resets.collect()
}

async fn start(store: &Arc<Rigged>, refuses: bool) -> (World, Arc<Book>) {
    let bus = Bus::new(BusSettings::default());
    bus.common::<Script>().refuses.store(refuses, SeqCst);
    let book = bus.common::<Book>();
    let app = App::new("hooks").handler::<Pair>();
    (World::on(bus, store, &[bank::app(), app], settings()).await, book)
}

/// Deposits of more accounts than there are consumers.
async fn deposits(world: &World) {
    for account in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        world.bus.dispatch(deposit(account, 1)).await.unwrap();
    }
}

/// Of which resets they have been told when each of them has an event at hand.
async fn told_when_both_are_busy(world: &World, book: &Book) -> Vec<u64> {
    let script = world.bus.common::<Script>();
    script.holds.send_replace(true);
    deposits(world).await;
    script.held.subscribe().wait_for(|held| *held == 2).await.unwrap();
    let told = resets_in(&book.all());
    script.holds.send_replace(false);
    told
}

/// EH-12: given one of two consumers that refuses a reset while the other one accepts it and handles events, then the one is told again
/// before it handles any, and the other one is not.
#[test]
fn who_refuses_a_reset_is_told_again_also_when_another_one_has_accepted_it() {
    on_every_store(async |store| {
        let (world, book) = start(&store, false).await;
        deposits(&world).await;
        book.until_handled(8).await;
        world.stop().await;
        meanwhile(&store, reset).await;

        let (world, book) = start(&store, true).await;
        let restarts = || world.supervisor.tree().snapshot().find("hooks/hooks.keeper").unwrap().restarts;
        while restarts() == 0 {
            pause().await;
        }
        assert_eq!(told_when_both_are_busy(&world, &book).await, [1, 1, 1]);
        world.stop().await;

        let (world, book) = start(&store, false).await;
        assert!(told_when_both_are_busy(&world, &book).await.is_empty(), "it is stored");
        world.stop().await;
    });
}

/// EH-12: given two consumers that have had no event when one of them is told of a reset, whether that came before they began or after,
/// then the other one is told, too, before its first.
#[test]
fn who_had_no_event_yet_is_told_of_a_reset_that_another_one_has_accepted() {
    on_every_store(async |store| {
        let (world, book) = start(&store, false).await;
        world.bus.dispatch(deposit("ada", 1)).await.unwrap();
        book.until_handled(1).await;
        stored(&world, Pair::NAME, Place::new(1)).await;
        world.stop().await;

        meanwhile(&store, reset).await;
        let (world, book) = start(&store, false).await;
        book.until_handled(1).await;
        assert_eq!(told_when_both_are_busy(&world, &book).await, [1, 1]);
        let head = Place::from(*world.bus.head().borrow());
        stored(&world, Pair::NAME, head).await;
        world.stop().await;

        let (world, book) = start(&store, false).await;
        reset_to(&world, Start::After(Place::new(8))).await;
        book.until_handled(1).await;
        assert_eq!(told_when_both_are_busy(&world, &book).await, [2, 2]);
        world.stop().await;
    });
}

/// EH-12: given a subscription that is deleted after some resets, when the one that is opened under its name is reset before any event
/// comes, then the consumers are told of that.
#[test]
fn a_reset_of_a_subscription_made_anew_is_told() {
    on_every_store(async |store| {
        let (world, book) = start(&store, false).await;
        deposits(&world).await;
        book.until_handled(8).await;
        for _ in 0..2 {
            reset(&world).await;
        }
        book.until(|told| resets_in(told).contains(&2)).await;
        let subscription = || SubscriptionName::new(Pair::NAME).unwrap();
        perform(&world, Upkeep::DeleteSubscription { subscription: subscription() }).await;
        let anew = async || {
            let asked = ListSubscriptions { name: Some(subscription()), after: None, limit: 1 };
            !world.bus.store().list_subscriptions(asked).await.unwrap().is_empty()
        };
        while !anew().await {
            pause().await;
        }
        let before = book.all().len();
        reset(&world).await;
        book.until(|told| Book::handled(&told[before..]) > 0).await;
        assert_eq!(resets_in(&book.all()[before..before + 1]), [1]);
        world.stop().await;
    });
}
