//! The pull form: a consumer takes batches when it likes and says what became of them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::sync::{mpsc, oneshot};
use umbel_bus::{Store, edge};
use umbel_core::{
    Place, RecordedEvent,
    store::StoreError,
    subscription::{ConsumerId, Delivery, Hands, Key, SubscriptionName, Verdict},
};

use super::{
    care::Careful,
    consumers::{Command, Event, NotHeld, Sent, Taken},
    spec::MapFn,
    view::Told,
};

/// A consumer of a subscription. Dropping it leaves: what it holds goes to others, or comes again when somebody subscribes.
pub struct Subscriber<T = Arc<RecordedEvent>> {
    pub(crate) link: Link,
    pub(crate) batches: mpsc::Receiver<Sent>,
    /// Dropped with it, which says that it leaves.
    pub(crate) staying: oneshot::Sender<()>,
    /// Resolves once it has left and nothing of it is left to do.
    pub(crate) gone: oneshot::Receiver<()>,
    pub(crate) map: MapFn<T>,
}

/// The way from a consumer to the runner.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) name: SubscriptionName,
    pub(crate) consumer: ConsumerId,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) hands: Arc<Mutex<Hands>>,
    pub(crate) told: Arc<Told>,
    /// Why the runner has ended, once it has.
    pub(crate) ended: Arc<OnceLock<String>>,
}

/// Events that were handed over together. They count as being handled until they are acknowledged, have failed, or the
/// subscriber is gone.
pub struct Batch<T = Arc<RecordedEvent>> {
    events: Vec<Delivered<T>>,
    link: Link,
    /// Which batch of the subscription it is.
    number: u64,
    taken: Arc<Taken>,
}

/// An event in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered<T = Arc<RecordedEvent>> {
    /// The event, or what the subscription maps it to.
    pub event: T,
    /// Its place in what the subscription follows.
    pub place: Place,
    /// Its key.
    pub key: Key,
    /// Which attempt this is: 1 for the first.
    pub attempt: u32,
    /// Whether it is a dead letter that is tried again.
    pub letter: bool,
    /// Whether it is a replay: the subscription was done with it before, by the furthest checkpoint that was known when its leases were
    /// last renewed.
    pub replay: bool,
    /// How often the subscription was reset before: who is given a higher number than before begins anew.
    pub resets: u64,
}

/// Why what a consumer said does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// It does not hold this event: it never did, has spoken already, or the event is somebody else's by now.
    #[error(
        "the event at place {place} is not in the hands of this subscriber of {subscription}; nothing changed"
    )]
    NotHeld {
        /// Of which subscription.
        subscription: SubscriptionName,
        /// Which event.
        place: Place,
    },
    /// The subscription has ended here. What was not acknowledged comes again; subscribe anew.
    #[error("subscription {subscription} has ended here: {reason}; subscribe again")]
    Ended {
        /// Which.
        subscription: SubscriptionName,
        /// Why.
        reason: String,
    },
}

impl<T> Subscriber<T> {
    /// The name of the subscription.
    #[must_use]
    pub fn name(&self) -> &SubscriptionName {
        &self.link.name
    }

    /// The name that what follows from its events is kept under.
    pub(crate) fn kept_as(&self) -> Arc<str> {
        Arc::clone(&self.link.told.kept_as)
    }

    /// The next batch; waits for it. `None` when the subscription has ended for it, and [`Self::ended`] says why. May be dropped
    /// while it waits.
    pub async fn next(&mut self) -> Option<Batch<T>> {
        loop {
            let mut sent = self.batches.recv().await?;
            let Sent { number, deliveries, taken } = &mut sent;
            self.link.hands().take(*number, deliveries, |place| (!taken.has(place)).then_some(()));
            if !sent.deliveries.is_empty() {
                return Some(self.batch(sent));
            }
        }
    }

    fn batch(&self, sent: Sent) -> Batch<T> {
        let Sent { number, deliveries, taken } = sent;
        let delivered = |Delivery { item, attempt, letter, replay, resets }: Delivery<Event>| Delivered {
            event: (self.map)(&item.event),
            place: item.place,
            key: item.key,
            attempt,
            letter,
            replay,
            resets,
        };
        let events = deliveries.into_iter().map(delivered).collect();
        Batch { events, link: self.link.clone(), number, taken }
    }

    /// Why the subscription has ended for this subscriber; `None` while it goes on.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        if self.link.commands.is_closed() {
            return Some(self.link.why_ended());
        }
        self.batches.is_closed().then(|| "it did not take what was sent to it and counts as gone".to_owned())
    }

    /// Leaves, and waits until that is done: for the last subscriber in this process, until what was acknowledged is saved and other
    /// nodes may take over.
    pub async fn close(self) {
        let Self { batches, staying, gone, .. } = self;
        drop((batches, staying));
        // An error is the answer: the other end is dropped when all is done.
        drop(gone.await);
    }
}

impl Link {
    /// These are handled. Without waiting for an answer.
    pub(crate) async fn ack_unheard(&self, number: u64, places: Vec<Place>) -> Result<(), AckError> {
        self.hands().done(number, &places);
        let command = Command::Ack { consumer: self.consumer, number, places, answer: None };
        self.commands.send(command).await.map_err(|_| self.has_ended())
    }

