//! The owner of a boundary's command: a bounded number of them in flight.

use std::marker::PhantomData;

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use futures_util::future::ready;
use tokio::time::timeout_at;
use umbel_bus::{Answered, Bus, Dispatch, DispatchError, Envelope, Gate, Outcome, Refusal, RouteSet};
use umbel_core::{Boundary, Command};
use umbel_supervision::{Drain, Tether, Worker};

use super::{attempt::carry_out, turns::Turns};
use crate::settings::HostSettings;

/// Carries out the command of one kind of boundary.
pub(crate) struct BoundaryHost<B> {
    bus: Bus,
    retries: u32,
    turns: Turns,
    gate: Gate,
    _kind: PhantomData<fn() -> B>,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

/// The worker that owns the command of `B`.
pub(crate) fn worker<B: Boundary>(app: &str, bus: Bus, settings: &HostSettings) -> Worker {
    let (owner, settings) = (format!("{app}/{}", B::Command::NAME), settings.clone());
    Worker::new(B::Command::NAME, move |context| {
        let (bus, owner, settings) = (bus.clone(), owner.clone(), settings.clone());
        async move {
            let registrar = bus.clone();
            let start = move |tether| {
                BoundaryHost::<B>::create(|actor| {
                    actor.set_mailbox_capacity(bus.settings().mailbox_capacity);
                    let (gate, turns) =
                        (Gate::new(settings.in_flight_max), Turns::new(settings.aggregate_waiting_max));
                    let retries = settings.conflict_retries;
                    BoundaryHost { bus, retries, turns, gate, _kind: PhantomData, _tether: tether }
                })
            };
            let register = async move |host: Addr<BoundaryHost<B>>| {
                let routes = RouteSet::new(owner).answers::<Dispatch<B::Command>>(host.clone().recipient());
                #[cfg(feature = "faults")]
                let routes = routes.panics_at(host.clone().recipient());
                drop(host);
                anyhow::Ok(registrar.register(routes).await?)
            };
            context.run_actor_once_up(start, register).await
        }
    })
}

impl<B: Boundary> Actor for BoundaryHost<B> {
    type Context = Context<Self>;
}

impl<B: Boundary> Handler<Envelope<Dispatch<B::Command>>> for BoundaryHost<B> {
    type Result = ResponseFuture<Answered<Dispatch<B::Command>>>;

    fn handle(
        &mut self,
        envelope: Envelope<Dispatch<B::Command>>,
        context: &mut Self::Context,
    ) -> Self::Result {
        let Some(dispatch) = envelope.open() else { return Box::pin(ready(None)) };
        if dispatch.context.expected.is_some() {
            return Box::pin(ready(Some(Err(DispatchError::Refused(Refusal::NoVersion)))));
        }
        let place = self.gate.enter(self, context);
        let (store, turns, retries) = (self.bus.store(), self.turns.clone(), self.retries);
        let inlines = self.bus.common();
        let deadline = dispatch.context.deadline;
        Box::pin(async move {
            let outcome =
                timeout_at(deadline, carry_out::<B>((&store, &inlines), &turns, dispatch, retries)).await;
            drop(place);
            // What it had sent to the store may be stored.
            let unknown = DispatchError::Timeout { command: B::Command::NAME, outcome: Outcome::Unknown };
            Some(outcome.unwrap_or(Err(unknown)))
        })
    }
}

impl<B: Boundary> Handler<Drain> for BoundaryHost<B> {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.gate.drain(self, context);
    }
}

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([B: Boundary] BoundaryHost<B>);
