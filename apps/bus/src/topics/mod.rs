//! Transient topics: what is published reaches whoever subscribed to the topic, now, and is gone.
//!
//! Owns the table of topics and subscribers, what waits for each subscriber, and the watch over tracked
//! events.
//!
//! Promises:
//! - publishing never waits: each subscriber has a bounded queue of its own, a policy for what does not fit,
//!   and is told what it missed; so a slow one delays only itself;
//! - what one publisher publishes reaches each subscriber in that order, or is told of as lost in its place;
//! - a tracked event is done when each of its subscribers has spoken, whoever spoke twice and whoever had no
//!   say; it ends by its time to live at the latest, so nothing stays for ever;
//! - topics, subscribers and what waits for them survive every actor, the bus actor included;
//! - what is published on a topic of the log is what is appended; whoever asked to catch up misses nothing of it and
//!   gets nothing twice, however slow it is, and still has a bounded queue;
//! - tracking costs those nothing who do not ask for it.
//!
//! What is pure has files of its own: `pattern`, `queue`, `behind`, `watch`, `table`. `registry` interprets them.

mod behind;
mod draft;
mod error;
mod event;
mod handler;
mod inbox;
mod log;
mod mailbox;
mod name;
mod pattern;
mod queue;
mod registry;
mod ring;
mod subscription;
mod table;
mod tracked;
mod verbs;
mod watch;

use std::{fmt, panic::Location, sync::Arc};

use umbel_core::{RecordedEvent, store::Selector};

pub use self::{
    draft::{Built, Draft, FallibleDraft},
    error::{PublishError, TopicError},
    event::{EventHead, Shadow, TopicEvent},
    handler::{TopicHandler, topic_worker},
    inbox::{Delivery, Inbox, Item},
    mailbox::Ended,
    name::{Payload, TOPIC_NAME_MAX_BYTES, Topic},
    pattern::PATTERN_MAX_BYTES,
    queue::{Counters, Gap, Overflow},
    ring::Subscriber,
    subscription::{SubscriberId, SubscriberInfo, Subscription},
    tracked::Tracked,
    watch::{Marked, Verdict, Verdicts},
};
use self::{
    event::typed,
    log::LogTopic,
    name::Carried,
    pattern::Patterns,
    table::{Member, Table},
};
pub(crate) use self::{name::check_name, registry::Registry};
use crate::handle::Bus;

/// The transient topics of a bus; see [`Bus::topics`]. Cheap to clone.
#[derive(Clone)]
pub struct Topics {
    bus: Bus,
}

impl Topics {
    pub(crate) const fn new(bus: Bus) -> Self {
        Self { bus }
    }

    /// Registers a topic; whether that changed anything. All subscribers whose patterns match it get what is
    /// published on it from then on. To register it again changes nothing.
    ///
    /// # Errors
    /// When the name is none, the topic carries another type, there are too many, or the bus actor is not
    /// running.
    pub async fn register<T: Payload>(&self, topic: &Topic<T>) -> Result<bool, TopicError> {
        let (name, of_notice) = (Arc::clone(topic.name()), topic.own_of_notice);
        let change = move |registry: &Registry| registry.register(&name, Carried::of::<T>(), of_notice);
        self.bus.change_topics(change).await
    }

    /// Registers a topic of the log; whether that changed anything. What is appended from now on and selected is published on it by the bus,
    /// in the order of the log, as what `make` makes of it, if it makes anything. It must always make the same of the
    /// same event, and do it fast. Nobody else publishes on such a topic. The head of what is published has the event's id, its
    /// stream as the source, and the time at which it was recorded. To register the topic again changes nothing.
    ///
    /// # Errors
    /// When the name is none, the topic carries another type or is there and none of the log, there are too many, the store does
    /// not say where the log ends, or the bus actor is not running.
    pub async fn register_log<T: Payload>(
        &self,
        topic: &Topic<T>,
        selector: Selector,
        make: impl Fn(&RecordedEvent) -> Option<T> + Send + Sync + 'static,
    ) -> Result<bool, TopicError> {
        let name = Arc::clone(topic.name());
        let status = self.bus.store().status().await;
        let status = status.map_err(|error| TopicError::Store { topic: Arc::clone(&name), error })?;
        let log = Arc::new(LogTopic::new(topic, selector, status.head, make));
        let change = move |registry: &Registry| registry.register_log(&name, Carried::of::<T>(), &log);
        self.bus.change_topics(change).await
    }

    /// Removes a topic with all that waits or is pending on it; whether there was one. Those who wait for
    /// verdicts get them, in which whoever had not spoken has [`Verdict::Withdrawn`]. Subscribers keep their
    /// patterns.
    ///
    /// # Errors
    /// When the bus actor is not running.
    pub async fn unregister(&self, topic: &str) -> Result<bool, TopicError> {
        let name = topic.to_owned();
        self.bus.change_topics(move |registry| Ok(registry.unregister(&name))).await
    }

