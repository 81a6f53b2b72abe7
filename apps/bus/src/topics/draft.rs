//! Drafts: events in the making, timed around the code that makes what they tell.

use std::{future::Future, sync::Arc, time::Duration};

use umbel_core::Timestamp;
use uuid::Uuid;

use super::{
    event::{EventHead, TopicEvent},
    name::{Payload, Topic},
};
use crate::{edge, handle::Bus};

/// An event in the making; see [`crate::Topics::draft`]. What is not said takes its default: a fresh id; the
/// transaction is the id; the source is the source file that asked for the draft; the time to live is that of
/// the settings.
#[derive(Debug)]
#[must_use = "a draft does nothing until it is built or notified"]
pub struct Draft<T> {
    bus: Bus,
    topic: Topic<T>,
    about: About,
}

/// A draft whose block may fail; then the error is published instead, on a topic of its own.
#[derive(Debug)]
#[must_use = "a draft does nothing until it is built or notified"]
pub struct FallibleDraft<T, E> {
    draft: Draft<T>,
    error_topic: Topic<E>,
}

/// What a draft whose block may fail became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built<T, E> {
    /// The block went well: the event is for the topic.
    Done(TopicEvent<T>),
    /// The block failed: the event carries the error, and is for the error topic.
    Failed(TopicEvent<E>),
}

/// What was said, or left to its default.
#[derive(Debug)]
struct About {
    id: Option<Uuid>,
    transaction_id: Option<Uuid>,
    source: Arc<str>,
    ttl: Duration,
}

impl<T: Payload> Draft<T> {
    pub(crate) fn new(bus: Bus, topic: Topic<T>, source: &str) -> Self {
        let ttl = bus.settings().topic_ttl();
        Self { bus, topic, about: About { id: None, transaction_id: None, source: source.into(), ttl } }
    }

    /// Its id. Otherwise a fresh one.
    pub const fn id(mut self, id: Uuid) -> Self {
        self.about.id = Some(id);
        self
    }

    /// The transaction it belongs to. Otherwise one of its own, with the event's id.
    pub const fn transaction_id(mut self, id: Uuid) -> Self {
        self.about.transaction_id = Some(id);
        self
    }

    /// Who publishes it. Otherwise the source file that asked for the draft.
    pub fn source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.about.source = source.into();
        self
    }

    /// How long it waits for its subscribers when it is tracked, from when it is published. Otherwise
    /// `bus.topic_ttl_ms`.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.about.ttl = ttl;
        self
    }

    /// Where an error of the block goes.
    pub fn error_topic<E: Payload>(self, topic: &Topic<E>) -> FallibleDraft<T, E> {
        FallibleDraft { draft: self, error_topic: topic.clone() }
    }

    /// Runs the block, and makes the event of what it returns and of when it ran. If the block panics there
    /// is no event.
    pub fn build(self, block: impl FnOnce() -> T) -> TopicEvent<T> {
        let began = edge::now();
        let data = block();
        self.about.event(&self.topic, began, data)
    }

    /// The same, around a future.
    pub async fn build_async(self, block: impl Future<Output = T>) -> TopicEvent<T> {
        let began = edge::now();
        let data = block.await;
        self.about.event(&self.topic, began, data)
    }

    /// Builds and publishes, and returns what the block returned. The event is not tracked.
    pub fn notify(self, block: impl FnOnce() -> T) -> T
    where
        T: Clone,
    {
        let bus = self.bus.clone();
        published(&bus, self.build(block))
    }

    /// The same, around a future.
    pub async fn notify_async(self, block: impl Future<Output = T>) -> T
    where
        T: Clone,
    {
        let bus = self.bus.clone();
        published(&bus, self.build_async(block).await)
    }
}

impl<T: Payload, E: Payload> FallibleDraft<T, E> {
    /// Runs the block, and makes the event of what it returns, result or error, and of when it ran. If the
    /// block panics there is no event.
    pub fn build(self, block: impl FnOnce() -> Result<T, E>) -> Built<T, E> {
        let began = edge::now();
        let result = block();
        self.built(began, result)
    }

    /// The same, around a future.
    pub async fn build_async(self, block: impl Future<Output = Result<T, E>>) -> Built<T, E> {
        let began = edge::now();
        let result = block.await;
        self.built(began, result)
    }

    /// Builds and publishes, and returns what the block returned. The event is not tracked.
    ///
    /// # Errors
    /// The block's own.
    pub fn notify(self, block: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Clone,
        E: Clone,
    {
        let bus = self.draft.bus.clone();
        self.build(block).published(&bus)
    }

    /// The same, around a future.
    ///
    /// # Errors
    /// The block's own.
    pub async fn notify_async(self, block: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        T: Clone,
        E: Clone,
    {
        let bus = self.draft.bus.clone();
        self.build_async(block).await.published(&bus)
    }

    fn built(self, began: Timestamp, result: Result<T, E>) -> Built<T, E> {
        let Self { draft: Draft { topic, about, .. }, error_topic } = self;
        match result {
            Ok(data) => Built::Done(about.event(&topic, began, data)),
            Err(error) => Built::Failed(about.event(&error_topic, began, error)),
        }
    }
}

impl<T, E> Built<T, E> {
    /// What there is to know of the event, whichever it is.
    #[must_use]
    pub const fn head(&self) -> &EventHead {
        match self {
            Self::Done(event) => &event.head,
            Self::Failed(event) => &event.head,
        }
    }
}

impl<T: Payload + Clone, E: Payload + Clone> Built<T, E> {
    fn published(self, bus: &Bus) -> Result<T, E> {
        match self {
            Self::Done(event) => Ok(published(bus, event)),
            Self::Failed(event) => Err(published(bus, event)),
        }
    }
}

impl About {
    fn event<T>(self, topic: &Topic<T>, initialized_at: Timestamp, data: T) -> TopicEvent<T> {
        let id = self.id.unwrap_or_else(edge::fresh_id);
        let head = EventHead {
            topic: Arc::clone(topic.name()),
            id,
            transaction_id: self.transaction_id.unwrap_or(id),
            source: Some(self.source),
            initialized_at,
            // The clock may have been set back meanwhile; the times bracket the block all the same.
            occurred_at: edge::now().max(initialized_at),
            ttl: Some(self.ttl),
        };
        TopicEvent { head, data }
    }
}

/// Publishes an event, and returns what it tells. The block's result is what the caller is after; that nobody
/// could be told is for the log.
fn published<T: Payload + Clone>(bus: &Bus, event: TopicEvent<T>) -> T {
    let data = event.data.clone();
    if let Err(error) = bus.topics().publish(event) {
        tracing::error!(%error, "an event was not published");
    }
    data
}
