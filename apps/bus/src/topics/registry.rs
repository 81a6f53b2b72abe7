//! What the bus knows of topics: the table, and the watch over tracked events. Interprets what the pure parts
//! decide.
//!
//! Only the bus actor changes the table; publishers and subscribers read a snapshot of it. Whatever they do
//! while it changes has a known ending: an event offered to a mailbox that was closed meanwhile is withdrawn
//! from that subscriber, one published on a topic that was unregistered meanwhile is withdrawn from all.

mod publish;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until},
};
use umbel_core::Notice;

use super::{
    error::TopicError,
    event::{AnyEvent, Shadow},
    log::LogTopic,
    mailbox::{Mailbox, Parcel},
    name::Carried,
    pattern::Patterns,
    queue::Overflow,
    ring::{Ring, Subscriber},
    subscription::{SubscriberId, Subscription},
    table::{Entry, Member, Registration, Table},
    watch::{Finished, Marked, Verdict, Verdicts, Watch},
};
use crate::{handle::within, settings::BusSettings};

pub(crate) use publish::Tracking;

pub(crate) struct Registry {
    table: ArcSwap<Table>,
    /// The tracked events that somebody has still to speak of.
    pending: Mutex<Watch<Pending>>,
    /// How many topics are of the log; told whenever one comes or goes.
    log_topics: watch::Sender<usize>,
    /// When the watch must be looked at next.
    wake: watch::Sender<Option<Instant>>,
    settings: BusSettings,
}

/// A tracked event, and where its verdicts go.
struct Pending {
    event: Arc<dyn AnyEvent>,
    verdicts: oneshot::Sender<Verdicts>,
}