    /// These are handled; those of them that were not held.
    async fn ack(&self, number: u64, places: Vec<Place>) -> Result<Vec<Place>, AckError> {
        let (answer, said) = oneshot::channel();
        let (consumer, named) = (self.consumer, places.clone());
        let command = Command::Ack { consumer, number, places: named, answer: Some(answer) };
        self.commands.send(command).await.map_err(|_| self.has_ended())?;
        let not_held = said.await.map_err(|_| self.has_ended())?;
        self.hands().done(number, &places);
        Ok(not_held)
    }

    /// An event could not be handled; of its key, nothing behind it was, and will be sent again.
    pub(crate) async fn fail(
        &self,
        number: u64,
        place: Place,
        key: Key,
        verdict: Verdict,
        error: String,
    ) -> Result<(), AckError> {
        let (answer, said) = oneshot::channel();
        let (consumer, at) = (self.consumer, edge::now());
        let command = Command::Fail { consumer, number, place, key, verdict, error, at, answer };
        self.commands.send(command).await.map_err(|_| self.has_ended())?;
        let said = said.await.map_err(|_| self.has_ended())?;
        let before = said.map_err(|NotHeld| self.not_held(place))?;
        self.hands().failed(key, before);
        Ok(())
    }

    /// Whether this is to be [begun with care](Self::begin).
    pub(crate) fn wants_care<T>(&self, delivered: &Delivered<T>) -> bool {
        self.told.care.is_for(delivered)
    }

    /// Begins an event with care: `None` when it is somebody else's by now.
    ///
    /// # Errors
    /// When the store cannot note it.
    pub(crate) async fn begin<T>(
        &self,
        store: &Store,
        delivered: &Delivered<T>,
    ) -> Result<Option<Careful>, StoreError> {
        self.told.care.begin((store, &self.name), delivered).await
    }

    fn not_held(&self, place: Place) -> AckError {
        AckError::NotHeld { subscription: self.name.clone(), place }
    }

    fn has_ended(&self) -> AckError {
        AckError::Ended { subscription: self.name.clone(), reason: self.why_ended() }
    }

    pub(crate) fn why_ended(&self) -> String {
        self.ended.get().cloned().unwrap_or_else(|| "its thread has ended".to_owned())
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Batch<T> {
    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[Delivered<T>] {
        &self.events
    }

    /// The events, in order, one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Delivered<T>> {
        self.events.iter()
    }

    /// All of it is handled, but for what has failed, and so is what this subscriber took before it. What came again since then is not
    /// covered: it is a delivery of its own.
    ///
    /// # Errors
    /// See [`AckError`]; what could be acknowledged is.
    pub async fn ack(&self) -> Result<(), AckError> {
        let place_of = |one: &Delivered<T>| one.place;
        let last = self.events.iter().filter(|one| !one.letter).map(place_of).max().unwrap_or_default();
        let letters: Vec<_> = self.events.iter().filter(|one| one.letter).map(place_of).collect();
        let places = self.link.hands().up_to(self.number, last, &letters);
        let not_held = self.link.ack(self.number, places).await?;
        let own = not_held.into_iter().find(|place| self.events.iter().any(|one| one.place == *place));
        own.map_or(Ok(()), |place| Err(self.link.not_held(place)))
    }

    /// The event at this place is handled, and so are all others that this subscriber took before it, in this batch or an earlier one;
    /// what it took with a later batch is not covered. A dead letter is acknowledged alone.
    ///
    /// # Errors
    /// See [`AckError`].
    pub async fn ack_to(&self, place: Place) -> Result<(), AckError> {
        let places = {
            let hands = self.link.hands();
            match hands.is_letter(place) {
                true => hands.up_to(self.number, Place::START, &[place]),
                false => hands.up_to(self.number, place, &[]),
            }
        };
        // Asked in any case: whoever has nothing in hand may have to be told that the subscription has ended.
        let held = places.contains(&place);
        let not_held = self.link.ack(self.number, places).await?;
        if held && !not_held.contains(&place) { Ok(()) } else { Err(self.link.not_held(place)) }
    }

    /// The event at this place could not be handled, for this reason. Of its key, what is not acknowledged yet comes again; so
    /// acknowledge what is before it first.
    ///
    /// # Errors
    /// See [`AckError`].
    pub async fn fail(
        &self,
        place: Place,
        verdict: Verdict,
        error: impl Into<String>,
    ) -> Result<(), AckError> {
        let found = self.events.iter().find(|delivered| delivered.place == place).map(|found| found.key);
        let key = found.ok_or_else(|| self.link.not_held(place))?;
        self.link.fail(self.number, place, key, verdict, error.into()).await
    }

    /// Places of this batch that are somebody else's by now: another node has taken the partition over. Whatever is said of them
    /// changes nothing.
    #[must_use]
    pub fn taken(&self) -> Vec<Place> {
        let places = self.events.iter().map(|delivered| delivered.place);
        places.filter(|place| self.taken.has(*place)).collect()
    }

    /// The events themselves, for those who say what becomes of each on their own.
    pub(crate) fn into_parts(self) -> (Vec<Delivered<T>>, u64, Arc<Taken>) {
        (self.events, self.number, self.taken)
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a Delivered<T>;
    type IntoIter = std::slice::Iter<'a, Delivered<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.iter()
    }
}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("subscription", self.name()).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("events", &self.events).finish_non_exhaustive()
    }
}
