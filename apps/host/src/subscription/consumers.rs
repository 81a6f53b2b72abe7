//! The consumers of one subscription in this process, as its runner knows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{mpsc, oneshot};
use umbel_core::{
    RecordedEvent,
    subscription::{ByPlace, ConsumerId, Delivery, JoinError, Key, Verdict},
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
    /// What it may hold. An event that was sent again is there as it was sent last: a place does not say which delivery is meant.
    sent: ByPlace<Way>,
}

/// The last delivery of an event.
struct Way {
    key: Key,
    number: u64,
    taken: Weak<Taken>,
}

/// What a consumer has in its hands, as it knows itself: what is on its way to it is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    held: ByPlace<Held>,
    /// By key, the last batch that was sent before an event of it failed. What that and those before it have of the key will be sent
    /// again behind the event, and is not to be handled.
    stale: BTreeMap<Key, u64>,
}

/// An event in hand.
#[derive(Debug)]
struct Held {
    key: Key,
    letter: bool,
    /// The batch it came with.
    number: u64,
}

impl Consumers {
    pub(crate) fn add(&mut self, id: ConsumerId, batches: mpsc::Sender<Sent>, gone: oneshot::Sender<()>) {
        self.all.insert(id, Consumer { batches, gone, sent: ByPlace::default() });
    }

    /// The consumer is gone, and what it has or is on its way to it is somebody else's; what tells it that nothing of it is left to do.
    pub(crate) fn remove(&mut self, id: ConsumerId) -> Option<oneshot::Sender<()>> {
        let Consumer { gone, sent, .. } = self.all.remove(&id)?;
        for (place, way) in sent {
            way.taken.upgrade().into_iter().for_each(|taken| taken.add(place));
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
        let way = |key| Way { key, number, taken: Arc::downgrade(&taken) };
        consumer.sent.extend(deliveries.iter().map(|one| (one.item.place, way(one.item.key))));
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
            let taken = consumer.sent.remove(*place).and_then(|way| way.taken.upgrade());
            taken.into_iter().for_each(|taken| taken.add(*place));
        }
    }

    /// Whether what a consumer says of this event, which it got with this batch or one before it, is about its last delivery. One
    /// that came again since then is not handled, whatever became of the one before.
    pub(crate) fn is_current(&self, id: ConsumerId, place: Place, number: u64) -> bool {
        let way = self.all.get(&id).and_then(|consumer| consumer.sent.get(place));
        way.is_some_and(|way| way.number <= number)
    }

    /// These are handled.
    pub(crate) fn done(&mut self, id: ConsumerId, places: &[Place]) {
        let Some(consumer) = self.all.get_mut(&id) else { return };
        for place in places {
            consumer.sent.remove(*place);
        }
    }

    /// This one has failed: nothing of its key that was sent up to this batch counts any more.
    pub(crate) fn failed(&mut self, id: ConsumerId, key: Key, batch: u64) {
        let Some(consumer) = self.all.get_mut(&id) else { return };
        consumer.sent.retain(|_, way| way.key != key || way.number > batch);
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

impl Hands {
    /// Takes a batch, but for what will be sent again and what is somebody else's by now.
    pub(crate) fn take(&mut self, sent: &mut Sent) {
        let Sent { number, deliveries, taken } = sent;
        let number = *number;
        self.stale.retain(|_, last| number <= *last);
        let stale = &self.stale;
        deliveries.retain(|one| !stale.contains_key(&one.item.key) && !taken.has(one.item.place));
        let held = |letter, key| Held { key, letter, number };
        self.held.extend(deliveries.iter().map(|one| (one.item.place, held(one.letter, one.item.key))));
    }

    /// Events up to this place, and these letters, as far as they are held and came with this batch or before it: one that came
    /// again later is another matter.
    pub(crate) fn up_to(&self, number: u64, place: Place, letters: &[Place]) -> Vec<Place> {
        let wanted = self.held.iter().filter(|(at, held)| {
            held.number <= number && if held.letter { letters.contains(at) } else { *at <= place }
        });
        wanted.map(|(at, _)| at).collect()
    }

    pub(crate) fn is_letter(&self, place: Place) -> bool {
        self.held.get(place).is_some_and(|held| held.letter)
    }

    /// These are handled, as they came with this batch or before it.
    pub(crate) fn done(&mut self, number: u64, places: &[Place]) {
        for place in places {
            if self.held.get(*place).is_some_and(|held| held.number <= number) {
                self.held.remove(*place);
            }
        }
    }

    /// An event of this key has failed. What was sent of the key up to this batch comes again; it may have come already.
    pub(crate) fn failed(&mut self, key: Key, batch: u64) {
        self.held.retain(|_, held| held.key != key || held.number > batch);
        let last = self.stale.entry(key).or_default();
        *last = (*last).max(batch);
    }
}
