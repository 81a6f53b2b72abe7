//! Why something about topics is refused.

use std::sync::Arc;

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
