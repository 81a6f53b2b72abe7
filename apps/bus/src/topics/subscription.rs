//! Subscribers: who they are, what they want, and how they want it.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use umbel_core::{Json, json::JsonError};

use super::queue::{Counters, Overflow};

/// A subscriber: a name, and maybe a configuration. The same name with another configuration, or without one,
/// is another subscriber. The name keeps to the rules of topics' names. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubscriberId {
    name: Arc<str>,
    /// As JSON with sorted keys, so that equal configurations are the same text.
    config: Option<Json>,
}

/// What a subscriber asks for. What it does not say is as in the settings.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub(crate) subscriber: SubscriberId,
    pub(crate) patterns: Vec<String>,
    pub(crate) capacity: Option<usize>,
    pub(crate) overflow: Overflow,
    pub(crate) lease: Option<Duration>,
}

/// What there is to know of a subscriber.
#[derive(Clone, Debug)]
pub struct SubscriberInfo {
    /// Who.
    pub subscriber: SubscriberId,
    /// Its patterns, as they were written.
    pub patterns: Vec<String>,
    /// Whether it gets events: `false` once [`Overflow::Disconnect`] struck, until it subscribes again.
    pub connected: bool,
    /// What happened to its events so far.
    pub counters: Counters,
}

impl SubscriberId {
    /// The subscriber with this name, without a configuration.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), config: None }
    }

    /// The subscriber with this name and this configuration. It is shown in lists and logs: no place for
    /// secrets.
    ///
    /// # Errors
    /// When the configuration has no JSON form.
    pub fn configured<C: Serialize + ?Sized>(
        name: impl Into<Arc<str>>,
        config: &C,
    ) -> Result<Self, JsonError> {
        // By way of a tree, whose keys are sorted.
        let tree = serde_json::to_value(config)?;
        Ok(Self { name: name.into(), config: Some(Json::encode(&tree)?) })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its configuration; `None` when it has none, or none of this type.
    #[must_use]
    pub fn config<C: DeserializeOwned>(&self) -> Option<C> {
        self.config.as_ref()?.decode().ok()
    }
}

impl Subscription {
    /// Asks for all topics that match one of these patterns, now or later. A pattern is a regular expression
    /// that must match from the beginning of the name on: `user` matches `user` and `user_deleted`, `user$`
    /// only `user`, `.*` everything.
    pub fn new<S: Into<String>>(
        subscriber: impl Into<SubscriberId>,
        patterns: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            subscriber: subscriber.into(),
            patterns: patterns.into_iter().map(Into::into).collect(),
            capacity: None,
            overflow: Overflow::default(),
            lease: None,
        }
    }

    /// How many events may wait for the subscriber, at least 1. Otherwise that is `bus.topic_capacity`.
    #[must_use]
    pub const fn capacity(mut self, events: usize) -> Self {
        self.capacity = Some(events);
        self
    }

    /// What becomes of events beyond that. Otherwise the oldest are dropped.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// How long the subscriber may take over one tracked event before it is taken for lost. Otherwise that is
    /// `bus.topic_lease_ms`.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Who subscribes.
    #[must_use]
    pub const fn subscriber(&self) -> &SubscriberId {
        &self.subscriber
    }
}

impl From<&str> for SubscriberId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<&Self> for SubscriberId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

/// The name, and the configuration as JSON: `audit {"region":"eu"}`.
impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.config.as_ref().map_or(Ok(()), |config| write!(f, " {config}"))
    }
}

impl fmt::Debug for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn equal_configurations_are_the_same_subscriber() {
        let configs = |order: [&'static str; 2]| HashMap::from(order.map(|key| (key, key.len())));
        let one = SubscriberId::configured("audit", &configs(["region", "x"])).unwrap();
        let same = SubscriberId::configured("audit", &configs(["x", "region"])).unwrap();
        assert_eq!(one, same);
        assert_eq!(one.to_string(), r#"audit {"region":6,"x":1}"#);
        assert_ne!(one, SubscriberId::new("audit"));
        assert_ne!(one, SubscriberId::configured("audit", &7).unwrap());
        assert_eq!(one.config::<HashMap<String, usize>>().unwrap()["region"], 6);
        assert_eq!(one.config::<u64>(), None);
    }
}
