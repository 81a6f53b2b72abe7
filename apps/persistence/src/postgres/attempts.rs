//! The pace of attempts to connect. A server that is away is asked for now and then, by one at a time, however many wait for it;
//! all of them learn what came of that.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use umbel_bus::edge;
use umbel_supervision::{Backoff, decision::Jitter};

use super::hosts::Unopened;

/// Nobody waits for longer than this once the server is back.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Between attempts.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(50), max: PAUSE_MAX };

/// Of each URL in use.
static ALL: Mutex<Vec<(String, Weak<Attempts>)>> = Mutex::new(Vec::new());

/// The attempts of all who connect by one URL in this process.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Held by the one who tries, once an attempt has failed.
    turn: tokio::sync::Mutex<()>,
    known: watch::Sender<Known>,
    /// How many succeeded.
    made: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// Attempts that failed one after the other; those at one time count once.
    failures: usize,
    /// What came of the last one. `None` if nobody waited for its end.
    last: Option<Unopened>,
    /// When the next one may be.
    next_at: Option<Instant>,
    /// Attempts that have not ended.
    under_way: usize,
    /// How often one failed and no other was under way.
    in_vain: usize,
}

/// An attempt that is under way. Nobody knows what would have come of one that is dropped; it may hang, so it counts as failed.
struct UnderWay<'a> {
    attempts: &'a Attempts,
    /// How many had failed when it began.
    failures: usize,
    came: Option<Result<(), Unopened>>,
}

impl Attempts {
    /// Those by a URL.
    pub(super) fn at(url: &str) -> Arc<Self> {
        // Each change to the list is whole.
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, attempts)| attempts.strong_count() > 0);
        if let Some(found) = all.iter().find(|(known, _)| known == url).and_then(|(_, found)| found.upgrade())
        {
            return found;
        }
        let attempts = Arc::new(Self::default());
        all.push((url.to_owned(), Arc::downgrade(&attempts)));
        attempts
    }

    /// Makes an attempt: at once unless the last one failed, else when it is time for the next one. Who waits while another one tries
    /// gets what that came to, should it fail.
    ///
    /// # Errors
    /// As the attempt, this one or that one.
    pub(super) async fn make<T>(
        &self,
        attempt: impl Future<Output = Result<T, Unopened>>,
    ) -> Result<T, Unopened> {
        let came = self.known.borrow().failures;
        if came == 0 {
            return self.begin(came, attempt).await;
        }
        let turn = self.turn.lock().await;
        let (failures, next_at) = {
            let known = self.known.borrow();
            if let Some(last) = known.last.as_ref().filter(|_| known.failures > came) {
                return Err(last.clone());
            }
            (known.failures, known.next_at)
        };
        if failures == 0 {
            drop(turn);
        } else if let Some(next_at) = next_at {
            sleep_until(next_at).await;
        }
        self.begin(failures, attempt).await
    }

    async fn begin<T>(
        &self,
        failures: usize,
        attempt: impl Future<Output = Result<T, Unopened>>,
    ) -> Result<T, Unopened> {
        self.known.send_if_modified(|known| {
            known.under_way += 1;
            false
        });
        let mut under_way = UnderWay { attempts: self, failures, came: None };
        let outcome = attempt.await.map_err(|unopened| unopened.knowing(self.made() > 0));
        if outcome.is_ok() {
            self.made.fetch_add(1, Ordering::AcqRel);
        }
        under_way.came = Some(outcome.as_ref().map(drop).map_err(Clone::clone));
        outcome
    }

    /// How many attempts have succeeded so far.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Acquire)
    }

    /// What came of the last attempt, if it failed.
    pub(super) fn failure(&self) -> Option<Unopened> {
        self.known.borrow().last.clone()
    }

    /// What comes of the next attempt that fails, whoever makes it, when no other is under way: one of those may succeed.
    pub(super) async fn next_failure(&self) -> Unopened {
        let mut known = self.known.subscribe();
        let mut in_vain = known.borrow_and_update().in_vain;
        loop {
            known.changed().await.expect("who asks keeps what is known");
            let known = known.borrow_and_update();
            if let Some(last) = known.last.as_ref().filter(|_| known.in_vain != in_vain) {
                return last.clone();
            }
            in_vain = known.in_vain;
        }
    }

    /// An attempt ends that began after so many failures.
    fn ended(&self, before: usize, came: Option<Result<(), Unopened>>) {
        self.known.send_if_modified(|known| {
            known.under_way -= 1;
            match came {
                Some(Ok(())) => known.succeeded(),
                Some(Err(unopened)) => known.failed(before, Some(unopened)),
                None => known.failed(before, None),
            }
        });
    }
}

