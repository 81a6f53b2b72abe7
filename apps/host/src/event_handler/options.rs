//! How a handler of events is run.

use std::{fmt, sync::Arc, time::Duration};

use umbel_core::{
    RecordedEvent, StreamName,
    subscription::{Key, Start},
};
use uuid::Uuid;

use super::failure::Verdict;
use crate::subscription::{OnFailure, SubscriptionSettings};

type KeyFn = Arc<dyn Fn(&RecordedEvent) -> String + Send + Sync>;

/// How a handler of events is run. What is not said comes from the settings, section `[subscriptions]`.
#[derive(Clone, Default)]
pub struct HandlerOptions {
    pub(super) start: Start,
    pub(super) stream: Option<StreamName>,
    pub(super) categories: Option<Arc<[String]>>,
    pub(super) partitions: Option<u32>,
    pub(super) concurrency: Option<u32>,
    pub(super) key: Option<KeyFn>,
    pub(super) batch: Option<u32>,
    pub(super) batch_within: Duration,
    pub(super) ahead: Option<u32>,
    pub(super) checkpoint: Option<(u32, Duration)>,
    pub(super) policy: Option<FailurePolicy>,
    pub(super) own_thread: bool,
}

/// What becomes of an event that cannot be handled, when the handler does not decide itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The handler fails, and is started again alone, with growing pauses.
    Stop,
    /// It is tried again for ever; events of other keys do not wait.
    Backoff(Pauses),
    /// It is tried again some times and then becomes a dead letter.
    Park {
        /// How often it is tried again.
        retries: u32,
        /// With which pauses.
        pauses: Pauses,
    },
    /// It is tried again some times and then counts as handled: for effects that are not worth a dead letter. The log says which.
    Skip {
        /// How often it is tried again.
        retries: u32,
        /// With which pauses.
        pauses: Pauses,
    },
}

/// Pauses that double from attempt to attempt, up to a longest one. Each is between the half and the whole of that, so that events
/// that failed together do not come again together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// Before the first retry.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl HandlerOptions {
    /// Where it begins when nothing is stored under its name. Unless said, with the first event there is.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Only events of this stream, links included. Nobody can wait for such a handler.
    #[must_use]
    pub fn stream(mut self, stream: StreamName) -> Self {
        self.stream = Some(stream);
        self
    }

    /// Only events of streams of these categories.
    #[must_use]
    pub fn categories<T: Into<String>>(mut self, categories: impl IntoIterator<Item = T>) -> Self {
        self.categories = Some(categories.into_iter().map(Into::into).collect());
        self
    }

    /// How many events, or batches, are handled at a time in each process. One unless said. Events of one key are still handled in
    /// order.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// Into how many partitions its events fall, each of which one node handles at a time. One unless said: then one node does all.
    /// Fixed when the handler first runs.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// What must be handled in order: events for which this gives the same text. Unless said, those of a stream.
    #[must_use]
    pub fn key(mut self, key: impl Fn(&RecordedEvent) -> String + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// For handlers of batches: events in one, at most, and how long one that is not full waits for more.
    #[must_use]
    pub fn batch(mut self, events: u32, within: Duration) -> Self {
        (self.batch, self.batch_within) = (Some(events), within);
        self
    }

    /// Events in the hands of each of the concurrent consumers, the one being handled included. Few where handling takes long and
    /// others could do it.
    #[must_use]
    pub fn ahead(mut self, events: u32) -> Self {
        self.ahead = Some(events);
        self
    }

    /// When checkpoints are saved: after so many events, or so long after one was handled.
    #[must_use]
    pub fn checkpoint(mut self, after: u32, within: Duration) -> Self {
        self.checkpoint = Some((after, within));
        self
    }

    /// What becomes of events that cannot be handled.
    #[must_use]
    pub fn on_failure(mut self, policy: FailurePolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// For handlers that block: a thread of their own. While it is blocked for longer than a lease lasts, another node may take
    /// over.
    #[must_use]
    pub fn own_thread(mut self) -> Self {
        self.own_thread = true;
        self
    }
}

impl FailurePolicy {
    pub(crate) fn of(settings: &SubscriptionSettings) -> Self {
        let (min, max) = (settings.retry_min_ms, settings.retry_max_ms);
        let pauses = Pauses { min: Duration::from_millis(min), max: Duration::from_millis(max) };
        match settings.on_failure {
            OnFailure::Stop => Self::Stop,
            OnFailure::Backoff => Self::Backoff(pauses),
            OnFailure::Park => Self::Park { retries: settings.retries_max, pauses },
            OnFailure::Skip => Self::Skip { retries: settings.retries_max, pauses },
        }
    }

    /// The same for an event that may have ended whoever began it, which takes others along: it is tried once more at most.
    pub(crate) fn of_lost(self) -> Self {
        match self {
            Self::Park { retries, pauses } => Self::Park { retries: retries.min(1), pauses },
            Self::Skip { retries, pauses } => Self::Skip { retries: retries.min(1), pauses },
            Self::Stop | Self::Backoff(_) => self,
        }
    }

    /// What becomes of the event with this id after this attempt, which failed with this error.
    pub(crate) fn verdict(self, id: Uuid, attempt: u32, error: &str) -> Verdict {
        let retry = |pauses: Pauses| Verdict::Retry { after: pauses.after(attempt, id) };
        match self {
            Self::Stop => Verdict::Stop { reason: error.to_owned() },
            Self::Backoff(pauses) => retry(pauses),
            Self::Park { retries, pauses } | Self::Skip { retries, pauses } if attempt <= retries => {
                retry(pauses)
            }
            Self::Park { .. } => Verdict::Park,
            Self::Skip { .. } => Verdict::Skip,
        }
    }
}

impl Pauses {
    /// The pause after this attempt, 1 for the first. The same attempt at the same event always pauses as long.
    pub(crate) fn after(self, attempt: u32, id: Uuid) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let whole = self.min.saturating_mul(1 << doublings).min(self.max);
        let spread = Key::of(&format!("{id} {attempt}")).partition(1024);
        whole / 2 + (whole / 2).saturating_mul(spread) / 1024
    }
}

