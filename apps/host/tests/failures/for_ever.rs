//! Who fails each time, or cannot begin: it is started again for as long as it takes, and takes nobody along.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use umbel_bus::{Consistency, DispatchOptions};
use umbel_host::{DispatchError, EventHandler, HandlerContext, HandlerStart, subscriptions};
use umbel_supervision::State;

use super::*;
use crate::bank::Moved;

fn consistency(name: &str) -> DispatchOptions {
    DispatchOptions::default().consistency(Consistency::Named(vec![name.to_owned()]))
}

/// Awaits what nobody tells of.
async fn eventually<T>(look: impl Fn() -> Option<T>) -> T {
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        pause().await;
    }
}

/// Cannot begin before it is let in.
struct Locked;

/// Whether it is.
#[derive(Default)]
struct Door(AtomicBool);

impl EventHandler for Locked {
    const NAME: &'static str = "failing.locked";
    type Event = Moved;
    type Error = &'static str;

    async fn init(start: &HandlerStart) -> Result<Self, Self::Error> {
        let door = start.bus().common::<Door>();
        if door.0.load(SeqCst) { Ok(Self) } else { Err("locked out") }
    }

    async fn handle(&mut self, _: Moved, _: &HandlerContext) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why the handler is held up, as those learn who wait for it.
fn held_up(world: &World, name: &str) -> Option<String> {
    let progress = world.bus.progress().into_iter().find(|progress| progress.name == name).unwrap();
    progress.stand.held_up.borrow().clone()
}

/// EH-15: handlers that say stop each time, or cannot begin, are started again for as long as it takes, far beyond what their app
/// bears. Why is told; commands and other handlers go on. Once the reason is gone they go on where they were.
#[test]
fn who_fails_for_ever_takes_nobody_down() {
    run(async {
        let app = app().handler::<Probe<Pair>>().handler::<Locked>().handler::<Probe<Other>>();
        let broken = Arc::new(AtomicBool::new(true));
        let is_broken = Arc::clone(&broken);
        let (world, journal) = over(&Arc::default(), app, move |note| {
            if note.handler == "failing.pair" && is_broken.load(SeqCst) {
                return Act::FailWith(Verdict::Stop { reason: "had enough".into() });
            }
            Act::Handle
        })
        .await;
        write(&world, &[("a", 1)]).await;
        let stuck = ["failing.pair", "failing.locked"];
        let tree = world.supervisor.tree();
        tree.wait_until(|tree| stuck.iter().all(|name| restarts(tree, &format!("failing/{name}")) > 9)).await;
        write(&world, &[("b", 2)]).await;
        assert_eq!(told(&journal.until_done(2).await), [("a", 1), ("b", 2)]);
        let seen = tree.snapshot();
        assert_eq!(seen.state, State::Up, "{seen}");
        for up in ["bank", "failing", "failing/failing.other"] {
            assert_eq!((restarts(&seen, up), seen.find(up).unwrap().state), (0, State::Up), "{up}");
        }
        for (name, reason) in stuck.into_iter().zip(["had enough", "locked out"]) {
            // Also while it is being started again.
            let told = held_up(&world, name).unwrap();
            assert!(told.contains(name) && told.contains(reason), "{told}");
            let waits = consistency(name).deadline(LATE);
            let late = world.bus.dispatch_with(deposit("c", 3), waits).await;
            assert!(matches!(late, Err(DispatchError::NotYetVisible { .. })), "{late:?}");
        }

        broken.store(false, SeqCst);
        world.bus.common::<Door>().0.store(true, SeqCst);
        for name in stuck {
            world.bus.dispatch_with(deposit("d", 4), consistency(name)).await.unwrap();
        }
        let of_pair = |note: &&Note| note.handler == "failing.pair";
        let amounts: Vec<_> = journal.done().iter().filter(of_pair).map(|note| note.amount).collect();
        assert!([1, 2, 3, 4].iter().all(|amount| amounts.contains(amount)), "{amounts:?}");
        tree.wait_until(TreeNode::is_up).await;
        for name in stuck {
            eventually(|| held_up(&world, name).is_none().then_some(())).await;
        }
        world.stop().await;
    });
}

/// Cannot begin, and follows one stream.
struct OfOneStream;

impl EventHandler for OfOneStream {
    const NAME: &'static str = "failing.of_one_stream";
    type Event = Moved;
    type Error = &'static str;