/// Each tells whether that is news.
impl Known {
    fn succeeded(&mut self) -> bool {
        let &mut Self { failures, under_way, in_vain, .. } = self;
        *self = Self { under_way, in_vain, ..Self::default() };
        failures > 0
    }

    fn failed(&mut self, before: usize, last: Option<Unopened>) -> bool {
        let (is_first, is_last) = (self.failures == before, self.under_way == 0);
        if is_first {
            self.failures += 1;
            self.last = last;
            self.next_at = Some(Instant::now() + BACKOFF.wait(self.failures, jitter()));
        }
        if is_last {
            self.in_vain += 1;
        }
        is_first || is_last
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.attempts.ended(self.failures, self.came.take());
    }
}

/// Ids end in random bits.
pub(super) fn jitter() -> Jitter {
    let [.., a, b, c, d] = edge::fresh_id().into_bytes();
    Jitter(u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures_util::{
        FutureExt as _,
        future::{join_all, pending},
    };
    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    fn refused() -> Unopened {
        Unopened::silent(Duration::from_secs(1))
    }

    /// OP-19: a server that is away is asked for now and then, however many ask; and all of them are served once it is back.
    #[tokio::test]
    async fn who_is_away_is_asked_for_now_and_then() {
        const ASKING: usize = 20;
        let (attempts, made) = (Attempts::default(), AtomicUsize::new(0));
        let (begun, away) = (Instant::now(), Duration::from_secs(1));
        let ask = async |_| {
            let answer = async || {
                made.fetch_add(1, Ordering::Relaxed);
                if begun.elapsed() < away { Err(refused()) } else { Ok(()) }
            };
            while attempts.make(answer()).await.is_err() {}
        };
        join_all((0..ASKING).map(ask)).await;
        // All ask at once at first, and once it is back. The pauses between add up to a second after so few.
        let between = made.into_inner().saturating_sub(2 * ASKING);
        assert!(between <= 10, "{between}");
    }

    /// An attempt that nobody waited for to the end is one that failed, and the next one is made by whoever comes.
    #[tokio::test]
    async fn an_attempt_that_hangs_is_a_failed_one() {
        let attempts = Attempts::default();
        let hangs = attempts.make(pending::<Result<(), _>>());
        timeout(Duration::from_millis(10), hangs).await.unwrap_err();
        let before = Instant::now();
        attempts.make(async { Ok(()) }).await.unwrap();
        assert!(before.elapsed() >= BACKOFF.min / 2, "{:?}", before.elapsed());
        assert_eq!(attempts.known.borrow().failures, 0);
    }

    /// OP-19: what comes of an attempt is told when none is under way that may yet succeed.
    #[tokio::test]
    async fn a_failure_is_told_when_no_other_attempt_is_under_way() {
        let attempts = Attempts::default();
        let told = attempts.next_failure().shared();
        assert!(told.clone().now_or_never().is_none());
        let [(one, first), (other, second)] = [(); 2].map(|()| oneshot::channel());
        let make = |answer: oneshot::Receiver<_>| attempts.make(async { answer.await.unwrap() });
        let (mut first, mut second) = (pin!(make(first)), pin!(make(second)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        one.send(Err::<(), _>(refused())).unwrap();
        first.await.unwrap_err();
        assert!(attempts.failure().is_some() && told.clone().now_or_never().is_none());
        other.send(Err(refused())).unwrap();
        second.await.unwrap_err();
        told.await;
    }

    #[test]
    fn who_connects_by_one_url_shares_the_pace() {
        let [one, same, other] = ["postgres://a", "postgres://a", "postgres://b"].map(Attempts::at);
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    }
}
