//! The bound on what one actor works on.

use std::sync::atomic::AtomicBool;

use actix::ResponseFuture;
use tokio::sync::Semaphore;
use umbel_supervision::Drain;

use super::*;
use crate::Gate;

#[derive(Debug, Default)]
struct Stats {
    in_flight: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
    stopped: AtomicBool,
}

struct Worker {
    gate: Gate,
    stats: Arc<Stats>,
    /// Each call takes one to end.
    allowed: Arc<Semaphore>,
}

struct Job;

impl Request for Job {
    const NAME: &'static str = "test.job";
    type Answer = ();
    type Error = ();
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        assert_eq!(self.stats.in_flight.load(Ordering::SeqCst), 0, "stopped before its calls ended");
        self.stats.stopped.store(true, Ordering::SeqCst);
    }
}

impl Handler<Envelope<Job>> for Worker {
    type Result = ResponseFuture<Answered<Job>>;

    fn handle(&mut self, envelope: Envelope<Job>, context: &mut Self::Context) -> Self::Result {
        let Some(Job) = envelope.open() else { return Box::pin(std::future::ready(None)) };
        let place = self.gate.enter(self, context);
        let (stats, allowed) = (Arc::clone(&self.stats), Arc::clone(&self.allowed));
        let now = stats.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        stats.most.fetch_max(now, Ordering::SeqCst);
        Box::pin(async move {
            allowed.acquire().await.unwrap().forget();
            stats.in_flight.fetch_sub(1, Ordering::SeqCst);
            stats.done.fetch_add(1, Ordering::SeqCst);
            drop(place);
            Some(Ok(()))
        })
    }
}

impl Handler<Drain> for Worker {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.gate.drain(self, context);
    }
}

async fn worker(bus: &Bus, places: usize) -> (Addr<Worker>, Arc<Stats>, Arc<Semaphore>) {
    let (stats, allowed) = (Arc::<Stats>::default(), Arc::new(Semaphore::new(0)));
    let worker =
        Worker { gate: Gate::new(places), stats: Arc::clone(&stats), allowed: Arc::clone(&allowed) }.start();
    bus.register(RouteSet::new("test/worker").answers::<Job>(worker.clone().recipient())).await.unwrap();
    (worker, stats, allowed)
}

fn jobs(bus: &Bus, count: usize) -> Vec<tokio::task::JoinHandle<Result<(), SendError<()>>>> {
    (0..count)
        .map(|_| {
            let bus = bus.clone();
            actix::spawn(async move { bus.send(Job, within(AMPLE)).await })
        })
        .collect()
}

#[test]
fn no_more_than_its_places_are_ever_in_flight() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let (_worker, stats, allowed) = worker(&bus, 3).await;
        let jobs = jobs(&bus, 100);
        others_run().await;
        assert_eq!(stats.in_flight.load(Ordering::SeqCst), 3);
        for _ in 0..100 {
            allowed.add_permits(1);
            others_run().await;
        }
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        assert_eq!((stats.done.load(Ordering::SeqCst), stats.most.load(Ordering::SeqCst)), (100, 3));
    });
}

#[test]
fn draining_ends_what_is_in_flight_and_leaves_the_rest_to_the_successor() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let (first, stats, allowed) = worker(&bus, 2).await;
        let jobs = jobs(&bus, 5);
        others_run().await;
        let drained = actix::spawn(first.send(Drain));
        others_run().await;
        assert!(!stats.stopped.load(Ordering::SeqCst), "two are in flight");
        // The drain order waits behind the other three, which get their turns first.
        allowed.add_permits(5);
        drained.await.unwrap().unwrap();
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        others_run().await;
        assert!(stats.stopped.load(Ordering::SeqCst));
        assert_eq!(stats.done.load(Ordering::SeqCst), 5);

        let late = actix::spawn({
            let bus = bus.clone();
            async move { bus.send(Job, within(AMPLE)).await }
        });
        others_run().await;
        let (_second, stats, allowed) = worker(&bus, 2).await;
        allowed.add_permits(1);
        late.await.unwrap().unwrap();
        assert_eq!(stats.done.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn what_comes_after_the_order_to_drain_stays_closed() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let (first, stats, allowed) = worker(&bus, 2).await;
        let in_flight = jobs(&bus, 1);
        others_run().await;
        let drained = actix::spawn(first.send(Drain));
        others_run().await;
        let late = jobs(&bus, 1);
        others_run().await;
        assert_eq!(stats.in_flight.load(Ordering::SeqCst), 1, "the late one waits");
        allowed.add_permits(1);
        drained.await.unwrap().unwrap();
        let (_second, successor, allowed) = worker(&bus, 2).await;
        allowed.add_permits(1);
        for job in in_flight.into_iter().chain(late) {
            job.await.unwrap().unwrap();
        }
        assert_eq!((stats.done.load(Ordering::SeqCst), successor.done.load(Ordering::SeqCst)), (1, 1));
    });
}
