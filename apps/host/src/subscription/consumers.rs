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
    /// It has handled these events.
    Ack {
        consumer: ConsumerId,
        places: Vec<Place>,
        /// Answered with those that it does not hold.
        answer: Option<oneshot::Sender<Vec<Place>>>,
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

/// What a consumer has in its hands, as it knows itself: what is on its way to it is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    held: BTreeMap<Place, (Key, bool)>,
    /// By key, the last batch that was sent before an event of it failed. What that and those before it have of the key will be sent
    /// again behind the event, and is not to be handled.
    stale: BTreeMap<Key, u64>,
}

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

impl Hands {
    /// Takes a batch, but for what will be sent again and what is somebody else's by now.
    pub(crate) fn take(&mut self, sent: Sent) -> (Vec<Delivery<Event>>, Arc<Taken>) {
        let Sent { number, mut deliveries, taken } = sent;
        self.stale.retain(|_, last| number <= *last);
        let stale = &self.stale;
        deliveries.retain(|one| !stale.contains_key(&one.item.key) && !taken.has(one.item.place));
        self.held.extend(deliveries.iter().map(|one| (one.item.place, (one.item.key, one.letter))));
        (deliveries, taken)
    }

    /// Events up to this place, and these letters, as far as they are held.
    pub(crate) fn up_to(&self, place: Place, letters: &[Place]) -> Vec<Place> {
        let held = self.held.iter();
        let wanted =
            held.filter(|(at, (_, letter))| if *letter { letters.contains(at) } else { **at <= place });
        wanted.map(|(at, _)| *at).collect()
    }

    pub(crate) fn is_letter(&self, place: Place) -> bool {
        self.held.get(&place).is_some_and(|(_, letter)| *letter)
    }

    /// These are handled.
    pub(crate) fn done(&mut self, places: &[Place]) {
        for place in places {
            self.held.remove(place);
        }
    }

    /// An event of this key has failed. What was sent of the key up to this batch comes again.
    pub(crate) fn failed(&mut self, key: Key, batch: u64) {
        self.held.retain(|_, (held, _)| *held != key);
        self.stale.insert(key, batch);
    }
}
