//! The bus actor: the one writer of the routing table.

use std::{any::TypeId, marker::PhantomData, sync::Arc};

use actix::{Actor, ActorContext, Context, Handler, Message, MessageResult};
use umbel_core::Notice;
use umbel_supervision::{Drain, Tether, Worker};

use crate::{
    handle::Bus,
    routes::{RouteError, RouteSet},
    topic::{Subscriber, Topic},
};

/// Owns the routing table. Its state is the published snapshot itself, so a restart loses nothing.
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

/// Subscribes to a topic, creating it if nobody did before.
pub(crate) struct Listen<N> {
    capacity: usize,
    topic: PhantomData<fn() -> N>,
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

impl<N> Listen<N> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, topic: PhantomData }
    }
}

impl<N> Clone for Listen<N> {
    fn clone(&self) -> Self {
        Self::new(self.capacity)
    }
}

impl Actor for BusActor {
    type Context = Context<Self>;

    #[cfg(feature = "faults")]
    fn started(&mut self, context: &mut Self::Context) {
        use actix::AsyncContext;
        let mut routes = (*self.bus.routes()).clone();
        let (owner, recipient) = (Arc::<str>::from("bus"), context.address().recipient());
        let fault =
            crate::routes::Fault { owner: Arc::clone(&owner), recipient, what: crate::InjectPanic::Here };
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

impl<N: Notice> Message for Listen<N> {
    type Result = Subscriber<N>;
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

impl<N: Notice> Handler<Listen<N>> for BusActor {
    type Result = MessageResult<Listen<N>>;

    fn handle(&mut self, listen: Listen<N>, _: &mut Self::Context) -> Self::Result {
        let routes = self.bus.routes();
        let known = routes.topics.get(&TypeId::of::<N>()).and_then(|topic| topic.downcast_ref::<Topic<N>>());
        if let Some(topic) = known {
            return MessageResult(topic.listen());
        }
        let topic = Topic::<N>::new(listen.capacity);
        let subscriber = topic.listen();
        let mut routes = (*routes).clone();
        routes.topics.insert(TypeId::of::<N>(), Arc::new(topic));
        self.bus.set_routes(routes);
        MessageResult(subscriber)
    }
}

impl Handler<Drain> for BusActor {
    type Result = ();

    /// Nothing waits here: sends do not pass through this actor.
    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        context.stop();
    }
}
