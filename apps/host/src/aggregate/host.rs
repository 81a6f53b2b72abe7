//! The host of one kind of aggregate: from a command to its instance, and instances in and out of memory.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};
#[cfg(feature = "faults")]
use futures_util::future::join_all;
use futures_util::future::ready;
use tokio::time::Instant;
#[cfg(feature = "faults")]
use umbel_bus::InjectPanic;
use umbel_bus::{Answered, Bus, Dispatch, DispatchError, Envelope, Gate, Outcome, RouteSet};
use umbel_core::{Aggregate, Command, CommandSet, CommandVisitor, Decide, StreamName};
use umbel_supervision::{Drain, Tether, Worker};

use crate::{
    aggregate::{
        instance::{CarryOut, Instance},
        stay::{Stay, Waiting},
    },
    settings::HostSettings,
};

/// Owns the commands of one kind of aggregate and the live instances.
pub(crate) struct AggregateHost<A: Aggregate + Unpin> {
    bus: Bus,
    settings: HostSettings,
    live: HashMap<StreamName, Live<A>>,
    gate: Gate,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

/// One instance in memory. Dropping the last address stops it.
struct Live<A: Aggregate + Unpin> {
    address: Addr<Instance<A>>,
    /// By the clock of the bus, as is how long it stays.
    used: Instant,
    stay: Arc<Stay>,
    /// Whether a time is running at whose end it is looked at.
    timed: bool,
}

/// The last command of this instance has said how long it stays.
pub(super) struct Review(pub(super) StreamName);

/// Collects the routes of all commands of an aggregate.
struct Collect<A: Aggregate + Unpin> {
    host: Addr<AggregateHost<A>>,
    routes: Option<RouteSet>,
}

/// The worker that owns the commands of `A`.
pub(crate) fn worker<A: Aggregate + Unpin>(app: &str, bus: Bus, settings: &HostSettings) -> Worker {
    let (owner, settings) = (format!("{app}/{}", A::CATEGORY), settings.clone());
    Worker::new(A::CATEGORY, move |context| {
        let (bus, owner, settings) = (bus.clone(), owner.clone(), settings.clone());
        async move {
            let registrar = bus.clone();
            let start = move |tether| {
                AggregateHost::<A>::create(|actor| {
                    actor.set_mailbox_capacity(bus.settings().mailbox_capacity);
                    let gate = Gate::new(settings.in_flight_max);
                    AggregateHost { bus, settings, live: HashMap::new(), gate, _tether: tether }
                })
            };
            let register = async move |host: Addr<AggregateHost<A>>| {
                let routes = RouteSet::new(owner);
                #[cfg(feature = "faults")]
                let routes = routes
                    .panics_at(host.clone().recipient())
                    .panics_below("instances", host.clone().recipient());
                let mut collect = Collect { routes: Some(routes), host };
                A::Commands::visit(&mut collect);
                if let Some(routes) = collect.routes {
                    registrar.register(routes).await?;
                }
                anyhow::Ok(())
            };
            context.run_actor_once_up(start, register).await
        }
    })
}

impl<A: Aggregate + Unpin> CommandVisitor<A> for Collect<A> {
    fn command<C: Command>(&mut self)
    where
        A: Decide<C>,
    {
        let recipient = self.host.clone().recipient();
        self.routes = self.routes.take().map(|routes| routes.carries_out::<C>(recipient));
    }
}

impl<A: Aggregate + Unpin> AggregateHost<A> {
    /// The instance of a stream, made if it is not in memory, has died, or has stayed for its time: whether that was noticed in
    /// between does not show.
    fn instance(&mut self, stream: &StreamName, context: &Context<Self>) -> (Addr<Instance<A>>, Arc<Stay>) {
        let (default, now) = (self.settings.aggregate_idle(), self.bus.clock().instant());
        if !self.live.get(stream).is_some_and(|live| live.stays(default, now)) {
            self.make_room();
            let (host, retries) = (context.address().downgrade(), self.settings.conflict_retries);
            let instance = Instance::new(stream.clone(), self.bus.store(), self.bus.common(), retries, host);
            let address = Instance::create(|context| {
                context.set_mailbox_capacity(self.settings.aggregate_waiting_max);
                instance
            });
            let live = Live { address, used: now, stay: Arc::default(), timed: false };
            self.live.insert(stream.clone(), live);
        }
        match self.live.get_mut(stream) {
            Some(live) => {
                live.used = now;
                (live.address.clone(), Arc::clone(&live.stay))
            }
            // Inserted above; nothing else runs in between.
            None => unreachable!("an instance just made is in the table"),
        }
    }

    /// Lets the longest idle instances go when there are too many: a tenth at once, so that it happens rarely.
    fn make_room(&mut self) {
        let max = self.settings.aggregates_live_max.max(1);
        if self.live.len() < max {
            return;
        }
        let mut idle: Vec<_> = self
            .live
            .iter()
            .filter(|(_, live)| live.is_idle())
            .map(|(name, live)| (live.used, name.clone()))
            .collect();
        idle.sort_unstable();
        for (_, name) in idle.into_iter().take(max.div_ceil(10)) {
            self.live.remove(&name);
        }
    }

    /// Lets go of instances that nobody has used for as long as they stay.
    fn evict(&mut self) {
        let (default, now) = (self.settings.aggregate_idle(), self.bus.clock().instant());
        self.live.retain(|_, live| live.stays(default, now));
    }

