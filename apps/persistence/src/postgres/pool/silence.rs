//! Whether a server that is asked on many connections answers on any.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How long nothing was heard on any connection, and none was taken to ask.
#[derive(Debug)]
pub(super) struct Silence {
    origin: Instant,
    /// When it began, in milliseconds behind the origin.
    since_ms: AtomicU64,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), since_ms: AtomicU64::new(0) }
    }

    pub(super) fn begin_anew(&self) {
        let now_ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(super) fn lasts(&self) -> Duration {
        self.origin.elapsed().saturating_sub(Duration::from_millis(self.since_ms.load(Ordering::Relaxed)))
    }
}
