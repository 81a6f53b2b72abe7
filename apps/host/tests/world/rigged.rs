//! A store with a door before its appends, that loses, refuses and intrudes as it is told.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use umbel_core::{
    EventId, Timestamp,
    store::{Append, AppendError, Appended, StoreError, StreamPage},
};
use umbel_persistence::Adapter;
use umbel_testing::{Call, Faults, Intercept, Intercepted};

use super::foreign_deposit;

/// A store, the one in memory unless said otherwise, that is rigged.
pub(crate) type Rigged = Intercepted<Rigging>;

/// What goes wrong: a door before the appends, events of others behind it, and answers that get lost.
#[derive(Default)]
pub(crate) struct Rigging {
    /// What any app's tests can let go wrong, too.
    pub(crate) faults: Faults,
    /// While shut, appends wait.
    shut: watch::Sender<bool>,
    /// Groups of appends that came so far, and of these those that were let through.
    groups: watch::Sender<(u32, u32)>,
    /// So many groups to come are preceded by somebody else's deposit to the account "contested".
    intrusions: AtomicU32,
    /// What is stored then instead of that deposit, each time with other ids.
    intruder: Mutex<Option<Append>>,
    /// So many saved projections to come are stored, and their answers lost.
    lost_saves: AtomicU32,
    /// While shut, projections are not saved: asking waits.
    saves_shut: watch::Sender<bool>,
    /// How often projections were to be saved.
    saves_came: watch::Sender<u32>,
    /// How many pages of the log were read.
    pages_read: watch::Sender<u32>,
    /// The limit of the last read of the log.
    page_limit: watch::Sender<u32>,
    /// While held, switches of projections are refused.
    switches_held: AtomicBool,
    /// Whether pages of streams come without their events.
    empty_pages: AtomicBool,
    /// While shut, notices are not taken: asking waits.
    notices_shut: watch::Sender<bool>,
    /// So many requests to keep notices to come are refused.
    notices_refused: AtomicU32,
    /// So many requests to keep notices to come are carried out, and their answers lost.
    lost_keeps: AtomicU32,
    /// How many notices each request brought.
    batches: Mutex<Vec<usize>>,
    /// So many snapshots to come are refused.
    snapshots_refused: AtomicU32,
    /// Whether appends are refused that only end what an instance of a process manager had to do.
    settling_refused: AtomicBool,
    /// How often documents were read.
    document_reads: AtomicU32,
    pub(crate) subscriptions: Subscriptions,
}

/// What goes wrong with subscriptions.
#[derive(Default)]
pub(crate) struct Subscriptions {
    /// While set, everything but reading is refused.
    down: AtomicBool,
    /// So many saved checkpoints to come are stored, and their answers lost.
    pub(crate) lost_saves: AtomicU32,
    /// So many parked letters to come are stored, and their answers lost.
    pub(crate) lost_parks: AtomicU32,
    /// So many settled letters to come are stored, and their answers lost.
    pub(crate) lost_settles: AtomicU32,
    /// So many resets to come that were told are not noted.
    pub(crate) notes_refused: AtomicU32,
    /// How often stored subscriptions were looked up.
    pub(crate) lists: AtomicU32,
    /// How often checkpoints were to be saved.
    pub(crate) saves: AtomicU32,
}

impl Rigging {
    /// Makes appends wait.
    pub(crate) fn shut(&self) {
        self.shut.send_replace(true);
    }

    /// Lets appends through again.
    pub(crate) fn open(&self) {
        self.shut.send_replace(false);
    }

    /// Waits until a group of appends waits.
    pub(crate) async fn waits(&self) {
        self.groups.subscribe().wait_for(|(came, through)| came > through).await.unwrap();
    }

    /// How many groups of appends were let through.
    pub(crate) fn groups(&self) -> u32 {
        self.groups.borrow().1
    }

    pub(crate) fn intrude(&self, times: u32) {
        self.intrusions.store(times, Ordering::SeqCst);
    }

    pub(crate) fn intrude_with(&self, append: Append, times: u32) {
        *self.intruder.lock().unwrap() = Some(append);
        self.intrude(times);
    }

    fn intruder(&self) -> Append {
        let Some(mut append) = self.intruder.lock().unwrap().clone() else {
            return foreign_deposit("contested", 1);
        };
        let events = append.streams.iter_mut().flat_map(|stream| &mut stream.events);
        events.for_each(|event| event.id = EventId(umbel_bus::edge::fresh_id()));
        append
    }

    /// Refuses switches of projections, which are tried again, or lets them through.
    pub(crate) fn hold_switches(&self, hold: bool) {
        self.switches_held.store(hold, Ordering::SeqCst);
    }

    /// The limit of the last read of the log.
    pub(crate) fn page_limit(&self) -> watch::Receiver<u32> {
        self.page_limit.subscribe()
    }

    pub(crate) fn empty_pages(&self, empty: bool) {
        self.empty_pages.store(empty, Ordering::SeqCst);
    }

    /// Makes projections wait that are to be saved.
    pub(crate) fn shut_for_projections(&self, shut: bool) {
        self.saves_shut.send_replace(shut);
    }

    /// How often a projection was to be saved, whether or not that waits.
    pub(crate) fn projections_to_save(&self) -> watch::Receiver<u32> {
        self.saves_came.subscribe()
    }

    /// How many pages of the log were read.
    pub(crate) fn pages_read(&self) -> u32 {
        *self.pages_read.borrow()
    }

