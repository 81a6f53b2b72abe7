//! The writer: the actor through which every append of this process goes.
//!
//! While one group is being stored, what arrives queues up and becomes the next group; so the cost of a commit
//! is shared by all who wait, and one caller alone waits for nobody.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture,
    dev::{MessageResponse, OneshotSender},
};
use umbel_bus::{Answered, Bus, Envelope, Moment, PageBounds};
use umbel_core::{
    Position,
    store::{Append, AppendError, Appended, StoreError, Stored},
};
use umbel_supervision::{Drain, Tether};

use crate::{
    copies::Copies,
    gathering::Gathering,
    settings::StoreSettings,
    vault::Vault,
    vouching::{Ends, Vouching},
    went_back::WentBack,
};

/// How long those who may come back are waited for; see [`Gathering`].
const GATHERING: Duration = Duration::from_millis(1);

/// Takes appends and stores them group by group.
pub(crate) struct Writer {
    vault: Arc<Vault>,
    went_back: Arc<WentBack>,
    bus: Bus,
    settings: StoreSettings,
    queue: Rc<RefCell<Queue>>,
    vouching: Vouching,
    gathering: Gathering,
    /// Ends a wait for more.
    enough: Option<SpawnHandle>,
    draining: bool,
    /// Tells the supervisor when this actor is gone.
    _tether: Tether,
}

/// Where an append's outcome goes.
type ReplyTo = Option<OneshotSender<Answered<Append>>>;

/// A group that was stored, until those who wait for it are told.
struct Done {
    outcomes: Vec<Result<Appended, AppendError>>,
    /// Events of each append.
    events: Vec<u64>,
    replies: Vec<ReplyTo>,
    /// Whether it leaves work in the outbox.
    leaves_work: bool,
    /// For those who follow the log, if anybody did when it was begun.
    copies: Option<(Moment, Copies)>,
}

/// An append that waits, with its bytes of payload.
type Waiting = (Box<Append>, usize, ReplyTo);

/// What waits for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Bytes of payload of all that waits.
    bytes: usize,
    /// Whether a group is being stored, or about to be.
    writing: bool,
}

/// The answer to an append: now, or when its group has been stored. Putting the sender into the queue itself saves
/// a task and a channel per append.
pub(crate) enum Outcome {
    Now(Answered<Append>),
    Queued(Rc<RefCell<Queue>>, Box<Append>, usize),
}

impl Writer {
    pub(crate) fn new(
        vault: Arc<Vault>,
        went_back: Arc<WentBack>,
        bus: Bus,
        settings: StoreSettings,
        tether: Tether,
    ) -> Self {
        bus.tail().bound_pages(PageBounds { events: settings.page_size_max, bytes: settings.page_max_bytes });
        Self {
            vault,
            went_back,
            bus,
            settings,
            queue: Rc::default(),
            vouching: Vouching::default(),
            gathering: Gathering::default(),
            enough: None,
            draining: false,
            _tether: tether,
        }
    }

    fn admit(&self, append: Append) -> Outcome {
        // First, so that what is too large for any queue is not told to come again.
        if let Err(invalid) = append.validate(&self.settings.limits()) {
            return Outcome::Now(Some(Err(invalid.into())));
        }
        let bytes = append.len_bytes();
        let (waiting, before) = (self.queue.borrow().waiting.len(), self.queue.borrow().bytes);
        let no_room = before.saturating_add(bytes) > self.settings.queue_max_bytes;
        if waiting >= self.settings.queue_capacity || no_room {
            return Outcome::Now(Some(Err(StoreError::Overloaded { waiting }.into())));
        }
        Outcome::Queued(Rc::clone(&self.queue), Box::new(append), bytes)
    }

    /// Stores the next group once all are there who are waited for.
    fn write_when_gathered(&mut self, context: &mut Context<Self>) {
        let waiting = self.queue.borrow().waiting.len();
        if self.draining || !self.gathering.waits(waiting) {
            return self.write(context);
        }
        self.queue.borrow_mut().writing = false;
        if self.enough.is_none() {
            self.enough = Some(context.run_later(GATHERING, |writer, context| {
                writer.enough = None;
                writer.gathering.give_up();
                if !writer.queue.borrow().writing {
                    writer.write(context);
                }
            }));
        }
    }

    /// Stores the next group, and goes on until nothing waits.
    fn write(&mut self, context: &mut Context<Self>) {
        if let Some(enough) = self.enough.take() {
            context.cancel_future(enough);
        }
        let (mut group, replies) = self.queue.borrow_mut().next_group(&self.settings);
        self.queue.borrow_mut().writing = !group.is_empty();
        if group.is_empty() {
            if self.draining {
                context.stop();
            }
            return;
        }
        self.gathering.begun();
        self.vouching.vouch(&mut group);
        let ends = Ends::of(&group);
        let (vault, now) = (Arc::clone(&self.vault), self.bus.clock().now());
        let copies = self.bus.tail_from_here().map(|moment| (moment, Copies::of(&group, now)));
        let leaves_work = group.iter().any(|append| !append.outbox.is_empty());
        let events = group.iter().map(|append| append.event_count() as u64).collect();
        let stored = async move {
            let outcomes = vault.append(group, now).await;
            Done { outcomes, events, replies, leaves_work, copies }
        };
        context.spawn(stored.into_actor(self).map(|done, writer, context: &mut Context<Self>| {
            if let Some((place, event)) = ends.last_stored(&done.outcomes) {
                writer.went_back.remember(place, event);
            }
            writer.vouching.remember(ends, &done.outcomes);
            if writer.expects_more(&done) {
                writer.answer(done);
                return writer.write_when_gathered(context);
            }
            // The database would be idle while many callers are told: first the next group gets on its way.
            writer.write(context);
            if writer.queue.borrow().writing {
                let on_its_way = tokio::task::yield_now().into_actor(writer);
                context.spawn(on_its_way.map(|(), writer, _| writer.answer(done)));
            } else {
                writer.answer(done);
            }
        }));
    }

