//! One consumer of a handler's subscription: calls the handler, says what became of each event.

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use futures_util::{FutureExt, future::poll_immediate};
use tokio::{sync::watch, task::yield_now};
use umbel_core::{
    Decoded, Place,
    subscription::{Key, Verdict as Settled},
};
use umbel_supervision::{Stopping, describe_panic};

use super::{
    BatchHandler, EventHandler, HandlerContext, HandlerStart, Verdict,
    commits::Commits,
    failure::{Memories, Policy},
    resets::{Resets, note},
    run::{Trouble, decode, handle, handle_batch, judge},
};
use crate::subscription::{AckError, Delivered, Link, Saved, Subscriber, Taken, millis};

/// Calls a handler for the events of one consumer.
pub(super) struct Consumer<H> {
    handler: Option<H>,
    /// Of how many resets of the subscription it was told.
    resets: u64,
    /// What it has handled and is not stored yet, if the handler wants to know.
    commits: Commits,
    /// Into how many partitions its events fall.
    partitions: u32,
    around: Around,
}

/// What a consumer works with.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) start: HandlerStart,
    pub(super) policy: Policy,
    pub(super) memories: Arc<Memories>,
    pub(super) resets: Arc<Resets>,
    pub(super) stopping: Stopping,
    /// Whether another consumer of the handler has failed, so that all end.
    pub(super) halted: watch::Receiver<bool>,
    /// Which of the concurrent consumers it is.
    pub(super) number: u32,
}

/// A batch at hand.
pub(super) struct Hand {
    link: Link,
    /// Which batch it is.
    number: u64,
    taken: Arc<Taken>,
    /// Keys of which nothing more of this batch is to be handled: it comes again.
    failed: BTreeSet<Key>,
    /// Events that are handled, of which that was not said yet.
    handled: Vec<Place>,
    /// Since when something of that waits.
    since: Option<Instant>,
}

/// For so long others that were handled without a pause may follow before it is told of an event.
const UNSAID: Duration = Duration::from_millis(1);

/// How a handler takes events.
pub(super) trait Way<H: EventHandler> {
    /// Handles a batch, and says what became of it.
    async fn take(consumer: &mut Consumer<H>, batch: Vec<Delivered>, hand: Hand) -> anyhow::Result<()>;
}

/// One after the other.
pub(super) struct Singly;

/// All together.
pub(super) struct Together;

impl<H: EventHandler> Consumer<H> {
    /// One that was told of so many resets.
    pub(super) fn new(around: Around, resets: u64) -> Self {
        let partitions = H::options().partitions.unwrap_or(1);
        Self { handler: None, resets, commits: Commits::default(), partitions, around }
    }

    /// Handles what comes until told to stop, between two events. Then it leaves, so that others get what it has not handled.
    ///
    /// # Errors
    /// When the handler says stop, or cannot begin, or the subscription ends here.
    pub(super) async fn consume<W: Way<H>>(mut self, mut subscriber: Subscriber) -> anyhow::Result<()> {
        let outcome = self.consume_all::<W>(&mut subscriber).await;
        let saved = subscriber.link.told.saved.subscribe();
        // It saves how far it has come.
        subscriber.close().await;
        self.tell_commits(&saved.borrow().clone()).await;
        outcome
    }

    async fn consume_all<W: Way<H>>(&mut self, subscriber: &mut Subscriber) -> anyhow::Result<()> {
        self.handler().await?;
        let mut saved = subscriber.link.told.saved.subscribe();
        while !self.is_over() {
            let mut halted = self.around.halted.clone();
            let batch = tokio::select! {
                biased;
                () = self.around.stopping.clone() => break,
                _ = halted.wait_for(|halted| *halted) => break,
                batch = subscriber.next() => batch,
                Ok(()) = saved.changed(), if H::AFTER_COMMIT => {
                    let now = saved.borrow_and_update().clone();
                    self.tell_commits(&now).await;
                    continue;
                }
            };
            let Some(batch) = batch else {
                bail!("the subscription has ended: {}", subscriber.ended().unwrap_or_default())
            };
            let (events, number, taken) = batch.into_parts();
            self.begin_anew_after_reset(&events, &subscriber.link).await?;
            if H::AFTER_COMMIT {
                let now = saved.borrow_and_update().clone();
                self.tell_commits(&now).await;
            }
            let hand = Hand::new(subscriber.link.clone(), number, taken);
            W::take(self, events, hand).await?;
        }
        Ok(())
    }

