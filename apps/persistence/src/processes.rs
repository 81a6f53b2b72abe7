//! What the processes on one store tell each other of themselves: told by each every now and then, when it changes, and when somebody wants
//! to know of the others.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use umbel_bus::{Bus, edge};
use umbel_core::{
    Timestamp,
    store::{Process, TellProcess},
    subscription::NodeId,
};
use umbel_supervision::Stopping;

use crate::{adapter::Adapter, settings::StoreSettings};

/// So many times the interval a process is believed: so that one that is slow, or whose word was lost, is not taken for gone. The word
/// itself need not be written while two thirds of that are left.
const LEASE_FACTOR: u64 = 5;

/// How long the last word of a process that stops may take. What is not said runs out by itself.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The pause between a change and the word of it: parts of an app begin one after the other, and need not be told one by one.
const SETTLED_AFTER: Duration = Duration::from_millis(5);

/// The pause before a look that somebody waits for: whoever asks in vain, again and again, keeps the store no busier than this.
const LOOK_AFTER: Duration = Duration::from_millis(20);

/// What processes have told, for stores that one process has to itself; and until when it is believed.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<NodeId, (Timestamp, Process)>>);

impl Told {
    /// Keeps what a process tells; what the others have told.
    pub(crate) fn tell(&self, request: TellProcess, now: Timestamp) -> Vec<Process> {
        let TellProcess { process, lease_ms } = request;
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = i64::try_from(lease_ms).unwrap_or(i64::MAX).saturating_mul(1000);
        let until = Timestamp::from_micros(now.as_micros().saturating_add(lease));
        told.remove(&process.node);
        told.retain(|_, (until, _)| *until > now);
        let others = told.values().map(|(_, process)| process.clone()).collect();
        if !process.is_silent() {
            told.insert(process.node, (until, process));
        }
        others
    }
}

/// Tells of this process and learns of the others, at once when something begins or ends here or somebody wants to know, and after each
/// interval, until told to stop. Then it takes its word back, so that nobody waits for what is gone.
pub(crate) async fn tell(adapter: &dyn Adapter, settings: &StoreSettings, bus: &Bus, stopping: Stopping) {
    let every = settings.processes_interval();
    let lease_ms = settings.processes_interval_ms.saturating_mul(LEASE_FACTOR);
    let (mut routes, mut wanted) = (bus.changes_of_routes(), bus.looks_wanted());
    loop {
        routes.borrow_and_update();
        let looks = *wanted.borrow_and_update();
        let process = bus.process();
        let request = TellProcess { process: process.clone(), lease_ms };
        match adapter.tell_process(request, edge::now()).await {
            Ok(others) => bus.announce_processes(others),
            Err(error) => tracing::debug!(%error, "what other processes run is not known anew"),
        }
        bus.announce_look(looks);
        let changed = async {
            while routes.changed().await.is_ok() {
                if bus.process() != process {
                    return sleep(SETTLED_AFTER).await;
                }
            }
            pending::<()>().await;
        };
        let looked_for = async {
            match wanted.changed().await {
                Ok(()) => sleep(LOOK_AFTER).await,
                Err(_) => pending().await,
            }
        };
        tokio::select! {
            () = sleep(every) => {}
            () = changed => {}
            () = looked_for => {}
            () = stopping.clone() => break,
        }
    }
    let request = TellProcess { process: Process::silent(bus.node()), lease_ms };
    drop(timeout(LAST_WORD, adapter.tell_process(request, edge::now())).await);
}
