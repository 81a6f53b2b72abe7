//! A bound on what one actor works on at the same time.
//!
//! An actor that answers with futures empties its mailbox at once, and the mailbox's bound with it. Behind a gate
//! the mailbox waits while all places are taken, so that senders feel the bound.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the calls in flight of one actor.
#[derive(Clone, Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
    capacity: u32,
}

impl Gate {
    /// The largest number of places.
    pub const CAPACITY_MAX: u32 = 1 << 20;

    /// A gate with so many places, at least one and at most [`Self::CAPACITY_MAX`].
    #[must_use]
    pub fn new(places: usize) -> Self {
        let capacity = u32::try_from(places).unwrap_or(Self::CAPACITY_MAX).clamp(1, Self::CAPACITY_MAX);
        Self { places: Arc::new(Semaphore::new(capacity as usize)), capacity }
    }

    /// Takes a place for one call; it is free again when the permit is dropped. When it was the last one, the
    /// actor's mailbox waits until one is free.
    pub fn enter<A: Actor<Context = Context<A>>>(
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
    pub fn drain<A: Actor<Context = Context<A>>>(&self, actor: &A, context: &mut Context<A>) {
        let (places, all) = (Arc::clone(&self.places), self.capacity);
        let idle = async move { drop(places.acquire_many_owned(all).await) };
        context.wait(idle.into_actor(actor).map(|(), _, context: &mut Context<A>| context.stop()));
    }
}
