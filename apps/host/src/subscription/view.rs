//! What a subscription tells of itself: counters, how far it has come, what keeps it from going on.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;
use umbel_bus::Stand;
use umbel_core::{
    Place, Position,
    store::{Checkpoint, LeaseState},
    subscription::{Counters, SubscriptionName},
};
use uuid::Uuid;

use super::care::Care;

/// What a subscription did in this process, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Its name.
    pub name: SubscriptionName,
    /// Consumers in this process.
    pub consumers: u64,
    /// What happened in this process since it runs here.
    pub counters: Counters,
    /// Everything up to here is done, as far as it is known here.
    pub reached: Place,
    /// How many places there are behind that, wanted or not.
    pub lag: u64,
    /// What keeps it from going on.
    pub held_up: Option<String>,
    /// Timers that failed in this process and are to be tried again, if it is a process manager's.
    pub failing_timers: Option<u64>,
}

/// Stored checkpoints, by partition.
pub(crate) type Saved = BTreeMap<u32, Place>;

/// What the runner tells and others read.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The name that what follows from its events is kept under.
    pub(crate) kept_as: Arc<str>,
    /// Which one of its name it is, if it is kept.
    pub(crate) incarnation: u64,
    pub(crate) consumers: AtomicU64,
    pub(crate) counters: Mutex<Counters>,
    pub(crate) head: AtomicU64,
    pub(crate) reached: watch::Sender<Position>,
    pub(crate) held_up: watch::Sender<Option<String>>,
    pub(crate) elsewhere: watch::Sender<bool>,
    /// The checkpoints that are known to be stored, of this process's partitions.
    pub(crate) saved: watch::Sender<Saved>,
    pub(crate) care: Arc<Care>,
    /// Whether an operator has paused it; nothing until the runner has looked.
    pub(crate) paused: watch::Sender<Option<bool>>,
    pub(crate) failing: Failing,
}

/// Timers of a process manager that failed here and are to be tried again, each with until when that is to be believed: by then somebody has
/// tried it, here or elsewhere. `None` where there are no timers.
#[derive(Debug, Default)]
pub(crate) struct Failing(Mutex<Option<BTreeMap<Uuid, Instant>>>);

impl Failing {
    /// There may be timers.
    pub(crate) fn begin(&self) {
        self.timers().get_or_insert_default();
    }

    /// A timer failed, and comes again after this time.
    pub(crate) fn put_off(&self, timer: Uuid, time: Duration) {
        self.timers().get_or_insert_default().insert(timer, Instant::now() + 2 * time);
    }

    /// Of these, those that are timers have come to their end.
    pub(crate) fn done(&self, ended: &[Uuid]) {
        if let Some(timers) = self.timers().as_mut() {
            timers.retain(|timer, _| !ended.contains(timer));
        }
    }

    fn count(&self) -> Option<u64> {
        let now = Instant::now();
        let mut timers = self.timers();
        let timers = timers.as_mut()?;
        timers.retain(|_, until| *until > now);
        u64::try_from(timers.len()).ok()
    }

    fn timers(&self) -> MutexGuard<'_, Option<BTreeMap<Uuid, Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    pub(crate) fn of(kept_as: Arc<str>, incarnation: u64) -> Self {
        Self { kept_as, incarnation, ..Self::default() }
    }

    /// For those who wait for it.
    pub(crate) fn stand(&self) -> Stand {
        Stand {
            position: self.reached.subscribe(),
            held_up: self.held_up.subscribe(),
            beside: watch::channel(None).1,
            elsewhere: self.elsewhere.subscribe(),
        }
    }

    /// These checkpoints were saved, but for those of the partitions that were refused.
    pub(crate) fn has_saved(&self, checkpoints: &[Checkpoint], refused: &[u32]) {
        let saved = checkpoints.iter().filter(|one| !refused.contains(&one.partition));
        let saved: Vec<_> = saved.map(|one| (one.partition, one.place)).collect();
        self.saved.send_if_modified(|known| {
            known.extend(saved.iter().copied());
            !saved.is_empty()
        });
    }

    /// How the partitions stand in the store: also further back than before, after a reset.
    pub(crate) fn has_leased(&self, partitions: &[LeaseState]) {
        self.care.has_leased(partitions);
        let stands: Saved = partitions.iter().map(|one| (one.partition, one.checkpoint)).collect();
        self.saved.send_if_modified(|known| {
            let is_news = *known != stands;
            *known = stands;
            is_news
        });
    }

    pub(crate) fn view(&self, name: SubscriptionName) -> SubscriptionView {
        let reached = self.reached.borrow().get();
        SubscriptionView {
            name,
            consumers: self.consumers.load(Relaxed),
            counters: *self.counters.lock().unwrap_or_else(PoisonError::into_inner),
            reached: Place::new(reached),
            lag: self.head.load(Relaxed).saturating_sub(reached),
            held_up: self.held_up.borrow().clone(),
            failing_timers: self.failing.count(),
        }
    }
}
