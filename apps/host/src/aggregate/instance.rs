//! The actor of one live aggregate.

use std::{marker::PhantomData, rc::Rc, sync::Arc};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WeakAddr, WrapFuture,
};
use umbel_bus::{Dispatch, DispatchError, Dispatched, Store};
use umbel_core::{Aggregate, Command, Decide, Lifespan, StreamName, store::Snapshot};

use crate::{
    aggregate::{
        carry_out::Kept,
        host::{AggregateHost, Review},
        stay::Waiting,
    },
    inline::Inlines,
};

/// Keeps one aggregate in memory. Its commands are decided one at a time, in the order in which they came.
pub(super) struct Instance<A: Aggregate + Unpin> {
    stream: StreamName,
    kept: Rc<Kept<A>>,
    store: Store,
    inlines: Arc<Inlines>,
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
    type Result = ResponseActFuture<Self, <CarryOut<C> as Message>::Result>;

    fn handle(&mut self, CarryOut(dispatch, waiting): CarryOut<C>, _: &mut Context<Self>) -> Self::Result {
        let (kept, store, retries) = (Rc::clone(&self.kept), self.store.clone(), self.retries);
        let inlines = Arc::clone(&self.inlines);
        let work = async move {
            let (outcome, lifespan) = kept.carry_out((&store, &inlines), dispatch, retries).await;
            waiting.stay(lifespan);
            drop(waiting);
            (outcome, lifespan)
        };
        Box::pin(work.into_actor(self).map(|(outcome, lifespan), actor, context| {
            if actor.kept.snapshot_is_due() {
                context.notify(TakeSnapshot(PhantomData));
            }
            actor.tell_host(lifespan);
            outcome
        }))
    }
}

impl<A: Aggregate + Unpin> Instance<A> {
    pub(super) fn new(
        stream: StreamName,
        store: Store,
        inlines: Arc<Inlines>,
        retries: u32,
        host: WeakAddr<AggregateHost<A>>,
    ) -> Self {
        Self { kept: Rc::new(Kept::new(stream.clone())), stream, store, inlines, retries, host }
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
        if let Some(snapshot) = self.kept.take_snapshot() {
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
