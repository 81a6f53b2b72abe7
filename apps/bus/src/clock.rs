//! The clock that a bus hands to whoever asks what is due.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use umbel_core::Timestamp;

use crate::edge;

/// What time it is: by the machine, or that and as much as a test has turned it on. Clones are the same clock.
///
/// By it go moments of the domain: decisions, timers, commands for later, when an event was recorded, how long aggregates and instances
/// of process managers stay in memory. Deadlines, leases and pauses of retries do not: they measure how long machines take.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// How far it was turned on; nothing for the machine's own, which so costs nothing more.
    ahead: Option<watch::Sender<Duration>>,
}

impl Clock {
    /// A clock that can be turned on.
    #[must_use]
    pub fn turnable() -> Self {
        Self { ahead: Some(watch::Sender::default()) }
    }

    /// Turns it on; whoever [sleeps](Self::sleep) by it looks again. The machine's own clock stays as it is.
    pub fn turn(&self, by: Duration) {
        if let Some(ahead) = &self.ahead {
            ahead.send_modify(|ahead| *ahead = ahead.saturating_add(by));
        }
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        edge::now().plus(self.ahead())
    }

    /// This moment, for measuring by this clock.
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::now() + self.ahead()
    }

    /// Waits until this time has passed.
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.instant() + time).await;
    }

    /// Waits until this moment, one of [`Self::instant`].
    pub async fn sleep_until(&self, moment: Instant) {
        let Some(ahead) = &self.ahead else { return sleep_until(moment).await };
        let mut turned = ahead.subscribe();
        loop {
            let now = Instant::now();
            let left = moment.saturating_duration_since(now + *turned.borrow_and_update());
            tokio::select! {
                () = sleep_until(now + left) => return,
                // This clock holds the other end.
                _ = turned.changed() => {}
            }
        }
    }

    fn ahead(&self) -> Duration {
        self.ahead.as_ref().map_or(Duration::ZERO, |ahead| *ahead.borrow())
    }
}
