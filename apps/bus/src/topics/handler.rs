//! Subscribers that are called: one event after the other, whatever happens to one of them.

use std::{
    any::Any,
    fmt::Display,
    future::{Future, pending},
    panic::AssertUnwindSafe,
    pin::pin,
};

use futures_util::FutureExt;
use umbel_supervision::{Worker, WorkerContext, describe_panic};

use super::{
    inbox::{Delivery, Inbox, Item},
    mailbox::Ended,
    queue::Gap,
    subscription::{SubscriberId, Subscription},
};
use crate::handle::Bus;

/// A subscriber that is called for one event at a time. What it returns marks the event, if it is tracked:
/// `Ok` as completed, an error as skipped. If it panics the event is skipped, the log tells why, and a fresh
/// handler is made for the next event.
pub trait TopicHandler: 'static {
    /// Why an event is skipped.
    type Error: Display;

    /// Handles an event.
    fn handle(&mut self, delivery: &Delivery) -> impl Future<Output = Result<(), Self::Error>>;

    /// Learns that events were lost here, because it was slow. Unless overridden, the log tells.
    fn lagged(&mut self, gap: Gap) -> impl Future<Output = ()> {
        tracing::warn!(missed = gap.missed, since = %gap.since, "a subscriber is too slow and missed events");
        std::future::ready(())
    }
}

/// A supervised worker that subscribes and calls a handler; `make` makes it, also anew after a panic. It
/// starts as `NAME.subscriber`, on its group's thread; a handler that blocks gets [`Worker::own_thread`].
///
/// When it is restarted it goes on where it was: its queue is kept meanwhile. Disconnected by
/// [`Overflow::Disconnect`](super::Overflow::Disconnect) it fails, so that it is restarted, after its group's
/// pause, and begins anew. Told to stop it ends the event at hand.
pub fn topic_worker<H, F>(bus: &Bus, subscription: Subscription, make: F) -> Worker
where
    H: TopicHandler,
    F: Fn(&SubscriberId) -> H + Clone + Send + Sync + 'static,
{
    let bus = bus.clone();
    let name = format!("{}.subscriber", subscription.subscriber());
    Worker::new(name, move |context: WorkerContext| {
        let (bus, subscription, make) = (bus.clone(), subscription.clone(), make.clone());
        async move {
            let mut inbox = bus.topics().subscribe(subscription).await?;
            context.ready();
            match inbox.serve_until(context.stopping(), make).await {
                Some(ended @ Ended::Disconnected { .. }) => Err(ended.into()),
                Some(ended) => {
                    tracing::info!(subscriber = %inbox.subscriber(), "no more events: {ended}");
                    context.stopping().await;
                    Ok(())
                }
                None => Ok(()),
            }
        }
    })
}

impl Inbox {
    /// Calls a handler for each event until nothing comes any more; `make` makes it, also anew after a panic.
    /// To have it supervised, see [`topic_worker`].
    pub async fn serve<H: TopicHandler>(&mut self, make: impl Fn(&SubscriberId) -> H) -> Ended {
        match self.serve_until(pending(), make).await {
            Some(ended) => ended,
            None => Ended::Unsubscribed,
        }
    }

    /// The same, until told to stop between two events.
    async fn serve_until<H: TopicHandler>(
        &mut self,
        stop: impl Future<Output = ()>,
        make: impl Fn(&SubscriberId) -> H,
    ) -> Option<Ended> {
        let mut stop = pin!(stop);
        let mut handler = make(self.subscriber());
        loop {
            let item = tokio::select! {
                biased;
                () = &mut stop => return None,
                item = self.next() => item,
            };
            let survived = match item {
                Ok(Item::Event(delivery)) => call(&mut handler, &delivery).await,
                Ok(Item::Lagged(gap)) => tell(&mut handler, gap, self.subscriber()).await,
                Err(ended) => return Some(ended),
            };
            if !survived {
                handler = make(self.subscriber());
            }
        }
    }
}

/// Has an event handled and marked; `false` when the handler panicked.
async fn call<H: TopicHandler>(handler: &mut H, delivery: &Delivery) -> bool {
    // Called within the future, so that a panic before its first pause is caught, too.
    let handled = AssertUnwindSafe(async { handler.handle(delivery).await }).catch_unwind().await;
    match handled {
        Ok(Ok(())) => {
            delivery.complete();
        }
        Ok(Err(error)) => {
            let (event, subscriber) = (delivery.shadow(), delivery.subscriber());
            tracing::warn!(%event, %subscriber, %error, "a subscriber skips an event");
            delivery.skip(error.to_string());
        }
        Err(panic) => {
            let cause = cause(&*panic);
            let (event, subscriber) = (delivery.shadow(), delivery.subscriber());
            tracing::error!(%event, %subscriber, %cause, "a subscriber panicked; it skips this and is made anew");
            delivery.skip(cause);
            return false;
        }
    }
    true
}

/// Tells of lost events; `false` when the handler panicked.
async fn tell<H: TopicHandler>(handler: &mut H, gap: Gap, subscriber: &SubscriberId) -> bool {
    let told = AssertUnwindSafe(async { handler.lagged(gap).await }).catch_unwind().await;
    if let Err(panic) = &told {
        let cause = cause(&**panic);
        tracing::error!(%subscriber, %cause, "a subscriber panicked over lost events; it is made anew");
    }
    told.is_ok()
}

fn cause(panic: &(dyn Any + Send)) -> String {
    format!("panicked: {}", describe_panic(panic))
}
