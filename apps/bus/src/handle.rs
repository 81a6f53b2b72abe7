//! The handle everybody holds.

use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, broadcast, watch},
    time::{Instant, timeout_at},
};
use umbel_core::{Position, Request, subscription::Change};

use crate::{
    actor::{BusActor, Register, Unregister},
    carried::Carrier,
    clock::Clock,
    commons::Commons,
    elsewhere::Elsewhere,
    envelope::{Envelope, SendError},
    middleware::{Chain, Middleware},
    routes::{Destination, Progress, RouteError, RouteSet, Routes},
    settings::BusSettings,
    store::Store,
    tail::Tail,
    tally::{Tallied, Tally},
    topics::Registry,
    visible::Defaults,
};

mod told;

/// Hints about subscriptions that wait for who is slow to hear them; beyond that he hears that he missed some.
const CHANGES_MAX: usize = 64;

/// A cheap handle to the bus. Clones are the same bus; they outlive restarts of every actor on it.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

/// What became of a request given to one incarnation of its owner.
enum Handed<R: Request> {
    Ended(Result<R::Answer, SendError<R::Error>>),
    /// It was not opened.
    Back(R),
}

pub(crate) struct Shared {
    /// What sends read.
    routes: ArcSwap<Routes>,
    /// Counts the tables, for those who wait for another one.
    generation: watch::Sender<u64>,
    /// Whether the umbrella ends, so that nobody is started again.
    ending: AtomicBool,
    /// Where changes of the table go; renewed when the bus actor restarts.
    actor: ArcSwapOption<Addr<BusActor>>,
    /// The log's last position as far as this process knows: wakes those who follow the log.
    head: watch::Sender<Position>,
    /// Counts what left work in the outbox: wakes those who do it.
    work: watch::Sender<u64>,
    /// Hints that subscriptions have changed: wakes those who run them.
    changes: broadcast::Sender<Change>,
    /// Tells of each one more who asks for it.
    follower: Notify,
    tail: Tail,
    tally: Tally,
    topics: Registry,
    commons: Commons,
    /// Nothing as long as there is none, which is what every dispatch looks at.
    middleware: ArcSwapOption<Chain>,
    /// What apps say that dispatches of their commands await; nothing as long as none does.
    consistencies: ArcSwapOption<Defaults>,
    elsewhere: Elsewhere,
    /// What takes messages to other processes, where anything does.
    carrier: OnceLock<Arc<dyn Carrier>>,
    settings: BusSettings,
    clock: Clock,
}

impl Bus {
    /// A bus without routes. Its actor is started by [`crate::worker`].
    #[must_use]
    pub fn new(settings: BusSettings) -> Self {
        Self::with_clock(settings, Clock::default())
    }