    /// What a handler knows is of the events that it was given: when they come again from the beginning, so does it, once it has undone
    /// what it wants to.
    async fn begin_anew_after_reset(&mut self, events: &[Delivered], link: &Link) -> anyhow::Result<()> {
        let Some(now) = events.iter().map(|delivered| delivered.resets).max() else { return Ok(()) };
        if self.resets < now {
            tracing::info!(handler = H::NAME, "its subscription was reset; it begins anew");
            self.commits.forget();
            let handler = self.handler().await?;
            let heard = AssertUnwindSafe(async { handler.before_reset(now).await }).catch_unwind().await;
            self.handler = None;
            match heard {
                Ok(Ok(())) => {}
                Ok(Err(error)) => bail!("{} cannot begin anew after a reset: {error}", H::NAME),
                Err(panic) => {
                    bail!("{} panicked before a reset: {}", H::NAME, describe_panic(&*panic))
                }
            }
            note(self.around.start.bus(), H::NAME, link, now).await?;
        }
        if self.resets != now {
            self.resets = now;
            self.around.resets.tell((H::NAME, self.around.number), link, now);
        }
        Ok(())
    }

    /// An event was handled.
    fn has_handled(&mut self, delivered: &Delivered) {
        if H::AFTER_COMMIT {
            self.commits.handled(delivered, self.partitions);
        }
    }

    /// Tells the handler which of what it has handled is stored by now.
    async fn tell_commits(&mut self, saved: &Saved) {
        let stored = self.commits.stored(saved);
        let (false, Some(handler)) = (stored.is_empty(), self.handler.as_mut()) else { return };
        let told = AssertUnwindSafe(async { handler.after_commit(stored).await }).catch_unwind().await;
        if let Err(panic) = told {
            tracing::error!(handler = H::NAME, cause = describe_panic(&*panic), "it panicked after a commit");
            self.handler = None;
        }
    }

    /// Whether to handle nothing more.
    fn is_over(&self) -> bool {
        *self.around.halted.borrow() || self.around.stopping.clone().now_or_never().is_some()
    }

    /// The handler, made anew if there is none.
    async fn handler(&mut self) -> anyhow::Result<&mut H> {
        let handler = match self.handler.take() {
            Some(handler) => handler,
            None => self.init().await?,
        };
        Ok(self.handler.insert(handler))
    }

    async fn init(&self) -> anyhow::Result<H> {
        let made = AssertUnwindSafe(async { H::init(&self.around.start).await }).catch_unwind().await;
        match made {
            Ok(Ok(handler)) => Ok(handler),
            Ok(Err(error)) => Err(anyhow!("{} cannot begin: {error}", H::NAME)),
            Err(panic) => Err(anyhow!("{} panicked when it began: {}", H::NAME, describe_panic(&*panic))),
        }
    }

