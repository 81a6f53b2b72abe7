//! Takes events, gives them to the instances they concern, and says what became of them.

use std::{
    collections::{HashSet, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;
use umbel_core::{
    ProcessManager,
    process_manager::{Memory, Verdict},
    store::{DuePage, StoreError},
    subscription::Verdict as Said,
};
use uuid::Uuid;

use super::{
    calls::{About, Failed, judge, route},
    clerk::{Ended, Served, Surroundings, Work, serve},
    desk::Desk,
    ticket::Ticket,
};
use crate::subscription::{AckError, Delivered, Subscriber, Taken, millis};

/// A process manager at work in this process.
pub(super) struct Router<P: ProcessManager> {
    pub(super) around: Rc<Surroundings>,
    pub(super) desk: Desk<P::Event>,
    /// Events that came and wait for their turn, each with its batch.
    waiting: VecDeque<(Delivered, u64, Arc<Taken>)>,
    /// Events in hand.
    tickets: Vec<Rc<Ticket>>,
    pub(super) at_work: FuturesUnordered<LocalBoxFuture<'static, Happened<P::Event>>>,
    /// Reminders that are being seen to.
    pub(super) reminded: HashSet<Uuid>,
    /// When to look for reminders, unless that is being done.
    pub(super) look_at: Instant,
    pub(super) looking: bool,
    pub(super) bounds: Bounds,
}

/// Bounds and times.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Events in hand, and reminders that are read at once.
    pub(super) ahead: u32,
    pub(super) instances: usize,
    pub(super) idle: Duration,
    pub(super) poll: Duration,
}

/// What has come to an end.
pub(super) enum Happened<E> {
    Served(String, Served<E>),
    Looked(Result<DuePage, StoreError>),
}

impl<P: ProcessManager> Router<P> {
    pub(super) fn new(around: Rc<Surroundings>, bounds: Bounds) -> Self {
        let look_at = around.bus.clock().instant();
        Self {
            around,
            desk: Desk::new(bounds.instances, bounds.idle),
            waiting: VecDeque::new(),
            tickets: Vec::new(),
            at_work: FuturesUnordered::new(),
            reminded: HashSet::new(),
            look_at,
            looking: false,
            bounds,
        }
    }

    /// Handles what comes until told to stop, and ends what it has begun. Then it leaves, so that others get what it has not handled.
    ///
    /// # Errors
    /// When a verdict says stop, or the subscription ends here.
    pub(super) async fn run(mut self, mut subscriber: Subscriber) -> anyhow::Result<()> {
        let outcome = self.take_all(&mut subscriber).await;
        // What is under way is dropped here, at whatever point: it comes again, and is recognised.
        self.at_work.clear();
        subscriber.close().await;
        outcome
    }

    async fn take_all(&mut self, subscriber: &mut Subscriber) -> anyhow::Result<()> {
        let (mut stopping, clock) = (false, self.around.bus.clock().clone());
        let mut sweep_at = clock.instant() + self.bounds.idle;
        loop {
            if stopping && self.at_work.is_empty() {
                return Ok(());
            }
            if !stopping {
                self.take_waiting(subscriber).await?;
            }
            let has_room = self.waiting.is_empty()
                && self.tickets.len() < usize::try_from(self.bounds.ahead).unwrap_or(usize::MAX);
            let looks = !self.looking && !stopping;
            tokio::select! {
                biased;
                () = self.around.stopping.clone(), if !stopping => {
                    stopping = true;
                    self.desk.clear();
                }
                Some(happened) = self.at_work.next(), if !self.at_work.is_empty() => {
                    self.happened(subscriber, happened, stopping).await?;
                }
                () = clock.sleep_until(self.look_at), if looks => self.look(subscriber),
                () = clock.sleep_until(sweep_at) => {
                    let now = clock.instant();
                    self.desk.sweep(now);
                    sweep_at = now + self.bounds.idle;
                }
                batch = subscriber.next(), if has_room && !stopping => {
                    let Some(batch) = batch else {
                        bail!("the subscription has ended: {}", subscriber.ended().unwrap_or_default())
                    };
                    let (events, number, taken) = batch.into_parts();
                    self.waiting.extend(events.into_iter().map(|event| (event, number, Arc::clone(&taken))));
                }
            }
        }
    }

    /// Takes what may be in hand beside what is. What is begun with care is alone.
    async fn take_waiting(&mut self, subscriber: &Subscriber) -> anyhow::Result<()> {
        while let Some((next, ..)) = self.waiting.front() {
            let wants_care = subscriber.link.wants_care(next);
            if self.tickets.iter().any(|ticket| wants_care || ticket.is_careful()) {
                return Ok(());
            }
            let Some((delivered, number, taken)) = self.waiting.pop_front() else { return Ok(()) };
            self.take(subscriber, delivered, (number, &taken), wants_care).await?;
        }
        Ok(())
    }

    /// Gives an event to the instances it concerns.
    async fn take(
        &mut self,
        subscriber: &Subscriber,
        delivered: Delivered,
        (number, taken): (u64, &Arc<Taken>),
        wants_care: bool,
    ) -> anyhow::Result<()> {
        let comes_again = |known: &Rc<Ticket>| known.key == delivered.key && known.has_failed();
        if taken.has(delivered.place) || self.tickets.iter().any(comes_again) {
            return Ok(());
        }
        let mut careful = None;
        if wants_care {
            let begun = subscriber.link.begin(&self.around.store, &delivered).await;
            let begun = begun.with_context(|| format!("cannot note that {} begins an event", P::NAME))?;
            let Some(begun) = begun.filter(|_| !taken.has(delivered.place)) else { return Ok(()) };
            if begun.before > 0 {
                // Attempts of the processes that it may have ended count.
                let attempt = begun.before.saturating_add(delivered.attempt - 1);
                let judged = self.judge(&delivered, attempt, &Failed::Lost(begun.before));
                if !matches!(judged.0, Verdict::Retry { .. }) {
                    return self.settle(subscriber, &delivered, (number, taken), judged).await;
                }
            }
            careful = Some(begun);
        }
        let routed = match route::<P>(&delivered.event) {
            Ok(routed) => routed,
            Err(failed) => {
                let judged = self.judge(&delivered, delivered.attempt, &failed);
                return self.settle(subscriber, &delivered, (number, taken), judged).await;
            }
        };
        let count = routed.iter().map(|(_, route)| route.interests().len()).sum();
        if count == 0 {
            return Ok(subscriber.link.ack_unheard(number, vec![delivered.place]).await?);
        }
        let ticket = Rc::new(Ticket::new(&delivered, (number, taken), count, careful));
        self.tickets.push(Rc::clone(&ticket));
        let now = self.around.bus.clock().instant();
        for (part, (event, route)) in (0..).zip(routed) {
            let event = Rc::new(event);
            for interest in route.interests() {
                let work = Work::Event {
                    event: Rc::clone(&event),
                    part,
                    recorded: Arc::clone(&delivered.event),
                    interest: interest.clone(),
                    attempt: delivered.attempt,
                    ticket: Rc::clone(&ticket),
                };
                self.desk.put(&interest.instance, work, now);
                self.begin(interest.instance.clone());
            }
        }
        Ok(())
    }

    /// What is to become of an event of which nobody knows whom it concerns.
    fn judge(&self, delivered: &Delivered, attempt: u32, failed: &Failed<P::Error>) -> (Verdict, String) {
        let (recorded, cause) = (Some(&*delivered.event), delivered.event.id.0);
        let about = About { instance: None, recorded, timer: None, cause, attempt, pending: 0 };
        let policy = self.around.policy;
        let policy = if matches!(failed, Failed::Lost(_)) { policy.of_lost() } else { policy };
        judge::<P>(None, &about, failed.cause(), policy, &mut Memory::new())
    }

    /// Says so: the subscription tries it again, as a handler's.
    async fn settle(
        &mut self,
        subscriber: &Subscriber,
        delivered: &Delivered,
        (number, taken): (u64, &Arc<Taken>),
        (verdict, error): (Verdict, String),
    ) -> anyhow::Result<()> {
        let said = match verdict {
            Verdict::Retry { after } => Said::Retry { after_ms: millis(after) },
            Verdict::Skip | Verdict::SkipRest | Verdict::Instead(_) => {
                return Ok(subscriber.link.ack_unheard(number, vec![delivered.place]).await?);
            }
            Verdict::Park => Said::Park,
            Verdict::Stop { reason } => bail!("{} stops: {reason}", P::NAME),
        };
        let ticket = Rc::new(Ticket::new(delivered, (number, taken), 0, None));
        ticket.fail(said, error);
        self.tickets.push(ticket);
        self.conclude(subscriber).await
    }

    async fn happened(
        &mut self,
        subscriber: &Subscriber,
        happened: Happened<P::Event>,
        stopping: bool,
    ) -> anyhow::Result<()> {
        let (instance, Served { work, known, ended }) = match happened {
            Happened::Served(instance, served) => (instance, served),
            Happened::Looked(page) => {
                self.remind(page, stopping);
                return Ok(());
            }
        };
        let due = known.next_due(&self.reminded);
        self.desk.served(&instance, known, self.around.bus.clock().instant());
        due.into_iter().for_each(|due| self.look_no_later_than(due));
        match work {
            Work::Event { ticket, .. } => self.event_ended(subscriber, &ticket, ended).await?,
            Work::Timer { id, .. } | Work::Left { reminder: id, .. } => {
                self.reminded.remove(&id);
                if let Err(Ended::Stopped(reason)) = ended {
                    bail!("{} stops: {reason}", P::NAME);
                }
            }
        }
        self.begin(instance);
        Ok(())
    }

    /// One instance has done with an event, or will not.
    async fn event_ended(
        &mut self,
        subscriber: &Subscriber,
        ticket: &Rc<Ticket>,
        ended: Result<(), Ended>,
    ) -> anyhow::Result<()> {
        match ended {
            Ok(()) => {}
            Err(Ended::Parked(error)) => {
                ticket.fail(Said::Park, error);
                // What is behind it of its key comes again behind it, and is not to be begun now.
                let behind = self.tickets.iter().skip_while(|known| !Rc::ptr_eq(known, ticket)).skip(1);
                behind.filter(|known| known.key == ticket.key).for_each(|known| known.cancel());
            }
            Err(Ended::Dropped) => ticket.cancel(),
            Err(Ended::Stopped(reason)) => bail!("{} stops at position {}: {reason}", P::NAME, ticket.place),
        }
        ticket.leave();
        self.conclude(subscriber).await
    }

    /// Says what became of events with which all instances have done. That one has failed is said when none before it of its key is in
    /// hand any more: all that is in hand of the key comes again then.
    async fn conclude(&mut self, subscriber: &Subscriber) -> anyhow::Result<()> {
        let (mut kept, mut open) = (Vec::new(), HashSet::new());
        for ticket in std::mem::take(&mut self.tickets) {
            let Ticket { place, key, number, .. } = *ticket;
            if !ticket.is_over() || (ticket.has_failed() && open.contains(&key)) {
                open.insert(key);
                kept.push(ticket);
            } else if let Some((verdict, error)) = ticket.failure().filter(|_| !ticket.is_void()) {
                // So does what came with it or before, and waits.
                self.waiting.retain(|(waits, ..)| waits.key != key);
                match subscriber.link.fail(number, place, key, verdict, error).await {
                    // It is somebody else's by now, who finds out for himself.
                    Ok(()) | Err(AckError::NotHeld { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            } else if !ticket.is_void() {
                subscriber.link.ack_unheard(number, vec![place]).await?;
            }
        }
        self.tickets = kept;
        Ok(())
    }

    /// Serves an instance with what waits for it, if it is not being served.
    pub(super) fn begin(&mut self, instance: String) {
        let Some((known, work)) = self.desk.next(&instance) else { return };
        let around = Rc::clone(&self.around);
        let serving = serve::<P>(around, instance, known, work);
        self.at_work.push(serving.map(|(instance, served)| Happened::Served(instance, served)).boxed_local());
    }
}
