//! The actor of one live aggregate.

use actix::{Actor, ActorContext, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use umbel_bus::{Dispatch, DispatchError, Dispatched, Store};
use umbel_core::{Command, Decide, StreamName};

use crate::aggregate::{cell::Cell, host::Waiting};

/// Keeps one aggregate in memory and carries out its commands one at a time.
pub(super) struct Instance<A> {
    /// Out of its place only while a command is carried out, during which no other message is handled.
    cell: Option<Cell<A>>,
    store: Store,
    retries: u32,
}

/// A command that has been taken out of its envelope by the host.
pub(super) struct CarryOut<C>(pub(super) Dispatch<C>, pub(super) Waiting);

impl<A: Decide<C>, C: Command> Handler<CarryOut<C>> for Instance<A>
where
    A: Unpin,
{
    type Result = AtomicResponse<Self, <CarryOut<C> as Message>::Result>;

    fn handle(&mut self, CarryOut(dispatch, waiting): CarryOut<C>, _: &mut Context<Self>) -> Self::Result {
        let (cell, store, retries) = (self.cell.take(), self.store.clone(), self.retries);
        let work = async move {
            let mut cell = cell?;
            let outcome = cell.carry_out(&store, dispatch, retries).await;
            drop(waiting);
            Some((cell, outcome))
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|done, actor, context| match done {
            Some((cell, outcome)) => {
                actor.cell = Some(cell);
                outcome
            }
            None => {
                // The cell was lost by a panic beneath this actor: let the host make a new one.
                context.stop();
                Err(DispatchError::unavailable("the aggregate is being restarted"))
            }
        })))
    }
}

impl<A: 'static> Instance<A> {
    pub(super) fn new(stream: StreamName, store: Store, retries: u32) -> Self
    where
        A: umbel_core::Aggregate,
    {
        Self { cell: Some(Cell::new(stream)), store, retries }
    }
}

impl<A: Unpin + 'static> Actor for Instance<A> {
    type Context = Context<Self>;
}

impl<C: Command> Message for CarryOut<C> {
    type Result = Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>;
}

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([A: Unpin + 'static] Instance<A>);
