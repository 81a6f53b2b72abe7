//! What goes wrong between an umbrella and its store, when a test says so.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use futures_util::future::{BoxFuture, ready};
use umbel_core::{
    Timestamp,
    store::{Append, AppendError, Appended, StoreError},
};
use umbel_persistence::Adapter;

use crate::{
    intercepted::{Call, Intercept},
    umbrella::TestUmbrella,
};

/// Fault switches over a store. Clones are the same switches.
///
/// Every [`TestUmbrella`] has them between itself and its store, and calls of the same names. By themselves they serve who puts a store
/// together: [`Intercepted`](crate::Intercepted)`::new(store, faults.clone())`.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    appends: Arc<Mutex<Appends>>,
    /// How many have the store out.
    outages: Arc<AtomicU32>,
}

/// What becomes of appends to come.
#[derive(Debug, Default)]
struct Appends {
    /// So many are let through before the first that fails.
    spared: u32,
    failing: u32,
    losing: u32,
}

/// While this lives, a store is out.
#[derive(Debug)]
#[must_use = "the store is back as soon as this is dropped"]
pub struct Outage(Faults);

impl Faults {
    /// The next appends, so many, fail before they are stored. Takes the place of what was said of failing before; none is 0.
    pub fn fail_appends(&self, count: u32) {
        self.fail_appends_after(0, count);
    }

    /// The same for those behind the next ones, which are let through: `(1, 1)` lets the second fail.
    pub fn fail_appends_after(&self, spared: u32, count: u32) {
        let mut appends = self.appends();
        (appends.spared, appends.failing) = (spared, count);
    }

    /// The next appends that lead to something, so many, are stored, and their answers are lost on the way. Takes the place of what was said
    /// of losing before; none is 0.
    pub fn lose_answers(&self, count: u32) {
        self.appends().losing = count;
    }

    /// The store is out until what this returns is dropped: it refuses everything, and does nothing.
    pub fn outage(&self) -> Outage {
        self.outages.fetch_add(1, Ordering::SeqCst);
        Outage(self.clone())
    }

    /// Why a request is refused, if it is.
    ///
    /// # Errors
    /// While the store is out.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.outages.load(Ordering::SeqCst) > 0 {
            return Err(unavailable("the test has the store out, until it ends the outage"));
        }
        Ok(())
    }

    /// Whether the next append fails; one that is not left to luck counts down.
    fn fails(&self) -> Result<(), StoreError> {
        self.check()?;
        let mut appends = self.appends();
        if appends.failing > 0 && !take(&mut appends.spared) && take(&mut appends.failing) {
            return Err(unavailable("the test lets this append fail"));
        }
        Ok(())
    }

    fn answer(&self, outcome: Result<Appended, AppendError>) -> Result<Appended, AppendError> {
        if outcome.is_ok() && take(&mut self.appends().losing) {
            let reason = "the test loses the answer to this append".to_owned();
            return Err(StoreError::OutcomeUnknown { reason }.into());
        }
        outcome
    }

    fn appends(&self) -> MutexGuard<'_, Appends> {
        // Counters are as good after a panic as before.
        self.appends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Faults {
    fn before(&self, _: Call) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(ready(self.check()))
    }

    fn append<'a>(
        &'a self,
        inner: &'a dyn Adapter,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'a, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            let (mut outcomes, mut through) = (Vec::new(), Vec::new());
            for append in group {
                let fails = self.fails();
                if fails.is_ok() {
                    through.push(append);
                }
                outcomes.push(fails.err());
            }
            let stored = if through.is_empty() { Vec::new() } else { inner.append(through, now).await };
            let mut stored = stored.into_iter();
            let missing = || Err(StoreError::Failed { reason: "the store left an append out".into() }.into());
            let outcome = |failed: Option<StoreError>| match failed {
                Some(error) => Err(error.into()),
                None => self.answer(stored.next().unwrap_or_else(missing)),
            };
            outcomes.into_iter().map(outcome).collect()
        })
    }
}

impl Outage {
    /// The store is back. Dropping this says the same.
    pub fn end(self) {}
}

impl Drop for Outage {
    fn drop(&mut self) {
        self.0.outages.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Faults of the store: they concern every append of this umbrella, whoever asks for it. They last over a [`restart`](Self::restart).
impl TestUmbrella {
    /// The next appends, so many, fail before they are stored: who asked for them is told that the store is not available. Takes the
    /// place of what was said of failing before; none is 0.
    pub fn fail_appends(&self, count: u32) {
        self.faults.fail_appends(count);
    }

    /// The same for those behind the next ones, which are let through: `(1, 1)` lets the second fail, as of a command that has several
    /// parts.
    pub fn fail_appends_after(&self, spared: u32, count: u32) {
        self.faults.fail_appends_after(spared, count);
    }

    /// The next appends that lead to something, so many, are stored, and their answers are lost on the way: who asked for them cannot know
    /// whether they are, and finds out by asking for the same again, under the same ids. Takes the place of what was said of losing
    /// before; none is 0.
    pub fn lose_answers(&self, count: u32) {
        self.faults.lose_answers(count);
    }

    /// The store is out, for reading and writing, until what this returns is [ended](Outage::end) or dropped. Whoever needs the store
    /// meanwhile is told so, and tries again as it does in production; this umbrella's own ways of looking, such as
    /// [`settled`](Self::settled) and [`events`](Self::events), need it as well.
    pub fn outage(&self) -> Outage {
        self.faults.outage()
    }
}

/// Whether one is left, and takes it.
const fn take(counter: &mut u32) -> bool {
    let is_left = *counter > 0;
    *counter = counter.saturating_sub(1);
    is_left
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable { reason: reason.to_owned() }
}