    /// Handles one event and says what became of it.
    async fn take_one(&mut self, delivered: &Delivered, hand: &mut Hand) -> anyhow::Result<()> {
        if hand.is_not_to_be_handled(delivered) {
            return Ok(());
        }
        if !hand.link.wants_care(delivered) {
            return self.handle_one(delivered, hand).await;
        }
        // Nobody waits meanwhile for what is done already.
        hand.tell().await?;
        let (link, store) = (hand.link.clone(), self.around.start.bus().store());
        let begun = link.begin(&store, delivered).await;
        let begun = begun.with_context(|| format!("cannot note that {} begins an event", H::NAME))?;
        let Some(careful) = begun.filter(|_| !hand.is_not_to_be_handled(delivered)) else { return Ok(()) };
        if careful.before > 0 {
            // Attempts of the processes that it may have ended count.
            let attempt = careful.before.saturating_add(delivered.attempt - 1);
            let lost = Delivered { attempt, ..delivered.clone() };
            let judged = self.judge(&lost, &Trouble::Lost(careful.before));
            if !matches!(judged.0, Verdict::Retry { .. }) {
                return self.settle(delivered, hand, judged).await;
            }
        }
        self.handle_one(delivered, hand).await
    }

    async fn handle_one(&mut self, delivered: &Delivered, hand: &mut Hand) -> anyhow::Result<()> {
        let handled = match decode::<H>(delivered) {
            Ok(events) => {
                let mut handling = pin!(self.handle_each(events, delivered));
                match poll_immediate(handling.as_mut()).await {
                    Some(handled) => handled?,
                    None => {
                        // Nobody waits for what is done already while this one takes its time; which is ended, whatever comes of telling.
                        let told = hand.tell().await;
                        let handled = handling.await;
                        told.and(handled)?
                    }
                }
            }
            Err(trouble) => Err(trouble),
        };
        match handled {
            Ok(()) => {
                if delivered.attempt > 1 {
                    self.around.memories.take(delivered);
                }
                self.has_handled(delivered);
                hand.has_handled(delivered.place, H::STRONG).await
            }
            Err(trouble) => {
                hand.tell().await?;
                let judged = self.judge(delivered, &trouble);
                self.settle(delivered, hand, judged).await
            }
        }
    }

    /// Handles what a recorded event is to the handler, up to the first that cannot be. It may be nothing: of an old shape that nobody
    /// needs any more, or an event of a stream, from which the store does not select by name.
    async fn handle_each(
        &mut self,
        events: Decoded<H::Event>,
        delivered: &Delivered,
    ) -> anyhow::Result<Result<(), Trouble<H::Error>>> {
        for (part, event) in (0..).zip(events) {
            let context = HandlerContext::new::<H>(&self.around.start, delivered, part);
            let handled = handle(self.handler().await?, event, &context).await;
            if handled.is_err() {
                return Ok(handled);
            }
        }
        Ok(Ok(()))
    }

    /// What is to become of an event that was not handled, and why in words.
    fn judge(&mut self, delivered: &Delivered, trouble: &Trouble<H::Error>) -> (Verdict, String) {
        let mut memory = self.around.memories.take(delivered);
        let (verdict, error) = judge::<H>(delivered, trouble, &self.around.policy, &mut memory);
        if matches!(trouble, Trouble::Panicked(_)) {
            // Nobody knows in which state it was left.
            self.handler = None;
        }
        let event = &delivered.event;
        tracing::warn!(handler = H::NAME, position = %event.position, event = %event.event_type,
            attempt = delivered.attempt, %error, ?verdict, "an event could not be handled");
        if matches!(verdict, Verdict::Retry { .. }) {
            self.around.memories.keep(delivered, memory);
        }
        (verdict, error)
    }

