//! Aggregates: decide what happens, evolve by what happened. Pure functions; the host does the rest.

mod forms;
mod gaps;
mod lifespan;
mod snapshots;
mod steps;

use std::{cell::RefCell, fmt};

use uuid::Uuid;

use crate::{
    document::{Changes, Collection},
    event::EventSet,
    message::Command,
    metadata::Metadata,
    schedule::{Plans, When},
    store::ClaimName,
    stream::StreamName,
    time::Timestamp,
    version::Version,
};

pub use gaps::{Gap, Gaps};
pub use lifespan::{After, Asked, Lifespan, Why};
pub use snapshots::Snapshots;
pub use steps::{Named, Steps};

/// A consistency boundary: its state is the fold of one stream's events, and commands to it are decided one
/// at a time under an optimistic lock on that stream.
pub trait Aggregate: Default + Send + 'static {
    /// Category of its streams, which are named `category-id`. Without `-`.
    const CATEGORY: &'static str;
    /// Categories it had before. Streams that were begun under one of these keep their names and are gone on with; what begins today is of
    /// [`Self::CATEGORY`]. No other aggregate may have one of them.
    const FORMERLY: &'static [&'static str] = &[];
    /// What becomes of its state when its stream does not show all of its events any more: there is none, unless it says otherwise.
    const GAPS: Gaps = Gaps::Refuse;
    /// What happens to it.
    type Event: EventSet;
    /// What can be asked of it: a tuple of command types, each with its [`Decide`].
    type Commands: CommandSet<Self>;

    /// The state after an event. Facts are not argued with: this cannot fail.
    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;

    /// Whether and how often snapshots are taken: none unless it says so. Taken after the caller has its answer; one that
    /// fails costs nothing but the log's word of it.
    #[must_use]
    fn snapshots() -> Snapshots<Self> {
        Snapshots::none()
    }

    /// How long it stays in memory after this: as the settings say, unless it says otherwise.
    #[must_use]
    fn lifespan(after: After<'_, Self::Event>) -> Lifespan {
        let _unused = after;
        Lifespan::Default
    }

    /// What documents are written in the transaction that stores the event: none unless it says so. They are there when
    /// the command is answered; if they cannot be written, nothing is stored.
    ///
    /// A document belongs to one aggregate, under whose lock it is written: its key is the aggregate's id, or begins with the id
    /// and `/`. Its collection is one of [`Self::collections`]. Documents of many aggregates, or that shall be built anew when
    /// their rule changes, are for a [`Projection`](crate::Projection).
    fn inline(event: &Self::Event, happening: &Happening<'_>, changes: &mut Changes) {
        let _unused = (event, happening, changes);
    }

    /// The collections that [`Self::inline`] writes to; no other aggregate and no projection writes to them. An umbrella in which
    /// somebody else declares one of them does not start.
    #[must_use]
    fn collections() -> Vec<Collection> {
        Vec::new()
    }
}

/// How an aggregate decides one kind of command.
pub trait Decide<C: Command>: Aggregate {
    /// Which aggregate the command is for: the part of the stream name after the category.
    fn identify(command: &C) -> String;

    /// Whether the command is let through to [`Self::decide`], which is asked after this, on the same state: for what concerns who
    /// asks rather than what is asked, such as the metadata in the context.
    ///
    /// # Errors
    /// The domain's rejection: the command is cancelled.
    fn before_decide(&self, command: &C, context: &Context<'_>) -> Result<(), C::Rejection> {
        let _unused = (command, context);
        Ok(())
    }

    /// What happens, or why nothing does. Called again on fresh state when another writer was faster.
    ///
    /// # Errors
    /// The domain's rejection.
    fn decide(
        &self,
        command: &C,
        context: &Context<'_>,
    ) -> Result<Decision<Self::Event, C::Reply>, C::Rejection>;

    /// The rejection to answer when a claim the decision wanted belongs to somebody else.
    /// `None`, the default, leaves it an error of the dispatch.
    #[must_use]
    fn claimed(command: &C, claim: &ClaimName) -> Option<C::Rejection> {
        let _unused = (command, claim);
        None
    }
}

/// What a decision leads to, as one atom: all of it is stored, or nothing. Made by [`Decision::new`] or [`Steps`], or by `into()` of an
/// event, an event or none, or several; with an answer, of a pair of these and the answer.
#[derive(Debug)]
pub struct Decision<E, R> {
    /// What happened, in order. Empty when there was nothing to do.
    pub events: Vec<E>,
    /// The answer to the caller.
    pub reply: R,
    /// Values to reserve for this aggregate; the append fails if another holds one.
    pub take: Vec<ClaimName>,
    /// Values of this aggregate to give back.
    pub release: Vec<ClaimName>,
    /// Commands for later, planned and taken back.
    pub plans: Plans,
}

