//! Time that passes when a test says so.

use std::{collections::BTreeSet, future::Future, panic::Location, time::Duration};

use tokio::time::{Instant, sleep};
use umbel_core::{
    Timestamp,
    process_manager::Reminder,
    schedule::Scheduled,
    store::{ReadDue, ReadOutbox},
};
use umbel_host::App;

use crate::umbrella::{TestUmbrella, failed};

/// Between two looks at what nobody tells of.
const LOOK: Duration = Duration::from_millis(1);

/// Entries that are looked at.
const PAGE: u32 = 1000;

impl TestUmbrella {
    /// The moment by the umbrella's clock: what decisions, handlers and events are told.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.bus.clock().now()
    }

    /// Lets this time pass: commands for later, recurring ones and timers of process managers become due one after the other, each at its
    /// moment, and all that follows from one has come to rest before the next. At the end all is [settled](Self::settled).
    ///
    /// Aggregates and instances of process managers that nobody has asked for leave memory when their time has passed. Only the clock of
    /// the domain is turned: deadlines, leases and pauses of retries go by the machine's.
    ///
    /// # Panics
    /// When something does not come to rest within the patience: it says what.
    #[track_caller]
    pub fn advance(&self, time: Duration) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let queues: BTreeSet<_> = self.made_of.apps().iter().flat_map(App::queues).collect();
            self.until_planned(at).await;
            let until = self.now().plus(time);
            loop {
                let next = self.at_rest(&queues, at).await;
                let now = self.now();
                let moment = next.filter(|next| *next <= until).unwrap_or(until);
                let left = moment.as_micros().saturating_sub(now.as_micros());
                if left <= 0 && next.is_none_or(|next| next > now) {
                    return;
                }
                self.bus.clock().turn(Duration::from_micros(u64::try_from(left).unwrap_or(0)));
            }
        }
    }

    /// Waits until recurring commands that the apps declare are planned: they are so as of the present.
    async fn until_planned(&self, at: &Location<'_>) {
        let (deadline, now) = (Instant::now() + self.patience, self.now());
        for id in self.made_of.apps().iter().flat_map(|app| app.recurring_ids(now)) {
            while !matches!(self.store().find_work(id).await, Ok(Some(_))) {
                if Instant::now() > deadline {
                    failed(at, &format!("a recurring command is not planned within {:?}", self.patience));
                }
                sleep(LOOK).await;
            }
        }
    }

    /// Waits until nothing is due or being carried out, and all that followed from it is settled; when something is due next.
    async fn at_rest(&self, queues: &BTreeSet<String>, at: &Location<'_>) -> Option<Timestamp> {
        let deadline = Instant::now() + self.patience;
        loop {
            let head = self.settled_at(at).await;
            let (mut next, mut busy) = (None::<Timestamp>, None);
            for queue in queues {
                match self.look(queue).await {
                    Ok(Ok(due)) => next = [next, due].into_iter().flatten().min(),
                    Ok(Err(what)) => busy = Some(what),
                    Err(error) => failed(at, &error),
                }
            }
            if busy.is_none() && self.head(at).await == head {
                return next;
            }
            if Instant::now() > deadline {
                let what = busy.unwrap_or_else(|| "the log did not come to rest".to_owned());
                failed(at, &format!("not at rest within {:?}: {what}", self.patience));
            }
            sleep(LOOK).await;
        }
    }

    /// When the next of a queue is due, or what is due or being carried out now.
    async fn look(
        &self,
        queue: &str,
    ) -> Result<Result<Option<Timestamp>, String>, umbel_core::store::StoreError> {
        let request = ReadDue { queue: queue.to_owned(), now: self.now(), limit: 1 };
        let page = self.store().read_due(request).await?;
        if let Some(due) = page.entries.first() {
            return Ok(Err(format!("{queue}: {} is due", due.entry.body)));
        }
        let request = ReadOutbox { queue: queue.to_owned(), after: 0, limit: PAGE };
        let waiting = self.store().read_outbox(request).await?;
        let is_busy = |body: &umbel_core::Json| {
            let command = body.decode::<Scheduled>().is_ok_and(|scheduled| scheduled.attempts > 0);
            command || body.decode::<Reminder>().is_ok_and(|reminder| reminder.timer.is_none())
        };
        match waiting.iter().find(|one| is_busy(&one.entry.body)) {
            Some(busy) => Ok(Err(format!("{queue}: {} is being carried out", busy.entry.body))),
            None => Ok(Ok(page.next_due)),
        }
    }
}