    /// Says what becomes of an event that was not handled.
    async fn settle(
        &mut self,
        delivered: &Delivered,
        hand: &mut Hand,
        (verdict, error): (Verdict, String),
    ) -> anyhow::Result<()> {
        let (place, event) = (delivered.place, &delivered.event);
        let settled = match verdict {
            Verdict::Retry { after } => Settled::Retry { after_ms: millis(after) },
            Verdict::Skip => Settled::Skip,
            Verdict::Park => Settled::Park,
            Verdict::Stop { reason } => {
                bail!("{} stops at the event at position {}: {reason}", H::NAME, event.position)
            }
        };
        hand.failed.insert(delivered.key);
        match hand.link.fail(hand.number, place, delivered.key, settled, error).await {
            // It is somebody else's by now, who finds out for himself.
            Ok(()) | Err(AckError::NotHeld { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl<H: EventHandler> Way<H> for Singly {
    async fn take(consumer: &mut Consumer<H>, batch: Vec<Delivered>, mut hand: Hand) -> anyhow::Result<()> {
        for delivered in &batch {
            if consumer.is_over() {
                break;
            }
            if let Err(error) = consumer.take_one(delivered, &mut hand).await {
                // What is handled is, whatever became of this one.
                drop(hand.tell().await);
                return Err(error);
            }
        }
        hand.tell().await
    }
}

impl<H: BatchHandler> Way<H> for Together {
    async fn take(consumer: &mut Consumer<H>, batch: Vec<Delivered>, hand: Hand) -> anyhow::Result<()> {
        if batch.iter().any(|delivered| hand.link.wants_care(delivered)) {
            return Singly::take(consumer, batch, hand).await;
        }
        let at_hand = || batch.iter().filter(|delivered| !hand.is_not_to_be_handled(delivered));
        let decoded = at_hand().map(|delivered| Ok((delivered, decode::<H>(delivered)?)));
        let Ok(decoded) = decoded.collect::<Result<Vec<_>, Trouble<H::Error>>>() else {
            // When it fails, what is in hand of its key goes back, also what is before it: that is handled first, and said to be.
            return Singly::take(consumer, batch, hand).await;
        };
        let places: Vec<_> = decoded.iter().map(|(delivered, _)| delivered.place).collect();
        let context = |delivered, part| HandlerContext::new::<H>(&consumer.around.start, delivered, part);
        let wanted = decoded.into_iter().flat_map(|(delivered, events)| {
            (0..).zip(events).map(move |(part, event)| (event, context(delivered, part)))
        });
        let wanted: Vec<_> = wanted.collect();
        let handled = match wanted.is_empty() {
            true => Ok(()),
            false => handle_batch(consumer.handler().await?, wanted).await,
        };
        let Err(trouble) = handled else {
            let handled = batch.iter().filter(|delivered| places.contains(&delivered.place));
            handled.for_each(|delivered| consumer.has_handled(delivered));
            return Ok(hand.link.ack_unheard(hand.number, places).await?);
        };
        if matches!(trouble, Trouble::Panicked(_)) {
            consumer.handler = None;
        }
        tracing::warn!(handler = H::NAME, events = places.len(), error = %trouble.cause(),
            "a batch could not be handled; its events are handled one by one");
        Singly::take(consumer, batch, hand).await
    }
}

impl Hand {
    fn new(link: Link, number: u64, taken: Arc<Taken>) -> Self {
        Self { link, number, taken, failed: BTreeSet::new(), handled: Vec::new(), since: None }
    }

    /// An event is handled. That is said now if somebody may wait for it, else at the latest when its batch is, or when the next one takes
    /// its time.
    async fn has_handled(&mut self, place: Place, is_awaited: bool) -> anyhow::Result<()> {
        self.handled.push(place);
        if is_awaited {
            return self.tell().await;
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() < UNSAID {
            return Ok(());
        }
        self.tell().await?;
        // Who hears it runs on this thread.
        yield_now().await;
        Ok(())
    }

    /// Says what is handled.
    async fn tell(&mut self) -> anyhow::Result<()> {
        self.since = None;
        if self.handled.is_empty() {
            return Ok(());
        }
        Ok(self.link.ack_unheard(self.number, std::mem::take(&mut self.handled)).await?)
    }

    /// Whether it will come again, here or elsewhere.
    fn is_not_to_be_handled(&self, delivered: &Delivered) -> bool {
        self.failed.contains(&delivered.key) || self.taken.has(delivered.place)
    }
}
