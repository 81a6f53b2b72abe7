//! One aggregate's state, and what is decided on it.
//!
//! The state may be ahead of the log: while an append is under way, the next command may be decided on the state that it will lead to,
//! and its own append goes out behind it, so that both are stored together. What comes of that is only ever believed: each append names
//! the version and the event it was decided on, so one that was decided on a state that never came to be is refused by the store, and the
//! command is decided again. Nobody is answered on the strength of what is not stored.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use umbel_bus::{DispatchContext, Store, edge};
use umbel_core::{
    After, Aggregate, Command, Context, Decide, Decision, EncodedEvent, EventId, EventName, ExpectedVersion,
    Json, Lifespan, StreamName, Timestamp, Version,
    schedule::base_at,
    store::{Append, Claims, Snapshot, StreamAppend},
};

use crate::{
    aggregate::{
        caution::Caution,
        flight::{Airborne, Flight, Landing, Ticket},
        fold::Fold,
        naming::stream_of,
    },
    deciding::{NamedPlans, Trouble, Wired, plan, record, wired},
};

/// An aggregate in memory.
pub(super) struct Cell<A: Aggregate> {
    /// With what is under way, once something was decided on it.
    pub(super) fold: Fold<A>,
    /// Whether nothing is known yet, or not any more.
    pub(super) stale: bool,
    /// Whether the state was begun: with a snapshot, if there was one.
    begun: bool,
    /// Version of the last snapshot that is known of, or was tried.
    snapshot: Version,
    flight: Rc<Flight>,
    /// The events of the last append that is under way, as long as nothing was decided on them.
    ahead: Option<Ahead<A::Event>>,
    /// The last event of the last append that was begun.
    believed: Option<EventId>,
    /// Appends up to this one are of no account: what was decided on them is forgotten.
    forgotten: Ticket,
    caution: Caution,
}

/// Events that are about to be stored, and the version after them.
struct Ahead<E> {
    ticket: Ticket,
    events: Vec<E>,
    version: Version,
    last: Option<EventId>,
}

/// The domain's yes or no, or trouble on the way to it.
pub(super) type Verdict<A, C> = Result<
    Result<Decided<<A as Aggregate>::Event, <C as Command>::Reply>, <C as Command>::Rejection>,
    Trouble,
>;

/// Events ready to be appended and the decision they came from.
pub(super) struct Decided<E, R> {
    pub(super) decision: Decision<E, R>,
    pub(super) append: Append,
    pub(super) names: Vec<EventName>,
    pub(super) at: Timestamp,
    /// Commands for later with names, which are not in the append yet.
    pub(super) named: NamedPlans,
    /// The events in their wire form, if they are to be returned.
    pub(super) returned: Vec<EncodedEvent>,
}

impl<A: Aggregate> Cell<A> {
    pub(super) fn new(stream: StreamName, flight: Rc<Flight>) -> Self {
        Self {
            fold: Fold::new(stream),
            stale: true,
            begun: false,
            snapshot: Version::START,
            forgotten: flight.last(),
            flight,
            ahead: None,
            believed: None,
            caution: Caution::default(),
        }
    }

    /// Takes into account what became of appends.
    pub(super) fn take_note(&mut self) {
        while let Some((ticket, landing)) = self.flight.next_landed() {
            let ahead = self.ahead.take_if(|ahead| ahead.ticket == ticket);
            if landing == Landing::Stored {
                self.caution.forget();
            }
            match (landing, ahead) {
                (Landing::Stored, Some(ahead)) => self.evolve(&ahead),
                (Landing::Stored, None) => {}
                // Nothing was decided on it, so the state is that of before.
                (Landing::Refused, Some(_)) => {}
                (Landing::Unsure, Some(_)) => self.stale = true,
                (Landing::Refused | Landing::Unsure, None) if ticket > self.forgotten => {
                    self.forget();
                    self.caution.learn();
                }
                (Landing::Refused | Landing::Unsure, None) => {}
            }
        }
    }

    /// Whether the state is that of the log, as far as this process knows.
    pub(super) fn is_settled(&self) -> bool {
        self.flight.is_over()
    }

    /// Waits until it is.
    pub(super) async fn settle(&mut self) {
        self.flight.all_landed().await;
        self.take_note();
    }

    /// Whether the next command is decided only when this one is stored.
    pub(super) fn is_cautious(&self) -> bool {
        self.caution.waits()
    }

    /// These events are being appended. The next command may be decided on what they lead to.
    pub(super) fn take_off(&mut self, append: &Append, events: Vec<A::Event>) -> Airborne {
        let last = append.streams.last().and_then(|stream| stream.events.last());
        self.believed = last.map(|event| event.id);
        let airborne = self.flight.take_off();
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        let version = Version::new(self.fold.version.get().saturating_add(count));
        self.ahead = Some(Ahead { ticket: airborne.ticket(), events, version, last: self.believed });
        airborne
    }

