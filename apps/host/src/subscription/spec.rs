//! What a subscription is to follow, and how.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use umbel_core::{
    RecordedEvent, StreamName,
    store::Selector,
    subscription::{Key, Millis, Options, Source, Start, SubscriptionName, SubscriptionNameError},
};
use umbel_supervision::describe_panic;

use super::settings::SubscriptionSettings;

type KeyFn = Arc<dyn Fn(&RecordedEvent) -> String + Send + Sync>;
type FilterFn = Arc<dyn Fn(&RecordedEvent) -> bool + Send + Sync>;
pub(crate) type MapFn<T> = Arc<dyn Fn(&Arc<RecordedEvent>) -> T + Send + Sync>;

/// A subscription that is to be: a name, what it follows, and how. See [`subscribe`](crate::subscribe).
///
/// What is not said comes from the settings, section `[subscriptions]`.
#[derive(Clone)]
pub struct Subscription<T = Arc<RecordedEvent>> {
    pub(crate) spec: Spec,
    pub(crate) tuning: Tuning,
    pub(crate) map: MapFn<T>,
}

/// What all consumers of a subscription in this process have in common.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) name: SubscriptionName,
    pub(crate) source: Source,
    pub(crate) start: Start,
    key: Option<KeyFn>,
    filter: Option<FilterFn>,
}

/// Bounds and times that may be said or left to the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    pub(crate) durable: bool,
    pub(crate) partitions: u32,
    pub(crate) consumers: u32,
    pub(crate) batch: Option<u32>,
    pub(crate) batch_within: Duration,
    pub(crate) buffer: Option<u32>,
    pub(crate) ahead: Option<u32>,
    pub(crate) checkpoint_after: Option<u32>,
    pub(crate) checkpoint_within: Option<Duration>,
    pub(crate) lease: Option<Duration>,
}

impl Subscription {
    /// A durable subscription with this name to all of the log, from its start, with one partition and one consumer.
    ///
    /// # Errors
    /// When the text cannot name a subscription.
    pub fn named(name: impl Into<Arc<str>>) -> Result<Self, SubscriptionNameError> {
        Ok(Self::of(SubscriptionName::new(name)?))
    }

    pub(crate) fn of(name: SubscriptionName) -> Self {
        let (source, start) = (Source::Log(Selector::all()), Start::Origin);
        Self {
            spec: Spec { name, source, start, key: None, filter: None },
            tuning: Tuning::default(),
            map: Arc::new(Arc::clone),
        }
    }
}

impl<T> Subscription<T> {
    /// Follow the log, or what is selected of it. The store selects.
    #[must_use]
    pub fn log(mut self, selector: Selector) -> Self {
        self.spec.source = Source::Log(selector);
        self
    }

    /// Follow one stream, links included. It need not be there yet; while it is soft-deleted, nothing comes.
    #[must_use]
    pub fn stream(mut self, stream: StreamName) -> Self {
        self.spec.source = Source::Stream(stream);
        self
    }

    /// Where it begins when nothing is stored under its name.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.spec.start = start;
        self
    }

    /// No checkpoints, no leases, no dead letters: it begins at its start each time, is shared with nobody, and leaves alone what is
    /// stored under its name.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.tuning.durable = false;
        self
    }

    /// Into how many partitions its events fall, each of which one node owns at a time. Fixed when it is first opened.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.tuning.partitions = partitions;
        self
    }

    /// What must be handled in order: events for which this gives the same text. Without it, those of a stream. The same event must
    /// always give the same text; one for which it panics counts by its stream.
    #[must_use]
    pub fn key(mut self, key: impl Fn(&RecordedEvent) -> String + Send + Sync + 'static) -> Self {
        self.spec.key = Some(Arc::new(key));
        self
    }

    /// Only events for which this is true, beside what the store selects. Events that are left out count as handled; one for which
    /// it panics is not left out.
    #[must_use]
    pub fn filter(mut self, filter: impl Fn(&RecordedEvent) -> bool + Send + Sync + 'static) -> Self {
        self.spec.filter = Some(Arc::new(filter));
        self
    }

    /// What consumers get instead of the event. Called when an event is taken, after everything that selects.
    #[must_use]
    pub fn map<U>(self, map: impl Fn(&Arc<RecordedEvent>) -> U + Send + Sync + 'static) -> Subscription<U> {
        Subscription { spec: self.spec, tuning: self.tuning, map: Arc::new(map) }
    }

    /// Consumers of it in this process, at most.
    #[must_use]
    pub fn consumers(mut self, consumers: u32) -> Self {
        self.tuning.consumers = consumers;
        self
    }

    /// Events in one batch, at most.
    #[must_use]
    pub fn batch(mut self, events: u32) -> Self {
        self.tuning.batch = Some(events);
        self
    }

    /// How long a batch that is not full waits for more. Without it, it does not wait.
    #[must_use]
    pub fn batch_within(mut self, time: Duration) -> Self {
        self.tuning.batch_within = time;
        self
    }

    /// Events that wait here or are being handled, at most.
    #[must_use]
    pub fn buffer(mut self, events: u32) -> Self {
        self.tuning.buffer = Some(events);
        self
    }

    /// Events that one consumer holds at a time, at most. Without it, as many as a batch.
    #[must_use]
    pub fn ahead(mut self, events: u32) -> Self {
        self.tuning.ahead = Some(events);
        self
    }

    /// A checkpoint is saved once so many events were handled.
    #[must_use]
    pub fn checkpoint_after(mut self, events: u32) -> Self {
        self.tuning.checkpoint_after = Some(events);
        self
    }

    /// A checkpoint is saved so long after something was handled.
    #[must_use]
    pub fn checkpoint_within(mut self, time: Duration) -> Self {
        self.tuning.checkpoint_within = Some(time);
        self
    }

    /// How long a node that died keeps its partitions.
    #[must_use]
    pub fn lease(mut self, time: Duration) -> Self {
        self.tuning.lease = Some(time);
        self
    }
}

