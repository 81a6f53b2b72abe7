//! The consumers of one subscription in this process, as its runner knows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{mpsc, oneshot};
use umbel_core::{
    RecordedEvent,
    subscription::{ConsumerId, Delivery, JoinError, Key, Verdict},
    {Place, Timestamp},
};

/// What is handed over.
pub(crate) type Event = Arc<RecordedEvent>;

/// What a consumer says.
pub(crate) enum Command {
    Join(Join),
    /// It has handled this event, and what it holds before it.
    Ack {
        consumer: ConsumerId,
        place: Place,
        answer: Option<oneshot::Sender<Result<(), NotHeld>>>,
    },
    /// It could not handle this event.
    Fail {
        consumer: ConsumerId,
        place: Place,
        verdict: Verdict,
        error: String,
        at: Timestamp,
        /// Answered with the number of the last batch that was sent before.
        answer: oneshot::Sender<Result<u64, NotHeld>>,
    },
}

/// A consumer that wants to join.
pub(crate) struct Join {
    pub(crate) consumer: ConsumerId,
    pub(crate) capacity: u32,
    pub(crate) batches: mpsc::Sender<Sent>,
    /// Dropped once the consumer has left and nothing of it is left to do.
    pub(crate) gone: oneshot::Sender<()>,
    pub(crate) answer: oneshot::Sender<Result<(), JoinError>>,
}

/// It named an event that it does not hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotHeld;

/// A batch on its way.
pub(crate) struct Sent {
    /// Counts the batches of the subscription.
    pub(crate) number: u64,
    pub(crate) deliveries: Vec<Delivery<Event>>,
    pub(crate) taken: Arc<Taken>,
}

/// Of a batch, what is somebody else's now.
#[derive(Debug, Default)]
pub(crate) struct Taken(Mutex<BTreeSet<Place>>);

/// Everybody who has joined.
#[derive(Default)]
pub(crate) struct Consumers {
    all: BTreeMap<ConsumerId, Consumer>,
    batches: u64,
}

struct Consumer {
    batches: mpsc::Sender<Sent>,
    gone: oneshot::Sender<()>,
    /// Batches that it may still have.
    sent: Vec<(BTreeSet<Place>, Weak<Taken>)>,
}

/// Batches that were sent before an event failed may hold others of its key, which will be sent again behind it. These are not to be
/// handled.
#[derive(Debug, Default)]
pub(crate) struct Stale(BTreeMap<Key, u64>);

impl Consumers {
    pub(crate) fn add(&mut self, id: ConsumerId, batches: mpsc::Sender<Sent>, gone: oneshot::Sender<()>) {
        self.all.insert(id, Consumer { batches, gone, sent: Vec::new() });
    }

    /// The consumer is gone; what tells it that nothing of it is left to do.
    pub(crate) fn remove(&mut self, id: ConsumerId) -> Option<oneshot::Sender<()>> {
        self.all.remove(&id).map(|consumer| consumer.gone)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of the last batch that was sent.
    pub(crate) const fn last_batch(&self) -> u64 {
        self.batches
    }

    /// Sends a batch. `false` when the consumer does not take batches although there is room by all rules: then it is none.
    pub(crate) fn send(&mut self, id: ConsumerId, deliveries: Vec<Delivery<Event>>) -> bool {
        self.batches += 1;
        let Some(consumer) = self.all.get_mut(&id) else { return false };
        let (places, taken) = (deliveries.iter().map(|one| one.item.place).collect(), Arc::default());
        consumer.sent.retain(|(_, taken)| taken.strong_count() > 0);
        consumer.sent.push((places, Arc::downgrade(&taken)));
        match consumer.batches.try_send(Sent { number: self.batches, deliveries, taken }) {
            // One that is gone is noticed in its turn.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => true,
            Err(mpsc::error::TrySendError::Full(_)) => false,
        }
    }

    /// These are somebody else's now.
    pub(crate) fn revoke(&self, id: ConsumerId, places: &[Place]) {
        let Some(consumer) = self.all.get(&id) else { return };
        for (sent, taken) in &consumer.sent {
            let Some(taken) = taken.upgrade() else { continue };
            taken.add(places.iter().filter(|place| sent.contains(place)));
        }
    }
}

impl Taken {
    fn add<'a>(&self, places: impl Iterator<Item = &'a Place>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(places);
    }

    pub(crate) fn has(&self, place: Place) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&place)
    }
}

impl Stale {
    /// What was sent of this key up to this batch will be sent again.
    pub(crate) fn up_to(&mut self, key: Key, batch: u64) {
        self.0.insert(key, batch);
    }

    /// Takes out of a batch what will be sent again.
    pub(crate) fn sift(&mut self, batch: u64, deliveries: &mut Vec<Delivery<Event>>) {
        self.0.retain(|_, last| batch <= *last);
        if !self.0.is_empty() {
            deliveries.retain(|delivery| !self.0.contains_key(&delivery.item.key));
        }
    }
}