/// Where and when an event happens that is about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Happening<'a> {
    /// The aggregate's stream.
    pub stream: &'a StreamName,
    /// The version that the event gets.
    pub version: Version,
    /// The moment of the decision.
    pub at: Timestamp,
    /// What travels with the event.
    pub metadata: &'a Metadata,
}

/// What a decision may know beside state and command: the moment, fresh ids, and what travels with the command. The host supplies
/// them.
pub struct Context<'a> {
    now: Timestamp,
    metadata: Option<&'a Metadata>,
    fresh_ids: RefCell<&'a mut dyn FnMut() -> Uuid>,
}

/// A tuple of command types that an aggregate decides.
pub trait CommandSet<A: Aggregate> {
    /// Calls the visitor once per command type: how a host, which knows no app, learns its commands.
    fn visit(visitor: &mut impl CommandVisitor<A>);
}

/// Learns the commands of an aggregate; see [`CommandSet::visit`].
pub trait CommandVisitor<A: Aggregate> {
    /// The aggregate decides commands of type `C`.
    fn command<C: Command>(&mut self)
    where
        A: Decide<C>;
}

impl<E, R> Decision<E, R> {
    /// These events and this answer.
    #[must_use]
    pub fn new(events: Vec<E>, reply: R) -> Self {
        Self { events, reply, take: Vec::new(), release: Vec::new(), plans: Plans::default() }
    }

    /// Nothing happens; this is the answer.
    #[must_use]
    pub fn nothing(reply: R) -> Self {
        Self::new(Vec::new(), reply)
    }

    /// Also reserves `value` within `scope` for this aggregate.
    #[must_use]
    pub fn take(mut self, scope: &str, value: &str) -> Self {
        self.take.push(ClaimName::new(scope, value));
        self
    }

    /// Also gives back `value` within `scope`.
    #[must_use]
    pub fn release(mut self, scope: &str, value: &str) -> Self {
        self.release.push(ClaimName::new(scope, value));
        self
    }

    /// Also plans a command for later. Its id is made of the stream and the version of the decision's first event
    /// ([`id_at`](crate::schedule::id_at)), so there must be one.
    #[must_use]
    pub fn schedule<C: Command>(mut self, command: C, when: When) -> Self {
        self.plans.schedule(command, when);
        self
    }

    /// Also plans a command for later under a name of this aggregate's own, in the place of what waits under it: a timer, which a later
    /// decision sets anew or [cancels](Self::cancel). What is being carried out already is not stopped.
    #[must_use]
    pub fn schedule_as<C: Command>(mut self, name: impl Into<String>, command: C, when: When) -> Self {
        self.plans.schedule_as(name, command, when);
        self
    }

    /// Also takes back the command that waits under this name, if one does.
    #[must_use]
    pub fn cancel(mut self, name: impl Into<String>) -> Self {
        self.plans.cancel(name);
        self
    }
}

impl<'a> Context<'a> {
    /// A context for one decision.
    pub fn new(now: Timestamp, fresh_ids: &'a mut dyn FnMut() -> Uuid) -> Self {
        Self { now, metadata: None, fresh_ids: RefCell::new(fresh_ids) }
    }

    /// The same, of a command with which this travels.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &'a Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// What travels with the command and will be on its events: the conversation, the cause, entries of the caller.
    #[must_use]
    pub fn metadata(&self) -> Option<&'a Metadata> {
        self.metadata
    }

    /// The moment of the decision.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// An id nobody has used.
    #[must_use]
    pub fn fresh_id(&self) -> Uuid {
        (self.fresh_ids.borrow_mut())()
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.now).finish_non_exhaustive()
    }
}

macro_rules! command_sets {
    ($($command:ident)*) => {
        impl<A: Aggregate $(+ Decide<$command>)*, $($command: Command),*> CommandSet<A> for ($($command,)*) {
            fn visit(visitor: &mut impl CommandVisitor<A>) {
                let _ = &visitor;
                $(visitor.command::<$command>();)*
            }
        }
    };
}

command_sets!(C1);
command_sets!(C1 C2);
command_sets!(C1 C2 C3);
command_sets!(C1 C2 C3 C4);
command_sets!(C1 C2 C3 C4 C5);
command_sets!(C1 C2 C3 C4 C5 C6);
command_sets!(C1 C2 C3 C4 C5 C6 C7);
command_sets!(C1 C2 C3 C4 C5 C6 C7 C8);
command_sets!(C1 C2 C3 C4 C5 C6 C7 C8 C9);
command_sets!(C1 C2 C3 C4 C5 C6 C7 C8 C9 C10);
command_sets!(C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11);
command_sets!(C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12);
