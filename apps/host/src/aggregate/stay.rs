//! How long an instance stays in memory: what its last command said of it, and how many wait for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use umbel_core::Lifespan;

/// Stands for [`Lifespan::Default`].
const DEFAULT: u64 = u64::MAX;
/// Stands for [`Lifespan::Forever`].
const FOREVER: u64 = u64::MAX - 1;

/// What host and instance both know of an instance.
pub(super) struct Stay {
    /// Commands on their way to it or being carried out.
    waiting: AtomicUsize,
    /// How long it stays after its last command, in milliseconds, or one of the words above.
    keep_ms: AtomicU64,
}

/// Counts a command as waiting for its instance, or being carried out, until it is dropped.
pub(super) struct Waiting(Arc<Stay>);

impl Stay {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// How long it stays without commands; `None` is for ever.
    pub(super) fn keep(&self, default: Duration) -> Option<Duration> {
        match self.keep_ms.load(Ordering::Acquire) {
            DEFAULT => Some(default),
            FOREVER => None,
            milliseconds => Some(Duration::from_millis(milliseconds)),
        }
    }
}

impl Default for Stay {
    fn default() -> Self {
        Self { waiting: AtomicUsize::new(0), keep_ms: AtomicU64::new(DEFAULT) }
    }
}

impl Waiting {
    pub(super) fn new(stay: Arc<Stay>) -> Self {
        stay.waiting.fetch_add(1, Ordering::AcqRel);
        Self(stay)
    }

    /// How long the instance stays after this command, unless another one comes.
    pub(super) fn stay(&self, lifespan: Lifespan) {
        let milliseconds = match lifespan {
            Lifespan::Default => DEFAULT,
            Lifespan::Forever => FOREVER,
            Lifespan::Stop => 0,
            Lifespan::Keep(time) => u64::try_from(time.as_millis()).unwrap_or(FOREVER).min(FOREVER),
        };
        self.0.keep_ms.store(milliseconds, Ordering::Release);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
