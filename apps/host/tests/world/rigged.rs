//! A store with a door before its appends, that loses, refuses and intrudes as it is told.

mod store;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use tokio::sync::watch;
use umbel_core::{
    EventId,
    store::{Append, StoreError},
};
use umbel_persistence::{Adapter, memory::Memory};

use super::foreign_deposit;
use crate::rigging::Rigging;

/// A store, the one in memory unless said otherwise, with a door before the appends and events of others behind it.
pub(crate) struct Rigged {
    pub(crate) inner: Arc<dyn Adapter>,
    /// While shut, appends wait.
    shut: watch::Sender<bool>,
    /// Groups of appends that came so far, and of these those that were let through.
    groups: watch::Sender<(u32, u32)>,
    /// So many groups to come are preceded by somebody else's deposit to the account "contested".
    intrusions: AtomicU32,
    /// What is stored then instead of that deposit, each time with other ids.
    intruder: Mutex<Option<Append>>,
    /// So many groups to come are stored, and their answers lost.
    lost: AtomicU32,
    /// The group with this number among those to come is refused.
    refused: AtomicU32,
    /// So many saved projections to come are stored, and their answers lost.
    lost_saves: AtomicU32,
    /// The limit of the last read of the log.
    page_limit: watch::Sender<u32>,
    /// While held, switches of projections are refused.
    switches_held: watch::Sender<bool>,
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
    pub(crate) subscriptions: Rigging,
}

impl Default for Rigged {
    fn default() -> Self {
        Self::over(Arc::new(Memory::new()))
    }
}

impl Rigged {
    pub(crate) fn over(inner: Arc<dyn Adapter>) -> Self {
        Self {
            inner,
            shut: watch::Sender::default(),
            groups: watch::Sender::default(),
            intrusions: AtomicU32::default(),
            intruder: Mutex::default(),
            lost: AtomicU32::default(),
            refused: AtomicU32::default(),
            lost_saves: AtomicU32::default(),
            page_limit: watch::Sender::default(),
            switches_held: watch::Sender::default(),
            empty_pages: AtomicBool::default(),
            notices_shut: watch::Sender::default(),
            notices_refused: AtomicU32::default(),
            lost_keeps: AtomicU32::default(),
            batches: Mutex::default(),
            snapshots_refused: AtomicU32::default(),
            settling_refused: AtomicBool::default(),
            document_reads: AtomicU32::default(),
            subscriptions: Rigging::default(),
        }
    }

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

    pub(crate) fn lose_answers(&self, times: u32) {
        self.lost.store(times, Ordering::SeqCst);
    }

    pub(crate) fn refuse_nth(&self, number: u32) {
        self.refused.store(number, Ordering::SeqCst);
    }

    /// Refuses switches of projections, which are tried again, or lets them through.
    pub(crate) fn hold_switches(&self, hold: bool) {
        self.switches_held.send_replace(hold);
    }

    /// The limit of the last read of the log.
    pub(crate) fn page_limit(&self) -> watch::Receiver<u32> {
        self.page_limit.subscribe()
    }

    pub(crate) fn empty_pages(&self, empty: bool) {
        self.empty_pages.store(empty, Ordering::SeqCst);
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
}

/// Whether one is left, and takes it.
pub(crate) fn take(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

pub(crate) fn lost() -> StoreError {
    StoreError::OutcomeUnknown { reason: "the test lost the answer".into() }
}
