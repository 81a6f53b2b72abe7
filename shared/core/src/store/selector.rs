//! Which events of the log are wanted.

use std::sync::Arc;

use uuid::Uuid;

use crate::{event::RecordedEvent, tags::TagQuery, time::Timestamp};

/// Selects events of the log. What is `None` does not restrict; everything else must hold together.
///
/// Stores are led to what each condition selects, so that a page costs what it holds and little of what it skips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The event's name is one of these, whatever its schema version.
    pub names: Option<Arc<[String]>>,
    /// The category of its (original) stream is one of these.
    pub categories: Option<Arc<[String]>>,
    /// The query is about it: its tags are such, whatever its stream.
    pub tags: Option<TagQuery>,
    /// It belongs to this conversation.
    pub correlation_id: Option<Uuid>,
    /// This message led to it.
    pub causation_id: Option<Uuid>,
    /// It was recorded at this moment or later.
    pub recorded_from: Option<Timestamp>,
    /// It was recorded before this moment.
    pub recorded_until: Option<Timestamp>,
}

impl Selector {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Events with one of these names.
    #[must_use]
    pub fn names<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { names: Some(names.into_iter().map(Into::into).collect()), ..Self::default() }
    }

    /// Events of streams of one of these categories.
    #[must_use]
    pub fn categories<T: Into<String>>(categories: impl IntoIterator<Item = T>) -> Self {
        Self { categories: Some(categories.into_iter().map(Into::into).collect()), ..Self::default() }
    }

    /// Events that a query by tags is about.
    #[must_use]
    pub fn tagged(query: TagQuery) -> Self {
        Self { tags: Some(query), ..Self::default() }
    }

    /// Whether it selects every event.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it selects this event: what every store's own way of selecting must agree with.
    #[must_use]
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        let one_of = |wanted: &Option<Arc<[String]>>, is: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == is))
        };
        let same = |wanted: Option<Uuid>, is: Option<Uuid>| wanted.is_none() || wanted == is;
        one_of(&self.names, &event.event_type.name)
            && one_of(&self.categories, event.stream.category().0)
            && self.tags.as_ref().is_none_or(|query| query.matches(event))
            && same(self.correlation_id, event.metadata.correlation_id)
            && same(self.causation_id, event.metadata.causation_id)
            && self.recorded_from.is_none_or(|from| event.recorded_at >= from)
            && self.recorded_until.is_none_or(|until| event.recorded_at < until)
    }
}
