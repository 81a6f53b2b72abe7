//! A panic in every place that a worker or an actor has code in.

use std::thread::ThreadId;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseActFuture,
    ResponseFuture, StreamHandler, WrapFuture,
};
use futures_util::stream;
use tokio::sync::{mpsc, oneshot, watch};

use super::*;
use crate::{Drain, Tether, WorkerContext};

/// Where the panic happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// An actor's `started`, when it is started again.
    Started,
    /// A handler of messages.
    Handler,
    /// The future of a handler that has the actor.
    ActorFuture,
    /// The future of a handler that has not.
    CallFuture,
    /// The handler of a stream's items.
    StreamHandler,
    /// The stream.
    Stream,
    RunLater,
    RunInterval,
    /// A task of the actor, `ctx.spawn`.
    ActorsTask,
    /// The actor's `stopped`, in an end it chose itself.
    Stopped,
    /// A field of the actor, when it is dropped after such an end.
    Drop,
    /// A task on the arbiter.
    SpawnedTask,
    /// A task of the worker.
    WorkersTask,
    /// Work in the pool of threads for what blocks.
    BlockingWork,
    /// The worker's factory, before it makes a future, when the worker is started again.
    Factory,
    /// The worker's future.
    Future,
}

/// Whose the panic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The worker's: it is started again with the panic as its cause.
    FailsIt,
    /// The worker's, in the start after another failure.
    FailsItsRestart,
    /// Nobody's: it is logged and counted, and the worker goes on.
    Counted,
}

const TABLE: &[(Place, Fate)] = &[
    (Place::Started, Fate::FailsItsRestart),
    (Place::Handler, Fate::FailsIt),
    (Place::ActorFuture, Fate::FailsIt),
    (Place::CallFuture, Fate::Counted),
    (Place::StreamHandler, Fate::FailsIt),
    (Place::Stream, Fate::FailsIt),
    (Place::RunLater, Fate::FailsIt),
    (Place::RunInterval, Fate::FailsIt),
    (Place::ActorsTask, Fate::FailsIt),
    (Place::Stopped, Fate::FailsIt),
    (Place::Drop, Fate::FailsIt),
    (Place::SpawnedTask, Fate::Counted),
    (Place::WorkersTask, Fate::FailsIt),
    (Place::BlockingWork, Fate::Counted),
    (Place::Factory, Fate::FailsItsRestart),
    (Place::Future, Fate::FailsIt),
];

fn boom(place: Place) -> ! {
    panic!("boom in {place:?}")
}

/// What one test's victims share: where the next incarnation panics, if it is to do so by itself.
#[derive(Clone, Default)]
struct Trap(Arc<Mutex<Option<Place>>>);

impl Trap {
    fn set(&self, place: Place) {
        *self.0.lock().unwrap() = Some(place);
    }

    /// Panics if it is set for this place, once.
    fn spring(&self, place: Place) {
        let sprung = self.0.lock().unwrap().take_if(|set| *set == place);
        if sprung.is_some() {
            boom(place);
        }
    }
}

/// Panics when it is dropped, if the trap is set for that.
struct Fragile(Trap);

impl Drop for Fragile {
    fn drop(&mut self) {
        self.0.spring(Place::Drop);
    }
}

struct Victim {
    trap: Trap,
    worker: WorkerContext,
    /// Ends the worker's future in a panic.
    future: Arc<Notify>,
    _fragile: Fragile,
    _tether: Tether,
}

struct WhichThread;

impl Message for WhichThread {
    type Result = ThreadId;
}

struct PanicAt(Place);

impl Message for PanicAt {
    type Result = ();
}

/// The same, with a future that has the actor.
struct PanicInActorFuture;

impl Message for PanicInActorFuture {
    type Result = ();
}

/// The same, with a future that has not.
struct PanicInCall;

impl Message for PanicInCall {
    type Result = ();
}

struct Item;

impl Actor for Victim {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.trap.spring(Place::Started);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.trap.spring(Place::Stopped);
    }
}

impl Handler<WhichThread> for Victim {
    type Result = actix::MessageResult<WhichThread>;

    fn handle(&mut self, _: WhichThread, _: &mut Self::Context) -> Self::Result {
        actix::MessageResult(std::thread::current().id())
    }
}

impl Handler<PanicAt> for Victim {
    type Result = ();