    /// The same, for a test that turns this clock.
    #[must_use]
    pub fn with_clock(settings: BusSettings, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                routes: ArcSwap::default(),
                generation: watch::Sender::new(0),
                ending: AtomicBool::new(false),
                actor: ArcSwapOption::empty(),
                head: watch::Sender::new(Position::START),
                work: watch::Sender::new(0),
                changes: broadcast::Sender::new(CHANGES_MAX),
                follower: Notify::new(),
                tail: Tail::new(settings.tail_max_events, settings.tail_max_bytes),
                tally: Tally::default(),
                topics: Registry::new(&settings),
                commons: Commons::default(),
                middleware: ArcSwapOption::empty(),
                consistencies: ArcSwapOption::empty(),
                elsewhere: Elsewhere::new(),
                carrier: OnceLock::new(),
                settings,
                clock,
            }),
        }
    }

    /// The clock of all that is on it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &BusSettings {
        &self.shared.settings
    }

    /// When a send that begins now and says nothing else must be answered.
    #[must_use]
    pub fn default_deadline(&self) -> Instant {
        within(self.shared.settings.default_deadline())
    }

    /// Sends a request to its owner and waits for the answer until the deadline.
    ///
    /// While the owner restarts, the request waits for it; so does one whose owner died before opening it.
    ///
    /// # Errors
    /// See [`SendError`]: every variant says whether anything can have been done.
    pub async fn send<R: Request>(
        &self,
        request: R,
        deadline: Instant,
    ) -> Result<R::Answer, SendError<R::Error>> {
        let sent = self.send_here(request, deadline).await;
        sent.unwrap_or_else(|_request| Err(SendError::NoOwner { request: R::NAME }))
    }

    /// The same, for a request that may find its owner elsewhere: it comes back when nobody here owns it.
    pub(crate) async fn send_here<R: Request>(
        &self,
        request: R,
        deadline: Instant,
    ) -> Result<Result<R::Answer, SendError<R::Error>>, R> {
        let (mut request, mut tables) = (request, self.tables());
        loop {
            tables.borrow_and_update();
            let routes = self.routes();
            let Some(destination) = routes.find::<R>() else { return Err(request) };
            if destination.recipient.connected() {
                match self.hand_over(&destination, request, deadline, &mut tables).await {
                    Handed::Ended(outcome) => return Ok(outcome),
                    Handed::Back(unopened) => request = unopened,
                }
                if !self.is_current(&destination) {
                    continue;
                }
            }
            // The owner is down: wait for the table in which it is back.
            if self.shared.ending.load(Ordering::SeqCst) {
                return Ok(Err(destination.unavailable()));
            }
            if timeout_at(deadline, tables.changed()).await.is_err() {
                return Ok(Err(destination.unavailable()));
            }
        }
    }

    /// Gives a request to one incarnation of its owner, and takes it back unopened if that one dies or is replaced.
    async fn hand_over<R: Request>(
        &self,
        destination: &Destination<'_, R>,
        request: R,
        deadline: Instant,
        tables: &mut watch::Receiver<u64>,
    ) -> Handed<R> {
        let Some(place) = self.place(destination, deadline, tables).await else {
            return if Instant::now() < deadline {
                Handed::Back(request)
            } else {
                Handed::Ended(Err(destination.unavailable()))
            };
        };
        let envelope = Envelope::new(request, deadline).in_place(place);
        let ours = envelope.counterpart();
        let mut answer = pin!(timeout_at(deadline, destination.recipient.send(envelope)));
        loop {
            let answered = tokio::select! {
                biased;
                answered = &mut answer => answered,
                _ = tables.changed() => {
                    // Replaced while its thread is blocked: the envelope is still in a mailbox nobody empties.
                    if !self.is_current(destination) && let Some(request) = ours.withdraw() {
                        return Handed::Back(request);
                    }
                    continue;
                }
            };
            return match answered {
                Ok(Ok(Some(answer))) => Handed::Ended(answer.map_err(SendError::Refused)),
                // Too late for the owner to begin.
                Ok(Ok(None)) => Handed::Ended(Err(destination.unavailable())),
                Ok(Err(_closed)) => match ours.withdraw() {
                    Some(request) => Handed::Back(request),
                    None => Handed::Ended(Err(destination.crashed())),
                },
                Err(_elapsed) if ours.withdraw().is_some() => Handed::Ended(Err(destination.unavailable())),
                Err(_elapsed) => Handed::Ended(Err(destination.timeout())),
            };
        }
    }

    /// A place in the owner's mailbox; `None` when the deadline passed or the owner was replaced before one was free.
    async fn place<R: Request>(
        &self,
        destination: &Destination<'_, R>,
        deadline: Instant,
        tables: &mut watch::Receiver<u64>,
    ) -> Option<OwnedSemaphorePermit> {
        let mut free = pin!(timeout_at(deadline, Arc::clone(destination.places).acquire_owned()));
        loop {
            tokio::select! {
                biased;
                place = &mut free => return place.ok()?.ok(),
                _ = tables.changed() => if !self.is_current(destination) { return None },
            }
        }
    }

    /// Whether requests of type `R` still go to this incarnation of their owner.
    fn is_current<R: Request>(&self, destination: &Destination<'_, R>) -> bool {
        self.routes().find::<R>().is_some_and(|now| Arc::ptr_eq(now.places, destination.places))
    }

    /// The umbrella ends: who is down by now, or will be, is not started again. Nobody waits any more for that, as parts would otherwise
    /// that want to leave things in order, one after the other.
    pub fn end(&self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        self.shared.generation.send_modify(|generation| *generation += 1);
    }

    /// Registers what a component answers, in place of what it had registered before.
    ///
    /// # Errors
    /// When another component answers one of these, or the bus actor is not running.
    pub async fn register(&self, routes: RouteSet) -> Result<(), RouteError> {
        routes.open_mailbox(self.shared.settings.mailbox_capacity);
        self.tell_actor(Register(routes), self.default_deadline()).await?
    }

    /// Removes what a component answers: it is gone for good and not just restarting.
    ///
    /// # Errors
    /// When the bus actor is not running.
    pub async fn unregister(&self, owner: &str) -> Result<(), RouteError> {
        self.tell_actor(Unregister(owner.to_owned()), self.default_deadline()).await
    }

    /// Requests to the store.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::new(self.clone())
    }

    /// What is answered here and by whom: names of requests with their owners, in no order.
    #[must_use]
    pub fn owners(&self) -> Vec<(&'static str, Arc<str>)> {
        self.routes().owners().map(|(request, owner)| (request, Arc::clone(owner))).collect()
    }

    /// The one value of this type that all holders of this bus share, made when it is first asked for: for components of one
    /// process that have something in common beside messages, such as one connection to the store for all readers of a name.
    #[must_use]
    pub fn common<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.shared.commons.get()
    }

    /// Stands around every dispatch of this process from now on, within what was added before it.
    pub fn add_middleware(&self, middleware: impl Middleware) {
        let one: Arc<dyn crate::middleware::Around> = Arc::new(middleware);
        self.shared.middleware.rcu(|chain| {
            let mut chain = chain.as_deref().cloned().unwrap_or_default();
            chain.push(Arc::clone(&one));
            Some(Arc::new(chain))
        });
    }

    /// What became of the commands that this process has dispatched, since it began: each is counted where it was dispatched, whoever
    /// carried it out, and one that middleware put in its place with it. Who did not wait for the answer is not counted.
    #[must_use]
    pub fn tallied(&self) -> Vec<Tallied> {
        self.shared.tally.all()
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// What apps say that dispatches of their commands await.
    pub(crate) fn consistencies(&self) -> &ArcSwapOption<Defaults> {
        &self.shared.consistencies
    }

    /// What stands around dispatches, if anything does.
    pub(crate) fn middleware(&self) -> Option<Arc<Chain>> {
        self.shared.middleware.load_full()
    }

    /// How far the projections and handlers of this process have come.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.routes().progress.clone()
    }

    /// Counts how often what runs in this process has changed, and more.
    #[must_use]
    pub fn changes_of_routes(&self) -> watch::Receiver<u64> {
        self.tables()
    }

    pub(crate) fn elsewhere(&self) -> &Elsewhere {
        &self.shared.elsewhere
    }

    /// What takes messages to other processes, if anything does.
    pub(crate) fn carrier(&self) -> Option<Arc<dyn Carrier>> {
        self.shared.carrier.get().map(Arc::clone)
    }

    /// From now on messages that nobody here owns are taken to processes that do by this; what was set first stays.
    pub fn set_carrier(&self, carrier: Arc<dyn Carrier>) {
        drop(self.shared.carrier.set(carrier));
    }

    /// Tells those who look at what runs here to look again.
    pub(crate) fn announce_routes(&self) {
        self.shared.generation.send_modify(|generation| *generation += 1);
    }

    /// Counts the tables, for those who wait for another one.
    pub(crate) fn tables(&self) -> watch::Receiver<u64> {
        self.shared.generation.subscribe()
    }

    pub(crate) fn routes(&self) -> Arc<Routes> {
        self.shared.routes.load_full()
    }

    /// Publishes a new table. Only the bus actor calls it.
    pub(crate) fn set_routes(&self, routes: Routes) {
        self.shared.routes.store(Arc::new(routes));
        self.announce_routes();
    }

    pub(crate) fn set_actor(&self, actor: Addr<BusActor>) {
        self.shared.actor.store(Some(Arc::new(actor)));
        self.announce_routes();
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.topics
    }

    /// Sends to the bus actor, waiting for it while it restarts. These messages may be repeated.
    pub(crate) async fn tell_actor<M>(&self, message: M, deadline: Instant) -> Result<M::Result, RouteError>
    where
        M: actix::Message + Clone + Send + 'static,
        M::Result: Send,
        BusActor: actix::Handler<M>,
    {
        let mut generation = self.tables();
        loop {
            generation.borrow_and_update();
            if let Some(actor) = self.shared.actor.load_full().filter(|actor| actor.connected()) {
                match timeout_at(deadline, actor.send(message.clone())).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(_died)) => {}
                    Err(_elapsed) => return Err(RouteError::Unavailable),
                }
            }
            if timeout_at(deadline, generation.changed()).await.is_err() {
                return Err(RouteError::Unavailable);
            }
        }
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}

/// The moment when that time has passed from now on; one beyond all clocks means "never".
pub(crate) fn within(time: Duration) -> Instant {
    /// Some thirty years: what the timers below can hold.
    const LONGEST: Duration = Duration::from_secs(1_000_000_000);
    Instant::now() + time.min(LONGEST)
}

/// How long to wait before trying again after "unavailable": what a restart takes, give or take.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