    /// Believes that what is under way will be stored.
    pub(super) fn look_ahead(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            self.evolve(&ahead);
        }
    }

    fn evolve(&mut self, ahead: &Ahead<A::Event>) {
        for event in &ahead.events {
            if let Err(Trouble::Failed(reason)) = self.fold.evolve(event) {
                // Stored all the same; the next command loads the state again and meets the panic there.
                tracing::error!(stream = %self.fold.stream, reason, "state lost after an append");
                return self.forget();
            }
        }
        self.fold.version = ahead.version;
        self.fold.last = ahead.last.or(self.fold.last);
    }

    /// Forgets the state: the next command loads it from the log.
    fn forget(&mut self) {
        let caution = std::mem::take(&mut self.caution);
        *self = Self { caution, ..Self::new(self.fold.stream.clone(), Rc::clone(&self.flight)) };
    }

    /// Whether a snapshot is to be taken.
    pub(super) fn snapshot_is_due(&self) -> bool {
        !self.stale && self.is_settled() && A::snapshots().is_due(self.snapshot, self.fold.version)
    }

    /// Takes the snapshot that is due, if it still is. One that fails is tried again when the next is due.
    pub(super) fn take_snapshot(&mut self) -> Option<Snapshot> {
        if !self.snapshot_is_due() {
            return None;
        }
        let Fold { stream, state, version, .. } = &self.fold;
        self.snapshot = *version;
        let taken = || A::snapshots().take(stream.clone(), *version, state, edge::now());
        match catch_unwind(AssertUnwindSafe(taken)) {
            Ok(Some(Ok(snapshot))) => Some(snapshot),
            Ok(Some(Err(error))) => {
                tracing::warn!(%stream, %error, "the state has no JSON form; no snapshot is taken");
                None
            }
            Ok(None) => None,
            Err(_) => {
                tracing::warn!(%stream, "taking a snapshot panicked");
                None
            }
        }
    }

    /// Evolves by everything appended since; says whether there was anything. Not before everything is settled.
    pub(super) async fn catch_up(&mut self, store: &Store) -> Result<bool, Trouble> {
        // Left half-way by an error or a caller that goes away, it is some state, but not the present one.
        self.stale = true;
        let mut anything = false;
        if !self.begun {
            self.fold.stream = stream_of::<A>(store, &self.fold.stream).await.map_err(Trouble::Store)?;
            self.fold.begin_with_snapshot(store, None).await;
            (self.begun, self.snapshot) = (true, self.fold.version);
            anything = self.fold.version > Version::START;
        }
        anything |= self.fold.catch_up(store, None).await?;
        // When the stream was removed for good, its snapshot went with it.
        self.snapshot = self.snapshot.min(self.fold.version);
        self.stale = false;
        Ok(anything)
    }

    /// Forgets the state, which a panic may have left half-way: the next command loads it from the log.
    fn panicked(&mut self, doing: &str) -> Trouble {
        self.forget();
        Trouble::Failed(format!("{doing} {} panicked", self.fold.stream))
    }

    pub(super) fn decide<C: Command>(
        &mut self,
        command: &C,
        context: &DispatchContext,
        at: Timestamp,
    ) -> Verdict<A, C>
    where
        A: Decide<C>,
    {
        let mut fresh_ids = edge::fresh_id;
        let surroundings = Context::new(at, &mut fresh_ids).with_metadata(&context.metadata);
        let state = &self.fold.state;
        let decide = || {
            state.before_decide(command, &surroundings)?;
            state.decide(command, &surroundings)
        };
        match catch_unwind(AssertUnwindSafe(decide)) {
            Ok(Ok(decision)) => self.prepare::<C>(decision, context, at).map(Ok),
            Ok(Err(rejection)) => Ok(Err(rejection)),
            Err(_) => Err(self.panicked(&format!("deciding {} for", C::NAME))),
        }
    }

    /// The append that a decision leads to.
    fn prepare<C: Command>(
        &self,
        decision: Decision<A::Event, C::Reply>,
        context: &DispatchContext,
        at: Timestamp,
    ) -> Result<Decided<A::Event, C::Reply>, Trouble> {
        let Wired { events, names, returned } = wired(&decision.events, context)?;
        let mut append = Append::default();
        if !events.is_empty() {
            let expected = ExpectedVersion::Exact(self.fold.version);
            let behind = self.believed.filter(|_| !self.is_settled());
            append.streams.push(StreamAppend {
                behind,
                ..StreamAppend::new(self.fold.stream.clone(), expected, events)
            });
        }
        let base =
            (!decision.events.is_empty()).then(|| base_at(&self.fold.stream, self.fold.version.next()));
        let named = plan(&decision.plans, &mut append, &self.fold.stream, base, (context, at))?;
        append.claims = Claims {
            owner: self.fold.stream.to_string(),
            take: decision.take.clone(),
            release: decision.release.clone(),
            from: None,
        };
        if context.idempotent {
            append.command = Some(record::<C>(context, &decision.reply)?);
        }
        Ok(Decided { decision, append, names, at, named, returned })
    }

    /// The state as callers see it who ask for it, if it has such a form.
    pub(super) fn reveal(&self) -> Option<Json> {
        let revealed = catch_unwind(AssertUnwindSafe(|| A::snapshots().reveal(&self.fold.state)));
        revealed.ok().flatten().and_then(Result::ok)
    }
}

/// How long the aggregate stays in memory after this. A panic says nothing.
pub(super) fn lifespan<A: Aggregate>(after: After<'_, A::Event>) -> Lifespan {
    catch_unwind(AssertUnwindSafe(|| A::lifespan(after))).unwrap_or_default()
}