impl fmt::Debug for HandlerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerOptions")
            .field("start", &self.start)
            .field("partitions", &self.partitions)
            .field("concurrency", &self.concurrency)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// EH-04: pauses grow, are capped, and differ between events.
    #[test]
    fn pauses_grow_and_are_capped() {
        let pauses = Pauses { min: Duration::from_millis(100), max: Duration::from_secs(1) };
        for number in 0..50 {
            let mut whole = pauses.min;
            for attempt in 1..100 {
                let pause = pauses.after(attempt, event(number));
                assert!(pause >= whole / 2 && pause <= whole, "{pause:?} after {attempt}");
                whole = (whole * 2).min(pauses.max);
            }
        }
        assert_ne!(pauses.after(3, event(1)), pauses.after(3, event(2)));
    }

    /// EH-04: each policy, attempt by attempt.
    #[test]
    fn policies_decide_by_the_attempt() {
        let pauses = Pauses { min: Duration::from_millis(100), max: Duration::from_secs(1) };
        let event = event(1);
        let verdict = |policy: FailurePolicy, attempt| policy.verdict(event, attempt, "broken");
        let stop = Verdict::Stop { reason: "broken".into() };
        assert_eq!(verdict(FailurePolicy::Stop, 1), stop);
        let retries =
            |policy| (1..20).filter(|at| matches!(verdict(policy, *at), Verdict::Retry { .. })).count();
        assert_eq!(retries(FailurePolicy::Backoff(pauses)), 19);
        let park = FailurePolicy::Park { retries: 3, pauses };
        assert_eq!((retries(park), verdict(park, 4)), (3, Verdict::Park));
        let skip = FailurePolicy::Skip { retries: 3, pauses };
        assert_eq!((retries(skip), verdict(skip, 4)), (3, Verdict::Skip));
        for (policy, tries) in
            [(FailurePolicy::Stop, 0), (FailurePolicy::Backoff(pauses), 19), (park, 1), (skip, 1)]
        {
            assert_eq!(retries(policy.of_lost()), tries, "{policy:?}");
        }
        assert_eq!(retries(FailurePolicy::Park { retries: 0, pauses }.of_lost()), 0);
    }
}
