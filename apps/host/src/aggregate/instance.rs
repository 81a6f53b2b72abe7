//! The actor of one live aggregate.

use std::marker::PhantomData;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, WeakAddr,
    WrapFuture,
};
use umbel_bus::{Dispatch, DispatchError, Dispatched, Store};
use umbel_core::{Aggregate, Command, Decide, Lifespan, StreamName, store::Snapshot};

use crate::aggregate::{
    cell::Cell,
    host::{AggregateHost, Review},
    stay::Waiting,
};

/// Keeps one aggregate in memory and carries out its commands one at a time.
pub(super) struct Instance<A: Aggregate + Unpin> {
    stream: StreamName,
    /// Out of its place only while a command is carried out, during which no other message is handled.
    cell: Option<Cell<A>>,
    store: Store,
    retries: u32,
    /// Told when the domain says how long this stays.
    host: WeakAddr<AggregateHost<A>>,
}

/// A command that has been taken out of its envelope by the host.
pub(super) struct CarryOut<C>(pub(super) Dispatch<C>, pub(super) Waiting);

/// A snapshot is due. An instance tells itself, so that whoever waits for the command's answer has it before.
struct TakeSnapshot<A>(PhantomData<fn() -> A>);

impl<A: Decide<C>, C: Command> Handler<CarryOut<C>> for Instance<A>
where
    A: Unpin,
{
    type Result = AtomicResponse<Self, <CarryOut<C> as Message>::Result>;

    fn handle(&mut self, CarryOut(dispatch, waiting): CarryOut<C>, _: &mut Context<Self>) -> Self::Result {
        let (cell, store, retries) = (self.cell.take(), self.store.clone(), self.retries);
        let work = async move {
            let mut cell = cell?;
            let (outcome, lifespan) = cell.carry_out(&store, dispatch, retries).await;
            waiting.stay(lifespan);
            drop(waiting);
            Some((cell, outcome, lifespan))
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|done, actor, context| match done {
            Some((cell, outcome, lifespan)) => {
                if cell.snapshot_is_due() {
                    context.notify(TakeSnapshot(PhantomData));
                }
                actor.cell = Some(cell);
                actor.tell_host(lifespan);
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

impl<A: Aggregate + Unpin> Instance<A> {
    pub(super) fn new(
        stream: StreamName,
        store: Store,
        retries: u32,
        host: WeakAddr<AggregateHost<A>>,
    ) -> Self {
        Self { cell: Some(Cell::new(stream.clone())), stream, store, retries, host }
    }

    /// Tells the host when the time of this instance is another one than that of the settings. A host that is too busy to be told
    /// finds out when it looks.
    fn tell_host(&self, lifespan: Lifespan) {
        if matches!(lifespan, Lifespan::Stop | Lifespan::Keep(_))
            && let Some(host) = self.host.upgrade()
            && let Err(error) = host.try_send(Review(self.stream.clone()))
        {
            tracing::debug!(stream = %self.stream, %error, "its host looks later");
        }
    }
}

impl<A: Aggregate + Unpin> Handler<TakeSnapshot<A>> for Instance<A> {
    type Result = ();

    fn handle(&mut self, _: TakeSnapshot<A>, _: &mut Context<Self>) {
        if let Some(snapshot) = self.cell.as_mut().and_then(Cell::take_snapshot) {
            // On its own: commands do not wait for it.
            actix::spawn(save(self.store.clone(), snapshot));
        }
    }
}

async fn save(store: Store, snapshot: Snapshot) {
    let (stream, version) = (snapshot.stream.clone(), snapshot.version);
    match store.save_snapshot(snapshot).await {
        Ok(true) => tracing::debug!(%stream, %version, "snapshot kept"),
        Ok(false) => tracing::debug!(%stream, %version, "there is a newer snapshot already"),
        Err(error) => {
            tracing::warn!(%stream, %version, %error, "no snapshot was kept; the next is tried when it is due");
        }
    }
}

impl<A: Aggregate + Unpin> Actor for Instance<A> {
    type Context = Context<Self>;
}

impl<C: Command> Message for CarryOut<C> {
    type Result = Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>;
}

impl<A> Message for TakeSnapshot<A> {
    type Result = ();
}

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([A: Aggregate + Unpin] Instance<A>);