    /// Waits until so many pages of the log were read.
    pub(crate) async fn has_read(&self, pages: u32) {
        self.pages_read.subscribe().wait_for(|read| *read >= pages).await.unwrap();
    }

    /// Makes notices wait.
    pub(crate) fn shut_for_notices(&self, shut: bool) {
        self.notices_shut.send_replace(shut);
    }

    pub(crate) fn refuse_notices(&self, times: u32) {
        self.notices_refused.store(times, Ordering::SeqCst);
    }

    pub(crate) fn lose_keeps(&self, times: u32) {
        self.lost_keeps.store(times, Ordering::SeqCst);
    }

    /// How many notices each request brought.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }

    pub(crate) fn refuse_snapshots(&self, times: u32) {
        self.snapshots_refused.store(times, Ordering::SeqCst);
    }

    pub(crate) fn snapshots_to_refuse(&self) -> u32 {
        self.snapshots_refused.load(Ordering::SeqCst)
    }

    /// Makes the store refuse what ends the commands of a process manager's instance.
    pub(crate) fn refuse_settling(&self, refused: bool) {
        self.settling_refused.store(refused, Ordering::SeqCst);
    }

    pub(crate) fn document_reads(&self) -> u32 {
        self.document_reads.load(Ordering::SeqCst)
    }

    pub(crate) fn lose_saves(&self, times: u32) {
        self.lost_saves.store(times, Ordering::SeqCst);
    }

    /// What only ends the commands of an instance is refused, the rest of a group is not.
    async fn settle(
        &self,
        inner: &dyn Adapter,
        group: Vec<Append>,
        now: Timestamp,
    ) -> Vec<Result<Appended, AppendError>> {
        let settles = |append: &Append| append.command.is_none() && !append.done.is_empty();
        if !self.settling_refused.load(Ordering::SeqCst) || !group.iter().any(settles) {
            return self.faults.append(inner, group, now).await;
        }
        let mut outcomes = Vec::new();
        for append in group {
            if settles(&append) {
                outcomes.push(Err(told("not to settle").into()));
            } else {
                outcomes.extend(self.faults.append(inner, vec![append], now).await);
            }
        }
        outcomes
    }
}

impl Intercept for Rigging {
    fn append<'a>(
        &'a self,
        inner: &'a dyn Adapter,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'a, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            self.groups.send_modify(|(came, _)| *came += 1);
            self.shut.subscribe().wait_for(|shut| !shut).await.unwrap();
            self.groups.send_modify(|(_, through)| *through += 1);
            if take(&self.intrusions) {
                inner.append(vec![self.intruder()], now).await;
            }
            self.settle(inner, group, now).await
        })
    }

    fn before(&self, call: Call) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let subscriptions = &self.subscriptions;
            let refuse = |refused, what| if refused { Err(told(what)) } else { Ok(()) };
            match call {
                Call::ReadAll { limit } => drop(self.page_limit.send_replace(limit)),
                Call::SaveProjection => {
                    self.saves_came.send_modify(|came| *came += 1);
                    self.saves_shut.subscribe().wait_for(|shut| !shut).await.unwrap();
                }
                Call::GetDocuments => drop(self.document_reads.fetch_add(1, Ordering::SeqCst)),
                Call::SwitchProjection => {
                    refuse(self.switches_held.load(Ordering::SeqCst), "not to switch")?;
                }
                Call::SaveSnapshot => refuse(take(&self.snapshots_refused), "to refuse")?,
                Call::KeepNotices { notices } => {
                    self.batches.lock().unwrap().push(notices);
                    self.notices_shut.subscribe().wait_for(|shut| !shut).await.unwrap();
                    refuse(take(&self.notices_refused), "to refuse")?;
                }
                Call::OpenSubscription
                | Call::KeepLeases
                | Call::SaveCheckpoints
                | Call::ParkLetters
                | Call::SettleLetters => refuse(subscriptions.down.load(Ordering::SeqCst), "to refuse")?,
                Call::NoteResetsTold { told: 1.. } => {
                    refuse(take(&subscriptions.notes_refused), "to refuse")?;
                }
                Call::ListSubscriptions => drop(subscriptions.lists.fetch_add(1, Ordering::SeqCst)),
                _ => {}
            }
            if call == Call::SaveCheckpoints {
                subscriptions.saves.fetch_add(1, Ordering::SeqCst);
            }
            self.faults.before(call).await
        })
    }

    fn after(&self, call: Call) -> Result<(), StoreError> {
        let lost = match call {
            Call::SaveProjection | Call::SaveTables | Call::SwitchProjection => &self.lost_saves,
            Call::KeepNotices { .. } => &self.lost_keeps,
            Call::SaveCheckpoints => &self.subscriptions.lost_saves,
            Call::ParkLetters => &self.subscriptions.lost_parks,
            Call::SettleLetters => &self.subscriptions.lost_settles,
            Call::ReadAll { .. } => {
                self.pages_read.send_modify(|read| *read += 1);
                return Ok(());
            }
            _ => return Ok(()),
        };
        if take(lost) {
            return Err(StoreError::OutcomeUnknown { reason: "the test lost the answer".into() });
        }
        Ok(())
    }

    fn page(&self, mut page: StreamPage) -> StreamPage {
        if self.empty_pages.load(Ordering::SeqCst) {
            page.events.clear();
        }
        page
    }
}

impl Subscriptions {
    pub(crate) fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

/// Whether one is left, and takes it.
fn take(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn told(what: &str) -> StoreError {
    StoreError::Unavailable { reason: format!("told {what}") }
}
