//! Hosts of query handlers and command handlers: one actor each, a bounded number of calls in flight.

use std::{future::Future, marker::PhantomData, sync::Arc};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture,
};
use futures_util::future::ready;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use umbel_bus::{Answered, Ask, AskError, Bus, Dispatch, DispatchError, Envelope, RouteSet};
use umbel_core::{Command, Query};
use umbel_supervision::{Drain, Tether, Worker};

use crate::{handling::Handling, read_models::ReadModels, settings::HostSettings};

/// Bounds the calls an actor works on at the same time: when all places are taken, its mailbox waits.
#[derive(Clone)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    capacity: u32,
}

/// Answers calls of kind `K` with the function `F`.
pub(crate) struct HandlerHost<K, F> {
    bus: Bus,
    handler: F,
    gate: Gate,
    _kind: PhantomData<fn() -> K>,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

impl Gate {
    pub(crate) fn new(places: usize) -> Self {
        let capacity = u32::try_from(places.clamp(1, 1 << 20)).unwrap_or(1);
        Self { places: Arc::new(Semaphore::new(capacity as usize)), capacity }
    }

    /// Takes a place for one call. When it was the last one, the actor's mailbox waits until one is free again.
    pub(crate) fn enter<A: Actor<Context = Context<A>>>(
        &self,
        actor: &A,
        context: &mut Context<A>,
    ) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if self.places.available_permits() == 0 {
            let places = Arc::clone(&self.places);
            // The freed place is given straight back: it is for the next message.
            let freed = async move { drop(places.acquire_owned().await) };
            context.wait(freed.into_actor(actor));
        }
        place
    }

    /// Waits until no call is in flight, then stops the actor.
    pub(crate) fn drain<A: Actor<Context = Context<A>>>(&self, actor: &A, context: &mut Context<A>) {
        let (places, all) = (Arc::clone(&self.places), self.capacity);
        let idle = async move { drop(places.acquire_many_owned(all).await) };
        context.wait(idle.into_actor(actor).map(|(), _, context: &mut Context<A>| context.stop()));
    }
}

impl<K, F> HandlerHost<K, F>
where
    K: 'static,
    F: Clone + Send + Sync + Unpin + 'static,
    Self: Actor<Context = Context<Self>> + Handler<Drain>,
{
    fn worker<R>(name: &'static str, owner: String, bus: Bus, settings: &HostSettings, handler: F) -> Worker
    where
        R: umbel_core::Request,
        Self: Handler<Envelope<R>>,
    {
        let in_flight_max = settings.in_flight_max;
        Worker::new(name, move |context| {
            let (bus, owner, handler) = (bus.clone(), owner.clone(), handler.clone());
            async move {
                let registrar = bus.clone();
                let start = move |tether| {
                    Self::create(|actor| {
                        actor.set_mailbox_capacity(bus.settings().mailbox_capacity);
                        let gate = Gate::new(in_flight_max);
                        Self { bus, handler, gate, _kind: PhantomData, _tether: tether }
                    })
                };
                let register = async move |address: actix::Addr<Self>| {
                    let routes = RouteSet::new(owner).answers::<R>(address.recipient());
                    anyhow::Ok(registrar.register(routes).await?)
                };
                context.run_actor_once_up(start, register).await
            }
        })
    }
}

/// The worker that owns a query.
pub(crate) fn query_worker<Q, F, Fut>(app: &str, bus: Bus, settings: &HostSettings, handler: F) -> Worker
where
    Q: Query,
    F: Fn(ReadModels, Q) -> Fut + Clone + Send + Sync + Unpin + 'static,
    Fut: Future<Output = Result<Q::Answer, AskError>> + 'static,
{
    let owner = format!("{app}/{}", Q::NAME);
    HandlerHost::<Ask<Q>, F>::worker::<Ask<Q>>(Q::NAME, owner, bus, settings, handler)
}

/// The worker that owns a command by a handler instead of an aggregate.
pub(crate) fn command_worker<C, F, Fut>(app: &str, bus: Bus, settings: &HostSettings, handler: F) -> Worker
where
    C: Command,
    F: Fn(Handling, C) -> Fut + Clone + Send + Sync + Unpin + 'static,
    Fut: Future<Output = Result<C::Reply, DispatchError<C::Rejection>>> + 'static,
{
    let owner = format!("{app}/{}", C::NAME);
    HandlerHost::<Dispatch<C>, F>::worker::<Dispatch<C>>(C::NAME, owner, bus, settings, handler)
}

impl<K: 'static, F: Unpin + 'static> Actor for HandlerHost<K, F> {
    type Context = Context<Self>;
}

impl<Q, F, Fut> Handler<Envelope<Ask<Q>>> for HandlerHost<Ask<Q>, F>
where
    Q: Query,
    F: Fn(ReadModels, Q) -> Fut + Unpin + 'static,
    Fut: Future<Output = Result<Q::Answer, AskError>> + 'static,
{
    type Result = ResponseFuture<Answered<Ask<Q>>>;

    fn handle(&mut self, envelope: Envelope<Ask<Q>>, context: &mut Self::Context) -> Self::Result {
        let Some(Ask(query)) = envelope.open() else { return Box::pin(ready(None)) };
        let place = self.gate.enter(self, context);
        let answer = (self.handler)(ReadModels::new(self.bus.store(), envelope.deadline()), query);
        Box::pin(async move {
            let answer = answer.await;
            drop(place);
            Some(answer)
        })
    }
}

impl<C, F, Fut> Handler<Envelope<Dispatch<C>>> for HandlerHost<Dispatch<C>, F>
where
    C: Command,
    F: Fn(Handling, C) -> Fut + Unpin + 'static,
    Fut: Future<Output = Result<C::Reply, DispatchError<C::Rejection>>> + 'static,
{
    type Result = ResponseFuture<Answered<Dispatch<C>>>;

    fn handle(&mut self, envelope: Envelope<Dispatch<C>>, context: &mut Self::Context) -> Self::Result {
        let Some(Dispatch { command, context: dispatch }) = envelope.open() else {
            return Box::pin(ready(None));
        };
        let place = self.gate.enter(self, context);
        let handling = Handling::new(self.bus.clone(), dispatch);
        let reply = (self.handler)(handling.clone(), command);
        Box::pin(async move {
            let outcome = reply.await.map(|reply| handling.finish(reply));
            drop(place);
            Some(outcome)
        })
    }
}

impl<K: 'static, F: Unpin + 'static> Handler<Drain> for HandlerHost<K, F> {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.gate.drain(self, context);
    }
}