    fn handle(&mut self, PanicAt(place): PanicAt, context: &mut Self::Context) {
        let soon = Duration::from_millis(1);
        match place {
            Place::Handler => boom(place),
            Place::StreamHandler => {
                context.add_stream(stream::iter([Item]));
            }
            Place::Stream => {
                context.add_stream(stream::poll_fn(move |_| boom(place)));
            }
            Place::RunLater => {
                context.run_later(soon, move |_, _| boom(place));
            }
            Place::RunInterval => {
                context.run_interval(soon, move |_, _| boom(place));
            }
            Place::ActorsTask => {
                context.spawn(async move { boom(place) }.into_actor(self));
            }
            Place::SpawnedTask => {
                actix::spawn(async move { boom(place) });
            }
            Place::WorkersTask => self.worker.spawn("unlucky", async move { boom(place) }),
            Place::BlockingWork => {
                tokio::task::spawn_blocking(move || boom(place));
            }
            Place::Future => self.future.notify_one(),
            Place::Started | Place::Factory | Place::Stopped | Place::Drop => {
                self.trap.set(place);
                context.stop();
            }
            Place::ActorFuture | Place::CallFuture => unreachable!("these have messages of their own"),
        }
    }
}

impl Handler<PanicInActorFuture> for Victim {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: PanicInActorFuture, _: &mut Self::Context) -> Self::Result {
        Box::pin(async {}.into_actor(self).map(|(), _, _| boom(Place::ActorFuture)))
    }
}

impl Handler<PanicInCall> for Victim {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: PanicInCall, _: &mut Self::Context) -> Self::Result {
        Box::pin(async { boom(Place::CallFuture) })
    }
}

impl StreamHandler<Item> for Victim {
    fn handle(&mut self, _: Item, _: &mut Self::Context) {
        boom(Place::StreamHandler);
    }
}

impl Handler<Drain> for Victim {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        context.stop();
    }
}

/// The worker, and the address of its newest incarnation.
fn victim() -> (Worker, watch::Receiver<Option<Addr<Victim>>>) {
    let (sender, receiver) = watch::channel(None);
    let (trap, future) = (Trap::default(), Arc::new(Notify::new()));
    let worker = Worker::new("victim", move |context| {
        trap.spring(Place::Factory);
        let (trap, future, sender) = (trap.clone(), Arc::clone(&future), sender.clone());
        async move {
            let (worker, told) = (context.clone(), Arc::clone(&future));
            let running = context.run_actor(move |tether| {
                let _fragile = Fragile(trap.clone());
                let address = Victim { trap, worker, future: told, _fragile, _tether: tether }.start();
                sender.send_replace(Some(address.clone()));
                address
            });
            tokio::select! { ended = running => ended, () = future.notified() => boom(Place::Future) }
        }
    });
    (worker, receiver)
}

/// A worker on the same thread that answers with its thread and the number of its incarnation.
fn bystander() -> (Worker, mpsc::Sender<oneshot::Sender<(ThreadId, u32)>>) {
    let (sender, receiver) = mpsc::channel::<oneshot::Sender<_>>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let incarnations = Arc::new(Mutex::new(0));
    let worker = Worker::new("bystander", move |context| {
        let (receiver, incarnations) = (Arc::clone(&receiver), Arc::clone(&incarnations));
        async move {
            *incarnations.lock().unwrap() += 1;
            context.ready();
            let mut receiver = receiver.lock().await;
            loop {
                tokio::select! {
                    Some(reply) = receiver.recv() => {
                        let answer = (std::thread::current().id(), *incarnations.lock().unwrap());
                        reply.send(answer).expect("the test waits");
                    }
                    () = context.stopping() => return Ok(()),
                }
            }
        }
    });
    (worker, sender)
}

async fn asked(bystander: &mpsc::Sender<oneshot::Sender<(ThreadId, u32)>>) -> (ThreadId, u32) {
    let (reply, answer) = oneshot::channel();
    bystander.send(reply).await.unwrap();
    answer.await.unwrap()
}

