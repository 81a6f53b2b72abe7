//! Events of topics: what is published, with what there is to know of it.

use std::{
    any::Any,
    fmt::{self, Debug},
    sync::Arc,
    time::Duration,
};

use umbel_core::Timestamp;
use uuid::Uuid;

use super::name::{Payload, Topic};
use crate::edge;

/// The topic and the id of an event: all that need be told of one, to whoever can fetch it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shadow {
    /// The topic.
    pub topic: Arc<str>,
    /// The id.
    pub id: Uuid,
}

/// What there is to know of an event beside what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// The topic it is published under.
    pub topic: Arc<str>,
    /// Its id. Of two pending events of one topic with the same id the second is refused, if they are
    /// tracked.
    pub id: Uuid,
    /// The transaction it belongs to; its own id when none was given.
    pub transaction_id: Uuid,
    /// Who published it: a name, or the source file whose code did.
    pub source: Option<Arc<str>>,
    /// When what it tells of began.
    pub initialized_at: Timestamp,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// How long a tracked event waits for its subscribers, from when it is published; `None` is
    /// `bus.topic_ttl_ms`.
    pub ttl: Option<Duration>,
}

/// An event of a topic. Not to be confused with those of the log: nothing here is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicEvent<T> {
    /// What there is to know of it.
    pub head: EventHead,
    /// What it tells.
    pub data: T,
}

/// An event whose type is not known here.
pub(crate) trait AnyEvent: Send + Sync + 'static {
    fn head(&self) -> &EventHead;
    fn data(&self) -> &dyn Debug;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl EventHead {
    /// The shadow of the event.
    #[must_use]
    pub fn shadow(&self) -> Shadow {
        Shadow { topic: Arc::clone(&self.topic), id: self.id }
    }

    /// How long what it tells of took; nothing if the clock went back meanwhile.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let micros = self.occurred_at.as_micros().saturating_sub(self.initialized_at.as_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl<T: Payload> TopicEvent<T> {
    /// An event that happens now, with a fresh id and nothing else to know of it. [`crate::Topics::draft`]
    /// says more.
    #[must_use]
    pub fn now(topic: &Topic<T>, data: T) -> Self {
        Self::plain(Arc::clone(topic.name()), data)
    }

    pub(crate) fn plain(topic: Arc<str>, data: T) -> Self {
        let (id, now) = (edge::fresh_id(), edge::now());
        let head = EventHead {
            topic,
            id,
            transaction_id: id,
            source: None,
            initialized_at: now,
            occurred_at: now,
            ttl: None,
        };
        Self { head, data }
    }
}

impl<T: Payload> AnyEvent for TopicEvent<T> {
    fn head(&self) -> &EventHead {
        &self.head
    }

    fn data(&self) -> &dyn Debug {
        &self.data
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Debug for dyn AnyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicEvent").field("head", self.head()).field("data", self.data()).finish()
    }
}

/// The event as what it is; `None` when it carries another type.
pub(crate) fn typed<T: Payload>(event: &Arc<dyn AnyEvent>) -> Option<Arc<TopicEvent<T>>> {
    Arc::clone(event).into_any().downcast().ok()
}

impl fmt::Display for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.id)
    }
}
