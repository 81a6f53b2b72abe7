//! Why something about topics is refused.

use std::sync::Arc;

use umbel_core::store::StoreError;
use uuid::Uuid;

/// Why the table of topics and subscribers was not changed. It is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// The name is none.
    #[error("{name:?} cannot name a topic or a subscriber: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The pattern is no regular expression.
    #[error("{pattern:?} is not a pattern: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The topic is registered already, for another type.
    #[error("topic {topic} carries {carries}, not {wanted}")]
    Carries {
        /// The topic.
        topic: Arc<str>,
        /// The type it was registered for.
        carries: &'static str,
        /// The type that was wanted.
        wanted: &'static str,
    },
    /// The topic is there already, and what is published on it is not in the log. Unregister it first, or use another name.
    #[error("topic {topic} is registered already, and not as one of the log")]
    NotOfTheLog {
        /// The topic.
        topic: Arc<str>,
    },
    /// A subscriber is to catch up from the log, and what is published on a topic that its patterns match is not in the log. Choose
    /// another [`Overflow`](super::Overflow), or narrower patterns.
    #[error("what is published on topic {topic} is not in the log, so nobody can catch up with it")]
    NothingToCatchUpFrom {
        /// The topic.
        topic: Arc<str>,
    },
    /// Where the log ends, and so where the topic begins, is unknown. Try again later.
    #[error("topic {topic} cannot begin where the log ends: {error}")]
    Store {
        /// The topic.
        topic: Arc<str>,
        /// What the store said.
        error: StoreError,
    },
    /// There are as many topics as may be; see `bus.topics_max`. Unregister some.
    #[error("there are {limit} topics already, which is the limit")]
    TooManyTopics {
        /// The limit.
        limit: usize,
    },
    /// There are as many subscribers as may be; see `bus.topic_subscribers_max`. Unsubscribe some.
    #[error("there are {limit} subscribers already, which is the limit")]
    TooManySubscribers {
        /// The limit.
        limit: usize,
    },
    /// The bus actor is not running.
    #[error("the bus is not running")]
    Unavailable,
}

/// Why an event was not published. Nobody got it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The topic is registered for another type.
    #[error("topic {topic} carries {carries}, not {published}")]
    Carries {
        /// The topic.
        topic: Arc<str>,
        /// The type it was registered for.
        carries: &'static str,
        /// The type that was published.
        published: &'static str,
    },
    /// What is published on the topic is what is appended to the log. Append an event instead.
    #[error("topic {topic} is one of the log: what is appended is published on it, and nothing else")]
    OfTheLog {
        /// The topic.
        topic: Arc<str>,
    },
    /// An event with this id is tracked on this topic already, and somebody has still to say what became of
    /// it.
    #[error("an event {id} is pending on topic {topic} already")]
    Duplicate {
        /// The topic.
        topic: Arc<str>,
        /// The id.
        id: Uuid,
    },
    /// As many events are tracked as may be; see `bus.topic_pending_max`. Try again when some are done or
    /// have expired.
    #[error("{limit} events are pending already, which is the limit")]
    TooManyPending {
        /// The limit.
        limit: usize,
    },
}
