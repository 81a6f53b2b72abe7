//! The consumers of one subscription in this process, as its runner knows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{mpsc, oneshot};
use umbel_core::{
    RecordedEvent,
    subscription::{ConsumerId, Delivery, Given, JoinError, Key, Verdict},
    {Place, Timestamp},
};

/// What is handed over.
pub(crate) type Event = Arc<RecordedEvent>;

/// What a consumer says.
pub(crate) enum Command {
    Join(Join),
    /// It has handled these events, as they were sent with this batch or one before it.
    Ack {
        consumer: ConsumerId,
        number: u64,
        places: Vec<Place>,
        /// Answered with those that it does not hold.
        answer: Option<oneshot::Sender<Vec<Place>>>,
    },
    /// It could not handle this event, as it was sent with this batch.
    Fail {
        consumer: ConsumerId,
        number: u64,
        place: Place,
        key: Key,
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
    /// Closed when the consumer leaves. None of its queue's ends, which would keep that open.
    pub(crate) left: oneshot::Receiver<()>,
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
    /// What it may hold, and of each, who of its batch hears that it is somebody else's.
    given: Given<Weak<Taken>>,
}

impl Consumers {
    pub(crate) fn add(&mut self, id: ConsumerId, batches: mpsc::Sender<Sent>, gone: oneshot::Sender<()>) {
        self.all.insert(id, Consumer { batches, gone, given: Given::default() });
    }

    /// The consumer is gone, and what it has or is on its way to it is somebody else's; what tells it that nothing of it is left to do.
    pub(crate) fn remove(&mut self, id: ConsumerId) -> Option<oneshot::Sender<()>> {
        let Consumer { gone, given, .. } = self.all.remove(&id)?;
        for (place, taken) in given.into_kept() {
            taken.upgrade().into_iter().for_each(|taken| taken.add(place));
        }
        Some(gone)
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
        let (number, taken) = (self.batches, Arc::<Taken>::default());
        consumer.given.send(number, &deliveries, &Arc::downgrade(&taken));
        match consumer.batches.try_send(Sent { number, deliveries, taken }) {
            // One that is gone is noticed in its turn.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => true,
            Err(mpsc::error::TrySendError::Full(_)) => false,
        }
    }

    /// These are somebody else's now.
    pub(crate) fn revoke(&mut self, id: ConsumerId, places: &[Place]) {
        let Some(consumer) = self.all.get_mut(&id) else { return };
        for place in places {
            let taken = consumer.given.revoke(*place).and_then(|taken| taken.upgrade());
            taken.into_iter().for_each(|taken| taken.add(*place));
        }
    }

    /// What this consumer was given, if it is there.
    pub(crate) fn given(&mut self, id: ConsumerId) -> Option<&mut Given<Weak<Taken>>> {
        self.all.get_mut(&id).map(|consumer| &mut consumer.given)
    }
}

impl Taken {
    fn add(&self, place: Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
    }

    pub(crate) fn has(&self, place: Place) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&place)
    }
}
