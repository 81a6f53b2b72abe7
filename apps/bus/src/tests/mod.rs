//! The bus with a real bus actor on its own thread, and owners that misbehave as told.

mod carried;
mod dispatch;
mod event_bus;
mod gate;
mod log_topics;
mod pages;
mod registry;
mod send;
mod store;
mod subscribers;
mod topics;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, WrapFuture};
use tokio::{sync::oneshot, time::Instant};
use umbel_core::Request;
use umbel_supervision::{Backoff, Group, Policy, Supervisor};

use crate::{Answered, Bus, BusSettings, Envelope, RouteSet, SendError};

/// A deadline that no test reaches unless something is wrong.
const AMPLE: Duration = Duration::from_secs(20);
/// A deadline that passes while a test waits for it.
const SHORT: Duration = Duration::from_millis(40);
/// A deadline that passes while a test waits for what is never seen, and in which everything else is done, also on a busy machine.
const LATE: Duration = Duration::from_millis(500);

/// Runs a test on an actix system of its own, whose threads end with it.
fn run(test: impl Future<Output = ()>) {
    run_within(AMPLE, test);
}

/// The same, for one that takes its time.
fn run_within(limit: Duration, test: impl Future<Output = ()>) {
    let system = actix::System::new();
    system.block_on(async {
        tokio::time::timeout(limit, test).await.expect("the test hangs");
        actix::System::current().stop();
    });
    system.run().unwrap();
}

fn policy() -> Policy {
    let backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(2) };
    Policy { backoff, ..Policy::default() }
}

/// A running bus and its supervisor.
async fn bus_with(settings: BusSettings) -> (Bus, Supervisor) {
    let bus = Bus::new(settings);
    let supervisor = Supervisor::start(Group::new("test", policy()).child(crate::worker(&bus)));
    supervisor.tree().wait_until_up(AMPLE).await.unwrap();
    (bus, supervisor)
}

async fn bus() -> (Bus, Supervisor) {
    bus_with(BusSettings::default()).await
}

fn within(time: Duration) -> Instant {
    Instant::now() + time
}

/// Gives other tasks of this thread their turns.
async fn others_run() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// What the owner shall do with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    Answer(u32),
    Refuse,
    /// Open it, and never answer.
    OpenAndHang,
    /// Open it, and die.
    OpenAndDie,
}

impl Request for Ping {
    const NAME: &'static str = "test.ping";
    type Answer = (u32, &'static str);
    type Error = &'static str;
}

/// How often envelopes reached owners, and how often these could open them.
#[derive(Clone, Debug, Default)]
struct Counts {
    seen: Arc<AtomicUsize>,
    opened: Arc<AtomicUsize>,
}

impl Counts {
    fn get(&self) -> (usize, usize) {
        (self.seen.load(Ordering::SeqCst), self.opened.load(Ordering::SeqCst))
    }
}

/// An owner of pings.
struct Owner {
    name: &'static str,
    counts: Counts,
    /// Panic at the next envelope, unopened.
    dies_next: bool,
}

/// Makes an owner's mailbox wait until the sender is used or dropped.
struct Hold(oneshot::Receiver<()>);

/// Makes an owner die at its next envelope.
struct DieNext;

/// Makes an owner stop in order.
struct Leave;

impl actix::Message for Hold {
    type Result = ();
}

impl actix::Message for DieNext {
    type Result = ();
}

impl actix::Message for Leave {
    type Result = ();
}

impl Owner {
    fn start(name: &'static str, counts: &Counts) -> Addr<Self> {
        let counts = counts.clone();
        Self::create(|context| {
            context.set_mailbox_capacity(2);
            Self { name, counts, dies_next: false }
        })
    }

    /// Starts an owner and registers it under one component name.
    async fn on(bus: &Bus, name: &'static str, counts: &Counts) -> Addr<Self> {
        let owner = Self::start(name, counts);
        bus.register(RouteSet::new("test/owner").answers::<Ping>(owner.clone().recipient())).await.unwrap();
        owner
    }
}

/// Holds an owner's mailbox until the result is dropped.
async fn hold(owner: &Addr<Owner>) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel();
    owner.send(Hold(released)).await.unwrap();
    release
}

async fn ping(bus: &Bus, ping: Ping, time: Duration) -> Result<(u32, &'static str), SendError<&'static str>> {
    bus.send(ping, within(time)).await
}

impl Actor for Owner {
    type Context = Context<Self>;
}

impl Handler<Hold> for Owner {
    type Result = ();

    fn handle(&mut self, Hold(released): Hold, context: &mut Self::Context) {
        context.wait(async move { drop(released.await) }.into_actor(self));
    }
}

impl Handler<DieNext> for Owner {
    type Result = ();

    fn handle(&mut self, _: DieNext, _: &mut Self::Context) {
        self.dies_next = true;
    }
}

impl Handler<Leave> for Owner {
    type Result = ();

    fn handle(&mut self, _: Leave, context: &mut Self::Context) {
        context.stop();
    }
}

impl Handler<Envelope<Ping>> for Owner {
    type Result = actix::ResponseFuture<Answered<Ping>>;

    fn handle(&mut self, envelope: Envelope<Ping>, _: &mut Self::Context) -> Self::Result {
        self.counts.seen.fetch_add(1, Ordering::SeqCst);
        assert!(!self.dies_next, "told to die unopened");
        let (opened, name) = (envelope.open(), self.name);
        self.counts.opened.fetch_add(opened.is_some().into(), Ordering::SeqCst);
        assert_ne!(opened, Some(Ping::OpenAndDie), "told to die");
        Box::pin(async move {
            Some(match opened? {
                Ping::Answer(number) => Ok((number, name)),
                Ping::Refuse => Err("no"),
                Ping::OpenAndHang | Ping::OpenAndDie => std::future::pending().await,
            })
        })
    }
}
