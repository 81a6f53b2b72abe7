//! The pull form: a consumer takes batches when it likes and says what became of them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::sync::{mpsc, oneshot};
use umbel_bus::edge;
use umbel_core::{
    Place, RecordedEvent,
    subscription::{ConsumerId, Delivery, Key, SubscriptionName, Verdict},
};

use super::{
    consumers::{Command, Event, NotHeld, Sent, Stale, Taken},
    view::Told,
};

/// A consumer of a subscription. Dropping it leaves: what it holds goes to others, or comes again when somebody subscribes.
pub struct Subscriber<T = Arc<RecordedEvent>> {
    pub(crate) link: Link,
    pub(crate) batches: mpsc::Receiver<Sent>,
    /// Resolves once it has left and nothing of it is left to do.
    pub(crate) gone: oneshot::Receiver<()>,
    pub(crate) map: Arc<dyn Fn(&Arc<RecordedEvent>) -> T + Send + Sync>,
}

/// The way from a consumer to the runner.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) name: SubscriptionName,
    pub(crate) consumer: ConsumerId,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) stale: Arc<Mutex<Stale>>,
    pub(crate) told: Arc<Told>,
    /// Why the runner has ended, once it has.
    pub(crate) ended: Arc<OnceLock<String>>,
}

/// Events that were handed over together. They count as being handled until they are acknowledged, have failed, or the
/// subscriber is gone.
pub struct Batch<T = Arc<RecordedEvent>> {
    events: Vec<Delivered<T>>,
    link: Link,
    taken: Arc<Taken>,
    /// What is neither acknowledged nor failed, in the order of the batch.
    open: Mutex<Vec<Open>>,
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    place: Place,
    key: Key,
    letter: bool,
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

    /// The next batch; waits for it. `None` when the subscription has ended here, and [`Self::ended`] says why. May be dropped
    /// while it waits.
    pub async fn next(&mut self) -> Option<Batch<T>> {
        loop {
            let Sent { number, mut deliveries, taken } = self.batches.recv().await?;
            self.link.stale().sift(number, &mut deliveries);
            deliveries.retain(|delivery| !taken.has(delivery.item.place));
            if !deliveries.is_empty() {
                return Some(self.batch(deliveries, taken));
            }
        }
    }

    fn batch(&self, deliveries: Vec<Delivery<Event>>, taken: Arc<Taken>) -> Batch<T> {
        let open = deliveries.iter().map(|Delivery { item, letter, .. }| Open {
            place: item.place,
            key: item.key,
            letter: *letter,
        });
        let open = Mutex::new(open.collect());
        let delivered = |Delivery { item, attempt, letter }: Delivery<Event>| Delivered {
            event: (self.map)(&item.event),
            place: item.place,
            key: item.key,
            attempt,
            letter,
        };
        let events = deliveries.into_iter().map(delivered).collect();
        Batch { events, link: self.link.clone(), taken, open }
    }

    /// Why the subscription has ended here; `None` while it goes on.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.link.commands.is_closed().then(|| self.link.why_ended())
    }

    /// Leaves, and waits until that is done: for the last subscriber in this process, until what was acknowledged is saved and other
    /// nodes may take over.
    pub async fn close(self) {
        let Self { batches, gone, .. } = self;
        drop(batches);
        // An error is the answer: the other end is dropped when all is done.
        drop(gone.await);
    }
}

impl Link {
    /// Without waiting for an answer.
    pub(crate) async fn ack_unheard(&self, place: Place) -> Result<(), AckError> {
        let command = Command::Ack { consumer: self.consumer, place, answer: None };
        self.commands.send(command).await.map_err(|_| self.has_ended())
    }

    async fn ack(&self, place: Place) -> Result<(), AckError> {
        let (answer, said) = oneshot::channel();
        let command = Command::Ack { consumer: self.consumer, place, answer: Some(answer) };
        self.ask(command, said, place).await
    }

    /// An event could not be handled; of its key, nothing behind it was, and will be sent again.
    pub(crate) async fn fail(
        &self,
        place: Place,
        key: Key,
        verdict: Verdict,
        error: String,
    ) -> Result<(), AckError> {
        let (answer, said) = oneshot::channel();
        let (consumer, at) = (self.consumer, edge::now());
        let command = Command::Fail { consumer, place, verdict, error, at, answer };
        let before = self.ask(command, said, place).await?;
        self.stale().up_to(key, before);
        Ok(())
    }

    async fn ask<A>(
        &self,
        command: Command,
        said: oneshot::Receiver<Result<A, NotHeld>>,
        place: Place,
    ) -> Result<A, AckError> {
        self.commands.send(command).await.map_err(|_| self.has_ended())?;
        let said = said.await.map_err(|_| self.has_ended())?;
        said.map_err(|NotHeld| AckError::NotHeld { subscription: self.name.clone(), place })
    }

    fn has_ended(&self) -> AckError {
        AckError::Ended { subscription: self.name.clone(), reason: self.why_ended() }
    }

    pub(crate) fn why_ended(&self) -> String {
        self.ended.get().cloned().unwrap_or_else(|| "its thread has ended".to_owned())
    }

    fn stale(&self) -> MutexGuard<'_, Stale> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Batch<T> {
    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[Delivered<T>] {
        &self.events
    }

    /// All of it is handled.
    ///
    /// # Errors
    /// See [`AckError`]; what could be acknowledged is.
    pub async fn ack(&self) -> Result<(), AckError> {
        let last = self.events.iter().map(|delivered| delivered.place).max().unwrap_or_default();
        let letters = self.open().iter().filter(|open| open.letter).map(|open| open.place).collect();
        self.acknowledge(letters, last).await
    }

    /// The event at this place is handled, and so are all others that this subscriber holds before it. A dead letter is
    /// acknowledged alone.
    ///
    /// # Errors
    /// See [`AckError`].
    pub async fn ack_to(&self, place: Place) -> Result<(), AckError> {
        let open = self.open().iter().find(|open| open.place == place).copied();
        match open {
            Some(Open { letter: true, .. }) => self.acknowledge(vec![place], Place::START).await,
            Some(_) => self.acknowledge(Vec::new(), place).await,
            // The runner knows what else this subscriber holds.
            None => self.link.ack(place).await,
        }
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
        let not_held = || AckError::NotHeld { subscription: self.link.name.clone(), place };
        let key = found.ok_or_else(not_held)?;
        self.link.fail(place, key, verdict, error.into()).await?;
        self.open().retain(|open| open.key != key);
        Ok(())
    }

    /// Places of this batch that are somebody else's by now: another node has taken the partition over. Whatever is said of them
    /// changes nothing.
    #[must_use]
    pub fn taken(&self) -> Vec<Place> {
        let places = self.events.iter().map(|delivered| delivered.place);
        places.filter(|place| self.taken.has(*place)).collect()
    }

    /// Acknowledges these letters, and the last of the other events up to this place.
    async fn acknowledge(&self, letters: Vec<Place>, to: Place) -> Result<(), AckError> {
        let (mut done, mut outcome) = (Vec::new(), Ok(()));
        let last = self.open().iter().rfind(|open| !open.letter && open.place <= to).map(|open| open.place);
        for place in letters.into_iter().chain(last) {
            match self.link.ack(place).await {
                Ok(()) => done.push(place),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        self.open().retain(|open| {
            let covered = |place: &Place| *place == open.place || !open.letter && open.place <= *place;
            !done.iter().any(covered)
        });
        outcome
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events themselves, for those who say what becomes of each on their own.
    pub(crate) fn into_parts(self) -> (Vec<Delivered<T>>, Arc<Taken>) {
        (self.events, self.taken)
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