    fn options() -> HandlerOptions {
        HandlerOptions::default().stream(StreamName::of("account", "a").unwrap())
    }

    async fn init(_: &HandlerStart) -> Result<Self, Self::Error> {
        Err("locked out")
    }

    async fn handle(&mut self, _: Moved, _: &HandlerContext) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// OP-18: given handlers that cannot begin, one of one stream among them, then why is told with their subscriptions.
#[test]
fn why_a_handler_is_held_up_is_told_with_its_subscription() {
    run(async {
        let app = app().handler::<Locked>().handler::<OfOneStream>();
        let (world, _) = over(&Arc::default(), app, |_| Act::Handle).await;
        write(&world, &[("a", 1)]).await;
        for name in ["failing.locked", "failing.of_one_stream"] {
            let told = eventually(|| {
                let view = subscriptions(&world.bus).into_iter().find(|view| view.name.as_str() == name);
                view?.held_up
            });
            assert!(told.await.contains("locked out"), "{name}");
        }
        world.bus.common::<Door>().0.store(true, SeqCst);
        world.bus.dispatch_with(deposit("d", 4), consistency("failing.locked")).await.unwrap();
        eventually(|| {
            let views = subscriptions(&world.bus);
            let view = views.iter().find(|view| view.name.as_str() == "failing.locked")?;
            view.held_up.is_none().then_some(())
        })
        .await;
        world.stop().await;
    });
}

/// EH-11, SU-10: given a store that is out when a handler begins, then it begins once the store is back, and gets what there is.
#[test]
fn a_handler_begins_when_its_store_is_back() {
    run(async {
        let (store, broken) = (Arc::<Rigged>::default(), Arc::new(AtomicBool::new(true)));
        let is_broken = Arc::clone(&broken);
        let (world, journal) = over(&store, app().handler::<Probe<Other>>(), move |_| {
            let stop = Verdict::Stop { reason: "had enough".into() };
            if is_broken.load(SeqCst) { Act::FailWith(stop) } else { Act::Handle }
        })
        .await;
        write(&world, &[("a", 1)]).await;
        let tree = world.supervisor.tree();
        let fails_with = |tree: &TreeNode, words: &str| {
            let cause = &tree.find("failing/failing.other").unwrap().last_cause;
            cause.as_ref().is_some_and(|cause| cause.contains(words))
        };
        tree.wait_until(|tree| fails_with(tree, "had enough")).await;
        let outage = store.faults.outage();
        broken.store(false, SeqCst);
        tree.wait_until(|tree| fails_with(tree, "has the store out")).await;
        outage.end();
        assert_eq!(told(&journal.until_done(1).await), [("a", 1)]);
        tree.wait_until(TreeNode::is_up).await;
        world.stop().await;
    });
}

/// SU-10 for projections: given a store that is out when one begins anew, then it waits for the store, and counts as one restart.
#[test]
fn a_projection_begins_when_its_store_is_back() {
    run(async {
        let store = Arc::<Rigged>::default();
        let (world, _) = over(&store, app(), |_| Act::Handle).await;
        write(&world, &[("a", 1)]).await;
        let outage = store.faults.outage();
        assert!(world.bus.inject_panic("bank/bank.balances").await);
        let tree = world.supervisor.tree();
        tree.wait_until(|tree| {
            let projection = tree.find("bank/bank.balances").unwrap();
            projection.restarts == 1 && projection.state == State::Starting
        })
        .await;
        // Long enough for many restarts of a millisecond.
        for _ in 0..50 {
            pause().await;
        }
        outage.end();
        write(&world, &[("a", 2)]).await;
        world.passed("bank.balances", world.head().await).await;
        let seen = tree.wait_until(TreeNode::is_up).await;
        assert_eq!((restarts(&seen, "bank"), restarts(&seen, "bank/bank.balances")), (0, 1));
        world.stop().await;
    });
}

/// EH-15: who fails for ever does not hold up a stop.
#[test]
fn who_fails_for_ever_stops_with_the_others() {
    run(async {
        let (world, _) = over(&Arc::default(), app().handler::<Locked>(), |_| Act::Handle).await;
        let tree = world.supervisor.tree();
        tree.wait_until(|tree| restarts(tree, "failing/failing.locked") > 2).await;
        world.stop().await;
    });
}
