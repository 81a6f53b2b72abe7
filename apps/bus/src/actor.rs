//! The bus actor: the one writer of the routing table and of the topics.

use std::marker::PhantomData;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult, WrapFuture};
use umbel_supervision::{Drain, Tether, Worker};

use crate::{
    handle::Bus,
    routes::{RouteError, RouteSet},
    topics::{Registry, TopicError},
};

/// Owns the routing table and the topics. Its state is the published snapshots themselves, so a restart loses
/// nothing.
pub struct BusActor {
    bus: Bus,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

/// Registers a component's routes.
#[derive(Clone)]
pub(crate) struct Register(pub(crate) RouteSet);

/// Removes a component's routes.
#[derive(Clone)]
pub(crate) struct Unregister(pub(crate) String);

/// Changes the topics in a way that may be repeated.
pub(crate) struct ChangeTopics<F, A> {
    change: F,
    answer: PhantomData<fn() -> A>,
}

/// The bus actor as a supervised worker on a thread of its own.
#[must_use]
pub fn worker(bus: &Bus) -> Worker {
    let bus = bus.clone();
    let start = move |context: umbel_supervision::WorkerContext| {
        let bus = bus.clone();
        async move {
            context
                .run_actor(move |tether| {
                    let addr = BusActor::create(|actor| {
                        actor.set_mailbox_capacity(bus.settings().mailbox_capacity);
                        BusActor { bus: bus.clone(), _tether: tether }
                    });
                    bus.set_actor(addr.clone());
                    addr
                })
                .await
        }
    };
    Worker::new("bus", start).own_thread()
}

impl<F, A> ChangeTopics<F, A> {
    pub(crate) fn new(change: F) -> Self {
        Self { change, answer: PhantomData }
    }
}

impl<F: Clone, A> Clone for ChangeTopics<F, A> {
    fn clone(&self) -> Self {
        Self::new(self.change.clone())
    }
}

impl Actor for BusActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let bus = self.bus.clone();
        context.spawn(async move { bus.registry().expire_in_time().await }.into_actor(self));
        let bus = self.bus.clone();
        context.spawn(async move { bus.registry().follow_log(&bus).await }.into_actor(self));
        #[cfg(feature = "faults")]
        self.take_faults(context);
    }
}

#[cfg(feature = "faults")]
impl BusActor {
    fn take_faults(&self, context: &Context<Self>) {
        let mut routes = (*self.bus.routes()).clone();
        let (owner, recipient) = (std::sync::Arc::<str>::from("bus"), context.address().recipient());
        let fault = crate::routes::Fault {
            owner: std::sync::Arc::clone(&owner),
            recipient,
            what: crate::InjectPanic::Here,
        };
        routes.faults.insert(owner, fault);
        self.bus.set_routes(routes);
    }
}

impl Message for Register {
    type Result = Result<(), RouteError>;
}

impl Message for Unregister {
    type Result = ();
}

impl<F: 'static, A: Send + 'static> Message for ChangeTopics<F, A> {
    type Result = Result<A, TopicError>;
}

impl Handler<Register> for BusActor {
    type Result = Result<(), RouteError>;

    fn handle(&mut self, Register(set): Register, _: &mut Self::Context) -> Self::Result {
        self.bus.set_routes(self.bus.routes().with(set)?);
        Ok(())
    }
}

impl Handler<Unregister> for BusActor {
    type Result = ();

    fn handle(&mut self, Unregister(owner): Unregister, _: &mut Self::Context) {
        self.bus.set_routes(self.bus.routes().without(&owner));
    }
}

impl<F, A> Handler<ChangeTopics<F, A>> for BusActor
where
    F: Fn(&Registry) -> Result<A, TopicError> + 'static,
    A: Send + 'static,
{
    type Result = MessageResult<ChangeTopics<F, A>>;

    fn handle(&mut self, message: ChangeTopics<F, A>, _: &mut Self::Context) -> Self::Result {
        MessageResult((message.change)(self.bus.registry()))
    }
}

impl Handler<Drain> for BusActor {
    type Result = ();

    /// Nothing waits here: sends do not pass through this actor.
    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        context.stop();
    }
}
