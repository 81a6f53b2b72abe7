//! Publishing: to whoever listens, to each subscriber's queue, and under the watch if somebody wants to know
//! what becomes of it.

use std::{any::TypeId, sync::Arc};

use tokio::sync::oneshot;
use umbel_core::Notice;

use super::{Pending, Registry, announce};
use crate::{
    handle::within,
    topics::{
        error::PublishError,
        event::{AnyEvent, Shadow, TopicEvent},
        mailbox::{Offer, Parcel},
        name::{Carried, Payload},
        subscription::SubscriberId,
        table::{Entry, Table},
        watch::{Unwatched, Verdict, Verdicts},
    },
};

/// Whether an event is pending, and where its verdicts come from.
pub(crate) enum Tracking {
    Done(Verdicts),
    Pending { verdicts: oneshot::Receiver<Verdicts>, subscribers: Vec<Arc<SubscriberId>> },
}

impl Registry {
    /// The fast path: a notice to whoever listens, and an event of it to the subscribers, if there are any.
    /// How many they are.
    pub(crate) fn publish_notice<N: Notice>(&self, notice: N) -> usize {
        let table = self.table.load();
        let Some(entry) = table.topic_of_notice(TypeId::of::<N>()).or_else(|| table.topic(N::TOPIC)) else {
            return 0;
        };
        if entry.log.is_some() {
            tracing::error!(topic = N::TOPIC, "only what is appended to the log is published on this topic");
            return 0;
        }
        if entry.attached.is_empty() {
            return entry.ring.as_ref().map_or(0, |ring| ring.send(notice));
        }
        if let Err(carried) = entry.takes(Carried::of::<N>()) {
            tracing::error!(
                topic = N::TOPIC,
                carries = carried.name,
                "a notice of another type was published"
            );
            return 0;
        }
        self.hand_out(entry, TopicEvent::plain(Arc::clone(&entry.name), notice), false)
    }

    /// Publishes an event to all who are there; how many they are.
    pub(crate) fn publish<T: Payload>(&self, event: TopicEvent<T>) -> Result<usize, PublishError> {
        let table = self.table.load();
        let Some(entry) = entry_for(&table, &event)? else { return Ok(0) };
        let reached = self.hand_out(entry, event, false);
        if reached == 0 {
            tracing::warn!(topic = &*entry.name, "an event was published, and nobody is there to get it");
        }
        Ok(reached)
    }

    /// Publishes an event, and watches what its subscribers do with it.
    pub(crate) fn publish_tracked<T: Payload>(&self, event: TopicEvent<T>) -> Result<Tracking, PublishError> {
        let table = self.table.load();
        let shadow = event.head.shadow();
        let nobody = Tracking::Done(Verdicts { shadow: shadow.clone(), given: Vec::new() });
        let Some(entry) = entry_for(&table, &event)? else { return Ok(nobody) };
        if entry.attached.is_empty() {
            self.publish(event)?;
            return Ok(nobody);
        }
        let event = Arc::new(event);
        let subscribers: Vec<_> = entry.attached.iter().map(|member| Arc::clone(&member.id)).collect();
        let verdicts = self.watch(shadow.clone(), Arc::clone(&event) as _, subscribers.clone())?;
        self.hand_out_shared(entry, event, true);
        if entry.life.is_over() {
            // Too late for the unregistering to have seen it.
            let finished = self.pending().withdraw(&shadow);
            announce(finished);
        }
        Ok(Tracking::Pending { verdicts, subscribers })
    }

    fn watch(
        &self,
        shadow: Shadow,
        event: Arc<dyn AnyEvent>,
        subscribers: Vec<Arc<SubscriberId>>,
    ) -> Result<oneshot::Receiver<Verdicts>, PublishError> {
        let (sender, receiver) = oneshot::channel();
        let expires = within(event.head().ttl.unwrap_or(self.settings.topic_ttl()));
        let mut pending = self.pending();
        let watched =
            pending.insert(shadow.clone(), Pending { event, verdicts: sender }, subscribers, expires);
        self.set_wake(pending);
        match watched {
            Ok(()) => Ok(receiver),
            Err(Unwatched::Duplicate) => Err(PublishError::Duplicate { topic: shadow.topic, id: shadow.id }),
            Err(Unwatched::Full) => {
                Err(PublishError::TooManyPending { limit: self.settings.topic_pending_max })
            }
        }
    }

    fn hand_out<T: Payload>(&self, entry: &Entry, event: TopicEvent<T>, tracked: bool) -> usize {
        if entry.attached.is_empty() {
            return entry.ring.as_ref().map_or(0, |ring| ring.send_any(&event.data));
        }
        self.hand_out_shared(entry, Arc::new(event), tracked)
    }

    fn hand_out_shared<T: Payload>(&self, entry: &Entry, event: Arc<TopicEvent<T>>, tracked: bool) -> usize {
        let mut reached = entry.ring.as_ref().map_or(0, |ring| ring.send_any(&event.data));
        let parcel = Parcel { event, tracked, life: entry.life.clone() };
        for member in &entry.attached {
            let (offer, lost) = member.mailbox.offer(parcel.clone());
            self.lost(&member.id, &lost, &Verdict::Missed);
            match offer {
                Offer::Accepted => reached += 1,
                Offer::Closed => {
                    self.lost(&member.id, std::slice::from_ref(&parcel), &Verdict::Withdrawn);
                }
                Offer::Refused => {}
            }
        }
        reached
    }
}

/// The topic of an event, if it is registered and takes it.
fn entry_for<'a, T: Payload>(
    table: &'a Table,
    event: &TopicEvent<T>,
) -> Result<Option<&'a Arc<Entry>>, PublishError> {
    let topic = &event.head.topic;
    let Some(entry) = table.topic(topic) else {
        tracing::warn!(topic = &**topic, "an event was published on a topic that is not registered");
        return Ok(None);
    };
    if entry.log.is_some() {
        return Err(PublishError::OfTheLog { topic: Arc::clone(topic) });
    }
    let published = Carried::of::<T>();
    entry.takes(published).map_err(|carried| PublishError::Carries {
        topic: Arc::clone(topic),
        carries: carried.name,
        published: published.name,
    })?;
    Ok(Some(entry))
}
