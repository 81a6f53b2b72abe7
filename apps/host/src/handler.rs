//! Hosts of query handlers and command handlers: one actor each, a bounded number of calls in flight.

use std::{future::Future, marker::PhantomData};

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use futures_util::future::ready;
use tokio::time::timeout_at;
use umbel_bus::{
    Answered, Ask, AskError, Bus, Dispatch, DispatchError, Dispatched, Envelope, Gate, Outcome, Refusal,
    RouteSet,
};
use umbel_core::{Command, Query};
use umbel_supervision::{Drain, Tether, Worker};

use crate::{handling::Handling, ids::Ids, kept::Keeping, read_models::ReadModels, settings::HostSettings};

/// Answers calls of kind `K` with the function `F`.
pub(crate) struct HandlerHost<K, F> {
    bus: Bus,
    handler: F,
    gate: Gate,
    _kind: PhantomData<fn() -> K>,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

impl<K, F> HandlerHost<K, F>
where
    K: 'static,
    F: Clone + Send + Sync + Unpin + 'static,
{
    /// The worker of a host; `answers` adds what it answers to its routes.
    fn worker(
        name: &'static str,
        app: &str,
        bus: Bus,
        settings: &HostSettings,
        handler: F,
        answers: fn(RouteSet, Addr<Self>) -> RouteSet,
    ) -> Worker {
        let owner = format!("{app}/{name}");
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
                let register = async move |address: Addr<Self>| {
                    let routes = answers(RouteSet::new(owner), address.clone());
                    #[cfg(feature = "faults")]
                    let routes = routes.panics_at(address.clone().recipient());
                    drop(address);
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
    HandlerHost::<Ask<Q>, F>::worker(Q::NAME, app, bus, settings, handler, |routes, host| {
        routes.answers_query::<Q>(host.recipient())
    })
}

/// The worker that owns a command by a handler instead of an aggregate.
pub(crate) fn command_worker<C, F, Fut>(app: &str, bus: Bus, settings: &HostSettings, handler: F) -> Worker
where
    C: Command,
    F: Fn(Handling, C) -> Fut + Clone + Send + Sync + Unpin + 'static,
    Fut: Future<Output = Result<C::Reply, DispatchError<C::Rejection>>> + 'static,
{
    HandlerHost::<Dispatch<C>, F>::worker(C::NAME, app, bus, settings, handler, |routes, host| {
        routes.carries_out::<C>(host.recipient())
    })
}

impl<K: 'static, F: Unpin + 'static> Actor for HandlerHost<K, F> {
    type Context = Context<Self>;
}

impl<Q, F, Fut> Handler<Envelope<Ask<Q>>> for HandlerHost<Ask<Q>, F>
where
    Q: Query,
    F: Fn(ReadModels, Q) -> Fut + Clone + Unpin + 'static,
    Fut: Future<Output = Result<Q::Answer, AskError>> + 'static,
{
    type Result = ResponseFuture<Answered<Ask<Q>>>;

    fn handle(&mut self, envelope: Envelope<Ask<Q>>, context: &mut Self::Context) -> Self::Result {
        let Some(Ask(query)) = envelope.open() else { return Box::pin(ready(None)) };
        let place = self.gate.enter(self, context);
        let (handler, deadline) = (self.handler.clone(), envelope.deadline());
        let models = ReadModels::new(self.bus.store(), deadline);
        Box::pin(async move {
            // Called here, so that a panic is this call's and not the actor's.
            let answer = timeout_at(deadline, async { handler(models, query).await }).await;
            drop(place);
            Some(answer.unwrap_or(Err(AskError::Timeout { query: Q::NAME })))
        })
    }
}

impl<C, F, Fut> Handler<Envelope<Dispatch<C>>> for HandlerHost<Dispatch<C>, F>
where
    C: Command,
    F: Fn(Handling, C) -> Fut + Clone + Unpin + 'static,
    Fut: Future<Output = Result<C::Reply, DispatchError<C::Rejection>>> + 'static,
{
    type Result = ResponseFuture<Answered<Dispatch<C>>>;

    fn handle(&mut self, envelope: Envelope<Dispatch<C>>, context: &mut Self::Context) -> Self::Result {
        let Some(Dispatch { command, context: dispatch }) = envelope.open() else {
            return Box::pin(ready(None));
        };
        if dispatch.expected.is_some() {
            return Box::pin(ready(Some(Err(DispatchError::Refused(Refusal::NoVersion)))));
        }
        let place = self.gate.enter(self, context);
        let (handler, deadline) = (self.handler.clone(), dispatch.deadline);
        let ids = Ids::of(dispatch.command_id, dispatch.depth);
        let keeping = Keeping::of(&self.bus.store(), &dispatch, ids.reply());
        let handling = Handling::new(self.bus.clone(), dispatch, ids);
        Box::pin(async move {
            let answer = timeout_at(deadline, carry_out(handler, handling, command, keeping)).await;
            drop(place);
            let late = || DispatchError::Timeout { command: C::NAME, outcome: Outcome::Unknown };
            Some(answer.unwrap_or_else(|_elapsed| Err(late())))
        })
    }
}

/// Calls the function, unless the command was carried out before, and keeps what it answers.
async fn carry_out<C, F, Fut>(
    handler: F,
    handling: Handling,
    command: C,
    keeping: Option<Keeping>,
) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>
where
    C: Command,
    F: Fn(Handling, C) -> Fut,
    Fut: Future<Output = Result<C::Reply, DispatchError<C::Rejection>>>,
{
    if let Some(keeping) = &keeping
        && let Some(first) = keeping.find::<C>().await?
    {
        return Ok(first);
    }
    let reply = handler(handling.clone(), command).await.map_err(|error| handling.fail::<C>(error))?;
    let done = handling.finish(reply);
    match keeping {
        Some(keeping) => keeping.keep::<C>(done).await.map_err(|error| handling.fail::<C>(error)),
        None => Ok(done),
    }
}

impl<K: 'static, F: Unpin + 'static> Handler<Drain> for HandlerHost<K, F> {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.gate.drain(self, context);
    }
}

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([K: 'static, F: Unpin + 'static] HandlerHost<K, F>);
