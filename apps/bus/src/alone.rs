//! A bus on its own, for examples and trials.

use umbel_supervision::{Group, Policy, Supervisor};

use crate::{actor::worker, handle::Bus, settings::BusSettings};

/// Runs something on a bus with nothing else on it, on a system of its own, and stops the bus when it is
/// done.
///
/// # Panics
/// When this thread has a runtime already.
pub fn alone<T>(work: impl AsyncFnOnce(Bus) -> T) -> T {
    actix::System::new().block_on(async {
        let bus = Bus::new(BusSettings::default());
        let supervisor = Supervisor::start(Group::new("alone", Policy::default()).child(worker(&bus)));
        let done = work(bus).await;
        supervisor.shut_down().await;
        done
    })
}