    /// Notes what was stored; whether the next group waits for those who are answered now.
    fn expects_more(&mut self, done: &Done) -> bool {
        let Some((first, last)) = done.places() else { return false };
        let waiting = self.queue.borrow().waiting.len();
        // No more can be there than may wait, or go together.
        let StoreSettings { group_max_appends, queue_capacity, .. } = self.settings;
        let callers = (waiting + done.replies.len()).min(group_max_appends).min(queue_capacity);
        self.gathering.stored(first, last, callers);
        self.gathering.waits(waiting)
    }

    fn answer(&self, Done { outcomes, replies, leaves_work, copies, .. }: Done) {
        // Whoever hears of the new head finds its events.
        if let Some((moment, copies)) = copies {
            self.bus.tail().keep(moment, copies.recorded(&outcomes));
        }
        let positions = outcomes.iter().flatten().filter_map(|appended| appended.last_position);
        if let Some(head) = positions.max() {
            self.bus.announce_head(head);
        }
        if leaves_work {
            self.bus.announce_work();
        }
        for (outcome, reply) in outcomes.into_iter().zip(replies) {
            if let Some(reply) = reply {
                // A caller that stopped waiting is told nothing; what was stored stays stored.
                drop(reply.send(Some(outcome)));
            }
        }
    }
}

impl Done {
    /// The first and the last position that the group has taken, if it has stored anything.
    fn places(&self) -> Option<(Position, Position)> {
        let stored = self.outcomes.iter().zip(&self.events).filter_map(|(outcome, events)| match outcome {
            Ok(appended) if appended.stored == Stored::Now && *events > 0 => {
                let last = appended.last_position?;
                Some((Position::new((last.get() + 1).saturating_sub(*events)), last))
            }
            _ => None,
        });
        stored.reduce(|(first, last), (next, end)| (first.min(next), last.max(end)))
    }
}

impl Queue {
    fn push(&mut self, waiting: Waiting) {
        self.bytes = self.bytes.saturating_add(waiting.1);
        self.waiting.push_back(waiting);
    }

    fn next_group(&mut self, settings: &StoreSettings) -> (Vec<Append>, Vec<ReplyTo>) {
        let (mut group, mut replies, mut events, mut bytes) = (Vec::new(), Vec::new(), 0, 0_usize);
        while let Some((append, its_bytes, _)) = self.waiting.front() {
            events += append.event_count();
            bytes = bytes.saturating_add(*its_bytes);
            let full = group.len() >= settings.group_max_appends
                || events > settings.group_max_events
                || bytes > settings.group_max_bytes;
            if full && !group.is_empty() {
                break;
            }
            if let Some((append, its_bytes, reply)) = self.waiting.pop_front() {
                self.bytes = self.bytes.saturating_sub(its_bytes);
                group.push(*append);
                replies.push(reply);
            }
        }
        (group, replies)
    }
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<Envelope<Append>> for Writer {
    type Result = Outcome;

    fn handle(&mut self, envelope: Envelope<Append>, context: &mut Self::Context) -> Outcome {
        let Some(append) = envelope.open() else { return Outcome::Now(None) };
        let outcome = self.admit(append);
        if !std::mem::replace(&mut self.queue.borrow_mut().writing, true) {
            // Handled when the mailbox has been emptied: the group is all that has arrived by then.
            context.notify(Write);
        }
        outcome
    }
}

impl MessageResponse<Writer, Envelope<Append>> for Outcome {
    fn handle(self, _: &mut Context<Writer>, reply: ReplyTo) {
        match self {
            Self::Now(answer) => {
                if let Some(reply) = reply {
                    drop(reply.send(answer));
                }
            }
            Self::Queued(queue, append, bytes) => queue.borrow_mut().push((append, bytes, reply)),
        }
    }
}

/// Told to itself after a message: store what waits.
struct Write;

impl actix::Message for Write {
    type Result = ();
}

impl Handler<Write> for Writer {
    type Result = ();

    fn handle(&mut self, _: Write, context: &mut Self::Context) {
        self.write_when_gathered(context);
    }
}

impl Handler<Drain> for Writer {
    type Result = ();

    /// Stores what waits, then stops.
    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.draining = true;
        if !self.queue.borrow().writing {
            self.write(context);
        }
    }
}

#[cfg(feature = "faults")]
umbel_bus::takes_faults!([] Writer);

#[cfg(test)]
mod tests {
    use umbel_testkit::conformance::Events;

    use super::*;

    /// A group ends before its bytes exceed the limit, an append larger than that goes alone, and the queue knows what
    /// it holds.
    #[test]
    fn groups_are_bounded_in_bytes() {
        let settings = StoreSettings { group_max_bytes: 10, ..StoreSettings::default() };
        let (mut queue, events) = (Queue::default(), Events::default());
        for bytes in [4, 6, 1, 50, 10] {
            queue.push((Box::new(events.append("s", umbel_core::ExpectedVersion::Any, 1)), bytes, None));
        }
        let mut sizes = Vec::new();
        while queue.bytes > 0 {
            sizes.push((queue.bytes, queue.next_group(&settings).0.len()));
        }
        assert_eq!(sizes, [(71, 2), (61, 1), (60, 1), (10, 1)]);
        assert!(queue.waiting.is_empty());
    }
}