impl Spec {
    /// The key of an event in words. It must not change between two looks at the same event.
    pub(crate) fn key_text(&self, event: &RecordedEvent) -> String {
        let of_the_stream = || event.stream.as_str().to_owned();
        let Some(key) = &self.key else { return of_the_stream() };
        catch_unwind(AssertUnwindSafe(|| key(event))).unwrap_or_else(|panic| {
            let (subscription, position) = (&self.name, event.position);
            tracing::error!(%subscription, %position, cause = describe_panic(&*panic),
                "the key of an event cannot be told; it counts by its stream");
            of_the_stream()
        })
    }

    pub(crate) fn key(&self, event: &RecordedEvent) -> Key {
        Key::of(&self.key_text(event))
    }

    /// Whether consumers want this event.
    pub(crate) fn wants(&self, event: &RecordedEvent) -> bool {
        let Some(filter) = &self.filter else { return true };
        catch_unwind(AssertUnwindSafe(|| filter(event))).unwrap_or_else(|panic| {
            let (subscription, position) = (&self.name, event.position);
            tracing::error!(%subscription, %position, cause = describe_panic(&*panic),
                "a filter panicked over an event, which is not left out");
            true
        })
    }
}

impl Tuning {
    pub(crate) fn options(&self, name: SubscriptionName, settings: &SubscriptionSettings) -> Options {
        let batch_max = self.batch.unwrap_or(settings.batch);
        Options {
            name,
            partitions: self.partitions,
            batch_max,
            batch_within_ms: millis(self.batch_within),
            buffer_max: self.buffer.unwrap_or(settings.buffer).max(batch_max),
            consumers_max: self.consumers,
            checkpoint_after: self.checkpoint_after.unwrap_or(settings.checkpoint_after),
            checkpoint_within_ms: self.checkpoint_within.map_or(settings.checkpoint_within_ms, millis),
            lease_ms: self.lease.map_or(settings.lease_ms, millis),
            store_retry_min_ms: settings.store_retry_min_ms,
            store_retry_max_ms: settings.store_retry_max_ms,
            durable: self.durable,
        }
    }

    /// Events that one consumer holds at a time.
    pub(crate) fn capacity(&self, options: &Options) -> u32 {
        self.ahead.unwrap_or(options.batch_max).max(1)
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            durable: true,
            partitions: 1,
            consumers: 1,
            batch: None,
            batch_within: Duration::ZERO,
            buffer: None,
            ahead: None,
            checkpoint_after: None,
            checkpoint_within: None,
            lease: None,
        }
    }
}

pub(crate) fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spec { name, source, start, .. } = &self.spec;
        f.debug_struct("Subscription")
            .field("name", name)
            .field("source", source)
            .field("start", start)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a subscription does not say is the settings', the pauses after failures of the store always.
    #[test]
    fn what_is_not_said_comes_from_the_settings() {
        let settings = SubscriptionSettings {
            lease_ms: 11,
            store_retry_min_ms: 12,
            store_retry_max_ms: 13,
            ..SubscriptionSettings::default()
        };
        let name = SubscriptionName::new("test").unwrap();
        let options = Tuning::default().options(name.clone(), &settings);
        let pauses = (options.store_retry_min_ms, options.store_retry_max_ms);
        assert_eq!((options.lease_ms, pauses), (11, (12, 13)));
        let said = Tuning { lease: Some(Duration::from_secs(1)), ..Tuning::default() };
        assert_eq!(said.options(name, &settings).lease_ms, 1000);
    }
}
