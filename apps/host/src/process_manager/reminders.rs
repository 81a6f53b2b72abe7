//! Reminders in the outbox: timers that run out, and commands that nobody has dispatched in time.

use std::time::Duration;

use futures_util::FutureExt;
use umbel_core::{
    ProcessManager, Timestamp,
    process_manager::{Reminder, queue},
    store::{DuePage, ReadDue, StoreError},
};

use super::{
    clerk::Work,
    router::{Happened, Router},
};
use crate::subscription::Subscriber;

impl<P: ProcessManager> Router<P> {
    /// Looks for reminders that are due; not while an operator has paused the process manager.
    pub(super) fn look(&mut self, subscriber: &Subscriber) {
        self.look_at = self.around.bus.clock().instant() + self.bounds.poll;
        if *subscriber.link.told.paused.borrow() != Some(false) {
            return;
        }
        self.looking = true;
        let queue = queue(&self.around.kept_as);
        let request = ReadDue { queue, now: self.around.bus.clock().now(), limit: self.bounds.ahead };
        let store = self.around.store.clone();
        self.at_work.push(async move { Happened::Looked(store.read_due(request).await) }.boxed_local());
    }

    /// Gives reminders to the instances they are for.
    pub(super) fn remind(&mut self, page: Result<DuePage, StoreError>, stopping: bool) {
        self.looking = false;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                return tracing::warn!(manager = P::NAME, %error, "timers are not read; trying again");
            }
        };
        page.next_due.into_iter().for_each(|due| self.look_no_later_than(due));
        for waiting in page.entries.into_iter().filter(|_| !stopping) {
            let (id, number) = (waiting.entry.id, waiting.number);
            if !self.reminded.insert(id) {
                continue;
            }
            match waiting.entry.body.decode::<Reminder>() {
                Ok(Reminder { instance, timer, attempts: in_vain, .. }) => {
                    let work = match timer {
                        Some(name) => Work::Timer { name, id, in_vain },
                        None => Work::Left { reminder: id, in_vain },
                    };
                    self.desk.put(&instance, work, self.around.bus.clock().instant());
                    self.begin(instance);
                }
                Err(error) => tracing::error!(manager = P::NAME, number, %error,
                    "this entry of the outbox is no reminder and is left alone"),
            }
        }
    }

    /// A timer runs out then.
    pub(super) fn look_no_later_than(&mut self, due: Timestamp) {
        let micros = due.as_micros().saturating_sub(self.around.bus.clock().now().as_micros());
        let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        self.look_at = self.look_at.min(self.around.bus.clock().instant() + wait);
    }
}