    /// The names of all topics, sorted.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.table().topics().map(|entry| Arc::clone(&entry.name)).collect();
        names.sort_unstable();
        names
    }

    /// Whether there is a topic of this name.
    #[must_use]
    pub fn exists(&self, topic: &str) -> bool {
        self.table().topic(topic).is_some()
    }

    /// How many tracked events are pending on a topic: published, and not yet spoken of by all their
    /// subscribers.
    #[must_use]
    pub fn pending(&self, topic: &str) -> usize {
        self.bus.registry().count_pending(topic)
    }

    /// Subscribes. A subscriber that had subscribed already has from now on these patterns and this policy
    /// instead; what waits for it stays, if it still matches, and its earlier inbox ends with
    /// [`Ended::Replaced`].
    ///
    /// One that is to catch up from the log gets nothing of topics that are registered later and are none of the log.
    ///
    /// # Errors
    /// When a pattern or the name is none, it is to catch up with a topic that is none of the log, there are too many subscribers, or the bus actor is not running.
    pub async fn subscribe(&self, subscription: Subscription) -> Result<Inbox, TopicError> {
        let patterns = Patterns::compile(&subscription.patterns)?;
        let change = move |registry: &Registry| registry.subscribe(&subscription, patterns.clone());
        let (member, reader) = self.bus.change_topics(change).await?;
        Ok(Inbox::new(self.bus.clone(), member, reader))
    }

    /// Removes a subscriber with all that waits for it; whether there was one. What it had not spoken of gets
    /// [`Verdict::Withdrawn`].
    ///
    /// # Errors
    /// When the bus actor is not running.
    pub async fn unsubscribe(&self, subscriber: &SubscriberId) -> Result<bool, TopicError> {
        let id = subscriber.clone();
        self.bus.change_topics(move |registry| Ok(registry.unsubscribe(&id))).await
    }

    /// Whether this subscriber has subscribed with these patterns, in this order.
    #[must_use]
    pub fn is_subscribed(&self, subscriber: &SubscriberId, patterns: &[&str]) -> bool {
        let table = self.table();
        table.member(subscriber).is_some_and(|member| member.patterns.texts().eq(patterns.iter().copied()))
    }

    /// All subscribers, in the order in which they first subscribed.
    #[must_use]
    pub fn subscribers(&self) -> Vec<SubscriberInfo> {
        self.table().members().iter().map(|member| info(member)).collect()
    }

    /// One subscriber; `None` when it has not subscribed.
    #[must_use]
    pub fn subscriber(&self, subscriber: &SubscriberId) -> Option<SubscriberInfo> {
        self.table().member(subscriber).map(|member| info(member))
    }

    /// The subscribers whose patterns match a topic, in the order in which they first subscribed; none when
    /// there is no such topic.
    #[must_use]
    pub fn subscribers_of(&self, topic: &str) -> Vec<SubscriberId> {
        let table = self.table();
        let attached = table.topic(topic).map(|entry| entry.attached.as_slice()).unwrap_or_default();
        attached.iter().map(|member| SubscriberId::clone(&member.id)).collect()
    }

    /// An event in the making, for this topic.
    #[track_caller]
    pub fn draft<T: Payload>(&self, topic: &Topic<T>) -> Draft<T> {
        Draft::new(self.bus.clone(), topic.clone(), Location::caller().file())
    }

    /// Publishes an event to all who listen or have subscribed; how many they are. Never waits. When there
    /// are none, or no such topic, the log tells, and nothing is kept.
    ///
    /// # Errors
    /// When the topic carries another type.
    pub fn publish<T: Payload>(&self, event: TopicEvent<T>) -> Result<usize, PublishError> {
        self.bus.registry().publish(event)
    }

    /// Publishes an event, and tracks what its subscribers do with it. Never waits. Those who only listen are
    /// not waited for: they have no say.
    ///
    /// # Errors
    /// When the topic carries another type, an event with this id is pending on it, or too many are pending.
    pub fn publish_tracked<T: Payload>(&self, event: TopicEvent<T>) -> Result<Tracked, PublishError> {
        let shadow = event.head.shadow();
        Ok(Tracked::new(shadow, self.bus.registry().publish_tracked(event)?))
    }

    /// A tracked event that is pending; `None` when there is none, or it carries another type.
    #[must_use]
    pub fn fetch<T: Payload>(&self, shadow: &Shadow) -> Option<Arc<TopicEvent<T>>> {
        let event = self.bus.registry().fetch(shadow);
        if event.is_none() {
            tracing::info!(event = %shadow, "no such event is pending");
        }
        typed(&event?)
    }

    /// A subscriber says that it did what it had to with an event; [`Delivery::complete`] is shorter.
    pub fn complete(&self, subscriber: &SubscriberId, shadow: &Shadow) -> Marked {
        self.mark(subscriber, shadow, Verdict::Completed)
    }

    /// A subscriber says that it did not, and why; [`Delivery::skip`] is shorter.
    pub fn skip(&self, subscriber: &SubscriberId, shadow: &Shadow, reason: impl Into<Arc<str>>) -> Marked {
        self.mark(subscriber, shadow, Verdict::Skipped { reason: reason.into() })
    }

    fn mark(&self, subscriber: &SubscriberId, shadow: &Shadow, verdict: Verdict) -> Marked {
        self.bus.registry().mark(shadow, subscriber, verdict)
    }

    fn table(&self) -> Arc<Table> {
        self.bus.registry().table()
    }
}

fn info(member: &Member) -> SubscriberInfo {
    SubscriberInfo {
        subscriber: SubscriberId::clone(&member.id),
        patterns: member.patterns.texts().map(ToOwned::to_owned).collect(),
        connected: member.mailbox.is_connected(),
        counters: member.mailbox.counters(),
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Topics")
    }
}