/// UX-10: wherever an actor or a worker panics, the supervisor notices, the worker is there again with the panic's text and
/// place as its cause, its siblings are not disturbed, and their thread goes on. What belongs to no worker is counted.
#[test]
fn a_panic_in_any_place_is_noticed_and_disturbs_nobody_else() {
    run(async {
        for &(place, fate) in TABLE {
            let ((victim, addresses), (bystander, beside)) = (victim(), bystander());
            let group = Group::new("app", brisk()).child(victim).child(bystander);
            let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(group));
            let tree = up(&supervisor).await;
            let newest = || addresses.borrow().clone().expect("an incarnation");
            let before = asked(&beside).await;
            assert_eq!(newest().send(WhichThread).await.unwrap(), before.0, "they share a thread");

            let answer = match place {
                Place::ActorFuture => newest().send(PanicInActorFuture).await,
                Place::CallFuture => newest().send(PanicInCall).await,
                place => newest().send(PanicAt(place)).await,
            };
            let answering = [Place::Handler, Place::ActorFuture, Place::CallFuture].contains(&place);
            assert!(!answering || answer.is_err(), "{place:?}: the caller is told");
            let restarts = match fate {
                Fate::FailsIt => 1,
                Fate::FailsItsRestart => 2,
                Fate::Counted => 0,
            };
            tree.wait_until(|tree| node(tree, "app").panics > 0).await;
            let seen = restarted(&tree, "app/victim", restarts).await;

            let words = format!("boom in {place:?} (at ");
            let (group, victim) = (node(&seen, "app"), node(&seen, "app/victim"));
            assert_eq!(group.panics, 1, "{place:?}:\n{seen}");
            let panic = group.last_panic.unwrap();
            assert!(panic.starts_with(&words) && panic.contains("places.rs:"), "{place:?}: {panic}");
            let cause = victim.last_cause.unwrap_or_default();
            assert_eq!(cause.contains(&words), fate != Fate::Counted, "{place:?}: {cause}");
            assert_eq!(cause.contains("its task unlucky panicked: "), place == Place::WorkersTask, "{cause}");
            assert_eq!((group.restarts, node(&seen, "app/bystander").restarts), (0, 0), "{place:?}");
            assert_eq!(asked(&beside).await, before, "{place:?}: the bystander has noticed");
            assert_eq!(newest().send(WhichThread).await.unwrap(), before.0, "{place:?}: the same thread");
            assert_eq!(supervisor.shut_down().await, Outcome::Stopped, "{place:?}");
        }
    });
}

/// In the ordered stop, too: the others stop as they should, and the cause is there to read.
#[test]
fn a_panic_while_stopping_is_told_and_the_stop_goes_on() {
    run(async {
        for place in [Place::Stopped, Place::Drop] {
            let journal = Journal::default();
            let trap = Trap::default();
            let armed = trap.clone();
            let worker = Worker::new("victim", move |context| {
                let (trap, worker) = (armed.clone(), context.clone());
                context.run_actor(move |tether| {
                    let (future, _fragile) = (Arc::new(Notify::new()), Fragile(trap.clone()));
                    Victim { trap, worker, future, _fragile, _tether: tether }.start()
                })
            });
            let root = Group::new("umbel", brisk())
                .child(Puppet::in_journal(&journal).worker("before"))
                .child(worker)
                .child(Puppet::in_journal(&journal).worker("after"));
            let supervisor = Supervisor::start(root);
            let tree = up(&supervisor).await;
            journal.take();
            trap.set(place);
            assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
            assert_eq!(journal.take(), ["stop after", "stop before"]);
            let cause = node(&tree.snapshot(), "victim").last_cause.unwrap();
            let words = format!("panicked while stopping: boom in {place:?} (at ");
            assert!(cause.starts_with(&words), "{cause}");
        }
    });
}

/// A worker on its own thread is told of the panics there; the root is told of those on threads that are nobody's.
#[test]
fn panics_are_counted_where_the_thread_belongs() {
    run(async {
        let go = Arc::new(Notify::new());
        let going = Arc::clone(&go);
        let worker = Worker::new("alone", move |context| {
            let going = Arc::clone(&going);
            async move {
                context.ready();
                tokio::select! { () = going.notified() => {}, () = context.stopping() => return Ok(()) }
                drop(actix::spawn(async { panic!("beside it") }).await);
                context.stopping().await;
                Ok(())
            }
        });
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker.own_thread()));
        let tree = up(&supervisor).await;
        go.notify_one();
        let seen = tree.wait_until(|tree| node(tree, "alone").panics > 0).await;
        assert_eq!((node(&seen, "alone").panics, node(&seen, "alone").restarts), (1, 0));
        assert!(node(&seen, "alone").last_panic.unwrap().starts_with("beside it (at "));

        // Panics of other tests on threads of theirs may be counted as well, hence no number.
        drop(std::thread::spawn(|| panic!("in a thread of nobody's")).join());
        let told =
            |tree: &TreeNode| tree.last_panic.as_ref().is_some_and(|last| last.contains("of nobody's"));
        tree.wait_until(told).await;
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}