impl Registry {
    pub(crate) fn new(settings: &BusSettings) -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::with_names(&settings.topics)),
            pending: Mutex::new(Watch::new(settings.topic_pending_max)),
            log_topics: watch::Sender::new(0),
            wake: watch::Sender::new(None),
            settings: settings.clone(),
        }
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Whether the topic is new, or carries from now on what it did not say before.
    pub(crate) fn register(
        &self,
        name: &Arc<str>,
        carried: Carried,
        of_notice: bool,
    ) -> Result<bool, TopicError> {
        let as_what = Registration { carried, of_notice, log: None };
        let table = self.table().with_topic(name, as_what, self.settings.topics_max)?;
        let changed = table.is_some();
        if let Some(table) = table {
            for member in table.members().iter().filter(|member| member.misses(name)) {
                tracing::warn!(topic = &**name, subscriber = %member.id,
                    "what is published on this topic is not in the log, so who catches up from there gets nothing of it");
            }
            self.table.store(Arc::new(table));
        }
        Ok(changed)
    }

    /// The same for a topic of the log.
    pub(crate) fn register_log(
        &self,
        name: &Arc<str>,
        carried: Carried,
        log: &Arc<LogTopic>,
    ) -> Result<bool, TopicError> {
        let as_what = Registration { carried, of_notice: false, log: Some(Arc::clone(log)) };
        let table = self.table().with_topic(name, as_what, self.settings.topics_max)?;
        let changed = table.is_some();
        if let Some(table) = table {
            self.set_table(table);
        }
        Ok(changed)
    }

    /// How many topics are of the log; told whenever one comes or goes.
    pub(crate) fn log_topics(&self) -> watch::Receiver<usize> {
        self.log_topics.subscribe()
    }

    /// Removes a topic with all that is pending on it; whether there was one.
    pub(crate) fn unregister(&self, name: &str) -> bool {
        let table = self.table();
        let Some(entry) = table.topic(name) else { return false };
        self.set_table(table.without_topic(name));
        entry.life.end();
        self.withdraw_topic(entry);
        true
    }

    /// Subscribes, in place of what the subscriber had; it, and its reader.
    pub(crate) fn subscribe(
        &self,
        subscription: &Subscription,
        patterns: Patterns,
    ) -> Result<(Arc<Member>, u64), TopicError> {
        let Subscription { subscriber, capacity, overflow, lease, .. } = subscription;
        let table = self.table();
        let only_of_log = *overflow == Overflow::CatchUp;
        let mut wanted = table.topics().filter(|entry| patterns.match_name(&entry.name));
        if let Some(entry) = wanted.find(|entry| only_of_log && entry.log.is_none()) {
            return Err(TopicError::NothingToCatchUpFrom { topic: Arc::clone(&entry.name) });
        }
        let known = table.member(subscriber);
        let capacity = capacity.unwrap_or(self.settings.topic_capacity);
        let mailbox =
            known.map_or_else(|| Arc::new(Mailbox::new(capacity, *overflow)), |it| Arc::clone(&it.mailbox));
        let member = Member {
            id: known.map_or_else(|| Arc::new(subscriber.clone()), |known| Arc::clone(&known.id)),
            patterns,
            only_of_log,
            lease: lease.unwrap_or(self.settings.topic_lease()),
            mailbox,
        };
        let table = table.with_member(member, self.settings.topic_subscribers_max)?;
        let member = table.member(subscriber).map(Arc::clone).ok_or(TopicError::Unavailable)?;
        self.table.store(Arc::new(table));
        let reader = member.mailbox.open(capacity, *overflow);
        let unwanted =
            member.mailbox.withdraw(|parcel| !member.patterns.match_name(&parcel.event.head().topic));
        member.mailbox.forget(|topic| !member.patterns.match_name(topic));
        self.lost(&member.id, &unwanted, &Verdict::Withdrawn);
        Ok((member, reader))
    }

    /// Removes a subscriber; whether there was one.
    pub(crate) fn unsubscribe(&self, id: &SubscriberId) -> bool {
        let table = self.table();
        let Some(member) = table.member(id) else { return false };
        self.table.store(Arc::new(table.without_member(id)));
        drop(member.mailbox.close());
        let finished = self.pending().withdraw_from(id);
        announce(finished);
        true
    }

    /// Listens to a kind of notices, whose topic is registered if it was not.
    pub(crate) fn listen<N: Notice>(&self) -> Result<Subscriber<N>, TopicError> {
        let name = Arc::from(N::TOPIC);
        self.register(&name, Carried::of::<N>(), true)?;
        let table = self.table();
        let known = table.topic(&name).and_then(|entry| entry.ring.as_ref());
        if let Some(subscriber) = known.and_then(Ring::listen) {
            return Ok(subscriber);
        }
        let ring = Ring::new::<N>(self.settings.topic_capacity);
        let subscriber = ring.listen().ok_or(TopicError::Unavailable)?;
        self.table.store(Arc::new(table.with_ring(&name, ring)));
        Ok(subscriber)
    }

    /// The event, if it is tracked and pending.
    pub(crate) fn fetch(&self, shadow: &Shadow) -> Option<Arc<dyn AnyEvent>> {
        self.pending().get(shadow).map(|pending| Arc::clone(&pending.event))
    }

    /// How many tracked events of a topic are pending.
    pub(crate) fn count_pending(&self, topic: &str) -> usize {
        self.pending().pending(topic)
    }

    /// A subscriber takes an event to work on it. `false`: it is not wanted any more.
    pub(crate) fn take(&self, parcel: &Parcel, member: &Member) -> bool {
        if parcel.life.is_over() {
            return false;
        }
        if !parcel.tracked {
            return true;
        }
        let mut pending = self.pending();
        let taken = pending.take(&parcel.event.head().shadow(), &member.id, within(member.lease));
        self.set_wake(pending);
        taken
    }

    /// A subscriber says what became of an event.
    pub(crate) fn mark(&self, shadow: &Shadow, subscriber: &SubscriberId, verdict: Verdict) -> Marked {
        let marked = self.judge(shadow, subscriber, verdict);
        if !matches!(marked, Marked::Counted | Marked::Finished) {
            tracing::info!(event = %shadow, %subscriber, ?marked, "a mark changes nothing");
        }
        marked
    }

    /// Ends what is not spoken of in time, for ever. The bus actor runs this; of several at once each does
    /// the same.
    pub(crate) async fn expire_in_time(&self) {
        let mut wake = self.wake.subscribe();
        loop {
            let next = *wake.borrow_and_update();
            tokio::select! {
                () = async { sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {
                    let mut pending = self.pending();
                    let finished = pending.expire(Instant::now());
                    self.set_wake(pending);
                    for Finished { verdicts, .. } in &finished {
                        tracing::warn!(event = %verdicts.shadow, "an event expired before all had spoken");
                    }
                    announce(finished);
                }
                changed = wake.changed() => if changed.is_err() { return },
            }
        }
    }

    /// A subscriber will never get these.
    fn lost(&self, subscriber: &SubscriberId, parcels: &[Parcel], verdict: &Verdict) {
        for parcel in parcels.iter().filter(|parcel| parcel.tracked) {
            // It may have expired by now.
            self.judge(&parcel.event.head().shadow(), subscriber, verdict.clone());
        }
    }

    fn judge(&self, shadow: &Shadow, subscriber: &SubscriberId, verdict: Verdict) -> Marked {
        let (marked, finished) = self.pending().mark(shadow, subscriber, verdict);
        announce(finished);
        marked
    }

    /// Takes back all that was published on a topic that is gone.
    fn withdraw_topic(&self, entry: &Entry) {
        let finished = self.pending().withdraw_topic(&entry.name);
        announce(finished);
        for member in &entry.attached {
            drop(member.mailbox.withdraw(|parcel| parcel.event.head().topic == entry.name));
            member.mailbox.forget(|topic| *topic == *entry.name);
        }
    }

    /// Replaces a table in which a topic of the log may have come or gone.
    fn set_table(&self, table: Table) {
        let of_log = table.topics().filter(|entry| entry.log.is_some()).count();
        self.table.store(Arc::new(table));
        self.log_topics.send_replace(of_log);
    }

    /// Lets the watch go, and tells when it must be looked at next.
    fn set_wake(&self, pending: MutexGuard<'_, Watch<Pending>>) {
        let next = pending.next_wake();
        drop(pending);
        // Only what is earlier needs telling; at a moment too early nothing is found, and the next one is
        // set.
        self.wake.send_if_modified(|wake| {
            let sooner = match (*wake, next) {
                (Some(wake), Some(next)) => next < wake || wake <= Instant::now(),
                (None, next) => next.is_some(),
                (Some(wake), None) => wake <= Instant::now(),
            };
            if sooner {
                *wake = next;
            }
            sooner
        });
    }

    /// Payloads' own code runs outside of this lock, so whoever panicked left a whole watch.
    fn pending(&self) -> MutexGuard<'_, Watch<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends verdicts to whoever waits for them.
fn announce(finished: impl IntoIterator<Item = Finished<Pending>>) {
    for Finished { payload, verdicts } in finished {
        // Nobody has to wait.
        drop(payload.verdicts.send(verdicts));
    }
}

#[cfg(test)]
mod tests;