    /// Evicts a few times within the time that instances stay, as long as this actor lives.
    fn sweep(&self, context: &mut Context<Self>) {
        let pause = (self.settings.aggregate_idle() / 4).max(Duration::from_millis(10));
        let passed = self.passed(pause).into_actor(self);
        context.spawn(passed.map(|(), host, context: &mut Context<Self>| {
            host.evict();
            host.sweep(context);
        }));
    }

    /// Resolves when this time has passed by the clock of the bus.
    fn passed(&self, time: Duration) -> impl Future<Output = ()> + use<A> {
        let clock = self.bus.clock().clone();
        async move { clock.sleep(time).await }
    }

    /// Lets go of an instance if its time is over, or looks again when it is. One that is at work says so again at its end.
    fn review(&mut self, stream: StreamName, context: &mut Context<Self>) {
        let default = self.settings.aggregate_idle();
        let Some(live) = self.live.get_mut(&stream) else { return };
        let Some(keep) = live.stay.keep(default).filter(|_| live.is_idle()) else { return };
        let left = keep.saturating_sub(self.bus.clock().instant().duration_since(live.used));
        if left.is_zero() {
            self.live.remove(&stream);
        } else if !live.timed {
            live.timed = true;
            let passed = self.passed(left).into_actor(self);
            context.spawn(passed.map(move |(), host, context: &mut Context<Self>| {
                if let Some(live) = host.live.get_mut(&stream) {
                    live.timed = false;
                }
                host.review(stream, context);
            }));
        }
    }
}

impl<A: Aggregate + Unpin> Live<A> {
    fn is_idle(&self) -> bool {
        self.stay.waiting() == 0
    }

    /// Whether it is there for the next command: it has not died, and it is at work or its time is not over.
    fn stays(&self, default: Duration, now: Instant) -> bool {
        let is_young = || self.stay.keep(default).is_none_or(|keep| now.duration_since(self.used) < keep);
        self.address.connected() && (!self.is_idle() || is_young())
    }
}

impl<A: Aggregate + Unpin> Handler<Review> for AggregateHost<A> {
    type Result = ();

    fn handle(&mut self, Review(stream): Review, context: &mut Self::Context) {
        if let Some(live) = self.live.get_mut(&stream) {
            live.used = self.bus.clock().instant();
        }
        self.review(stream, context);
    }
}

impl Message for Review {
    type Result = ();
}

impl<A: Aggregate + Unpin> Actor for AggregateHost<A> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.sweep(context);
    }
}

impl<A, C> Handler<Envelope<Dispatch<C>>> for AggregateHost<A>
where
    A: Decide<C> + Unpin,
    C: Command,
{
    type Result = ResponseFuture<Answered<Dispatch<C>>>;

    fn handle(&mut self, envelope: Envelope<Dispatch<C>>, context: &mut Self::Context) -> Self::Result {
        let Some(dispatch) = envelope.open() else { return Box::pin(ready(None)) };
        let stream = match stream::<A, C>(&dispatch.command) {
            Ok(stream) => stream,
            Err(error) => return Box::pin(ready(Some(Err(error)))),
        };
        let (instance, stay) = self.instance(&stream, context);
        let before = stay.waiting();
        if before >= self.settings.aggregate_waiting_max.max(1) {
            let reason = format!("{before} commands wait for {stream} already");
            return Box::pin(ready(Some(Err(DispatchError::unavailable(reason)))));
        }
        let (place, waiting) = (self.gate.enter(self, context), Waiting::new(stay));
        let deadline = envelope.deadline();
        Box::pin(async move {
            let outcome = tokio::time::timeout_at(deadline, instance.send(CarryOut(dispatch, waiting))).await;
            drop(place);
            // No answer means that it died or is still at work: what it had sent to the store may be stored.
            let unknown = DispatchError::Timeout { command: C::NAME, outcome: Outcome::Unknown };
            Some(outcome.ok().and_then(Result::ok).unwrap_or(Err(unknown)))
        })
    }
}

/// The stream that a command is for, or why there is none.
fn stream<A: Decide<C>, C: Command>(command: &C) -> Result<StreamName, DispatchError<C::Rejection>> {
    let id = catch_unwind(AssertUnwindSafe(|| A::identify(command))).map_err(|_| DispatchError::Failed {
        reason: format!("identifying the aggregate of {} panicked", C::NAME),
    })?;
    StreamName::of(A::CATEGORY, &id).map_err(|reason| DispatchError::BadIdentity {
        command: C::NAME,
        id,
        reason,
    })
}

impl<A: Aggregate + Unpin> Handler<Drain> for AggregateHost<A> {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.gate.drain(self, context);
    }
}

#[cfg(feature = "faults")]
impl<A: Aggregate + Unpin> Handler<InjectPanic> for AggregateHost<A> {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, what: InjectPanic, _: &mut Self::Context) -> Self::Result {
        assert_eq!(what, InjectPanic::Below, "a test asked this actor to panic");
        let panics = self.live.values().map(|live| live.address.send(InjectPanic::Here));
        let panics = join_all(panics.collect::<Vec<_>>());
        // Those that panic do not answer.
        Box::pin(async move { drop(panics.await) })
    }
}
